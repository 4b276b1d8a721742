package netnstest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Kind is what a packet is for. The zero value is invalid.
type Kind uint8

const (
	UDP         Kind = iota + 1 // a datagram
	SYN                         // TCP's first segment
	SYNACK                      // its answer from an open port
	RST                         // its answer from a closed port, or from reject with tcp-reset
	EchoRequest                 // ICMP or ICMPv6; the identifier counts as source port
	EchoReply                   // the identifier counts as destination port
	Unreachable                 // ICMP's or ICMPv6's destination unreachable, about another packet
)

var kindNames = [...]string{
	UDP: "udp", SYN: "tcp syn", SYNACK: "tcp syn-ack", RST: "tcp reset",
	EchoRequest: "echo request", EchoReply: "echo reply", Unreachable: "unreachable",
}

// String returns the kind in words.
func (k Kind) String() string {
	if k >= UDP && k <= Unreachable {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Packet is an IP packet of one of the kinds, IPv4 or IPv6 by its addresses.
type Packet struct {
	Kind     Kind
	Src, Dst netip.AddrPort
}

// String returns the packet in words.
func (p Packet) String() string { return fmt.Sprintf("%s from %s to %s", p.Kind, p.Src, p.Dst) }

// Protocol numbers of IANA.
const (
	icmp4 = 1
	tcp   = 6
	udp   = 17
	icmp6 = 58
)

// Proto returns the IANA number of p's transport protocol.
func (p Packet) Proto() uint8 {
	switch p.Kind {
	case UDP:
		return udp
	case SYN, SYNACK, RST:
		return tcp
	case EchoRequest, EchoReply, Unreachable:
		if p.Src.Addr().Is4() {
			return icmp4
		}
		return icmp6
	}
	panic(fmt.Sprintf("netnstest: unknown %s", p.Kind))
}

// sighting is a packet that was seen: the serial number that [Packet.encode] gave it or the packet
// that it answers, and, for a refusal, what it says. The number goes in the payload or, for TCP, in
// the sequence numbers.
type sighting struct {
	Packet
	serial     uint32
	icmp, code uint8
	checksum   bool // checksum is true if the transport checksum is right.
	at         *Peer
}

// magic goes before the serial number, so that no packet of another maker is taken for one of ours.
const magic = 0x766e6574

// encode returns the packet as bytes, from the IP header on.
func (p Packet) encode(serial uint32) []byte {
	var l4 []byte
	be := binary.BigEndian
	payload := be.AppendUint32(be.AppendUint32(nil, magic), serial)
	switch p.Kind {
	case UDP:
		l4 = be.AppendUint16(nil, p.Src.Port())
		l4 = be.AppendUint16(l4, p.Dst.Port())
		l4 = be.AppendUint16(l4, uint16(8+len(payload)))
		l4 = append(append(l4, 0, 0), payload...)
		be.PutUint16(l4[6:], p.checksum(l4))
	case SYN:
		l4 = be.AppendUint16(nil, p.Src.Port())
		l4 = be.AppendUint16(l4, p.Dst.Port())
		l4 = be.AppendUint32(l4, serial)
		l4 = append(l4, 0, 0, 0, 0, 5<<4, 0x02, 0x10, 0, 0, 0, 0, 0)
		be.PutUint16(l4[16:], p.checksum(l4))
	case EchoRequest:
		l4 = []byte{8, 0, 0, 0}
		if p.Proto() == icmp6 {
			l4[0] = 128
		}
		l4 = append(be.AppendUint16(l4, p.Src.Port()), 0, 1)
		l4 = append(l4, payload...)
		be.PutUint16(l4[2:], p.checksum(l4))
	default:
		panic(fmt.Sprintf("netnstest: can't send a %s", p.Kind))
	}
	return append(p.header(len(l4)), l4...)
}

// header returns the IP header for n bytes of transport (RFC 791, RFC 8200).
func (p Packet) header(n int) []byte {
	be := binary.BigEndian
	var h []byte
	if p.Src.Addr().Is4() {
		h = be.AppendUint16([]byte{0x45, 0}, uint16(20+n))
		h = append(h, 0, 0, 0x40, 0, 64, p.Proto(), 0, 0) // don't fragment, 64 hops
	} else {
		h = be.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(n))
		h = append(h, p.Proto(), 64)
	}
	h = append(h, p.Src.Addr().AsSlice()...)
	h = append(h, p.Dst.Addr().AsSlice()...)
	if p.Src.Addr().Is4() {
		be.PutUint16(h[10:], ^sum(0, h))
	}
	return h
}

// checksum returns the transport checksum of l4 whose own field is zero; over an l4 with a right
// one it returns 0.
func (p Packet) checksum(l4 []byte) uint16 {
	var s uint16
	if p.Proto() != icmp4 {
		s = sum(sum(0, p.Src.Addr().AsSlice()), p.Dst.Addr().AsSlice())
		s = sum(s, []byte{0, p.Proto(), byte(len(l4) >> 8), byte(len(l4))})
	}
	return ^sum(s, l4)
}

// sum adds b to s in one's complement (RFC 1071).
func sum(s uint16, b []byte) uint16 {
	total := uint32(s)
	for i, x := range b {
		total += uint32(x) << (8 * (1 - i%2))
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

// decode reads a packet from its IP header on. It is false for what is not one of ours.
func decode(b []byte) (sighting, bool) {
	var s sighting
	var src, dst netip.Addr
	var proto uint8
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		src, dst, proto = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[9]
		b = b[:min(len(b), int(binary.BigEndian.Uint16(b[2:])))]
		b = b[min(len(b), int(b[0]&15)*4):]
	case len(b) >= 40 && b[0]>>4 == 6:
		src, dst, proto = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[6]
		b = b[40:min(len(b), 40+int(binary.BigEndian.Uint16(b[4:])))]
	default:
		return s, false
	}
	s.Src, s.Dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	var ok bool
	switch {
	case proto == udp && len(b) >= 8:
		ok = s.udp(b)
	case proto == tcp && len(b) >= 14:
		ok = s.tcp(b)
	case proto == icmp4 && len(b) >= 8:
		ok = s.echo(b, 8, 0) || s.unreachable(b, 3)
	case proto == icmp6 && len(b) >= 8:
		ok = s.echo(b, 128, 129) || s.unreachable(b, 1)
	}
	if ok {
		s.checksum = s.Packet.checksum(b) == 0
	}
	return s, ok
}

func (s *sighting) ports(b []byte) {
	s.Src = netip.AddrPortFrom(s.Src.Addr(), binary.BigEndian.Uint16(b))
	s.Dst = netip.AddrPortFrom(s.Dst.Addr(), binary.BigEndian.Uint16(b[2:]))
}

func (s *sighting) udp(b []byte) bool {
	s.Kind = UDP
	s.ports(b)
	return s.payload(b[8:])
}

func (s *sighting) tcp(b []byte) bool {
	s.ports(b)
	seq, ack := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	switch b[13] & 0x16 { // SYN, RST, ACK
	case 0x02:
		s.Kind, s.serial = SYN, seq
	case 0x12:
		s.Kind, s.serial = SYNACK, ack-1
	case 0x14:
		s.Kind, s.serial = RST, ack-1
	default:
		return false
	}
	return true
}

func (s *sighting) echo(b []byte, request, reply uint8) bool {
	id := binary.BigEndian.Uint16(b[4:])
	switch b[0] {
	case request:
		s.Kind, s.Src = EchoRequest, netip.AddrPortFrom(s.Src.Addr(), id)
	case reply:
		s.Kind, s.Dst = EchoReply, netip.AddrPortFrom(s.Dst.Addr(), id)
	default:
		return false
	}
	return s.payload(b[8:])
}

func (s *sighting) unreachable(b []byte, icmp uint8) bool {
	if b[0] != icmp {
		return false
	}
	quoted, ok := decode(b[8:])
	s.Kind, s.icmp, s.code, s.serial = Unreachable, b[0], b[1], quoted.serial
	return ok
}

func (s *sighting) payload(b []byte) bool {
	if len(b) < 8 || binary.BigEndian.Uint32(b) != magic {
		return false
	}
	s.serial = binary.BigEndian.Uint32(b[4:])
	return true
}
