package prove

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// stage is what one base chain does with the packets that come to it.
type stage struct {
	hook   ir.Hook
	typ    ir.ChainType
	pieces []part // one after the other; packets that return have gone through all
	policy end
	can    [endUnknown + 1]bool // by kind, whether a piece or the policy has such an end
	alters bool                 // alters is true if packets may go on that are not as they came.
}

// stages returns what the base chains do that packets on way w meet, in order, without those that
// plainly let everything go on as it is.
func (m *model) stages(w way) []stage {
	var all []stage
	walk := m.newWalk(w)
	for _, b := range walk.bases {
		s := stage{hook: b.hook, typ: b.base.Type, pieces: walk.piecesAt(b), policy: end{kind: endAccept}}
		if b.base.Drop {
			s.policy.kind = endDrop
		}
		s.can[s.policy.kind] = true
		for _, p := range s.pieces {
			for _, e := range p.ends {
				s.can[m.ends[e.end].kind] = true
				s.alters = s.alters || m.ends[e.end].change != ir.Alteration{}
			}
			s.alters = s.alters || len(p.altered) > 0
		}
		s.can[endAccept] = false
		if s.can != (stage{}).can || s.alters {
			all = append(all, s)
		}
	}
	return all
}

// whole returns how the walk of all packets through s ends, its policy included.
func (m *model) whole(s stage) part {
	p := m.fold(s.pieces)
	rest := ending{m.number(s.policy), m.Or(p.on, p.back)}
	out := part{ends: m.merge(p.ends, m.within(always, []ending{rest}))}
	for _, f := range p.altered {
		end := s.policy
		if end.kind == endAccept {
			end.change = f.change
		}
		out.ends = m.merge(out.ends, m.within(always, []ending{{m.number(end), m.Or(f.back, f.on)}}))
	}
	return out
}

// acting returns the stages that do not let everything go on as it is.
func (m *model) acting(stages []stage) []stage {
	accept := m.number(end{kind: endAccept})
	return slices.DeleteFunc(stages, func(s stage) bool { return m.whole(s).of(accept) == always })
}

// unlike returns the packets that some stage of a and b does not do the same to. It is a short cut:
// what all stages do together can be far larger than what each does, and what a stage does than its
// pieces, the more so the more networks there are; and most packets, or all of them, meet stages
// that do the same. Ok is false if the stages don't show it: where the programs do things in other
// stages, rewrite packets before the last one, or have a verdict that is not modelled.
func unlike(a, b *model, w way) (set node, ok bool) {
	as, bs := a.stages(w), b.stages(w)
	if len(as) != len(bs) {
		as, bs = a.acting(as), b.acting(bs)
	}
	if len(as) != len(bs) {
		return always, false
	}
	var sets []node
	for i, s := range as {
		o := bs[i]
		if s.hook != o.hook || (s.typ == ir.NATType) != (o.typ == ir.NATType) || s.can[endUnknown] ||
			o.can[endUnknown] {
			return always, false
		}
		if s.policy != o.policy || !slices.EqualFunc(s.pieces, o.pieces, part.equal) {
			sets = append(sets, a.parting(a.whole(s), b.whole(o))...)
		}
	}
	if len(sets) == 0 {
		return never, true
	}
	for i := range len(as) - 1 {
		if as[i].can[endNAT] || bs[i].can[endNAT] || as[i].alters || bs[i].alters {
			return always, false
		}
	}
	return a.Union(sets), true
}

// equal is true if p and o do the same.
func (p part) equal(o part) bool {
	return p.back == o.back && p.on == o.on && slices.Equal(p.ends, o.ends) && sameFlows(p.altered, o.altered)
}

// parting returns the packets that come to one end in p and to another in o; no sets if there are
// none.
func (s *space) parting(p, o part) []node {
	var sets []node
	for _, e := range p.ends {
		if set := s.Diff(e.set, o.of(e.end)); set != never {
			sets = append(sets, set)
		}
	}
	return sets
}
