package prove

import (
	"maps"

	"github.com/vnetc/vnetc/ir"
)

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

// sameStages is true if a and b do the same, stage by stage; then they do the same on the whole way. It is a short cut: what
// all stages do together can be far larger than what each does, the more so the more networks there are. Programs that
// do the same in other stages are compared as a whole.
func sameStages(a, b *model, w way) bool {
	as, bs := a.stages(w), b.stages(w)
	if len(as) != len(bs) {
		return false
	}
	for i, s := range as {
		o := bs[i]
		nat := s.typ == ir.NATType
		if s.hook != o.hook || nat != (o.typ == ir.NATType) || !maps.Equal(s.ends, o.ends) {
			return false
		}
		for e := range s.ends {
			if e.kind == endUnknown {
				return false
			}
		}
	}
	return true
}
