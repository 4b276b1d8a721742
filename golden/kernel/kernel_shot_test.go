package kernel

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// shot is a packet that the site can send: as rules see it, and as it is sent. What is not new is
// sent by way of an answer to a packet that begins a conversation.
type shot struct {
	packet ir.Packet
	from   *netnstest.Peer // nil for the host itself, by a socket
	sent   netnstest.Packet

	to     *netnstest.Peer // for an answer: who began
	begins netnstest.Packet
}

const (
	low    = 400 // a source port that every range of ports moves, so that the loss of a range shows
	closed = 401 // a port at which nobody listens
)

// services are ports of the host that some networks open, and one that none does.
var services = [...]uint16{53, 67, 68, 69, 546, 547, netnstest.Open}

// shots returns what can be sent under the program p: between the first guests of all networks, a
// foreign bridge and the uplinks, and between the two guests of one network; from the host; to the
// host. What goes to the world and comes from there has a part of each kind.
func (s *site) shots(p *ir.Program, nets []network) []shot {
	s.t.Helper()
	world, thief := s.far[0], s.guests[nets[0].name][0] // whose rules come last, so that others' are met before
	peers := append([]*netnstest.Peer{s.guests[""][0]}, s.far...)
	var all []shot
	for _, n := range nets {
		first, second := s.guests[n.name][0], s.guests[n.name][1]
		all = append(all, s.between(first, second, true)...)
		all = append(all, s.ofHost(n, first)...)
		for _, a := range first.Addrs {
			far, _ := world.Addr(a.Addr())
			all = append(all, s.shot(thief, world, datagram(a.Addr(), far))) // with another's address
		}
		peers = append(peers, first)
	}
	for _, from := range peers {
		for _, to := range peers {
			if from != to {
				all = append(all, s.between(from, to, from == world || to == world)...)
				all = append(all, s.errors(p, from, to)...)
			}
		}
	}
	return all
}

// between returns what one peer can send to another: the beginning of a UDP conversation, and an
// answer in one. With all, those of TCP and ICMP conversations, and by addresses to which the peers
// have no right, too.
func (s *site) between(from, to *netnstest.Peer, all bool) []shot {
	s.t.Helper()
	var list []shot
	for _, src := range from.Addrs {
		for _, dst := range to.Addrs {
			a, b := src.Addr(), dst.Addr()
			if a.Is4() != b.Is4() || !all && (isSpoofed(a) || isSpoofed(b)) || isSpoofed(a) && isSpoofed(b) {
				continue
			}
			packet := datagram(a, b)
			list = append(list, s.shot(from, to, packet), s.reply(from, to, datagram(b, a)))
			if all {
				packet.Kind = netnstest.SYN
				list = append(list, s.shot(from, to, packet))
				packet.Kind, packet.Dst = netnstest.EchoRequest, netip.AddrPortFrom(b, 0)
				list = append(list, s.shot(from, to, packet))
			}
		}
	}
	return list
}

func datagram(from, to netip.Addr) netnstest.Packet {
	return netnstest.Packet{Kind: netnstest.UDP, Src: netip.AddrPortFrom(from, low),
		Dst: netip.AddrPortFrom(to, netnstest.Open)}
}

// reply is the answer to a datagram that the peer to sent.
func (s *site) reply(from, to *netnstest.Peer, begins netnstest.Packet) shot {
	answer := s.shot(from, to, netnstest.Packet{Kind: netnstest.UDP, Src: begins.Dst, Dst: begins.Src})
	answer.packet.State, answer.begins = ir.StateEstablished, begins
	return answer
}

func (s *site) shot(from, to *netnstest.Peer, packet netnstest.Packet) shot {
	m := s.model(packet, ir.StateNew)
	m.In, m.Out = from.Gateway, to.Gateway
	return shot{packet: m, from: from, sent: packet, to: to}
}

// errors returns the errors that a peer's stack sends about datagrams to a closed port, where p
// lets these through.
func (s *site) errors(p *ir.Program, from, to *netnstest.Peer) []shot {
	s.t.Helper()
	var all []shot
	for _, src := range from.Addrs {
		for _, dst := range to.Addrs {
			a, b := src.Addr(), dst.Addr()
			if a.Is4() != b.Is4() || isSpoofed(a) || isSpoofed(b) {
				continue
			}
			about := netnstest.Packet{Kind: netnstest.UDP, Src: netip.AddrPortFrom(b, low),
				Dst: netip.AddrPortFrom(a, closed)}
			begin := s.shot(to, from, about)
			if fate, err := ir.Eval(p, begin.packet); err != nil || fate.Outcome != ir.Accepted {
				continue
			}
			sent := netnstest.Packet{Kind: netnstest.Unreachable, Src: netip.AddrPortFrom(a, 0),
				Dst: netip.AddrPortFrom(b, 0)}
			m := s.answer(begin.packet, netnstest.Result{Sent: sent})
			m.SPort, m.DPort = 0, 0
			all = append(all, shot{packet: m, from: from, sent: sent, to: to, begins: about})
		}
	}
	return all
}

// ofHost returns what the host sends into a network, and to the world with its address there; and
// what a guest and the world send to that address.
func (s *site) ofHost(n network, guest *netnstest.Peer) []shot {
	s.t.Helper()
	var all []shot
	world := s.far[0]
	for _, own := range n.addrs {
		host := own.Addr()
		member, _ := guest.Addr(host)
		far, _ := world.Addr(host)
		groups := "255.255.255.255 224.0.0.251"
		if host.Is6() {
			groups = "ff02::fb"
		}
		for _, group := range strings.Fields(groups) {
			for _, dev := range []string{n.bridge, world.Gateway} {
				all = append(all, s.atHost("", dev, nil, datagram(host, netip.MustParseAddr(group))))
			}
		}
		for _, port := range services {
			to := func(from, to netip.Addr) netnstest.Packet {
				p := datagram(from, to)
				p.Dst = netip.AddrPortFrom(to, port)
				return p
			}
			all = append(all, s.atHost("", n.bridge, nil, to(host, member)),
				s.atHost("", world.Gateway, nil, to(host, far)),
				s.atHost(n.bridge, "", guest, to(member, host)), s.atHost(world.Gateway, "", world, to(far, host)))
		}
	}
	return all
}

func (s *site) atHost(in, out string, from *netnstest.Peer, packet netnstest.Packet) shot {
	m := s.model(packet, ir.StateNew)
	m.In, m.Out = in, out
	return shot{packet: m, from: from, sent: packet}
}

// tracker is a program that does nothing but have the kernel track connections.
func tracker() *ir.Program {
	p := &ir.Program{}
	p.Add(ir.FWX, ir.Rule{Family: ir.Both, Matches: []ir.Match{ir.CTState{States: ir.StateInvalid}},
		Verdict: ir.Drop{}})
	return p
}

// fire sends the packet of a shot under the program p, as if nothing had been sent before it. An
// answer's conversation begins under tracker, so that p has no part in that; an error follows at
// once on what it is about, which p has to let through.
func (tr *trial) fire(p *ir.Program, one shot) netnstest.Result {
	tr.t.Helper()
	if one.packet.State == ir.StateEstablished {
		tr.install(tr.empty)
		tr.forget()
		tr.arrives(tr.Send(one.to, one.begins))
		tr.install(p)
		return tr.Send(one.from, one.sent)
	}
	tr.install(p)
	tr.forget()
	switch {
	case one.packet.State == ir.StateRelated:
		return tr.Unreachable(tr.arrives(tr.Send(one.to, one.begins)))
	case one.from == nil:
		return tr.SendLocal(one.packet.Out, one.sent.Src, one.sent.Dst)
	}
	return tr.Send(one.from, one.sent)
}

func (s *site) arrives(r netnstest.Result) netnstest.Result {
	s.t.Helper()
	if r.At == nil {
		s.t.Fatalf("%s: it must arrive, for an answer", r)
	}
	return r
}

// forget has the host forget all connections: the next packet of each is new, and gets its NAT from
// the rules.
func (s *site) forget() {
	s.t.Helper()
	s.Do(func() {
		if err := netlink.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
			s.t.Fatalf("flush connections: %v", err)
		}
	})
}

// contradicts returns in which way the kernel did not do what fate says; empty if it did. Of some
// refusals the sender hears nothing: that of an ICMP error (RFC 1122 section 3.2.2), that of a
// datagram from the host's own socket, and that of a packet with another's address.
func contradicts(fate ir.Fate, one shot, got netnstest.Result) string {
	heard := one.from != nil && one.packet.State != ir.StateRelated &&
		slices.ContainsFunc(one.from.Addrs, func(a netip.Prefix) bool { return a.Addr() == one.packet.Src })
	if fate.Outcome == ir.Rejected && !heard {
		fate = ir.Fate{Outcome: ir.Dropped}
	}
	return differs(fate, one.packet, got)
}
