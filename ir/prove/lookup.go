package prove

import "github.com/vnetc/vnetc/ir"

// setAt is a set as it is looked up: before routing, no packet has an interface by which it leaves.
type setAt struct {
	set    *ir.Set
	routed bool
}

// lookup returns the packets for which l holds at hook. Elements are joined two and two, as rules are: thousands cost no more
// than their number.
func (s *space) lookup(hook ir.Hook, l ir.Lookup) node {
	at := setAt{l.Set, hook != ir.Prerouting}
	in, ok := s.sets[at]
	if !ok {
		elements := make([]node, len(l.Set.Elements))
		for i, e := range l.Set.Elements {
			elements[i] = s.conjunction(hook, e)
		}
		in = s.union(elements)
		s.sets[at] = in
	}
	return s.turned(always, in, l.Not)
}

// conjunction returns the packets for which all of matches hold.
func (s *space) conjunction(hook ir.Hook, matches []ir.Match) node {
	set := always
	for _, m := range matches {
		set = s.and(set, s.match(hook, m))
	}
	return set
}
