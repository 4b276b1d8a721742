package nftables

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// tableOf returns the table of these rules in a chain.
func tableOf(t *testing.T, rules ...ir.Rule) *heldTable {
	t.Helper()
	p := &ir.Program{}
	p.Add(ir.FWO, rules...)
	inv, err := takeInventory(lowered(t, p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames, Layout: backends.Sets}).Batch().Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return inv.tables[0]
}

// TestPlanSets: which sets stay when the networks of accepting and of refusing rules change.
func TestPlanSets(t *testing.T) {
	rules := func(v ir.Verdict, more []ir.Match, bridges ...string) (all []ir.Rule) {
		for _, b := range bridges {
			all = append(all, ir.Rule{Family: ir.IPv4, Verdict: v, Matches: append([]ir.Match{ir.IIfName{Name: b}}, more...)})
		}
		return all
	}
	tcp := []ir.Match{ir.L4Proto{Proto: ir.TCP}}
	udp := []ir.Match{ir.L4Proto{Proto: ir.UDP}}
	join := func(lists ...[]ir.Rule) []ir.Rule { return slices.Concat(lists...) }
	for _, tt := range []struct {
		name     string
		old, new []ir.Rule
		want     []string // that stay
	}{
		{"nothing", rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Drop{}, tcp, "a", "b"), []string{"interfaces"}},
		{"one comes", rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Drop{}, tcp, "a", "b", "c"), []string{"interfaces"}},
		{"one for another", rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Drop{}, tcp, "a", "c"), nil},
		{"one goes", rules(ir.Drop{}, tcp, "a", "b", "c"), rules(ir.Drop{}, tcp, "a", "b"), []string{"interfaces"}},
		{"the rule is another", rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Drop{}, udp, "a", "b"), []string{"interfaces"}},
		{"the rule is another, for others", rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Drop{}, udp, "a", "b", "c"), nil},
		{
			"from one refusal to another",
			join(rules(ir.Drop{}, tcp, "a", "b", "x"), rules(ir.Reject{With: ir.PortUnreachable}, udp, "c", "d")),
			join(rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Reject{With: ir.PortUnreachable}, udp, "c", "d", "x")),
			[]string{"interfaces_3"}, // of the jump to the chain
		},
		{
			"two come",
			join(rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Reject{With: ir.PortUnreachable}, udp, "c", "d")),
			join(rules(ir.Drop{}, tcp, "a", "b", "x"), rules(ir.Reject{With: ir.PortUnreachable}, udp, "c", "d", "x")),
			[]string{"interfaces", "interfaces_2", "interfaces_3"},
		},
		{
			"from one permission to another",
			join(rules(ir.Accept{}, tcp, "a", "b", "x"), rules(ir.Accept{}, udp, "c", "d")),
			join(rules(ir.Accept{}, tcp, "a", "b"), rules(ir.Accept{}, udp, "c", "d", "x")),
			[]string{"interfaces"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := planOf(tableOf(t, tt.old...), tableOf(t, tt.new...))
			if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(p.sets))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
