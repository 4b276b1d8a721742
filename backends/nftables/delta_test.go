package nftables

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// tablesWith returns the tables of these rules in a chain.
func tablesWith(t *testing.T, rules ...ir.Rule) *delta.Inventory {
	t.Helper()
	p := &ir.Program{}
	p.Add(ir.FWO, rules...)
	inv, err := delta.Take(lowered(t, p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
		Layout: backends.Sets}).Batch().Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// staying returns the names of the sets that a change leaves there, sorted.
func staying(t *testing.T, old *delta.Inventory, change *wire.Batch) (names []string) {
	t.Helper()
	gone := make(map[string]bool)
	eachOf(t, change.Bytes, func(m wire.Message) {
		if m.Kind() == unix.NFT_MSG_DELSET && m.Type>>8 == unix.NFNL_SUBSYS_NFTABLES {
			gone[m.Attrs.Text(unix.NFTA_SET_NAME)] = true
		}
	})
	for _, s := range old.Tables[0].Sets {
		if !gone[s.Name] {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestPlanSets: which sets stay when the networks of accepting and of refusing rules change.
func TestPlanSets(t *testing.T) {
	rules := func(v ir.Verdict, more []ir.Match, bridges ...string) (all []ir.Rule) {
		for _, b := range bridges {
			all = append(all, ir.Rule{Family: ir.IPv4, Verdict: v,
				Matches: append([]ir.Match{ir.IIfName{Name: b}}, more...)})
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
		{"the rule is another", rules(ir.Drop{}, tcp, "a", "b"), rules(ir.Drop{}, udp, "a", "b"),
			[]string{"interfaces"}},
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
			old, new := tablesWith(t, tt.old...), tablesWith(t, tt.new...)
			change, _ := delta.Between(old, new, 0, nil)
			if diff := cmp.Diff(tt.want, staying(t, old, change)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
