package netnstest

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// await reads what the peers receive until done says so; false if that took longer than the time
// given.
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

// Serve has the host itself listen at a UDP port, for IPv4 and IPv6: datagrams to it that no rule
// holds up arrive at [Host.Self]. How they were addressed is taken from what was sent.
func (h *Host) Serve(port uint16) {
	h.t.Helper()
	h.Do(func() {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		must(h.t, err, "socket")
		h.t.Cleanup(func() { unix.Close(fd) })
		must(h.t, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0), "listen on IPv4 as well")
		must(h.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), "leave the port to SendLocal, too")
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

// pin keeps the calling goroutine on one processor until the returned function is called. A veth
// queues what is sent on the sender's processor (netif_rx in net/core/dev.c), and each further hop
// stays there.
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

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
