package kernel

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestFromHost: what the host itself sends passes postrouting as well. Its broadcasts and
// multicasts (DHCP offers, mDNS) carry the bridge's address, which is in the network's subnet, and
// must not be masqueraded; what it sends with that address to the world is. The checksum of what
// goes to DHCP clients is filled in by iptables; the nftables back end says that it leaves that
// out.
func TestFromHost(t *testing.T) {
	t.Parallel()
	nets := networks()
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, nets...)
			whole := compile(t, nets...)
			fills := l.backend == (iptables.Backend{}) && fillsChecksums(s.Host, l.name)
			returnless := without(whole, func(r ir.Rule) bool { _, is := r.Verdict.(ir.Return); return is })
			for _, p := range []*ir.Program{whole, returnless} {
				l.install(t, s.Host, p)
				for _, n := range nets {
					s.fromHost(p, n, fills)
				}
			}
		})
	}
}

func (s *site) fromHost(p *ir.Program, n network, fills bool) {
	s.t.Helper()
	for _, own := range n.addrs {
		groups := []string{"255.255.255.255", "224.0.0.251"}
		if own.Addr().Is6() {
			groups = []string{"ff02::fb"}
		}
		for _, group := range groups {
			s.local(p, n.bridge, own.Addr(), netip.MustParseAddr(group), fills)
		}
		for _, to := range append(s.far[0].Addrs, s.guests[n.name][0].Addrs...) {
			if to.Addr().Is4() == own.Addr().Is4() {
				s.local(p, s.Out(to.Addr()), own.Addr(), to.Addr(), fills)
			}
		}
	}
}

// local sends two datagrams from the host: as a DHCP server to a client, and to a port of no
// meaning.
func (s *site) local(p *ir.Program, dev string, src, dst netip.Addr, fills bool) {
	s.t.Helper()
	for _, port := range []uint16{68, netnstest.Open} {
		got := s.SendLocal(dev, netip.AddrPortFrom(src, s.next()), netip.AddrPortFrom(dst, port))
		m := s.model(got.Sent, ir.StateNew)
		m.Out = dev
		fate := s.compare(p, m, got)
		// The sockets of a host leave the checksum to the device, and a virtual one leaves it open.
		if want := fate.Checksum && fills; got.At != nil && got.Checksum != want {
			s.t.Errorf("%s: checksum right: %v, want %v", got, got.Checksum, want)
		}
	}
}

// without returns p without the rules that drop says.
func without(p *ir.Program, drop func(ir.Rule) bool) *ir.Program {
	q := &ir.Program{Links: p.Links}
	for _, c := range p.Chains {
		d := *c
		d.Rules = nil
		for _, r := range c.Rules {
			if !drop(r) {
				d.Rules = append(d.Rules, r)
			}
		}
		q.Chains = append(q.Chains, &d)
	}
	return q
}

// TestBridged: with br_netfilter, frames between two guests of one bridge meet the forward and
// postrouting rules too.
func TestBridged(t *testing.T) {
	t.Parallel()
	nets := networks()
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, true, nets...)
			if !s.BridgeNetfilter(true) {
				t.Skip("this kernel has no br_netfilter")
			}
			whole := compile(t, nets...)
			crossless := without(whole, func(r ir.Rule) bool { return len(r.Matches) == 2 && isCross(r) })
			for _, p := range []*ir.Program{whole, crossless} {
				l.install(t, s.Host, p)
				for _, n := range nets {
					s.bridged(p, n)
				}
			}
			if s.outcomes[ir.Rejected] == 0 {
				t.Error("without the rules between guests of one network nothing was refused: the frames met no rules")
			}
		})
	}
}

// isCross is true for FWX's rule: in by a bridge and out by the same.
func isCross(r ir.Rule) bool {
	in, isIn := r.Matches[0].(ir.IIfName)
	out, isOut := r.Matches[1].(ir.OIfName)
	return isIn && isOut && in.Name == out.Name
}

func (s *site) bridged(p *ir.Program, n network) {
	s.t.Helper()
	guest, other := s.guests[n.name][0], s.guests[n.name][1]
	s.talk(p, guest, other)
	for _, group := range []string{"255.255.255.255", "224.0.0.251", "ff02::fb"} {
		to := netip.MustParseAddr(group)
		from, ok := guest.Addr(to)
		if !ok {
			continue
		}
		packet := s.packets(from, to)[0]
		m := s.model(packet, ir.StateNew)
		m.In, m.Out = n.bridge, n.bridge
		fate, err := ir.Eval(p, m)
		if err != nil {
			s.t.Fatal(err)
		}
		if fate.Outcome == ir.Rejected {
			continue // a rejected multicast is not answered (RFC 1122 section 3.2.2), so there is nothing to compare
		}
		s.compare(p, m, s.Send(guest, packet))
	}
}

// TestServices: INP and OUT open the host's DHCP, DNS and TFTP ports on a host whose own policy is
// to drop. The model has no such policy beside the groups; a packet is let through here if a rule
// of the group accepts it there.
func TestServices(t *testing.T) {
	t.Parallel()
	nets := []network{named("nat-two"), named("nat-ipv6"), named("bare"), named("open")} // each set of services
	for _, l := range loaders() {
		if l.backend != (iptables.Backend{}) {
			continue // leaves both groups out, and says so
		}
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, nets...)
			p := compile(t, nets...)
			l.install(t, s.Host, p)
			closeHost(s.Host, l.name)
			for _, port := range services {
				s.Serve(port)
				for _, n := range nets {
					s.service(p, n, port)
				}
			}
		})
	}
}

// closeHost has the host drop what is for it and what it sends, but for ICMP.
func closeHost(h *netnstest.Host, tool string) {
	for tool, icmp := range map[string]string{tool: "icmp", strings.Replace(tool, "ip", "ip6", 1): "ipv6-icmp"} {
		for _, chain := range []string{"INPUT", "OUTPUT"} {
			h.Exec(tool, "-P", chain, "DROP")
			h.Exec(tool, "-A", chain, "-p", icmp, "-j", "ACCEPT")
		}
	}
}

func (s *site) service(p *ir.Program, n network, port uint16) {
	s.t.Helper()
	guest := s.guests[n.name][0]
	for _, own := range n.addrs {
		addr, _ := guest.Addr(own.Addr())
		src, dst := netip.AddrPortFrom(addr, s.next()), netip.AddrPortFrom(own.Addr(), port)
		m := s.model(netnstest.Packet{Kind: netnstest.UDP, Src: src, Dst: dst}, ir.StateNew)
		m.In = n.bridge
		got := s.Send(guest, netnstest.Packet{Kind: netnstest.UDP, Src: src, Dst: dst})
		if want := accepted(s.t, p, m, ir.INP); want != (got.At == s.Self) {
			s.t.Errorf("%s: a rule of INP accepts: %v; got %s", m, want, got)
		}
		back := s.SendLocal(n.bridge, netip.AddrPortFrom(own.Addr(), s.next()), netip.AddrPortFrom(addr, port))
		m = s.model(back.Sent, ir.StateNew)
		m.Out = n.bridge
		if want := accepted(s.t, p, m, ir.OUT); want != (back.At == guest) {
			s.t.Errorf("%s: a rule of OUT accepts: %v; got %s", m, want, back)
		}
	}
}

// accepted is true if a rule of group g accepts the packet.
func accepted(t *testing.T, p *ir.Program, m ir.Packet, g ir.Group) bool {
	t.Helper()
	fate, err := ir.Eval(p, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range fate.Trace {
		if step.Chain != nil && step.Chain.Group == g && step.Rule != nil {
			return true
		}
	}
	return false
}
