package prove

import "github.com/vnetc/vnetc/ir"

// setAt is a set as it is looked up: before routing, no packet has an interface by which it leaves.
type setAt struct {
	set    *ir.Set
	routed bool
}

// lookup returns the packets for which l holds at hook.
func (s *space) lookup(hook ir.Hook, l ir.Lookup) node {
	at := setAt{l.Set, hook != ir.Prerouting}
	in, ok := s.sets[at]
	if !ok {
		in = s.anyOf(hook, l.Set.Elements)
		s.sets[at] = in
	}
	return s.turned(always, in, l.Not)
}

// anyOf returns the packets for which all matches of some element hold. Elements are told apart by a field, as rules are, if
// all ask for a value of it.
func (s *space) anyOf(hook ir.Hook, elements [][]ir.Match) node {
	var c common
	all, apart := make([]placed, len(elements)), true
	for i, e := range elements {
		all[i] = placed{rule: i, but: -1}
		apart = apart && c.takes(e)
	}
	union := func(group []placed) node {
		sets := make([]node, len(group))
		for i, p := range group {
			sets[i] = s.conjunction(hook, elements[p.rule], p.but)
		}
		return s.union(sets)
	}
	by, ok := c.axis(hook)
	if !apart || !ok {
		return union(all)
	}
	f, groups := s.byValue(&c, by, func(i int) []ir.Match { return elements[i] })
	choices := make([]choice, len(groups))
	for i, group := range groups {
		choices[i] = choice{group[0].value, union(group)}
	}
	return s.choose(f, choices)
}

// conjunction returns the packets for which all of matches hold, but for the one that has number but.
func (s *space) conjunction(hook ir.Hook, matches []ir.Match, but int) node {
	set := always
	for i, m := range matches {
		if i != but {
			set = s.and(set, s.match(hook, m))
		}
	}
	return set
}
