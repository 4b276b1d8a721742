package iptables_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// TestLookupsAsChains: a look-up becomes a chain that does the same to every packet, in groups and
// in base chains, negated or not; what chains can't say is refused.
func TestLookupsAsChains(t *testing.T) {
	bridges := &ir.Set{Family: ir.Both, Name: "ours", Elements: [][]ir.Match{
		{ir.IIfName{Name: "virbr0"}}, {ir.IIfName{Name: "virbr1"}},
		{ir.IIfName{Name: "virbr2"}, ir.SAddr{Prefix: netip.MustParsePrefix("10.0.0.0/24")}},
	}}
	reject := ir.Reject{With: ir.PortUnreachable}
	for _, test := range []struct {
		verdict ir.Verdict
		not     bool
		refused bool
	}{
		{ir.Accept{}, false, false}, {ir.Accept{}, true, false}, {ir.Drop{}, false, false}, {reject, true, false},
		{ir.Return{}, false, false}, {ir.Return{}, true, true}, {ir.Counter{}, false, true},
	} {
		rules := []ir.Rule{
			{Family: ir.IPv4, Verdict: test.verdict, Matches: []ir.Match{ir.OIfName{Name: "eth0"},
				ir.Lookup{Set: bridges, Not: test.not}, ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 80, To: 80}}},
			{Family: ir.IPv4, Verdict: test.verdict, Matches: []ir.Match{ir.OIfName{Name: "eth1"},
				ir.Lookup{Set: bridges, Not: test.not}}},
			{Family: ir.IPv4, Verdict: ir.Drop{}, Matches: []ir.Match{ir.OIfName{Name: "eth0"}}},
		}
		group := &ir.Program{Sets: []*ir.Set{bridges}}
		group.Add(ir.FWI, rules...)
		base := &ir.Program{Sets: []*ir.Set{bridges}, Chains: []*ir.Chain{{Family: ir.IPv4, Table: "filter",
			Name: "FORWARD", Rules: rules,
			Base: &ir.Base{Hook: ir.Forward, Type: ir.FilterType, Priority: ir.PriorityFilter}}}}
		for name, p := range map[string]*ir.Program{"group": group, "base": base} {
			t.Run(fmt.Sprintf("%s not %t in a %s", ir.VerdictText(test.verdict), test.not, name), func(t *testing.T) {
				out, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.IPv4})
				if found.HasErrors() != test.refused {
					t.Fatalf("found %v, want errors %t", found, test.refused)
				}
				if test.refused {
					return
				}
				for _, l := range out.Lines() {
					if !slices.ContainsFunc(p.Chains, func(c *ir.Chain) bool { return holds(c, l.Rule) }) {
						t.Errorf("%q stands for no rule of the program", l.Text)
					}
				}
				back, err := iptables.Backend{}.Read(out.Emit())
				if err != nil {
					t.Fatal(err)
				}
				if r := prove.Equal(p, back, ir.IPv4); r.Answer != prove.Proved {
					t.Errorf("%v\n%s", r, out.Emit()[0].Text)
				}
			})
		}
	}
}

func holds(c *ir.Chain, r *ir.Rule) bool {
	for i := range c.Rules {
		if &c.Rules[i] == r {
			return true
		}
	}
	return false
}
