package prove

import "github.com/vnetc/vnetc/ir"

// stage is what one base chain does with the packets that come to it: a partition by how their walk through it ends, its policy
// included.
type stage struct {
	hook ir.Hook
	typ  ir.ChainType
	ends map[end]node
}

// stages returns what the base chains do that packets on way w meet, in order, without those that let everything go on as it
// is.
func (m *model) stages(w way) []stage {
	var all []stage
	walk := m.newWalk(w)
	for _, b := range walk.bases {
		part := walk.base(b)
		policy := end{kind: endAccept}
		if b.base.Drop {
			policy.kind = endDrop
		}
		ends := map[end]node{policy: part.on}
		for e, set := range part.ends {
			if set = m.or(ends[e], set); set != never {
				ends[e] = set
			}
		}
		if ends[policy] == never {
			delete(ends, policy)
		}
		if ends[end{kind: endAccept}] != always {
			all = append(all, stage{b.hook, b.base.Type, ends})
		}
	}
	return all
}

// unlike returns the packets that some stage of a and b does not do the same to. It is a short cut: what all stages do together
// can be far larger than what each does, the more so the more networks there are, and most packets, or all of them, meet
// stages that do the same. Ok is false if the stages don't tell: where the programs do things in other stages, rewrite packets
// before the last one, or have a verdict that is not modelled.
func unlike(a, b *model, w way) (set node, ok bool) {
	as, bs := a.stages(w), b.stages(w)
	if len(as) != len(bs) {
		return always, false
	}
	var sets []node
	same := true
	for i, s := range as {
		o := bs[i]
		nat := s.typ == ir.NATType
		if s.hook != o.hook || nat != (o.typ == ir.NATType) {
			return always, false
		}
		for e := range ends(s, o) {
			if e.kind == endUnknown {
				return always, false
			}
			if s.ends[e] == o.ends[e] {
				continue
			}
			same = false
			sets = append(sets, a.diff(s.ends[e], o.ends[e]), a.diff(o.ends[e], s.ends[e]))
		}
	}
	if same {
		return never, true
	}
	for i := range max(0, len(as)-1) {
		if as[i].rewrites() || bs[i].rewrites() {
			return always, false
		}
	}
	return a.union(sets), true
}

// ends returns the ends of walks through either.
func ends(a, b stage) map[end]bool {
	all := make(map[end]bool)
	for e := range a.ends {
		all[e] = true
	}
	for e := range b.ends {
		all[e] = true
	}
	return all
}

// rewrites is true if packets that go on are others than those that came.
func (s stage) rewrites() bool {
	for e := range s.ends {
		if e.kind == endNAT {
			return true
		}
	}
	return false
}
