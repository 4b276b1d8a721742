package kernel

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestFates: on every loader, each network alone, then all of them together, started in either order. The packets go
// between the guests of each network and everybody else: so every pair of modes meets, in both directions.
func TestFates(t *testing.T) {
	nets := networks()
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, nets...)
			for i, n := range nets {
				p := compile(t, n)
				l.install(t, s.Host, p)
				s.outside(p, i, n)
				s.between(p, n, network{})
				s.between(p, network{}, n)
				s.within(p, n)
			}
			for _, order := range []string{"in order", "in reverse"} {
				p := compile(t, nets...)
				l.install(t, s.Host, p)
				for i, n := range networks() {
					s.outside(p, i, n)
					s.within(p, n)
					for _, other := range nets {
						if other.name != n.name {
							s.between(p, n, other)
						}
					}
				}
				t.Logf("%s: all packets so far: %v", order, s.outcomes)
				slices.Reverse(nets)
			}
			// A site where nothing is refused, or nothing arrives, would agree with anything.
			if s.outcomes[ir.Accepted] < 500 || s.outcomes[ir.Rejected] < 500 {
				t.Errorf("fates of all packets: %v, want many of both kinds", s.outcomes)
			}
		})
	}
}

// outside sends packets between a network's guest and the uplinks, both ways.
func (s *site) outside(p *ir.Program, i int, n network) {
	s.t.Helper()
	guest := s.guests[n.name][0]
	for _, far := range s.far {
		for _, to := range far.Addrs {
			from, ok := guest.Addr(to.Addr())
			if !ok {
				continue
			}
			for _, packet := range s.packets(from, to.Addr()) {
				s.probe(p, guest, packet)
			}
			for _, packet := range s.packets(to.Addr(), from) {
				s.probe(p, far, packet)
			}
		}
		// A source that the network doesn't have: it may not leave, and has no NAT.
		for j := range n.addrs {
			for _, packet := range s.packets(spoofed(i)[j].Addr(), far.Addrs[j].Addr()) {
				s.probe(p, guest, packet)
			}
		}
	}
	// From a port below the masqueraded ones, and to a closed port, whose error is related to what it is about.
	from, _ := guest.Addr(s.far[0].Addrs[0].Addr())
	low := netnstest.Packet{
		Kind: netnstest.UDP, Src: netip.AddrPortFrom(from, 500), Dst: netip.AddrPortFrom(s.far[0].Addrs[0].Addr(), s.next()),
	}
	if got := s.probe(p, guest, low); got.At != nil {
		closed := low
		closed.Src = netip.AddrPortFrom(from, s.next())
		s.related(p, guest, closed)
	}
}

// between sends packets from the guests of one network to those of another.
func (s *site) between(p *ir.Program, n, other network) {
	s.t.Helper()
	guest, target := s.guests[n.name][0], s.guests[other.name][0]
	for _, from := range guest.Addrs { // its own, and those it has no right to
		for _, to := range target.Addrs {
			if from.Addr().Is4() == to.Addr().Is4() && !isSpoofed(to.Addr()) {
				for _, packet := range s.packets(from.Addr(), to.Addr()) {
					s.probe(p, guest, packet)
				}
			}
		}
	}
}

// within sends packets between two guests of one network, routed by the host from the bridge back to the bridge.
func (s *site) within(p *ir.Program, n network) {
	s.t.Helper()
	guest, target := s.guests[n.name][0], s.guests[n.name][1]
	for _, to := range target.Addrs {
		from, _ := guest.Addr(to.Addr())
		for _, packet := range s.packets(from, to.Addr()) {
			s.probe(p, guest, packet)
		}
	}
}

// packets returns the beginnings of a UDP, a TCP and an ICMP conversation, from a port that no other packet had.
func (s *site) packets(from, to netip.Addr) []netnstest.Packet {
	src, dst := netip.AddrPortFrom(from, s.next()), netip.AddrPortFrom(to, netnstest.Open)
	return []netnstest.Packet{
		{Kind: netnstest.UDP, Src: src, Dst: dst},
		{Kind: netnstest.SYN, Src: src, Dst: dst},
		{Kind: netnstest.EchoRequest, Src: src, Dst: netip.AddrPortFrom(to, 0)},
	}
}

func (s *site) next() uint16 {
	s.port++
	return s.port
}

// isSpoofed is true for the addresses that [spoofed] makes.
func isSpoofed(a netip.Addr) bool {
	return netip.MustParsePrefix("10.99.0.0/16").Contains(a) || netip.MustParsePrefix("fd99::/16").Contains(a)
}
