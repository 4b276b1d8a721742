package prove

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// outOfLab is the new TCP connections that guests of oneNetwork open to the outside.
var outOfLab = Traffic{
	Family: ir.IPv4, In: "virbr0", Out: "eth0", State: ir.StateNew,
	Matches: []ir.Match{ir.SAddr{Prefix: netip.MustParsePrefix("10.0.0.0/24")}, ir.L4Proto{Proto: ir.TCP}},
}

// TestPassage tells parts of traffic apart: what passes, what doesn't and what may, and with
// Endings who ends it.
func TestPassage(t *testing.T) {
	tests := []struct{ name, rules, want, ends string }{
		{"nothing", `{}`, "open", ""},
		{"all", `{ ip iifname "virbr0" drop }`, "closed", "1 ip t forward"},
		{"another network's", `{ ip iifname "virbr1" drop }`, "open", ""},
		{"the device that leads out", `{ ip oifname "eth0" drop }`, "closed", "1 ip t forward"},
		{"a port", `{ ip l4proto tcp dport 25 drop }`, "open closed", "1 ip t forward"},
		{"a limit", `{ ip opaque-match "limit" drop }`, "depends", ""},
		{"a limit logs", `{ ip opaque-match "limit" log counter ip iifname "virbr0" drop }`, "closed", "2 ip t forward"},
		{"either way", `{ ip opaque-match "limit" jump a ip iifname "virbr0" drop } chain ip t a { ip drop }`, "closed", "2 ip t forward, 1 ip t a"},
		{"established ones", `{ ip ct state established accept ip iifname "virbr0" drop }`, "closed", "2 ip t forward"},
		{"those with NAT", `{ ip ct status dnat accept ip iifname "virbr0" drop }`, "closed", "2 ip t forward"},
		{"those with a mark", `{ ip mark 0x1/0x1 accept ip iifname "virbr0" drop }`, "closed", "2 ip t forward"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := oneNetwork(t, forwardChain+tt.rules)
			got := NewReacher(p).Passage(outOfLab)
			var parts, ends []string
			for _, part := range []struct {
				word   string
				packet *ir.Packet
			}{{"open", got.Open}, {"closed", got.Closed}, {"depends", got.Depends}} {
				if part.packet != nil {
					parts = append(parts, part.word)
				}
			}
			if got.Closed != nil {
				for _, s := range Endings(p, *got.Closed) {
					ends = append(ends, string(rune('1'+s.Index))+" "+s.Chain.Label())
				}
			}
			if diff := cmp.Diff([]string{tt.want, tt.ends}, []string{strings.Join(parts, " "), strings.Join(ends, ", ")}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Depends != nil && got.Because.Rule == nil {
				t.Error("depends on no rule")
			}
		})
	}
}

// TestPassageOfPolicy: the end of a chain is told as such.
func TestPassageOfPolicy(t *testing.T) {
	p := oneNetwork(t, `chain ip t forward hook forward type filter priority 0 policy drop { ip ct state established accept }`)
	got := NewReacher(p).Passage(outOfLab)
	if got.Open != nil || got.Depends != nil || got.Closed == nil {
		t.Fatalf("got %+v, want closed", got)
	}
	if ends := Endings(p, *got.Closed); len(ends) != 1 || ends[0].Rule != nil || ends[0].Chain != p.Chains[0] {
		t.Errorf("ended by %+v, want the policy of the chain", ends)
	}
}

// TestPassageIsEval: of random programs each part's packet has the fate that the referee gives it.
func TestPassageIsEval(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	parts := make(map[string]int)
	for range 300 {
		p := randomProgram(r, ir.IPv4)
		in, out := oneOf(r, []string{"virbr0", "virbr1", "eth0", ""}), oneOf(r, []string{"virbr0", "eth0", "wlan0"})
		q := Traffic{Family: ir.IPv4, In: in, Out: out, State: oneOf(r, states[:])}
		got := NewReacher(p).Passage(q)
		for _, part := range []struct {
			word   string
			packet *ir.Packet
			pass   bool
		}{{"open", got.Open, true}, {"closed", got.Closed, false}} {
			if part.packet == nil {
				continue
			}
			fate, err := ir.Eval(p, *part.packet)
			if err != nil {
				continue // an unknown match, and every way leads to the same end
			}
			parts[part.word]++
			if (fate.Outcome == ir.Accepted) != part.pass {
				t.Fatalf("%s packet %+v is %s under\n%s", part.word, *part.packet, fate, text(t, p))
			}
		}
	}
	if parts["open"] < 50 || parts["closed"] < 50 {
		t.Errorf("too few examples of a kind: %v", parts)
	}
}

// TestOpens finds what a rule opens beyond the traffic that it is meant for.
func TestOpens(t *testing.T) {
	const closed = `chain ip t forward hook forward type filter priority 0 policy drop `
	before := oneNetwork(t, closed+`{}`)
	for rules, opened := range map[string]bool{
		`{ ip iifname "virbr0" oifname "eth0" saddr 10.0.0.0/24 l4proto tcp ct state new accept }`: false,
		`{ ip iifname "virbr0" oifname "eth0" saddr 10.0.0.0/24 accept }`:                          true,
		`{ ip iifname "virbr0" saddr 10.0.0.0/24 l4proto tcp ct state new accept }`:                true,
		`{ ip opaque-match "limit" accept }`:                                                       true,
		`{}`:                                                                                       false,
	} {
		after := oneNetwork(t, closed+rules)
		packet, whole := NewBudget().Opens(before, after, []Traffic{outOfLab})
		if !whole || (packet != nil) != opened {
			t.Errorf("%s: opens %+v (whole %v), want some: %v", rules, packet, whole, opened)
		}
		if packet != nil && packet.In+packet.Out == "virbr0eth0" && packet.Proto == ir.TCP &&
			packet.State == ir.StateNew {
			t.Errorf("%s: %+v is what was asked for", rules, packet)
		}
	}
}

// TestOpensForwarded: a rule for what the host sends opens the way for what it forwards, too.
func TestOpensForwarded(t *testing.T) {
	const closed = `chain ip t post hook postrouting type filter priority 0 policy drop `
	answer := Traffic{Family: ir.IPv4, Out: "virbr0", State: ir.StateNew}
	for rules, opened := range map[string]string{`{ ip oifname "virbr0" accept }`: "eth0", `{}`: ""} {
		packet, whole := NewBudget().Opens(oneNetwork(t, closed+`{ ip iifname "eth0" counter }`),
			oneNetwork(t, closed+rules), []Traffic{answer})
		if !whole || (packet != nil) != (opened != "") || packet != nil && packet.In == "" {
			t.Errorf("%s: opens %+v (whole %v), want something forwarded: %v", rules, packet, whole, opened != "")
		}
	}
}
