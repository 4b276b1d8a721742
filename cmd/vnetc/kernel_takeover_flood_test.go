package main

import (
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
func listenUDP(t *testing.T, p *netnstest.Peer) (c *net.UDPConn) {
	t.Helper()
	p.Do(func() {
		var err error
		if c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 4001}); err != nil {
			t.Fatal(err)
		}
	})
	return c
}

// newFlood sends packets from a guest to the world, which must arrive with the host's address; and from the guest to the other
// guest and from the world to both, which must not; until stop is closed. (A connection for each packet would use up the
// ports for NAT.)
func newFlood(t *testing.T, guest, other, world *netnstest.Peer, host netip.Addr, stop <-chan bool) <-chan flood {
	to := func(p *netnstest.Peer) *net.UDPAddr { return &net.UDPAddr{IP: p.Addrs[0].Addr().AsSlice(), Port: 4001} }
	arrives, closed := listenUDP(t, world), []*net.UDPConn{listenUDP(t, guest), listenUDP(t, other)}
	done := make(chan flood)
	go guest.Do(func() {
		var f flood
		defer func() { done <- f }()
		var out *net.UDPConn
		for run, n := true, 0; run; n++ {
			select {
			case <-stop:
				run = false
			default:
			}
			if n%4 == 0 { // another connection, whose first packet meets NAT
				if out != nil {
					out.Close()
				}
				var err error
				if out, err = net.ListenUDP("udp4", nil); err != nil {
					t.Error(err)
					return
				}
			}
			b := []byte("x")
			out.WriteTo(b, to(other)) // errors are the refusals
			arrives.WriteTo(b, to(other))
			arrives.WriteTo(b, to(guest))
			out.WriteTo(b, to(world))
			f.read(arrives, host)
		}
		for _, c := range closed {
			c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			for _, _, err := c.ReadFrom(make([]byte, 1)); err == nil; _, _, err = c.ReadFrom(make([]byte, 1)) {
				f.leaked++
			}
			c.Close()
		}
		arrives.Close()
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

// TestKernelTakeOverFlood takes one of libvirt's two networks over, then the other, while packets are sent without pause: none
// is lost, none leaves without NAT, and none gets in or from one network to the other.
func TestKernelTakeOverFlood(t *testing.T) {
	r := readRecord(t, "../../golden/libvirt/multi-two-nat.txtar")
	for _, tool := range libvirtTools {
		for _, backend := range []string{"nftables", "iptables"} {
			t.Run(tool+" to "+backend, func(t *testing.T) {
				netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
				site := netnstest.NewHost(t)
				h := &host{t: t, ns: site.NS, state: t.TempDir()}
				address := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
				site.Bridge("vbr1", address("10.20.1.1/24"))
				site.Bridge("vbr4", address("10.20.4.1/24"))
				one := site.Guest("one", "vbr1", address("10.20.1.9/24"))
				four := site.Guest("four", "vbr4", address("10.20.4.9/24"))
				outside := address("198.51.100.2/24")
				world := site.Uplink("eth0", outside)
				dir := r.files(t)
				h.load(r, tool)
				for name, guest := range map[string]*netnstest.Peer{"nat-default": one, "nat-dev": four} {
					other := map[*netnstest.Peer]*netnstest.Peer{one: four, four: one}[guest]
					stop := make(chan bool)
					done := newFlood(t, guest, other, world, outside.Addr(), stop)
					for range 2 {
						apply := []string{"apply", "--backend", backend, "--take-over"}
						h.vnetc(0, append(apply, filepath.Join(dir, name+".xml"))...)
						h.vnetc(0, append(apply, dir)...)
						h.load(r, tool) // libvirt is back, and ours goes
						h.vnetc(0, "remove", "--all")
					}
					close(stop)
					f := <-done
					if f.lost+f.bare+f.leaked > 0 || f.passed == 0 {
						t.Errorf("guest of %s: %d passed, %d lost, %d leaked, %d left without NAT", name, f.passed, f.lost, f.leaked, f.bare)
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
