package firewall

import (
	"flag"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

var rounds = flag.Int("rounds", 200, "applies during which packets are sent without pause")

// flood is what became of packets that were sent without pause.
type flood struct{ passed, lost, bare, leaked, refused int }

// newFlood sends packets from a guest of the first network of filters(n) to the world, which must
// arrive with the host's address, and back to the guest, which must not, until stop is closed. With
// torrent a processor does nothing else than send more of the latter.
func newFlood(t *testing.T, h *netnstest.Host, stop <-chan bool, torrent bool) <-chan flood {
	h.Bridge("vbr0", netip.MustParsePrefix("10.0.0.1/24"))
	guest := h.Guest("guest", "vbr0", netip.MustParsePrefix("10.0.0.2/24"))
	outside := netip.MustParsePrefix("192.0.2.2/24")
	world := h.Uplink("up0", outside)
	listen := func(p *netnstest.Peer) (c *net.UDPConn) {
		p.Do(func() {
			var err error
			if c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 4001}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		})
		return c
	}
	arrives, refused := listen(world), listen(guest)
	to := &net.UDPAddr{IP: world.Addrs[0].Addr().AsSlice(), Port: 4001}
	back := &net.UDPAddr{IP: guest.Addrs[0].Addr().AsSlice(), Port: 4001}
	done, sent := make(chan flood), make(chan int, 1)
	if torrent {
		go world.Do(func() { sent <- pour(t, back, stop) })
	} else {
		sent <- 0
	}
	go guest.Do(func() {
		var f flood
		var out *net.UDPConn
		defer func() { done <- f }()
		b := make([]byte, 1)
		for n := 0; ; n++ {
			select {
			case <-stop:
				f.refused = n + <-sent
				refused.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				for _, _, err := refused.ReadFrom(b); err == nil; _, _, err = refused.ReadFrom(b) {
					f.leaked++
				}
				return
			default:
			}
			if n%4 == 0 { // another connection, whose first packet meets NAT
				if out != nil {
					out.Close()
				}
				var err error
				if out, err = net.DialUDP("udp4", nil, to); err != nil {
					t.Error(err)
					return
				}
			}
			arrives.WriteTo([]byte("x"), back) // the error is the refusal
			if _, err := out.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			arrives.SetReadDeadline(time.Now().Add(2 * time.Second))
			switch from, err := readPast(arrives, b); {
			case err != nil:
				f.lost++
			case from != outside.Addr():
				f.bare++
			default:
				f.passed++
			}
		}
	})
	return done
}

// pour sends packets until stop is closed, and returns how many.
func pour(t *testing.T, to *net.UDPAddr, stop <-chan bool) (n int) {
	c, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer c.Close()
	for ; ; n++ {
		select {
		case <-stop:
			return n
		default:
			c.WriteTo([]byte("x"), to)
		}
	}
}

// readPast reads a packet; errors about packets sent before, which were refused, are passed over.
func readPast(c *net.UDPConn, b []byte) (from netip.Addr, err error) {
	for {
		_, at, err := c.ReadFromUDPAddrPort(b)
		if err == nil {
			return at.Addr().Unmap(), nil
		}
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return from, err
		}
	}
}

// TestFlood applies, updates and prunes networks and goes from each target to each other, while
// packets that must pass and packets that must not are sent without pause: none is lost, none gets
// in, none leaves without NAT. For the long run: go test ./netsetup/firewall -run 'Flood$' -v
// -rounds 1000
func TestFlood(t *testing.T) {
	netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
	h := netnstest.NewHost(t)
	all := targets()
	program := func(i int) *ir.Program {
		p := filters(1 + i%4)
		if i%3 == 0 { // the flooded network itself is another one
			p.Add(ir.FWO, ir.Rule{Family: ir.IPv4, Verdict: ir.Drop{},
				Matches: []ir.Match{ir.IIfName{Name: "vbr0"}, ir.L4Proto{Proto: ir.TCP}}})
		}
		return p
	}
	order := []string{"nftables", "iptables-legacy", "nftables-chains", "iptables-nft", "iptables-legacy", "nftables",
		"iptables-nft", "nftables-chains"}
	load := func(i int) {
		at := order[i/5%len(order)] // five rounds in each place
		var others []Target
		for name, target := range all {
			if target.Loader != all[at].Loader && name != "nftables-chains" {
				others = append(others, target)
			}
		}
		if _, err := apply(h.NS, program(i), all[at], others...); err != nil {
			t.Errorf("round %d, %s: %v", i, at, err)
		}
	}
	load(0)
	stop := make(chan bool)
	done := newFlood(t, h, stop, false)
	for i := 1; i < *rounds && !t.Failed(); i++ {
		load(i)
		runtime.Gosched()
	}
	close(stop)
	f := <-done
	if f.lost+f.bare+f.leaked > 0 || f.passed == 0 {
		t.Errorf("%d lost, %d leaked, %d left without NAT", f.lost, f.leaked, f.bare)
	}
	t.Logf("%d packets each way during %d applies", f.passed, *rounds)
}
