package netsetup

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/netsetup/link"
)

// TestKernelAnswers: a name server that reads and is silent may be behind a firewall; one that
// leaves what comes unread is deaf, and so is one that isn't there.
func TestKernelAnswers(t *testing.T) {
	netnstest.Require(t, "ip")
	ns := netnstest.New(t)
	ns.Exec("ip", "link", "set", "lo", "up")
	addr := netip.MustParseAddr("127.0.0.1")
	for _, tt := range []struct {
		name  string
		serve func(net.PacketConn) // nil for no server
		want  bool
	}{
		{"none", nil, false},
		{"deaf", func(net.PacketConn) {}, false},
		{"silent", func(c net.PacketConn) { drain(c, false) }, true},
		{"fine", func(c net.PacketConn) { drain(c, true) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns.Do(func() {
				if tt.serve != nil {
					conn, err := net.ListenPacket("udp", "127.0.0.1:53")
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					go tt.serve(conn)
				}
				sockets, err := link.ReadSockets(link.PortDNS)
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				if got := (&Host{}).answers(addr, sockets); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				if took := time.Since(begin); took > 5*time.Second || tt.name == "fine" && took > time.Second {
					t.Errorf("it takes %v", took)
				}
			})
		})
	}
}

// drain reads what comes, and answers it or not.
func drain(c net.PacketConn, answer bool) {
	for b := make([]byte, 512); ; {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if answer {
			c.WriteTo(b[:n], from)
		}
	}
}
