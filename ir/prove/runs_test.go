package prove

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// TestRuns: where a list of rules is cut, and by which field each piece is distinguished. What the
// pieces mean is in the random tests.
func TestRuns(t *testing.T) {
	in := func(name string) ir.Match { return ir.IIfName{Name: name} }
	out := func(name string) ir.Match { return ir.OIfName{Name: name} }
	from := func(net string) ir.Match { return ir.SAddr{Prefix: parseNets(net)[0]} }
	tests := []struct {
		name  string
		rules [][]ir.Match
		hook  ir.Hook
		want  []int // rules in each run, with the axis behind it; -1 for none
	}{
		{"one field", [][]ir.Match{{in("a")}, {in("b")}, {in("a")}}, ir.Forward, []int{3, int(axisIn)}},
		{"the field that all have", [][]ir.Match{{in("a"), out("b")}, {out("b")}, {out("c")}}, ir.Forward,
			[]int{3, int(axisOut)}},
		{"out is not known before routing", [][]ir.Match{{out("b")}, {out("c")}}, ir.Prerouting, []int{2, -1}},
		{"a rule without", [][]ir.Match{{in("a")}, {in("b")}, {}, {in("c")}}, ir.Forward,
			[]int{2, int(axisIn), 1, -1, 1, int(axisIn)}},
		{"another field", [][]ir.Match{{in("a")}, {in("b")}, {from("10.0.0.0/8")}, {from("10.0.0.0/24")}}, ir.Forward,
			[]int{2, int(axisIn), 2, int(axisSrc)}},
		{"a wildcard, a negation, all addresses", [][]ir.Match{{ir.IIfName{Name: "b", Wildcard: true}},
			{ir.IIfName{Name: "b", Not: true}}, {from("0.0.0.0/0")}},
			ir.Forward, []int{1, -1, 1, -1, 1, -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var steps []ir.Step
			for _, matches := range tt.rules {
				steps = append(steps, ir.Step{Rule: &ir.Rule{Family: ir.IPv4, Matches: matches}})
			}
			var got []int
			for _, r := range runs(steps) {
				by, ok := r.axis(tt.hook)
				if got = append(got, len(r.steps), int(by)); !ok {
					got[len(got)-1] = -1
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
