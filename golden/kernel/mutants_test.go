package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// mutant is a program with one thing wrong in one rule.
type mutant struct {
	group   ir.Group
	kind    string // what was done: removed, ct state dropped
	rule    ir.Rule
	program *ir.Program
}

// String says what was done to which rule.
func (m mutant) String() string { return fmt.Sprintf("%s: %s: %s", m.group, m.kind, m.rule.String()) }

// class is the same for mutants that differ in names and numbers only.
func (m mutant) class() string {
	class := fmt.Sprintf("%s %s %s", m.group, m.kind, m.rule.Family)
	for _, match := range m.rule.Matches {
		class += fmt.Sprintf(" %T %v", match, strings.Contains(ir.MatchText(match), "!="))
	}
	verdict, ports, _ := strings.Cut(ir.VerdictText(m.rule.Verdict), " port ")
	return fmt.Sprintf("%s %s %v", class, strings.Fields(verdict)[0], ports != "")
}

// mutants returns every mutant of p that is a program: each rule of each group with each of the
// changes of this file. No two are the same. The rules that fill checksums are left alone: they
// have no part in the fate of a packet.
func mutants(p *ir.Program) []mutant {
	var all []mutant
	known := map[string]bool{rulesText(p): true}
	add := func(g ir.Group, kind string, r ir.Rule, q *ir.Program) {
		text := rulesText(q)
		if known[text] || len(ir.Verify(q)) > 0 {
			return
		}
		known[text] = true
		all = append(all, mutant{g, kind, r, q})
	}
	for _, g := range ir.Groups {
		c := p.Group(g)
		if c == nil {
			continue
		}
		for i, r := range c.Rules {
			if r.Mangles() {
				continue
			}
			moved, changed := moves(c.Rules, i), changes(r)
			for _, kind := range slices.Sorted(maps.Keys(moved)) {
				add(g, kind, r, with(p, g, moved[kind]))
			}
			for _, kind := range slices.Sorted(maps.Keys(changed)) {
				rules := slices.Clone(c.Rules)
				rules[i] = changed[kind]
				add(g, kind, r, with(p, g, rules))
			}
			if to, ok := map[ir.Group]ir.Group{ir.FWX: ir.FWO, ir.FWI: ir.FWX, ir.FWO: ir.FWX}[g]; ok {
				q := with(p, g, slices.Delete(slices.Clone(c.Rules), i, i+1))
				add(g, "in group "+to.String(), r, with(q, to, append(slices.Clone(p.Group(to).Rules), r)))
			}
		}
	}
	return all
}

// with returns p with other rules in a group.
func with(p *ir.Program, g ir.Group, rules []ir.Rule) *ir.Program {
	q := &ir.Program{Links: p.Links}
	for _, c := range p.Chains {
		if c.Group == g {
			d := *c
			d.Rules = rules
			c = &d
		}
		q.Chains = append(q.Chains, c)
	}
	return q
}

// rulesText returns all rules, to compare by.
func rulesText(p *ir.Program) string {
	var b strings.Builder
	for _, c := range p.Chains {
		fmt.Fprintln(&b, c.Label())
		for i := range c.Rules {
			fmt.Fprintln(&b, c.Rules[i].String())
		}
	}
	return b.String()
}

// moves returns a chain's rules with rule i elsewhere or not there at all.
func moves(rules []ir.Rule, i int) map[string][]ir.Rule {
	gone := slices.Delete(slices.Clone(rules), i, i+1)
	all := map[string][]ir.Rule{
		"removed": gone,
		"first":   slices.Insert(slices.Clone(gone), 0, rules[i]),
		"last":    append(slices.Clone(gone), rules[i]),
	}
	if i+1 < len(rules) {
		all["behind its neighbour"] = slices.Insert(slices.Clone(gone), i+1, rules[i])
	}
	return all
}

// changes returns a rule with one match or its verdict changed.
func changes(r ir.Rule) map[string]ir.Rule {
	all := make(map[string]ir.Rule)
	for j, m := range r.Matches {
		what := matchKind(m)
		dropped := r
		dropped.Matches = slices.Delete(slices.Clone(r.Matches), j, j+1)
		all[what+" dropped"] = dropped
		for kind, other := range otherMatches(m) {
			changed := r
			changed.Matches = slices.Clone(r.Matches)
			changed.Matches[j] = other
			all[what+" "+kind] = changed
		}
	}
	for kind, v := range otherVerdicts(r.Verdict, r.Family) {
		changed := r
		changed.Verdict = v
		all[kind] = changed
	}
	return all
}

// matchKind returns the word before the value of a match: saddr, ct state.
func matchKind(m ir.Match) string {
	words := strings.Fields(ir.MatchText(m))
	if words[0] == "ct" {
		return "ct state"
	}
	return words[0]
}

func otherMatches(m ir.Match) map[string]ir.Match {
	switch m := m.(type) {
	case ir.IIfName:
		return map[string]ir.Match{
			"negated": ir.IIfName{Name: m.Name, Not: true}, "of another": ir.IIfName{Name: "br-other"},
			"of all": ir.IIfName{Name: "vb", Wildcard: true},
		}
	case ir.OIfName:
		return map[string]ir.Match{
			"negated": ir.OIfName{Name: m.Name, Not: true}, "of another": ir.OIfName{Name: "br-other"},
			"of all": ir.OIfName{Name: "vb", Wildcard: true},
		}
	case ir.SAddr:
		all := make(map[string]ir.Match)
		for kind, p := range otherPrefixes(m.Prefix, m.Not) {
			all[kind] = ir.SAddr{Prefix: p, Not: m.Not}
		}
		all["turned"] = ir.SAddr{Prefix: m.Prefix, Not: !m.Not}
		return all
	case ir.DAddr:
		all := make(map[string]ir.Match)
		for kind, p := range otherPrefixes(m.Prefix, m.Not) {
			all[kind] = ir.DAddr{Prefix: p, Not: m.Not}
		}
		all["turned"] = ir.DAddr{Prefix: m.Prefix, Not: !m.Not}
		return all
	case ir.CTState:
		return map[string]ir.Match{
			"without related":     ir.CTState{States: m.States &^ ir.StateRelated},
			"negated":             ir.CTState{States: m.States, Not: true},
			"without established": ir.CTState{States: m.States &^ ir.StateEstablished},
			"with new":            ir.CTState{States: m.States | ir.StateNew},
		}
	case ir.L4Proto:
		other := map[uint8]uint8{ir.TCP: ir.UDP, ir.UDP: ir.TCP}[m.Proto]
		return map[string]ir.Match{"of another": ir.L4Proto{Proto: other}}
	case ir.DPort:
		return map[string]ir.Match{
			"widened": ir.DPort{From: 1, To: 65535}, "next": ir.DPort{From: m.From + 1, To: m.To + 1},
			"negated": ir.DPort{From: m.From, To: m.To, Not: true},
		}
	}
	return nil
}

// otherPrefixes returns a wider prefix, which has addresses of others, and a narrower one, which
// has none that anybody uses. "Not in any network" is no rule, so a negated prefix grows to half of
// all addresses only.
func otherPrefixes(p netip.Prefix, not bool) map[string]netip.Prefix {
	wide := 0
	if not {
		wide = 1
	}
	all := map[string]netip.Prefix{"widened": netip.PrefixFrom(p.Addr(), wide).Masked()}
	if !p.IsSingleIP() {
		all["narrowed"] = netip.PrefixFrom(p.Addr(), p.Addr().BitLen())
	}
	return all
}

// otherVerdicts returns verdicts whose effect differs visibly from v's. Two ranges that overlap
// can't be, by one packet.
func otherVerdicts(v ir.Verdict, f ir.Family) map[string]ir.Verdict {
	one := netip.MustParseAddr("203.0.113.200")
	if f == ir.IPv6 {
		one = netip.MustParseAddr("2001:db8:113::200")
	}
	elsewhere, ports := ir.AddrRange{From: one, To: one.Next()}, ir.PortRange{From: 410, To: 449}
	switch v := v.(type) {
	case ir.Accept:
		return map[string]ir.Verdict{
			"return for accept": ir.Return{}, "drop for accept": ir.Drop{},
			"reject for accept": ir.Reject{With: ir.PortUnreachable},
		}
	case ir.Reject:
		own := map[ir.Family]ir.RejectCode{ir.IPv4: ir.HostProhibited, ir.IPv6: ir.AddrUnreachable,
			ir.Both: ir.AdminProhibited}[f]
		return map[string]ir.Verdict{
			"another code": ir.Reject{With: ir.AdminProhibited}, "a code of the family": ir.Reject{With: own},
			"drop for reject": ir.Drop{}, "accept for reject": ir.Accept{}, "return for reject": ir.Return{},
		}
	case ir.Return:
		return map[string]ir.Verdict{"snat for return": ir.SNAT{Addrs: elsewhere}, "accept for return": ir.Accept{}}
	case ir.Masquerade:
		all := map[string]ir.Verdict{"return for NAT": ir.Return{},
			"snat for masquerade": ir.SNAT{Addrs: elsewhere, Ports: v.Ports}}
		if !v.Ports.IsZero() {
			all["port range lost"] = ir.Masquerade{}
			all["another port range"] = ir.Masquerade{Ports: ports}
			all["port range widened"] = ir.Masquerade{Ports: ir.PortRange{From: 1, To: 65535}}
		}
		return all
	case ir.SNAT:
		all := map[string]ir.Verdict{
			"return for NAT": ir.Return{}, "masquerade for snat": ir.Masquerade{Ports: v.Ports},
			"another address range": ir.SNAT{Addrs: elsewhere, Ports: v.Ports},
		}
		if !v.Ports.IsZero() {
			all["port range lost"] = ir.SNAT{Addrs: v.Addrs}
			all["another port range"] = ir.SNAT{Addrs: v.Addrs, Ports: ports}
		}
		return all
	}
	panic(fmt.Sprintf("kernel: no other verdict for %s", ir.VerdictText(v)))
}
