package prove

import (
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestStages: programs that do the same in other pieces, and others that differ in one place only.
// Each is compared both ways.
func TestStages(t *testing.T) {
	rule := func(v ir.Verdict, m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v} }
	in := func(name string) ir.Match { return ir.IIfName{Name: name} }
	reject := ir.Reject{With: ir.PortUnreachable}
	groups := func(fwx, fwi []ir.Rule) *ir.Program {
		p := &ir.Program{}
		p.Add(ir.FWX, fwx...)
		p.Add(ir.FWI, fwi...)
		return p
	}
	chain := func(drop bool, rules ...ir.Rule) *ir.Program {
		base := &ir.Base{Hook: ir.Forward, Type: ir.FilterType, Drop: drop}
		return &ir.Program{Chains: []*ir.Chain{{Family: ir.IPv4, Table: "t", Name: "forward", Base: base,
			Rules: rules}}}
	}
	tests := []struct {
		name string
		a, b *ir.Program
		want Answer
	}{
		{"one group's rules in two", groups([]ir.Rule{rule(ir.Drop{}, in("a"))}, []ir.Rule{rule(reject, in("b"))}),
			groups([]ir.Rule{rule(ir.Drop{}, in("a")), rule(reject, in("b"))}, nil), Proved},
		{"a rule that another piece hides", groups([]ir.Rule{rule(ir.Accept{}, in("a"))},
			[]ir.Rule{rule(reject, in("a")), rule(ir.Drop{}, in("b"))}),
			groups([]ir.Rule{rule(ir.Accept{}, in("a"))}, []ir.Rule{rule(ir.Drop{}, in("b"))}), Proved},
		{"pieces the other way round", groups([]ir.Rule{rule(ir.Accept{}, in("a"))}, []ir.Rule{rule(reject)}),
			groups([]ir.Rule{rule(reject)}, []ir.Rule{rule(ir.Accept{}, in("a"))}), Refuted},
		{"a base chain that is hidden whole", chain(false, rule(ir.Accept{}), rule(reject, in("a"))), &ir.Program{},
			Proved},
		{"the policy alone", chain(true, rule(reject, in("a"))), chain(false, rule(reject, in("a"))), Refuted},
		{"a policy and a rule for all", chain(true, rule(reject, in("a"))),
			chain(false, rule(reject, in("a")), rule(ir.Drop{})), Proved},
		{"a return goes to the policy, not to the next rules", chain(true, rule(ir.Return{}, in("a")),
			rule(ir.Accept{})),
			chain(false, rule(ir.Drop{}, in("a"))), Proved},
		{"a return is not an accept", chain(true, rule(ir.Return{}, in("a")), rule(ir.Accept{})),
			chain(true, rule(ir.Accept{}, in("a")), rule(ir.Accept{})), Refuted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Equal(tt.a, tt.b, ir.Both).Answer; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := Equal(tt.b, tt.a, ir.Both).Answer; got != tt.want {
				t.Errorf("the other way: got %s, want %s", got, tt.want)
			}
		})
	}
}
