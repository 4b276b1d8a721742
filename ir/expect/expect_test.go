package expect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// words returns the answers that are not plainly yes, each with what decided.
func words(answers []Answer) (all []string) {
	for _, a := range answers {
		if a.Verdict == Yes {
			continue
		}
		text := fmt.Sprintf("%s %s %s", a.Network, a.Kind, a.Verdict)
		for _, s := range a.Ends {
			text += fmt.Sprintf(", %s %d", s.Chain.Name, s.Index+1)
		}
		if a.Because.Rule != nil {
			text += fmt.Sprintf(", by %s %d", a.Because.Chain.Name, a.Because.Index+1)
		}
		if a.Fact != nil {
			text += ", " + a.Fact.What
		}
		if a.Hidden != "" {
			text += ", " + a.Hidden
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// TestAskSays: what is in the way of a network's promises, or may be, and nothing else.
func TestAskSays(t *testing.T) {
	guests := ir.IIfName{Name: "vbr0"}
	tests := []struct {
		name  string
		rules []*ir.Chain
		turn  func(q *Question)
		want  []string
	}{
		{name: "nothing"},
		{name: "a policy", rules: []*ir.Chain{base(ir.Forward, true, rule(ir.Accept{}, ir.OIfName{Name: "vbr0"}))},
			want: []string{"web0 out no, forward 2"}},
		{name: "a policy behind an accept", rules: []*ir.Chain{base(ir.Forward, true, rule(ir.Accept{}))}},
		{name: "answers", rules: []*ir.Chain{base(ir.Forward, false, rule(ir.Drop{}, ir.IIfName{Name: "eth0"},
			ir.CTState{States: ir.StateEstablished}))}, want: []string{"web0 out no, forward 1"}},
		{name: "a port", rules: []*ir.Chain{base(ir.Forward, false, rule(ir.Drop{}, guests, ir.L4Proto{Proto: ir.TCP},
			ir.DPort{From: 25, To: 25}))}, want: []string{"web0 out part, forward 1"}},
		{name: "names", rules: []*ir.Chain{base(ir.Input, false, rule(ir.Drop{}, ir.L4Proto{Proto: ir.UDP},
			ir.DPort{From: 53, To: 53}))}, want: []string{"web0 dns no, input 1"}},
		{name: "a match that is not modelled", rules: []*ir.Chain{base(ir.Forward, false,
			rule(ir.Drop{}, ir.IIfName{Name: "vbr9"}, ir.Opaque{Text: "time"}), rule(ir.Drop{}, guests, ir.Opaque{Text: "time"}))},
			want: []string{"web0 out depends, by forward 2"}},
		{name: "it makes no difference", rules: []*ir.Chain{base(ir.Forward, false,
			rule(ir.Drop{}, guests, ir.Opaque{Text: "time"}), rule(ir.Drop{}, guests))},
			want: []string{"web0 out no, forward 2, forward 1"}},
		{name: "forwarding", turn: func(q *Question) { q.Host.Devices[1].Forwards = ir.IPv6 },
			want: []string{"web0 out no, the host does not forward what comes in by vbr0: net.ipv4.conf.vbr0.forwarding is 0"}},
		{name: "the way back leads elsewhere", turn: func(q *Question) { // of a network that lets the outside in
			for _, p := range []*ir.Program{q.Meant, q.Whole} {
				p.Chains = []*ir.Chain{base(ir.Forward, false)}
			}
			q.Host.Devices[0].RPFilter = 1
			q.Meant.Links[0].Mode, q.Meant.Links[0].Uplink.Devices = ir.ModeRoute, []string{"eth0"}
			q.Host.Routes = []ir.HostRoute{{Dest: prefix("128.0.0.0/1"), Device: "wg0"}, {Dest: prefix("0.0.0.0/0"), Device: "eth0"}}
		}, want: []string{"web0 in no, rp_filter of eth0 is 1 (strict), and packets to the outside leave by wg0: the host drops what comes from there by eth0"}},
		{name: "a dead server", turn: func(q *Question) { q.Dead = map[string]Fact{"web0": {What: "it is dead"}} },
			want: []string{"web0 dns no, it is dead"}},
		{name: "a chain of the bridge", turn: func(q *Question) {
			q.Hidden = []ir.Hidden{{Text: "a chain", Chain: "c", Family: "bridge", Hook: "forward"}}
		}, want: []string{"web0 inside depends, a chain"}},
		{name: "a chain of another device", turn: func(q *Question) {
			q.Hidden = []ir.Hidden{{Text: "a chain", Chain: "c", Family: "netdev", Hook: "ingress", Device: "vbr9"}}
		}},
		{name: "another network", turn: func(q *Question) { q.Only = []string{} },
			rules: []*ir.Chain{base(ir.Forward, true)}},
		{name: "a budget", turn: func(q *Question) { q.Budget = prove.StepBudget(10) },
			want: []string{"web0 dns ?", "web0 out ?", "web0 in ?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			meant, h := networks(1)
			q := beside(meant, h, tt.rules...)
			if tt.turn != nil {
				tt.turn(&q)
			}
			if diff := cmp.Diff(tt.want, words(Ask(q))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAskList: each network is asked about each thing that it promises, and not about what it
// doesn't.
func TestAskList(t *testing.T) {
	meant, h := networks(2)
	meant.Links[1].DNS.Off = true
	meant.Links[1].Port.Isolated = true
	meant.Links[1].Addresses = append(meant.Links[1].Addresses, ir.Address{Prefix: netip.MustParsePrefix("fd00::1/64")})
	meant.Links[0].Addresses[0].DHCP = &ir.DHCP{Ranges: []ir.DHCPRange{{}}}
	var got []string
	for _, a := range Ask(beside(meant, h)) {
		must := ""
		if a.Refused {
			must = " refused"
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s%s", a.Network, a.Kind, a.Family, a.Proto,
			a.Device+a.To, must)))
	}
	want := []string{
		"web0 dhcp ip", "web0 dns ip udp", "web0 dns ip tcp", "web0 inside ip", "web0 out ip tcp eth0",
		"web0 out ip udp eth0", "web0 out ip icmp eth0", "web0 in ip tcp eth0 refused", "web0 across ip tcp web1 refused",
		"web1 out ip tcp eth0", "web1 out ip udp eth0", "web1 out ip icmp eth0", "web1 in ip tcp eth0 refused",
		"web1 ra ip6", "web1 across ip tcp web0 refused",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAgain: with a rule that lets the packets through the same promise holds.
func TestAgain(t *testing.T) {
	meant, h := networks(1)
	q := beside(meant, h, base(ir.Forward, true))
	cured := beside(meant, h, base(ir.Forward, true, rule(ir.Accept{}, ir.IIfName{Name: "vbr0"}),
		rule(ir.Accept{}, ir.OIfName{Name: "vbr0"}, ir.CTState{States: ir.StateEstablished})))
	for _, a := range Ask(q) {
		if !a.Refuses() {
			continue
		}
		if again := Again(cured, a); again.Verdict != Yes {
			t.Errorf("%s %s: %s, want yes", a.Kind, a.Proto, again.Verdict)
		}
		if again := Again(q, a); again.Verdict != No {
			t.Errorf("%s %s under the same rules: %s, want no", a.Kind, a.Proto, again.Verdict)
		}
	}
}
