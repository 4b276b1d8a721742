package main

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// flood is what became of packets that were sent without pause.
type flood struct{ passed, lost, bare, leaked int }

// listenUDP opens a port of a peer.
func listenUDP(t *testing.T, p *netnstest.Peer, port int) (c *net.UDPConn) {
	t.Helper()
	p.Do(func() {
		var err error
		if c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port}); err != nil {
			t.Fatal(err)
		}
	})
	return c
}

// senders are a guest, another guest and the world, with open ports. (A connection for each packet
// would use up the ports for NAT.)
type senders struct {
	flood
	t                   *testing.T
	guest, other, world *netnstest.Peer
	host                netip.Addr
	port                int // that is open
	out, arrives        *net.UDPConn
	closed              []*net.UDPConn // where nothing must arrive
}

// round sends a packet from the guest to the world, which must arrive with the host's address; and
// from the guest to the other guest and from the world to both, which must not. It is called in the
// guest's namespace.
func (s *senders) round(fresh bool) {
	if fresh || s.out == nil { // another connection, whose first packet meets NAT
		out, err := net.ListenUDP("udp4", nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		if s.out != nil {
			s.out.Close()
		}
		s.out = out
	}
	to := func(p *netnstest.Peer) *net.UDPAddr {
		return &net.UDPAddr{IP: p.Addrs[0].Addr().AsSlice(), Port: s.port}
	}
	b := []byte("x")
	s.out.WriteTo(b, to(s.other)) // errors are the refusals
	s.arrives.WriteTo(b, to(s.other))
	s.arrives.WriteTo(b, to(s.guest))
	s.out.WriteTo(b, to(s.world))
	s.read(s.arrives, s.host)
}

// leaks counts what came where nothing must arrive, for so long after the last.
func (s *senders) leaks(wait time.Duration) {
	for _, c := range s.closed {
		c.SetReadDeadline(time.Now().Add(wait))
		for _, _, err := c.ReadFrom(make([]byte, 1)); err == nil; _, _, err = c.ReadFrom(make([]byte, 1)) {
			s.leaked++
		}
	}
}

// end closes all ports and returns what became of the packets.
func (s *senders) end() flood {
	s.leaks(50 * time.Millisecond)
	for _, c := range append(s.closed, s.arrives, s.out) {
		if c != nil {
			c.Close()
		}
	}
	return s.flood
}

// wrong says what should not have become of a packet, if anything has.
func (f flood) wrong() string {
	if f.lost+f.bare+f.leaked == 0 && f.passed > 0 {
		return ""
	}
	return fmt.Sprintf("%d packets passed, %d lost, %d leaked, %d left without NAT", f.passed, f.lost, f.leaked, f.bare)
}

// send sends rounds of packets until stop is closed.
func (s *senders) send(stop <-chan bool) <-chan flood {
	done := make(chan flood)
	go s.guest.Do(func() {
		for run, n := true, 0; run; n++ {
			select {
			case <-stop:
				run = false
			default:
			}
			s.round(n%4 == 0)
		}
		done <- s.end()
	})
	return done
}

// read waits for a packet; errors about packets sent before, which were refused, are passed over.
func (f *flood) read(c *net.UDPConn, host netip.Addr) {
	b := make([]byte, 1)
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	for {
		_, at, err := c.ReadFromUDPAddrPort(b)
		if e, ok := err.(net.Error); err != nil && (!ok || !e.Timeout()) {
			continue
		}
		switch {
		case err != nil:
			f.lost++
		case at.Addr().Unmap() != host:
			f.bare++
		default:
			f.passed++
		}
		return
	}
}

// twoNATs is a host with the two bridges of the recorded multi-two-nat, a guest on each, and the
// world.
type twoNATs struct {
	*host
	guests [2]*netnstest.Peer // of nat-default and nat-dev
	world  *netnstest.Peer
	addr   netip.Addr // that the world sees
}

func newTwoNATs(t *testing.T) *twoNATs {
	netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
	site := netnstest.NewHost(t)
	n := &twoNATs{host: &host{t: t, ns: site.NS, state: t.TempDir()}}
	address := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	site.Bridge("vbr1", address("10.20.1.1/24"))
	site.Bridge("vbr4", address("10.20.4.1/24"))
	n.guests[0] = site.Guest("one", "vbr1", address("10.20.1.9/24"))
	n.guests[1] = site.Guest("four", "vbr4", address("10.20.4.9/24"))
	outside := address("198.51.100.2/24")
	n.world, n.addr = site.Uplink("eth0", outside), outside.Addr()
	return n
}

// senders returns one of the guests as sender, and the other.
func (n *twoNATs) senders(guest int) *senders {
	s := &senders{t: n.t, guest: n.guests[guest], other: n.guests[1-guest], world: n.world, host: n.addr,
		port: 4001 + guest}
	s.arrives = listenUDP(n.t, s.world, s.port)
	s.closed = []*net.UDPConn{listenUDP(n.t, s.guest, s.port), listenUDP(n.t, s.other, s.port)}
	return s
}

// TestKernelTakeOverFlood takes one of libvirt's two networks over, then the other, while packets
// are sent without pause: none is lost, none leaves without NAT, and none gets in or from one
// network to the other.
func TestKernelTakeOverFlood(t *testing.T) {
	r := readRecord(t, "../../golden/libvirt/multi-two-nat.txtar")
	for _, tool := range libvirtTools {
		for _, backend := range []string{"nftables", "iptables"} {
			t.Run(tool+" to "+backend, func(t *testing.T) {
				h := newTwoNATs(t)
				dir := r.files(t)
				h.load(r, tool)
				for guest, name := range []string{"nat-default", "nat-dev"} {
					stop := make(chan bool)
					done := h.senders(guest).send(stop)
					for range 2 {
						apply := []string{"apply", "--backend", backend, "--take-over"}
						h.vnetc(0, append(apply, filepath.Join(dir, name+".xml"))...)
						h.vnetc(0, append(apply, dir)...)
						h.load(r, tool) // libvirt is back, and ours goes
						h.vnetc(0, "remove", "--all")
					}
					close(stop)
					f := <-done
					if wrong := f.wrong(); wrong != "" {
						t.Errorf("guest of %s: %s", name, wrong)
					}
					t.Logf("%s: %d packets each way", name, f.passed)
				}
				if left := h.listing(tool); strings.Contains(left, "VNETC") {
					t.Errorf("this stays:\n%s", left)
				}
			})
		}
	}
}
