package translate

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// shape returns p with rules that both back ends can say. A look-up in a list of plain values, such
// as multiport's, becomes a rule for each value; the negated one becomes a rule that excludes each.
func shape(p *ir.Program) (*ir.Program, diag.List) {
	var found diag.List
	out := &ir.Program{Links: p.Links}
	for _, c := range p.Chains {
		chain := *c
		chain.Rules = nil
		for i := range c.Rules {
			split, refused := rules(&c.Rules[i])
			if found = append(found, refused...); refused == nil {
				chain.Rules = append(chain.Rules, split...)
			}
		}
		out.Chains = append(out.Chains, &chain)
	}
	out.AddSets()
	return out, found
}

// rules returns the rules that r stands for.
func rules(r *ir.Rule) ([]ir.Rule, diag.List) {
	all := []ir.Rule{*r}
	all[0].Matches = nil
	for _, m := range r.Matches {
		look, is := m.(ir.Lookup)
		switch {
		case !is:
			all = with(all, m)
		case look.Not:
			for _, e := range look.Set.Elements {
				without, ok := negated(e)
				if !ok {
					return nil, diag.List{refusal(r.Origin, "a rule that excludes the set "+look.Set.Label()+
						" can't be split",
						"an element of several values is excluded by each of them alone",
						"write a chain with a return for each element")}
				}
				all = with(all, without)
			}
		default:
			if slices.ContainsFunc(r.Matches, func(m ir.Match) bool { _, is := m.(ir.Limit); return is }) {
				return nil, diag.List{refusal(r.Origin, "a rule with a list and a limit can't be split",
					"each of the rules would have a limit of its own",
					"jump for each value of the list to a chain that has the limit")}
			}
			if !once(r) && !apart(look.Set.Elements) {
				return nil, diag.List{refusal(r.Origin, "a rule for the list "+look.Set.Name+" can't be split",
					"a packet could meet two of the rules, and what they do would be done twice",
					"write a rule for source ports and one for destination ports")}
			}
			var split []ir.Rule
			for _, e := range look.Set.Elements {
				split = append(split, with(all, e...)...)
			}
			all = split
		}
	}
	return all, nil
}

// with returns rules, each with matches more.
func with(rules []ir.Rule, matches ...ir.Match) []ir.Rule {
	out := slices.Clone(rules)
	for i := range out {
		out[i].Matches = slices.Concat(out[i].Matches, matches)
	}
	return out
}

// once is true if a packet that r matches meets no rule behind it in the chain, and nothing is done
// to it before.
func once(r *ir.Rule) bool {
	switch r.Verdict.(type) {
	case ir.Counter, ir.Jump, ir.ChecksumFill, ir.Opaque:
		return false
	}
	return len(r.Actions) == 0
}

// apart is true if no packet is in two of the elements: all are ranges of one port, and no two
// overlap.
func apart(elements [][]ir.Match) bool {
	type ports struct {
		source   bool
		from, to uint16
	}
	var all []ports
	for _, e := range elements {
		if len(e) != 1 {
			return false
		}
		switch m := e[0].(type) {
		case ir.SPort:
			all = append(all, ports{true, m.From, m.To})
		case ir.DPort:
			all = append(all, ports{false, m.From, m.To})
		default:
			return false
		}
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.source != b.source || a.from <= b.to && b.from <= a.to {
				return false
			}
		}
	}
	return true
}

// negated returns the match that holds for what element e, of one match, doesn't; ok is false if
// there is none.
func negated(e []ir.Match) (m ir.Match, ok bool) {
	if len(e) != 1 {
		return nil, false
	}
	switch m := e[0].(type) {
	case ir.SPort:
		m.Not = !m.Not
		return m, true
	case ir.DPort:
		m.Not = !m.Not
		return m, true
	}
	return nil, false
}
