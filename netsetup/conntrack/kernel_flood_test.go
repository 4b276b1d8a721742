package conntrack

import (
	"flag"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

var rounds = flag.Int("rounds", 10, "changes of policies during which connections are opened without pause")

// TestCutFlood: connections are opened without pause while the rules change. When Cut has returned
// none stands that the policy forbids, also none whose first packet was on its way just then, and
// none but those was touched.
func TestCutFlood(t *testing.T) {
	w := newWorld(t, 2)
	to := w.guests[1].Addrs[0].Addr()
	none, deny := program(t, 2, ""), program(t, 2, "deny udp from network web to network db port 4000")
	w.load(none)
	w.sendFrom(w.guests[0], netnstest.UDP, 9000, to, 4001)
	var stop atomic.Bool
	var flood sync.WaitGroup
	for range 2 {
		flood.Go(func() {
			w.guests[0].Do(func() {
				for !stop.Load() {
					c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: to.AsSlice(), Port: 4000})
					if err != nil {
						t.Error(err)
						return
					}
					c.Write([]byte("x")) // the error is an earlier refusal
					c.Close()
				}
			})
		})
	}
	defer flood.Wait()
	defer stop.Store(true)
	total := 0
	for range *rounds {
		for before := total; total == before; { // until some were opened
			w.load(none)
			w.load(deny)
			total += w.cut(none, deny).Cut
		}
		if left := w.entries("src=10.0.0.7", "dst="+to.String(), "dport=4000"); len(left) > 0 {
			t.Fatalf("%d connections stand that are forbidden, such as %s", len(left), left[0])
		}
	}
	if !w.has("src=10.0.0.7", "dst="+to.String(), "dport=4001") {
		t.Error("a connection that is allowed was cut")
	}
	t.Logf("%d connections were cut in %d changes", total, *rounds)
}
