package kernel

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestFates: on every loader, each network alone, then all of them together, started in one order
// and in the other (then with libvirt's names). The packets go between the guests of each network
// and everybody else: so every pair of modes meets, in both directions.
func TestFates(t *testing.T) {
	t.Parallel()
	nets := networks()
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, nets...)
			foreign := s.guests[""]
			for _, n := range nets {
				p := compile(t, n)
				l.install(t, s.Host, p)
				s.outside(p, n)
				s.talk(p, s.guests[n.name][0], foreign[0])
				s.talk(p, foreign[0], s.guests[n.name][0])
			}
			for _, names := range []backends.Names{backends.VnetcNames, backends.LibvirtNames} {
				p := compile(t, nets...)
				l.installAs(t, s.Host, p, names)
				for _, n := range nets {
					s.outside(p, n)
					for _, other := range nets {
						if other.name != n.name {
							s.talk(p, s.guests[n.name][0], s.guests[other.name][0])
						}
					}
				}
				t.Logf("%s names: all packets so far: %v", names, s.outcomes)
				slices.Reverse(nets)
			}
			// A site where nothing is refused, or nothing arrives, would agree with anything.
			if s.outcomes[ir.Accepted] < 500 || s.outcomes[ir.Rejected] < 500 {
				t.Errorf("fates of all packets: %v, want many of both kinds", s.outcomes)
			}
		})
	}
}

// outside sends packets between a network's first guest and the uplinks, both ways, and to the
// second guest, which the host routes from the bridge back to the bridge.
func (s *site) outside(p *ir.Program, n network) {
	s.t.Helper()
	guest, world := s.guests[n.name][0], s.far[0]
	for _, far := range s.far {
		s.talk(p, guest, far)
		s.talk(p, far, guest)
	}
	s.talk(p, guest, s.guests[n.name][1])

	// From a port below the masqueraded ones, and to a closed port, whose error is related to what
	// it is about.
	src, dst := guest.Addrs[0].Addr(), world.Addrs[0].Addr()
	low := netnstest.Packet{
		Kind: netnstest.UDP, Src: netip.AddrPortFrom(src, 500), Dst: netip.AddrPortFrom(dst, s.next()),
	}
	if got := s.probe(p, guest, low); got.At != nil {
		low.Src = netip.AddrPortFrom(src, s.next())
		s.related(p, guest, low)
	}
}

// talk begins conversations from each address of a peer, its own and those it has no right to, to
// each of another.
func (s *site) talk(p *ir.Program, from, to *netnstest.Peer) {
	s.t.Helper()
	for _, src := range from.Addrs {
		for _, dst := range to.Addrs {
			if src.Addr().Is4() != dst.Addr().Is4() || isSpoofed(dst.Addr()) {
				continue
			}
			for _, packet := range s.packets(src.Addr(), dst.Addr()) {
				s.probe(p, from, packet)
			}
		}
	}
}

// packets returns the beginnings of a UDP, a TCP and an ICMP conversation, from a port that no
// other packet had.
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
