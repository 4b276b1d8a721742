package firewall

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// search looks through a program that was read from a host for rules of bridges that are not known.
// It undoes what layouts do with rules: a look-up in a set becomes a rule for each element, and
// each rule gets the matches of the jump to its chain and of the head of the chain.
type search struct {
	held    *ir.Program
	known   map[string]bool
	subnets map[netip.Prefix]string // of bridges that are not known, each with its bridge
	found   []unexplained
}

// conjunction is matches that must all hold.
type conjunction []ir.Match

// namesOther is true if the program names any interface that is not known, as in most cases it does
// not.
func (s *search) namesOther() bool {
	other := func(matches []ir.Match) bool {
		return slices.ContainsFunc(matches, func(m ir.Match) bool {
			name, _, ok := interfaceOf(m)
			return ok && !s.known[name]
		})
	}
	for _, set := range s.held.Sets {
		if slices.ContainsFunc(set.Elements, other) {
			return true
		}
	}
	for _, c := range s.held.Chains {
		for i := range c.Rules {
			if other(c.Rules[i].Matches) {
				return true
			}
		}
	}
	return false
}

// interfaceOf returns the interface that m matches; ok is false if it matches none, or not one by
// its whole name.
func interfaceOf(m ir.Match) (name string, leaves, ok bool) {
	switch m := m.(type) {
	case ir.IIfName:
		return m.Name, false, !m.Not && !m.Wildcard
	case ir.OIfName:
		return m.Name, true, !m.Not && !m.Wildcard
	}
	return "", false, false
}

// leavesBy is true if rules of g name their network's bridge as the interface by which packets
// leave the host.
func leavesBy(g ir.Group) bool {
	switch row := g.Rows()[0]; row.Hook {
	case ir.Forward:
		return row.Accepts == ir.Into
	case ir.Prerouting, ir.Input:
		return false
	}
	return true
}

// chain adds the rules of c, which has those of group g.
func (s *search) chain(c *ir.Chain, g ir.Group) {
	guards, head := s.guards(c)
	after := ""
	for i := head; i < len(c.Rules); i++ {
		r := &c.Rules[i]
		if isJump(r) || !keeps(r, g) {
			continue // no network's, or not without it
		}
		if key := about(r.Matches, g); r.Mangles() && s.known[key] || s.explained(r.Matches, g) {
			after = key
			continue
		}
		parts := append(partsOf(r), guards...)
		for n := range parts {
			parts[n] = slices.DeleteFunc(slices.Clone(parts[n]), func(m conjunction) bool { return s.explained(m, g) })
		}
		for _, matches := range product(parts) {
			bridge := s.bridgeOf(matches, g)
			matches, ok := outside(r, matches)
			if bridge == "" || !ok {
				continue
			}
			s.noteSubnets(matches, g, bridge)
			s.found = append(s.found, unexplained{bridge: bridge, group: g, after: after, rule: ir.Rule{
				Family: familyIn(c, r), Matches: matches, Actions: r.Actions, Verdict: r.Verdict, Comment: r.Comment,
				Origin: ir.Origin{Element: "kept"},
			}})
		}
	}
}

// keeps is true if r, a rule of group g, may stay without the network that it is about. What a
// policy lets through may not: rules beside it, which are about all networks, tell the outside from
// other networks, and they go. What it refuses stays, and what is spared from that at the host.
func keeps(r *ir.Rule, g ir.Group) bool {
	_, returns := r.Verdict.(ir.Return)
	switch {
	case !g.Optional(): // a network's own return asks no state: see its --strict-isolation
		return !returns || g.Hook() != ir.Forward || !slices.ContainsFunc(r.Matches, asksState)
	case returns:
		return g.Hook() != ir.Forward
	}
	switch r.Verdict.(type) {
	case ir.Reject, ir.Drop:
		return true
	}
	return false
}

func asksState(m ir.Match) bool {
	_, is := m.(ir.CTState)
	return is
}

// familyIn returns the family of r in c: a rule that was read has that of its table.
func familyIn(c *ir.Chain, r *ir.Rule) ir.Family {
	if r.Family != 0 {
		return r.Family
	}
	return c.Family
}

// guards returns what packets are asked before they meet the rules of c: by the jumps that lead
// there, and by the first rules of c, as many as head, which return those that are not meant.
func (s *search) guards(c *ir.Chain) (all [][]conjunction, head int) {
	var jumps []conjunction
	for _, from := range s.held.Chains {
		if from.Family != c.Family || from.Table != c.Table {
			continue
		}
		for i := range from.Rules {
			if leadsTo(&from.Rules[i], c.Name) {
				jumps = append(jumps, product(partsOf(&from.Rules[i]))...)
			}
		}
	}
	if len(jumps) > 0 {
		all = append(all, jumps)
	}
	for ; head < len(c.Rules); head++ {
		r := &c.Rules[head]
		if jump, is := r.Verdict.(ir.Jump); is {
			if to := s.held.Target(c, jump.Chain); to != nil && to.Admin {
				continue // the administrator's rules are met before ours
			}
		}
		if _, is := r.Verdict.(ir.Return); !is || len(r.Matches) != 1 {
			break
		}
		l, is := r.Matches[0].(ir.Lookup)
		if !is || !l.Not {
			break
		}
		all = append(all, elementsIn(l.Set))
	}
	return all, head
}

func leadsTo(r *ir.Rule, chain string) bool {
	switch v := r.Verdict.(type) {
	case ir.Jump:
		return v.Chain == chain
	case ir.Goto:
		return v.Chain == chain
	}
	return false
}

// partsOf returns the matches of r: of each part, that one of its conjunctions holds. What it must
// not be is not in it; see outside.
func partsOf(r *ir.Rule) (parts [][]conjunction) {
	var plain conjunction
	for _, m := range r.Matches {
		l, is := m.(ir.Lookup)
		switch {
		case !is:
			plain = append(plain, m)
		case !l.Not:
			parts = append(parts, elementsIn(l.Set))
		}
	}
	return append([][]conjunction{{plain}}, parts...)
}

func elementsIn(s *ir.Set) []conjunction {
	all := make([]conjunction, len(s.Elements))
	for i, e := range s.Elements {
		all[i] = e
	}
	return all
}

// outside returns the matches of r for packets for which matches hold, with what they must not be:
// in no element of a set. Most elements are about other packets. An element that matches can't deny
// becomes opaque: no back end accepts that, so the rule can't be confused with another. If no
// packet is left ok is false.
func outside(r *ir.Rule, matches conjunction) (all conjunction, ok bool) {
	all = matches
	for _, m := range r.Matches {
		l, is := m.(ir.Lookup)
		if !is || !l.Not {
			continue
		}
		for _, e := range l.Set.Elements {
			if _, ok := and(matches, e); !ok {
				continue
			}
			rest := slices.DeleteFunc(slices.Clone(e), func(m ir.Match) bool { return implies(matches, m) })
			if len(rest) == 0 {
				return nil, false
			}
			not, ok := negated(rest[0])
			if !ok || len(rest) > 1 {
				not = ir.Opaque{Text: ir.MatchText(l)}
			}
			all = append(slices.Clip(all), not)
		}
	}
	return all, true
}

// implies is true if m holds wherever all of matches do.
func implies(matches conjunction, m ir.Match) bool {
	return slices.ContainsFunc(matches, func(o ir.Match) bool {
		if o == m {
			return true
		}
		if !sameField(o, m) {
			return false
		}
		narrower, ok := narrow(o, m)
		return ok && narrower == o
	})
}

// negated returns the match that holds when m does not, for the kinds of which sets are made.
func negated(m ir.Match) (ir.Match, bool) {
	switch m := m.(type) {
	case ir.IIfName:
		m.Not = !m.Not
		return m, true
	case ir.OIfName:
		m.Not = !m.Not
		return m, true
	case ir.SAddr:
		m.Not = !m.Not
		return m, true
	case ir.DAddr:
		m.Not = !m.Not
		return m, true
	case ir.SAddrRange:
		m.Not = !m.Not
		return m, true
	case ir.DAddrRange:
		m.Not = !m.Not
		return m, true
	case ir.L4Proto:
		m.Not = !m.Not
		return m, true
	case ir.SPort:
		m.Not = !m.Not
		return m, true
	case ir.DPort:
		m.Not = !m.Not
		return m, true
	case ir.Mark:
		m.Not = !m.Not
		return m, true
	}
	return nil, false
}

// product returns the conjunctions of one from each part that can hold.
func product(parts [][]conjunction) []conjunction {
	all := []conjunction{nil}
	for _, part := range parts {
		var next []conjunction
		for _, a := range all {
			for _, b := range part {
				if both, ok := and(a, b); ok {
					next = append(next, both)
				}
			}
		}
		all = next
	}
	return all
}

// and returns what holds where a and b do; ok is false if that is nowhere.
func and(a, b conjunction) (both conjunction, ok bool) {
	both = slices.Clone(a)
	for _, m := range b {
		if slices.Contains(both, m) {
			continue
		}
		at := slices.IndexFunc(both, func(o ir.Match) bool { return sameField(o, m) })
		if at < 0 {
			both = append(both, m)
			continue
		}
		narrower, ok := narrow(both[at], m)
		if !ok {
			return nil, false
		}
		both[at] = narrower
	}
	return both, true
}

// sameField is true if a and b each match a value of the same interface or address.
func sameField(a, b ir.Match) bool {
	if _, aLeaves, ok := interfaceOf(a); ok {
		_, bLeaves, ok := interfaceOf(b)
		return ok && aLeaves == bLeaves
	}
	switch a := a.(type) {
	case ir.SAddr:
		b, ok := b.(ir.SAddr)
		return ok && !a.Not && !b.Not
	case ir.DAddr:
		b, ok := b.(ir.DAddr)
		return ok && !a.Not && !b.Not
	}
	return false
}

// narrow returns the one of two different matches of one field that implies the other; ok is false
// if they can't both hold.
func narrow(a, b ir.Match) (m ir.Match, ok bool) {
	p, q := prefixIn(a), prefixIn(b)
	switch {
	case !p.IsValid() || !p.Overlaps(q):
		return nil, false
	case p.Bits() >= q.Bits():
		return a, true
	}
	return b, true
}

func prefixIn(m ir.Match) netip.Prefix {
	switch m := m.(type) {
	case ir.SAddr:
		return m.Prefix
	case ir.DAddr:
		return m.Prefix
	}
	return netip.Prefix{}
}

// explained is true if a rule of group g with these matches belongs to a known network. Address
// translation is recognized by subnets: the interface in it may be the way out.
func (s *search) explained(matches conjunction, g ir.Group) bool {
	return slices.ContainsFunc(matches, func(m ir.Match) bool {
		if g.Hook() == ir.Postrouting {
			from, ok := m.(ir.SAddr)
			return ok && !from.Not && !s.touches(from.Prefix)
		}
		name, leaves, ok := interfaceOf(m)
		return ok && leaves == leavesBy(g) && s.known[name]
	})
}

// about returns what a rule of group g is about, in words: the bridge that it names, or the subnet
// whose addresses it translates. It is empty if it names none.
func about(matches []ir.Match, g ir.Group) string {
	if g.Hook() == ir.Postrouting {
		for _, m := range matches {
			if from, ok := m.(ir.SAddr); ok && !from.Not {
				return from.Prefix.String()
			}
		}
	}
	for _, m := range matches {
		if name, leaves, ok := interfaceOf(m); ok && leaves == leavesBy(g) {
			return name
		}
	}
	return ""
}

// touches is true if p has addresses of a bridge that is not known.
func (s *search) touches(p netip.Prefix) bool {
	for subnet := range s.subnets {
		if subnet.Overlaps(p) {
			return true
		}
	}
	return false
}

// bridgeOf returns the bridge, of those that are not known, that a rule of group g is about; empty
// if it is about none.
func (s *search) bridgeOf(matches conjunction, g ir.Group) string {
	if g.Hook() == ir.Postrouting {
		for _, m := range matches {
			if from, ok := m.(ir.SAddr); ok && !from.Not {
				return s.subnets[from.Prefix]
			}
		}
	}
	for _, m := range matches {
		if name, leaves, ok := interfaceOf(m); ok && leaves == leavesBy(g) && !s.known[name] {
			return name
		}
	}
	return ""
}

// noteSubnets notes the subnets of the network that a rule of group g, about bridge, is for.
func (s *search) noteSubnets(matches conjunction, g ir.Group, bridge string) {
	for _, m := range matches {
		var subnet netip.Prefix
		switch m := m.(type) {
		case ir.SAddr:
			if !m.Not && !leavesBy(g) {
				subnet = m.Prefix
			}
		case ir.DAddr:
			if !m.Not && leavesBy(g) {
				subnet = m.Prefix
			}
		}
		if subnet.IsValid() && s.subnets[subnet] == "" {
			s.subnets[subnet] = bridge
		}
	}
}
