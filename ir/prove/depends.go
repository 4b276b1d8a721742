package prove

import "github.com/vnetc/vnetc/ir"

// Rules that are not modelled make an answer depend on them: a match that may hold or not, and a
// verdict or an action after which the fate of the packet is unknown.

// crossing is the packets that go one way, by whether they get through.
type crossing struct {
	accepted node // these do, whatever the rules do that are not modelled
	depends  node // these may, or may not
	closed   node // these do not
	unknown  fates
}

// because returns the rule on which the packets of set, which are among those of c that depend on
// one, do.
func (m *model) because(c crossing, set node) ir.Step {
	if step, ok := deciding(m.program, m.pick(set)); ok {
		return step
	}
	for _, f := range m.inOrder(c.unknown) {
		if m.And(set, c.unknown[f]) != never {
			return stepOf(f.unknown, m.program)
		}
	}
	panic("prove: packets depend on a rule that is not modelled, and there is none")
}

// opaqueCube returns the variables of all opaque matches.
func (s *space) opaqueCube() node {
	cube := always
	for v := s.width - 1; v >= s.keys[0].first; v-- { // keys as well: few packets say them
		cube = s.Vertex(uint16(v), never, cube)
	}
	return cube
}

// stepOf returns where r is in one of the programs.
func stepOf(r *ir.Rule, programs ...*ir.Program) ir.Step {
	for _, p := range programs {
		for _, c := range p.Chains {
			for i := range c.Rules {
				if &c.Rules[i] == r {
					return ir.Step{Chain: c, Index: i, Rule: r}
				}
			}
		}
	}
	panic("prove: a rule that no program has")
}
