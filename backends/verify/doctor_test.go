package verify

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/ir/prove"
)

// cutOff is a network whose guests Docker's policy keeps from the outside, over two protocols.
func cutOff() Doctor {
	chain := &ir.Chain{Family: ir.IPv4, Table: "filter", Name: "FORWARD", Base: &ir.Base{Hook: ir.Forward,
		Type: ir.FilterType, Drop: true}}
	step := ir.Step{Chain: chain}
	answer := expect.Answer{
		Expectation: expect.Expectation{
			Network: "lab", Kind: expect.Out, Family: ir.IPv4, Proto: "tcp", Device: "eth0",
			Legs: []expect.Leg{{Words: "the first packet", Traffic: prove.Traffic{Family: ir.IPv4, In: "virbr0", Out: "eth0"}}},
		},
		Verdict: expect.No, Ends: []ir.Step{step},
		Packet: ir.Packet{
			Family: ir.IPv4, In: "virbr0", Out: "eth0", Src: netip.MustParseAddr("10.0.0.5"), Dst: netip.MustParseAddr("198.51.100.7"),
			Proto: ir.TCP, SPort: 40000, DPort: 443, State: ir.StateNew,
		},
		Blocks: []expect.Block{{Step: step, World: "iptables-nft", Owner: "Docker", Cure: []string{"iptables-nft -I DOCKER-USER ..."}, Proved: true}},
	}
	udp, dns := answer, answer
	udp.Proto = "udp"
	dns.Kind, dns.Proto, dns.Device, dns.Verdict = expect.DNS, "udp", "", expect.Yes
	return Doctor{
		Answers: []expect.Answer{dns, answer, udp},
		Hidden:  []ir.Hidden{{Text: "chain f of table bridge corp"}},
		Unread:  []backends.Unread{{What: "the IPv4 rules of iptables-legacy", Why: "no tool"}},
	}
}

// TestDoctorText: protocols that fare alike are one line, with packet, owner, policy and cure; what
// is as it should be is left out; what was not read comes at the end.
func TestDoctorText(t *testing.T) {
	var out strings.Builder
	if err := cutOff().Text(&out); err != nil {
		t.Fatal(err)
	}
	want := `network lab: guests are cut off
  no       guests can't reach the outside by eth0 over tcp, udp
           why     Docker: chain FORWARD of table ip filter: policy drop
           packet  tcp from 10.0.0.5:40000 on virbr0 to 198.51.100.7:443 out eth0 state new
           cure    iptables-nft -I DOCKER-USER ...
not read: the IPv4 rules of iptables-legacy: no tool
not looked at: chain f of table bridge corp
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d := cutOff()
	d.Answers[1].Blocks[0].Proved = false
	d.Verbose = true
	out.Reset()
	if err := d.Text(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"try     iptables-nft", "yes      guests can resolve names"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, &out)
		}
	}
}

// TestDoctorShort is what other verbs say of it.
func TestDoctorShort(t *testing.T) {
	d := cutOff()
	want := []string{"guests can't reach the outside by eth0 over tcp, udp: Docker: chain FORWARD of table ip filter: policy drop"}
	if diff := cmp.Diff(want, d.Short("lab")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(d.Short("other")) > 0 || !d.Cut() {
		t.Error("lab alone is cut off")
	}
	if found := d.Diagnostics(); len(found) != 1 || found[0].Code != "doctor-cut-off" {
		t.Errorf("findings %v, want one", found)
	}
}
