package ir_test

import (
	"net/netip"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// network is a network of the tests: bridge, subnet, and how its guests reach the world.
type network struct {
	bridge string
	subnet netip.Prefix
	mode   ir.Mode
	dev    string
}

// rules returns the forward rules of n by kind, as libvirt's network driver makes them.
func (n network) rules() (cross, in, out []ir.Rule) {
	from, to := ir.IIfName{Name: n.bridge}, ir.OIfName{Name: n.bridge}
	reject := ir.Reject{With: ir.PortUnreachable}
	cross = []ir.Rule{rule(ir.Accept{}, from, to)}
	in, out = []ir.Rule{rule(reject, to)}, []ir.Rule{rule(reject, from)}
	if n.mode == ir.ModeNone {
		return cross, in, out
	}
	inward, outward := []ir.Match{to, ir.DAddr{Prefix: n.subnet}}, []ir.Match{from, ir.SAddr{Prefix: n.subnet}}
	if n.dev != "" {
		inward, outward = append(inward, ir.IIfName{Name: n.dev}), append(outward, ir.OIfName{Name: n.dev})
	}
	if n.mode == ir.ModeNAT {
		inward = append(inward, ir.CTState{States: ir.StateEstablished | ir.StateRelated})
	}
	return cross, append([]ir.Rule{rule(ir.Accept{}, inward...)}, in...),
		append([]ir.Rule{rule(ir.Accept{}, outward...)}, out...)
}

// grouped returns the networks' program, those started later on top, as libvirt has had it since
// 5.1.0.
func grouped(started ...network) *ir.Program {
	p := &ir.Program{}
	for i := len(started) - 1; i >= 0; i-- {
		n := started[i]
		cross, in, out := n.rules()
		p.Add(ir.FWX, cross...)
		p.Add(ir.FWI, in...)
		p.Add(ir.FWO, out...)
		if n.mode == ir.ModeNAT {
			masquerade := []ir.Match{ir.SAddr{Prefix: n.subnet}, ir.DAddr{Prefix: n.subnet, Not: true}}
			if n.dev != "" {
				masquerade = append(masquerade, ir.OIfName{Name: n.dev})
			}
			p.Add(ir.PRT, rule(ir.Masquerade{}, masquerade...))
		}
	}
	return p
}

// interleaved returns the same rules in one chain, a block for each network, as libvirt had it
// before: in-accept, out-accept, cross-accept, rejects.
func interleaved(started ...network) *ir.Program {
	var rules []ir.Rule
	for i := len(started) - 1; i >= 0; i-- {
		cross, in, out := started[i].rules()
		last := func(r []ir.Rule) int { return len(r) - 1 }
		rules = append(rules, in[:last(in)]...)
		rules = append(rules, out[:last(out)]...)
		rules = append(rules, cross...)
		rules = append(rules, in[last(in)], out[last(out)])
	}
	return program(rules)
}

var (
	natA     = network{"virbr0", prefix("192.168.122.0/24"), ir.ModeNAT, ""}
	natB     = network{"virbr1", prefix("192.168.100.0/24"), ir.ModeNAT, ""}
	natDev   = network{"virbr2", prefix("192.168.102.0/24"), ir.ModeNAT, "eth0"}
	routedA  = network{"virbr3", prefix("192.168.103.0/24"), ir.ModeRoute, ""}
	routedB  = network{"virbr4", prefix("192.168.104.0/24"), ir.ModeRoute, ""}
	routeDev = network{"virbr5", prefix("192.168.105.0/24"), ir.ModeRoute, "eth0"}
	alone    = network{"virbr6", prefix("192.168.106.0/24"), ir.ModeNone, ""}
	aloneB   = network{"virbr7", prefix("192.168.107.0/24"), ir.ModeNone, ""}
	uplink   = network{"eth0", prefix("198.51.100.0/24"), "", ""}
)

func guest(n network, last byte) netip.Addr {
	a := n.subnet.Addr().As4()
	a[3] = last
	return netip.AddrFrom4(a)
}

// between is a packet from a guest of one network to a guest of another, as it leaves the first.
func between(from, to network, state ir.State) ir.Packet {
	return tcp4(func(p *ir.Packet) {
		p.In, p.Out, p.Src, p.Dst, p.State = from.bridge, to.bridge, guest(from, 10), guest(to, 20), state
	})
}

// TestEvalNetworks checks the consequences of the three forward groups that users of libvirt's
// networks know.
func TestEvalNetworks(t *testing.T) {
	const rejected = "rejected with port-unreachable"
	tests := []struct {
		name string
		pkt  ir.Packet
		want string
	}{
		{"NAT to NAT", between(natA, natB, ir.StateNew), rejected},
		{"NAT to isolated", between(natA, alone, ir.StateNew), rejected},
		{"isolated to NAT", between(alone, natA, ir.StateNew), rejected},
		{"isolated to isolated", between(alone, aloneB, ir.StateNew), rejected},
		{"NAT to routed", between(natA, routedA, ir.StateNew), "accepted, masquerade"},
		{"NAT with dev to routed", between(natDev, routedA, ir.StateNew), "accepted"},
		{"NAT to routed with dev", between(natA, routeDev, ir.StateNew), rejected},
		{"isolated to routed: not isolated outward", between(alone, routedA, ir.StateNew), "accepted"},
		{"and its answer", between(routedA, alone, ir.StateEstablished), rejected},
		{"routed to routed", between(routedA, routedB, ir.StateNew), "accepted"},
		{"routed to NAT", between(routedB, natA, ir.StateNew), rejected},
		{"answer of routed to NAT", between(routedB, natA, ir.StateEstablished), "accepted"},
		{"NAT to uplink", between(natA, uplink, ir.StateNew), "accepted, masquerade"},
		{"uplink to NAT", between(uplink, natA, ir.StateNew), rejected},
		{"answer of uplink to NAT", between(uplink, natA, ir.StateEstablished), "accepted"},
		{"related to NAT", between(uplink, natA, ir.StateRelated), "accepted"},
		{"uplink to routed", between(uplink, routedA, ir.StateNew), "accepted"},
		{"uplink to isolated", between(uplink, alone, ir.StateEstablished), rejected},
		{"isolated to uplink", between(alone, uplink, ir.StateNew), rejected},
		{"one bridge", between(alone, alone, ir.StateNew), "accepted"},
		{"spoofed source", tcp4(func(p *ir.Packet) { p.Src = addr("10.9.8.7") }), rejected},
		{"IPv6 though the network has none", tcp6(func(p *ir.Packet) { p.In = alone.bridge }), rejected},
		{"guest to the host's address on another bridge", tcp4(func(p *ir.Packet) {
			p.In, p.Out, p.Dst = alone.bridge, "", guest(natA, 1)
		}), "accepted"},
	}
	all := []network{natA, natB, natDev, routedA, routedB, routeDev, alone, aloneB}
	reversed := make([]network, len(all))
	for i, n := range all {
		reversed[len(all)-1-i] = n
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, order := range [][]network{all, reversed} {
				if got := fate(t, grouped(order...), tt.pkt); got != tt.want {
					t.Errorf("%s first: %s is %s, want %s", order[0].bridge, tt.pkt, got, tt.want)
				}
			}
		})
	}
}

// TestEvalInterleavedLeak shows why there are three forward groups: with one block of rules for
// each network, who was started later may open connections into who was started before. Grouped,
// neither may, in either order.
func TestEvalInterleavedLeak(t *testing.T) {
	const rejected = "rejected with port-unreachable"
	aToB, bToA := between(natA, natB, ir.StateNew), between(natB, natA, ir.StateNew)
	tests := []struct {
		name       string
		p          *ir.Program
		aToB, bToA string
	}{
		{"interleaved, A first", interleaved(natA, natB), rejected, "accepted"},
		{"interleaved, B first", interleaved(natB, natA), "accepted", rejected},
		{"grouped, A first", grouped(natA, natB), rejected, rejected},
		{"grouped, B first", grouped(natB, natA), rejected, rejected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fate(t, tt.p, aToB); got != tt.aToB {
				t.Errorf("A to B: %s, want %s", got, tt.aToB)
			}
			if got := fate(t, tt.p, bToA); got != tt.bToA {
				t.Errorf("B to A: %s, want %s", got, tt.bToA)
			}
		})
	}
}
