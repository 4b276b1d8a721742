package kernel

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestThreeGroups shows why there are three forward groups. With the rules of each network in one
// block, the block of the network started later on top, as libvirt had them before 5.1.0, "what
// leaves by my bridge is accepted" of the later is met before "what enters by my bridge is refused"
// of the earlier: packets leak from the later network into the earlier. With the groups none does,
// whichever is started first.
func TestThreeGroups(t *testing.T) {
	t.Parallel()
	a, b := named("nat"), named("nat-ports")
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, a, b)
			tests := []struct {
				name    string
				program *ir.Program
				want    []string // who gets through to whom
			}{
				{"groups, a started first", compile(t, a, b), nil},
				{"groups, b started first", compile(t, b, a), nil},
				{"interleaved, a started first", interleaved(t, a, b), []string{b.name + " to " + a.name}},
				{"interleaved, b started first", interleaved(t, b, a), []string{a.name + " to " + b.name}},
			}
			for _, test := range tests {
				l.install(t, s.Host, test.program)
				var got []string
				for _, way := range [][2]network{{a, b}, {b, a}} {
					from, to := s.guests[way[0].name][0], s.guests[way[1].name][0]
					for _, packet := range s.packets(from.Addrs[0].Addr(), to.Addrs[0].Addr())[:1] {
						if r := s.probe(test.program, from, packet); r.At != nil {
							t.Logf("%s: %s", test.name, r)
							got = append(got, way[0].name+" to "+way[1].name)
						}
					}
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("%s: leaks (-want +got):\n%s", test.name, d)
				}
			}
		})
	}
}

// interleaved returns the forward rules for IPv4 that the networks compile to, in a block for each
// network, in the one chain that iptables has for them.
func interleaved(t *testing.T, nets ...network) *ir.Program {
	t.Helper()
	forward := &ir.Chain{
		Family: ir.IPv4, Table: "filter", Name: "FORWARD",
		Base: &ir.Base{Hook: ir.Forward, Type: ir.FilterType, Priority: ir.PriorityFilter},
	}
	for _, n := range nets {
		var accepts, rejects []ir.Rule
		p := compile(t, n)
		for _, g := range []ir.Group{ir.FWI, ir.FWO, ir.FWX} {
			for _, r := range p.Group(g).Rules {
				r.Family &= ir.IPv4
				if _, ok := r.Verdict.(ir.Reject); ok {
					rejects = append(rejects, r)
				} else if r.Family != 0 {
					accepts = append(accepts, r)
				}
			}
		}
		forward.Rules = append(append(accepts, rejects...), forward.Rules...)
	}
	return &ir.Program{Chains: []*ir.Chain{forward}}
}

// TestIsolatedIntoRouted: where libvirt's rules don't keep networks apart. A routed network lets in
// whatever is for its subnet, and its FWI is met before the FWO of an isolated network; the answers
// are refused.
func TestIsolatedIntoRouted(t *testing.T) {
	t.Parallel()
	isolated, route := named("isolated"), named("route")
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, isolated, route)
			p := compile(t, isolated, route)
			l.install(t, s.Host, p)
			from, to := s.guests[isolated.name][0], s.guests[route.name][0]
			for _, dst := range []netip.Addr{to.Addrs[0].Addr(), to.Addrs[1].Addr()} {
				src, _ := from.Addr(dst)
				r := s.probe(p, from, s.packets(src, dst)[0])
				if r.At != to {
					t.Fatalf("got %s, want it to arrive", r)
				}
				if back := s.Reply(r); !back.Refused {
					t.Errorf("answer: got %s, want it refused", back)
				}
			}
		})
	}
}

// TestReach compares who can send to whom with what libvirt's rules are known to do, whatever
// ir.Eval says: a network that is routed without a device lets in whatever is for it, one in mode
// open has no rule, all others let in nothing new. What goes to a network without rules is up to
// its sender's network, which lets it out if it has a way out that is bound to no device.
func TestReach(t *testing.T) {
	t.Parallel()
	nets := networks()
	out := map[string]bool{
		"nat": true, "nat-ports": true, "nat-address": true, "nat-ipv6": true, "nat-two": true, "route": true,
		"open": true,
	}
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, nets...)
			for range 2 {
				l.install(t, s.Host, compile(t, nets...))
				for _, from := range nets {
					for _, to := range nets {
						guest, target := s.guests[from.name][0], s.guests[to.name][1]
						if from.name == to.name {
							continue
						}
						got := s.Send(guest, s.packets(guest.Addrs[0].Addr(), target.Addrs[0].Addr())[0])
						want := to.name == "route" || to.name == "open" && out[from.name]
						if arrived := got.At == target; arrived != want {
							t.Errorf("%s to %s: got %s, want it to arrive: %v", from.name, to.name, got, want)
						}
					}
				}
				slices.Reverse(nets)
			}
		})
	}
}
