package kernel

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// probe sends a packet from a peer, and then what may follow it, and compares each fate with the
// program's. It returns what became of the packet.
func (s *site) probe(p *ir.Program, from *netnstest.Peer, packet netnstest.Packet) netnstest.Result {
	s.t.Helper()
	sent := s.model(packet, ir.StateNew)
	sent.In, sent.Out = from.Gateway, s.Out(packet.Dst.Addr())
	got := s.Send(from, packet)
	fate := s.compare(p, sent, got)
	if got.At == nil || fate.Outcome != ir.Accepted {
		return got
	}
	if !slices.ContainsFunc(got.At.Addrs, func(a netip.Prefix) bool { return a.Addr() == packet.Dst.Addr() }) {
		s.t.Errorf("%s: that is the wrong place", got)
	}
	back := s.Reply(got)
	s.compare(p, s.answer(sent, back), back)
	return got
}

// related has a datagram arrive at a closed port and compares the fate of the error about it, which
// is of state related.
func (s *site) related(p *ir.Program, from *netnstest.Peer, packet netnstest.Packet) {
	s.t.Helper()
	got := s.Send(from, packet)
	if got.At == nil {
		s.t.Errorf("%s: to test errors it must arrive", got)
		return
	}
	sent := s.model(packet, ir.StateNew)
	sent.In, sent.Out = from.Gateway, got.At.Gateway
	back := s.Unreachable(got)
	s.compare(p, s.answer(sent, back), back)
}

// model returns what rules see of a packet, without its interfaces.
func (s *site) model(p netnstest.Packet, state ir.State) ir.Packet {
	m := ir.Packet{Family: ir.IPv6, Src: p.Src.Addr(), Dst: p.Dst.Addr(), Proto: p.Proto(), State: state}
	if m.Src.Is4() {
		m.Family = ir.IPv4
	}
	types := map[netnstest.Kind][2]uint8{ // IPv4, IPv6
		netnstest.EchoRequest: {8, 128}, netnstest.EchoReply: {0, 129}, netnstest.Unreachable: {3, 1},
	}
	if t, ok := types[p.Kind]; ok {
		m.ICMPType = t[m.Family/ir.IPv6]
	} else {
		m.SPort, m.DPort = p.Src.Port(), p.Dst.Port()
	}
	return m
}

// answer returns what rules see of the packet that answers sent: the connection's addresses as its
// beginner knows them, since the kernel undoes source NAT before the forward hook.
func (s *site) answer(sent ir.Packet, back netnstest.Result) ir.Packet {
	m := s.model(back.Sent, ir.StateEstablished)
	if back.Sent.Kind == netnstest.Unreachable {
		m.State = ir.StateRelated
		m.ICMPCode = map[ir.Family]uint8{ir.IPv4: 3, ir.IPv6: 4}[m.Family] // port unreachable
	}
	m.Src, m.Dst, m.SPort, m.DPort = sent.Dst, sent.Src, sent.DPort, sent.SPort
	m.In, m.Out = sent.Out, sent.In
	return m
}

// compare says so if what became of a packet is not what the program says of it, and returns what
// that is.
func (s *site) compare(p *ir.Program, m ir.Packet, got netnstest.Result) ir.Fate {
	s.t.Helper()
	fate, err := ir.Eval(p, m)
	if err != nil {
		s.t.Fatal(err)
	}
	s.outcomes[fate.Outcome]++
	if why := differs(fate, m, got); why != "" {
		s.t.Errorf("%s\n\tthe program says: %s\n\tthe kernel does: %s\n\t%s", m, fate, got, why)
	}
	return fate
}

// differs returns in which way the kernel did not do what fate says; empty if it did.
func differs(fate ir.Fate, m ir.Packet, got netnstest.Result) string {
	switch fate.Outcome {
	case ir.Accepted:
		if got.At == nil {
			return "it did not arrive"
		}
		if m.State != ir.StateNew {
			return untranslated(m, got)
		}
		return translated(fate.SNAT, got)
	case ir.Rejected:
		if !got.Refused {
			return "it was not refused"
		}
		if code := refusalCode(m.Family, got); code != fate.Reject {
			return fmt.Sprintf("it was refused with %s", code)
		}
	case ir.Dropped:
		if got.At != nil || got.Refused {
			return "it was not dropped"
		}
	}
	return ""
}

// untranslated checks that an answer comes from where its receiver had sent to, and to where it had
// sent from.
func untranslated(m ir.Packet, got netnstest.Result) string {
	src, dst := got.Arrived.Src, got.Arrived.Dst
	switch {
	case src.Addr() != m.Src || dst.Addr() != m.Dst:
		return fmt.Sprintf("source NAT was not undone: want from %s to %s", m.Src, m.Dst)
	case ir.HasPorts(m.Proto) && (src.Port() != m.SPort || dst.Port() != m.DPort):
		return fmt.Sprintf("source NAT of ports was not undone: want from %d to %d", m.SPort, m.DPort)
	}
	return ""
}

// translated checks the source with which the first packet of a connection arrived.
func translated(nat *ir.NAT, got netnstest.Result) string {
	was, is := got.Sent.Src, got.Arrived.Src
	if nat == nil {
		if is != was {
			return "its source was changed"
		}
		return ""
	}
	switch nat.Kind {
	case ir.KindMasquerade: // an address of the interface it left by; for a link's own multicast a link's own address
		if is.Addr().IsLinkLocalUnicast() && got.Sent.Dst.Addr().IsLinkLocalMulticast() {
			break
		}
		if !slices.ContainsFunc(got.At.Hosts, func(a netip.Prefix) bool { return a.Addr() == is.Addr() }) {
			return "its source address is not the uplink's"
		}
	case ir.KindSNAT:
		if is.Addr().Less(nat.Addrs.From) || nat.Addrs.To.Less(is.Addr()) {
			return "its source address is not in the range"
		}
	default:
		panic(fmt.Sprintf("kernel: no probe has NAT of kind %s", nat.Kind))
	}
	// Without a range, and with one that it is in, the kernel leaves a port or identifier that
	// nobody else uses.
	in := func(port uint16) bool {
		return nat.Ports.IsZero() || nat.Ports.From <= port && port <= nat.Ports.To
	}
	switch {
	case !in(is.Port()):
		return "its source port is not in the range"
	case in(was.Port()) && is.Port() != was.Port():
		return "its source port was changed and need not have been"
	}
	return ""
}

// refusalCode returns nft(8)'s name for the code that the sender got (RFC 792, RFC 1812 section
// 5.2.7.1, RFC 4443 section 3.1).
func refusalCode(f ir.Family, got netnstest.Result) ir.RejectCode {
	if got.Refusal.Kind == netnstest.RST {
		return ir.TCPReset
	}
	codes := map[ir.Family]map[uint8]ir.RejectCode{
		ir.IPv4: {
			0: ir.NetUnreachable, 1: ir.HostUnreachable, 2: ir.ProtUnreachable, 3: ir.PortUnreachable,
			9:  ir.NetProhibited,
			10: ir.HostProhibited, 13: ir.AdminProhibited,
		},
		ir.IPv6: {
			0: ir.NoRoute, 1: ir.AdminProhibited, 3: ir.AddrUnreachable, 4: ir.PortUnreachable, 5: ir.PolicyFail,
			6: ir.RejectRoute,
		},
	}
	return codes[f][got.ICMPCode]
}
