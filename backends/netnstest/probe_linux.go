package netnstest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Result is what became of a packet: it arrived at a peer, or its sender was told that it was refused, or neither.
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
		return fmt.Sprintf("%s: refused by %s with ICMP type %d code %d", r.Sent, r.Refusal.Src.Addr(), r.ICMPType, r.ICMPCode)
	}
	return fmt.Sprintf("%s: dropped", r.Sent)
}

const (
	patience = 5 * time.Millisecond // before asking whether the packet is lost
	limit    = 5 * time.Second      // for what must come, on a slow machine
)

// Send sends a packet of kind UDP, SYN or EchoRequest from a peer, whatever its source address, and waits until it is
// known what became of it. A frame to another guest on the same bridge and subnet goes to that guest, a broadcast or
// multicast to all of the bridge, all else to the host.
//
// That nothing came of a packet is not told by time: an echo request to the host follows it on the same wire and the same
// processor, where the kernel keeps the order, and when the reply is there the packet has been handled.
func (h *Host) Send(from *Peer, p Packet) Result {
	h.t.Helper()
	defer h.pin()()
	h.serial++
	h.transmit(from, p, h.serial)
	return h.follow(Result{Sent: p, from: from, serial: h.serial}, p.Kind, from)
}

// Reply sends the answer to a packet that arrived, and waits until it is known what became of that: for a UDP packet a
// datagram back to where it seemed to come from; for an echo request or a SYN (to port [Open]) the peer's own stack has
// answered, and it is only waited for.
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

// Unreachable waits for the error that a peer's own stack sends about a datagram to a port that is not [Open]: a packet
// related to that one, on its way back.
func (h *Host) Unreachable(to Result) Result {
	h.t.Helper()
	if to.At == nil || to.Sent.Kind != UDP {
		h.t.Fatalf("no error about: %s", to)
	}
	from := netip.AddrPortFrom(to.Arrived.Dst.Addr(), 0)
	back := Packet{Kind: Unreachable, Src: from, Dst: netip.AddrPortFrom(to.Arrived.Src.Addr(), 0)}
	return h.follow(Result{Sent: back, from: to.At, serial: to.serial}, Unreachable, to.At)
}

// SendLocal sends a datagram from the host itself, by a socket as a service on it would, out of the interface dev.
func (h *Host) SendLocal(dev string, src, dst netip.AddrPort) Result {
	h.t.Helper()
	defer h.pin()()
	h.serial++
	be := binary.BigEndian
	payload := be.AppendUint32(be.AppendUint32(nil, magic), h.serial)
	h.Do(func() {
		family, bind, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(src.Port()), Addr: src.Addr().As16()}),
			unix.Sockaddr(&unix.SockaddrInet6{Port: int(dst.Port()), Addr: dst.Addr().As16(), ZoneId: uint32(h.link(dev).Attrs().Index)})
		if src.Addr().Is4() {
			family, bind = unix.AF_INET, &unix.SockaddrInet4{Port: int(src.Port()), Addr: src.Addr().As4()}
			to = &unix.SockaddrInet4{Port: int(dst.Port()), Addr: dst.Addr().As4()}
		}
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		must(h.t, err, "socket")
		defer unix.Close(fd)
		must(h.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), "reuse address")
		must(h.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1), "allow broadcast")
		must(h.t, unix.BindToDevice(fd, dev), "bind to %s", dev)
		must(h.t, unix.Bind(fd, bind), "bind to %s", src)
		// A rule that rejects or drops makes sendto fail with EPERM: then nothing arrives, which is the answer.
		if err := unix.Sendto(fd, payload, 0, to); err != nil && err != unix.EPERM {
			must(h.t, err, "send to %s", dst)
		}
	})
	var near *Peer
	for _, p := range h.peers {
		if p.Gateway == dev {
			near = p
		}
	}
	return h.follow(Result{Sent: Packet{Kind: UDP, Src: src, Dst: dst}, serial: h.serial}, UDP, near)
}

// pin keeps the calling goroutine on one processor until the returned function is called. A veth queues what is sent on
// the sender's processor (netif_rx in net/core/dev.c), and each further hop stays there.
func (h *Host) pin() (undo func()) {
	h.t.Helper()
	var before, one unix.CPUSet
	runtime.LockOSThread()
	must(h.t, unix.SchedGetaffinity(0, &before), "get processors")
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	must(h.t, unix.SchedSetaffinity(0, &one), "keep to a processor")
	return func() {
		must(h.t, unix.SchedSetaffinity(0, &before), "use all processors")
		runtime.UnlockOSThread()
	}
}

// follow waits for what becomes of a packet and completes r; near is a peer whose wire the packet was on.
func (h *Host) follow(r Result, kind Kind, near *Peer) Result {
	h.t.Helper()
	done := func() bool { return h.find(&r, kind) }
	if h.await(patience, done) {
		return r
	}
	for _, host := range near.Hosts {
		if src, ok := near.Addr(host.Addr()); ok {
			h.ping(near, src, host.Addr())
			break
		}
	}
	h.await(patience, done) // what was read after the reply, and a margin
	return r
}

// find looks through what was seen for the packet of r. Its arrival counts before its refusal: what comes after an arrival
// is an answer of the receiver's.
func (h *Host) find(r *Result, kind Kind) bool {
	for _, s := range h.seen {
		if s.serial == r.serial && s.Kind == kind && s.at != r.from {
			r.At, r.Arrived, r.Checksum = s.at, s.Packet, s.checksum
			return true
		}
	}
	for _, s := range h.seen {
		if s.serial == r.serial && s.at == r.from && r.from != nil && (s.Kind == Unreachable || s.Kind == RST && kind == SYN) {
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
		h.transmit(p, Packet{Kind: EchoRequest, Src: netip.AddrPortFrom(src, 1), Dst: netip.AddrPortFrom(host, 0)}, serial)
		if h.await(patience, answered) {
			return
		}
	}
	h.t.Fatalf("%s at %s: the host's %s doesn't answer echo requests", p.Name, src, host)
}

// await reads what the peers receive until done says so; false if that took longer than the time given.
func (h *Host) await(limit time.Duration, done func() bool) bool {
	h.t.Helper()
	end := time.Now().Add(limit)
	for !done() {
		left := time.Until(end)
		if left <= 0 {
			return false
		}
		var fds []unix.PollFd
		for _, p := range h.peers {
			fds = append(fds, unix.PollFd{Fd: int32(p.socket), Events: unix.POLLIN})
		}
		for _, s := range h.services {
			fds = append(fds, unix.PollFd{Fd: int32(s.socket), Events: unix.POLLIN})
		}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			h.t.Fatalf("poll: %v", err)
		}
		for _, p := range h.peers {
			h.receive(p)
		}
		for _, s := range h.services {
			h.serve(s)
		}
	}
	return true
}

// receive keeps what p has received.
func (h *Host) receive(p *Peer) {
	buffer := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(p.socket, buffer, unix.MSG_DONTWAIT)
		if err != nil {
			return // nothing left
		}
		if s, ok := decode(buffer[min(n, 14):n]); ok {
			s.at = p
			h.seen = append(h.seen, s)
		}
	}
}

// service is a UDP port that the host listens at.
type service struct {
	socket int
	port   uint16
}

// Serve has the host itself listen at a UDP port, for IPv4 and IPv6: datagrams to it that no rule holds up arrive at
// [Host.Self]. How they were addressed is taken from what was sent.
func (h *Host) Serve(port uint16) {
	h.t.Helper()
	h.Do(func() {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		must(h.t, err, "socket")
		h.t.Cleanup(func() { unix.Close(fd) })
		must(h.t, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0), "listen on IPv4 as well")
		must(h.t, unix.Bind(fd, &unix.SockaddrInet6{Port: int(port)}), "listen at port %d", port)
		h.services = append(h.services, service{fd, port})
	})
}

// serve keeps what has come to a service.
func (h *Host) serve(from service) {
	buffer := make([]byte, 2048)
	for {
		n, sender, err := unix.Recvfrom(from.socket, buffer, unix.MSG_DONTWAIT)
		if err != nil {
			return // nothing left
		}
		s := sighting{at: h.Self, checksum: true} // the stack has checked it
		if a, ok := sender.(*unix.SockaddrInet6); ok && s.payload(buffer[:n]) {
			s.Kind = UDP
			s.Src = netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
			s.Dst = netip.AddrPortFrom(netip.Addr{}, from.port)
			h.seen = append(h.seen, s)
		}
	}
}

// transmit puts a packet on p's wire.
func (h *Host) transmit(p *Peer, packet Packet, serial uint32) {
	h.t.Helper()
	frame := append([]byte(nil), h.frameTo(p, packet.Dst.Addr())...)
	frame = append(frame, p.mac...)
	etherType := []byte{0x08, 0x00}
	if packet.Dst.Addr().Is6() {
		etherType = []byte{0x86, 0xdd}
	}
	frame = append(append(frame, etherType...), packet.encode(serial)...)
	must(h.t, unix.Sendto(p.socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: p.index}), "send %s", packet)
}

// frameTo returns the Ethernet address to which p sends what is for dst.
func (h *Host) frameTo(p *Peer, dst netip.Addr) net.HardwareAddr {
	b := dst.AsSlice()
	switch {
	case dst.IsMulticast() && dst.Is4():
		return net.HardwareAddr{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	case dst.IsMulticast():
		return net.HardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
	case dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	for _, other := range h.peers {
		for _, a := range other.Addrs {
			if other != p && other.Gateway == p.Gateway && a.Addr() == dst && a.Contains(firstIn(a, p.Addrs)) {
				return other.mac
			}
		}
	}
	return p.hostMAC
}

// firstIn returns the first of addrs that is in subnet's; the zero address if there is none.
func firstIn(subnet netip.Prefix, addrs []netip.Prefix) netip.Addr {
	for _, a := range addrs {
		if subnet.Contains(a.Addr()) {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// listen opens p's packet socket and its open ports.
func (p *Peer) listen() {
	p.t.Helper()
	p.Do(func() {
		all := uint16(unix.ETH_P_ALL)
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		must(p.t, err, "packet socket")
		p.t.Cleanup(func() { unix.Close(fd) })
		must(p.t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1), "ignore what goes out")
		must(p.t, unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: p.index, Protocol: all>>8 | all<<8}), "bind to eth0")
		p.socket = fd
		datagrams, err := net.ListenPacket("udp", fmt.Sprintf(":%d", Open))
		must(p.t, err, "listen")
		p.t.Cleanup(func() { datagrams.Close() })
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", Open))
		must(p.t, err, "listen")
		p.t.Cleanup(func() { listener.Close() })
	})
}
