package firewall

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// TestSum: a counter that serves one network is that network's, however many rules; one that serves
// several is nobody's, and is in the figures of all.
func TestSum(t *testing.T) {
	p := &ir.Program{Links: []*ir.Link{{Name: "a"}, {Name: "b"}}}
	of := func(network string, v ir.Verdict) ir.Rule {
		return ir.Rule{Family: ir.Both, Verdict: v, Origin: ir.Origin{Network: network}}
	}
	p.Add(ir.FWI, of("a", ir.Accept{}), of("a", ir.Accept{}), of("a", ir.Reject{}), of("b", ir.Reject{}),
		of("b", ir.Drop{}))
	p.Add(ir.FWO, of("b", ir.Accept{}), of("a", ir.Return{}))
	p.Add(ir.INP, of("a", ir.Accept{}))
	in, out, inp := p.Group(ir.FWI).Rules, p.Group(ir.FWO).Rules, p.Group(ir.INP).Rules
	tally := func(packets uint64, rules ...*ir.Rule) backends.Counted {
		return backends.Counted{Family: ir.IPv4, Rules: rules, Count: backends.Count{Packets: packets,
			Bytes: 10 * packets}}
	}
	count := func(packets uint64) *backends.Count { return &backends.Count{Packets: packets, Bytes: 10 * packets} }
	tests := []struct {
		name     string
		counters []backends.Counted
		want     Figures
	}{
		{"nothing", nil, Figures{All: Traffic{count(0), count(0), count(0), count(0)}, Networks: map[string]Traffic{
			"a": {count(0), count(0), count(0), count(0)}, "b": {count(0), count(0), count(0), count(0)},
		}}},
		{"each its own, in both families", []backends.Counted{tally(1, &in[0]), tally(2, &in[0]), tally(4, &in[1]),
			tally(8, &in[2]), tally(16, &in[3]), tally(32, &in[4]), tally(64, &out[0])},
			Figures{All: Traffic{count(7), count(64), count(0), count(56)}, Networks: map[string]Traffic{
				"a": {count(7), count(0), count(0), count(8)}, "b": {count(0), count(64), count(0), count(48)},
			}}},
		{"one counter for two rules of a network", []backends.Counted{tally(3, &in[0], &in[1])},
			Figures{All: Traffic{count(3), count(0), count(0), count(0)}, Networks: map[string]Traffic{
				"a": {count(3), count(0), count(0), count(0)}, "b": {count(0), count(0), count(0), count(0)},
			}}},
		{"one counter for two networks", []backends.Counted{tally(1, &in[4]), tally(2, &in[2], &in[3])},
			Figures{All: Traffic{count(0), count(0), count(0), count(3)}, Networks: map[string]Traffic{
				"a": {count(0), count(0), count(0), nil}, "b": {count(0), count(0), count(0), nil},
			}}},
		{"rules that neither accept nor refuse what is forwarded",
			[]backends.Counted{tally(5, &out[1]), tally(6, &inp[0])},
			Figures{All: Traffic{count(0), count(0), count(0), count(0)}, Networks: map[string]Traffic{
				"a": {count(0), count(0), count(0), count(0)}, "b": {count(0), count(0), count(0), count(0)},
			}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, sum(p, tt.counters)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
