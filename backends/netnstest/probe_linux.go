package netnstest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Result is what became of a packet: it arrived at a peer, or its sender got a rejection, or
// neither.
type Result struct {
	Sent Packet

	At       *Peer  // where it arrived; nil if nowhere
	Arrived  Packet // as it arrived: behind source NAT, with another source
	Checksum bool   // Checksum is true if the transport checksum was right when it arrived.

	Refused  bool
	Refusal  Packet // from whom and to whom: an RST, or an ICMP error
	ICMPType uint8  // of an ICMP error: 3 (IPv4) or 1 (IPv6), destination unreachable
	ICMPCode uint8

	from   *Peer // nil for the host itself
	serial uint32
}

// String says it in words, for the messages of tests.
func (r Result) String() string {
	switch {
	case r.At != nil:
		return fmt.Sprintf("%s: arrived at %s as %s", r.Sent, r.At.Name, r.Arrived)
	case r.Refused && r.Refusal.Kind == RST:
		return fmt.Sprintf("%s: refused by %s", r.Sent, r.Refusal)
	case r.Refused:
		return fmt.Sprintf("%s: refused by %s with ICMP type %d code %d", r.Sent, r.Refusal.Src.Addr(), r.ICMPType,
			r.ICMPCode)
	}
	return fmt.Sprintf("%s: dropped", r.Sent)
}

const (
	timeout = 5 * time.Millisecond // before asking whether the packet is lost
	limit   = 5 * time.Second      // for what must come, on a slow machine
)

// Send sends a packet of kind UDP, SYN or EchoRequest from a peer, whatever its source address, and
// waits until it is known what became of it. A frame to another guest on the same bridge and subnet
// goes to that guest, a broadcast or multicast to all of the bridge, all else to the host.
//
// That nothing came of a packet is not told by time: an echo request to the host follows it on the
// same wire and the same processor, where the kernel keeps the order, and when the reply is there
// the packet has been handled.
func (h *Host) Send(from *Peer, p Packet) Result {
	h.t.Helper()
	defer h.pin()()
	h.serial++
	h.transmit(from, p, h.serial)
	return h.follow(Result{Sent: p, from: from, serial: h.serial}, p.Kind, from)
}

// Reply sends the answer to a packet that arrived, and waits until it is known what became of that:
// for a UDP packet a datagram back to where it seemed to come from; for an echo request or a SYN
// (to port [Open]) the peer's own stack has answered, and it is only waited for.
func (h *Host) Reply(to Result) Result {
	h.t.Helper()
	if to.At == nil {
		h.t.Fatalf("no reply to what did not arrive: %s", to)
	}
	back := Packet{Src: to.Arrived.Dst, Dst: to.Arrived.Src}
	switch to.Sent.Kind {
	case UDP:
		back.Kind = UDP
		return h.Send(to.At, back)
	case SYN:
		back.Kind = SYNACK
	case EchoRequest:
		back.Kind = EchoReply
	default:
		panic(fmt.Sprintf("netnstest: no reply to a %s", to.Sent.Kind))
	}
	return h.follow(Result{Sent: back, from: to.At, serial: to.serial}, back.Kind, to.At)
}

// Unreachable waits for the error that a peer's own stack sends about a datagram to a port that is
// not [Open]: a packet related to that one, on its way back.
func (h *Host) Unreachable(to Result) Result {
	h.t.Helper()
	if to.At == nil || to.Sent.Kind != UDP {
		h.t.Fatalf("no error about: %s", to)
	}
	from := netip.AddrPortFrom(to.Arrived.Dst.Addr(), 0)
	back := Packet{Kind: Unreachable, Src: from, Dst: netip.AddrPortFrom(to.Arrived.Src.Addr(), 0)}
	return h.follow(Result{Sent: back, from: to.At, serial: to.serial}, Unreachable, to.At)
}

// SendLocal sends a datagram from the host itself, by a socket as a service on it would, out of the
// interface dev.
func (h *Host) SendLocal(dev string, src, dst netip.AddrPort) Result {
	h.t.Helper()
	defer h.pin()()
	h.serial++
	be := binary.BigEndian
	payload := be.AppendUint32(be.AppendUint32(nil, magic), h.serial)
	h.Do(func() {
		fd, err := unix.Socket(family(src.Addr()), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		must(h.t, err, "socket")
		defer unix.Close(fd)
		must(h.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), "reuse address")
		must(h.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1), "allow broadcast")
		must(h.t, unix.BindToDevice(fd, dev), "bind to %s", dev)
		must(h.t, unix.Bind(fd, sockaddr(src)), "bind to %s", src)
		// A rule that rejects or drops makes sendto fail with EPERM: then nothing arrives, which is
		// the answer.
		if err := unix.Sendto(fd, payload, 0, sockaddr(dst)); err != nil && err != unix.EPERM {
			must(h.t, err, "send to %s", dst)
		}
	})
	var near *Peer
	for _, p := range h.peers {
		if p.Gateway == dev {
			near = p
		}
	}
	if near == nil {
		h.t.Fatalf("no peer to receive what is sent from %s", dev)
	}
	return h.follow(Result{Sent: Packet{Kind: UDP, Src: src, Dst: dst}, serial: h.serial}, UDP, near)
}

// follow waits for the fate of a packet and completes r; near is a peer whose wire the packet was
// on.
func (h *Host) follow(r Result, kind Kind, near *Peer) Result {
	h.t.Helper()
	done := func() bool { return h.find(&r, kind) }
	if h.await(timeout, done) {
		return r
	}
	h.marker(near)
	h.await(timeout, done) // what was read after the reply, and a margin
	return r
}

// marker sends an echo request from p to the host and waits for the answer. A peer on a bridge
// without an address sends to another address of the host.
func (h *Host) marker(p *Peer) {
	h.t.Helper()
	for _, known := range append([]*Peer{p}, h.peers...) {
		for _, host := range known.Hosts {
			if src, ok := p.Addr(host.Addr()); ok {
				h.ping(p, src, host.Addr())
				return
			}
		}
	}
	h.t.Fatalf("%s has no way to an address of the host's", p.Name)
}

// find looks through what was seen for the packet of r. Its arrival counts before its refusal: what
// comes after an arrival is an answer of the receiver's.
func (h *Host) find(r *Result, kind Kind) bool {
	for _, s := range h.seen {
		if s.serial == r.serial && s.Kind == kind && s.at != r.from {
			r.At, r.Arrived, r.Checksum = s.at, s.Packet, s.checksum
			return true
		}
	}
	for _, s := range h.seen {
		if s.serial == r.serial && s.at == r.from && r.from != nil &&
			(s.Kind == Unreachable || s.Kind == RST && kind == SYN) {
			r.Refused, r.Refusal, r.ICMPType, r.ICMPCode = true, s.Packet, s.icmp, s.code
			return true
		}
	}
	return false
}

// ping sends an echo request to the host until it is answered.
func (h *Host) ping(p *Peer, src, host netip.Addr) {
	h.t.Helper()
	h.serial++
	serial := h.serial
	answered := func() bool {
		for _, s := range h.seen {
			if s.serial == serial && s.Kind == EchoReply && s.at == p {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(limit); time.Now().Before(end); {
		h.transmit(p, Packet{Kind: EchoRequest, Src: netip.AddrPortFrom(src, 1), Dst: netip.AddrPortFrom(host, 0)},
			serial)
		if h.await(timeout, answered) {
			return
		}
	}
	h.t.Fatalf("%s at %s: the host's %s doesn't answer echo requests", p.Name, src, host)
}
