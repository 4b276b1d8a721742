package ir_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

func TestWalk(t *testing.T) {
	p, list := ir.Parse("p", []byte(`
group FWX { ip iifname "virbr0" oifname "virbr0" accept }
group FWO {
    ip6 iifname "virbr0" accept
    ip iifname "virbr0" saddr 10.0.0.0/24 accept
    ip iifname "virbr0" reject with port-unreachable
}
chain ip t c hook postrouting type filter priority 0 policy accept {
    ip l4proto tcp jump d
    ip counter
}
chain ip t d {
    ip daddr 192.0.2.0/24 drop
}`))
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	pkt, list := ir.ParsePacket("tcp from 10.0.0.5 on virbr0 to 198.51.100.7 out eth0")
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	fate, visits, err := ir.Walk(p, pkt)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[ir.VisitKind]string{ir.Entered: "into", ir.Passed: "past", ir.Matched: "held", ir.Policy: "policy of"}
	var got []string
	var steps []ir.Step
	for _, v := range visits {
		line := fmt.Sprintf("%s: %s %s", v.Hook, kinds[v.Kind], v.Chain.Label())
		if v.Rule != nil {
			line += " " + ir.VerdictText(v.Rule.Verdict)
		}
		if v.Failed != nil {
			line += ", but not " + ir.MatchText(v.Failed)
		}
		got = append(got, line)
		if v.Kind == ir.Matched || v.Kind == ir.Policy {
			steps = append(steps, ir.Step{Chain: v.Chain, Index: v.Index, Rule: v.Rule})
		}
	}
	want := `forward: into FWX
forward: past FWX accept, but not oifname "virbr0"
forward: into FWO
forward: held FWO accept
postrouting: into ip t c
postrouting: held ip t c jump d
postrouting: into ip t d
postrouting: past ip t d drop, but not daddr 192.0.2.0/24
postrouting: held ip t c counter
postrouting: policy of ip t c`
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("visits (-want +got):\n%s", diff)
	}
	plain, err := ir.Eval(p, pkt)
	if err != nil || !plain.Equal(fate) {
		t.Errorf("Eval says %s %v, Walk says %s", plain, err, fate)
	}
	if len(steps) != len(plain.Trace) {
		t.Fatalf("%d steps held, Eval's trace has %d", len(steps), len(plain.Trace))
	}
	for i, s := range steps {
		if s != plain.Trace[i] {
			t.Errorf("step %d is %v, Eval says %v", i, s, plain.Trace[i])
		}
	}
	if r := &p.Group(ir.FWO).Rules[1]; !r.Holds(pkt, ir.Forward) || (&p.Group(ir.FWO).Rules[0]).Holds(pkt, ir.Forward) {
		t.Error("Holds does not say what Walk says")
	}
}
