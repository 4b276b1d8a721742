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

// anyOf returns the packets for which all matches of some element hold. Elements are distinguished
// by a field, as rules are, if all match a value of it.
func (s *space) anyOf(hook ir.Hook, elements [][]ir.Match) node {
	c := common{at: make([][axes]int8, 0, len(elements))}
	apart := true
	for _, e := range elements {
		apart = apart && c.takes(e)
	}
	var sets []node
	by, ok := c.axis(hook)
	if !apart || !ok {
		for _, e := range elements {
			sets = append(sets, s.conjunction(hook, e, -1))
		}
		return s.Join(sets)
	}
	f, all := s.byValue(&c, by, func(i int32) []ir.Match { return elements[i] })
	choices := make([]choice, 0, len(all))
	for len(all) > 0 {
		group := sameValue(all)
		all = all[len(group):]
		sets = sets[:0]
		for _, p := range group {
			sets = append(sets, s.conjunction(hook, elements[p.rule], int(p.but)))
		}
		choices = append(choices, choice{group[0].value, s.Join(sets)})
	}
	return s.choose(f, choices)
}

// conjunction returns the packets for which all of matches hold, but for the one that has number
// but.
func (s *space) conjunction(hook ir.Hook, matches []ir.Match, but int) node {
	set := always
	for i, m := range matches {
		if i != but {
			set = s.And(set, s.match(hook, m))
		}
	}
	return set
}
