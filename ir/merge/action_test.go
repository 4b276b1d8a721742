package merge

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// TestActionsStay: a chain in which a rule has actions stays as it is, rule by rule. Another chain
// is merged.
func TestActionsStay(t *testing.T) {
	p := &ir.Program{}
	p.Add(ir.FWI, rulesOf(t, `ip iifname "a" saddr 10.0.0.0/24 set mark 0x1 accept
		ip iifname "b" saddr 10.0.1.0/24 set mark 0x2 accept
		ip iifname "c" saddr 10.0.2.0/24 accept
		ip iifname "d" saddr 10.0.3.0/24 accept`)...)
	p.Add(ir.FWO, rulesOf(t, `ip iifname "c" saddr 10.0.2.0/24 accept
		ip iifname "d" saddr 10.0.3.0/24 accept`)...)
	merged := Program(p, Options{Families: ir.IPv4}).Program
	var want, got []string
	for i := range p.Group(ir.FWI).Rules {
		want = append(want, p.Group(ir.FWI).Rules[i].String())
	}
	for i := range merged.Group(ir.FWI).Rules {
		got = append(got, merged.Group(ir.FWI).Rules[i].String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if n := len(merged.Sets); n == 0 {
		t.Error("the other chain has no set")
	}
}
