package ir_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// TestBasesOrder: of base chains of one hook and priority the last is met first, whatever its
// family and table. A lower priority comes first all the same, and groups before others.
func TestBasesOrder(t *testing.T) {
	p := parse(t, `
chain ip alpha f hook forward type filter priority 0 policy accept { ip reject with port-unreachable }
chain ip omega f hook forward type filter priority 0 policy accept { ip drop }
chain ip omega late hook forward type filter priority 1 policy accept {}
chain ip alpha early hook forward type filter priority -1 policy accept {}
chain inet both f hook forward type filter priority 0 policy accept {}
group FWI {}`)
	var got []string
	for _, b := range p.Bases(ir.Forward) {
		got = append(got, b.Chains[0].Label())
	}
	want := []string{"ip alpha early", "FWI", "inet both f", "ip omega f", "ip alpha f", "ip omega late"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chains (-want +got):\n%s", diff)
	}
	if got := fate(t, p, tcp4(nil)); got != "dropped" {
		t.Errorf("the packet is %s; the chain made last drops it", got)
	}
}

func TestAssumedOrder(t *testing.T) {
	tests := []struct {
		name, text string
		want       [][]string
	}{
		{"two tables",
			`chain ip a f hook forward type filter priority 0 policy accept {} chain ip b f hook forward type filter priority 0 policy accept {}`,
			[][]string{{"ip b f", "ip a f"}}},
		{"one table",
			`chain ip a f hook forward type filter priority 0 policy accept {} chain ip a g hook forward type filter priority 0 policy accept {}`, nil},
		{"other packets",
			`chain ip a f hook forward type filter priority 0 policy accept {} chain ip6 a f hook forward type filter priority 0 policy accept {}`, nil},
		{"both families and one",
			`chain ip a f hook forward type filter priority 0 policy accept {} chain inet a f hook forward type filter priority 0 policy accept {}`,
			[][]string{{"inet a f", "ip a f"}}},
		{"another priority",
			`chain ip a f hook forward type filter priority 0 policy accept {} chain ip b f hook forward type filter priority 1 policy accept {}`, nil},
		{"another hook",
			`chain ip a f hook forward type filter priority 0 policy accept {} chain ip b f hook input type filter priority 0 policy accept {}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got [][]string
			for _, chains := range parse(t, tt.text).AssumedOrder() {
				var labels []string
				for _, c := range chains {
					labels = append(labels, c.Label())
				}
				got = append(got, labels)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("chains (-want +got):\n%s", diff)
			}
		})
	}
}
