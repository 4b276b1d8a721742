package main

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelPublished: real packets to published ports reach the guest, port by port, from outside,
// from other networks and from the guest's own, in both families; it sees who they come from, but
// where the answer would pass by the host. Everything else stays shut, also what another program
// translates to the same port of the guest.
func TestKernelPublished(t *testing.T) {
	const open = netnstest.Open
	for _, flags := range policyTargets {
		t.Run(fmt.Sprint(flags[1:]), func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			world := g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:5::2/64"))
			network := func(name string, n int) string {
				return g.file(name, fmt.Sprintf(`<network><name>%s</name><forward mode='nat'><nat ipv6='yes'/></forward>
<bridge name='vb%d' stp='off' delay='0'/><ip address='10.9.%[2]d.1' prefix='24'/>
<ip family='ipv6' address='fd00:9:%[2]d::1' prefix='64'/></network>`, name, n))
			}
			policy := g.policies("ports", fmt.Sprintf(`
publish tcp 8080 to 10.9.1.7 port %[1]d
publish udp 8000-8002 to 10.9.1.7 port %[2]d-%[3]d
publish tcp %[1]d to 10.9.1.7 at 198.51.100.2
publish tcp 8080 to fd00:9:1::7 port %[1]d
publish udp 9000 to 10.9.1.7 port %[1]d from 203.0.113.0/24
`, open, open-1, open+1))
			g.vnetc(0, append([]string{"up", "--policy", policy, network("web", 1), network("db", 2)}, flags...)...)
			peer := func(name string, n, address int) *netnstest.Peer {
				return g.Guest(name, fmt.Sprintf("vb%d", n), netip.MustParsePrefix(fmt.Sprintf("10.9.%d.%d/24", n, address)),
					netip.MustParsePrefix(fmt.Sprintf("fd00:9:%d::%d/64", n, address)))
			}
			web, neighbour, db := peer("web", 1, 7), peer("neighbour", 1, 8), peer("db", 2, 7)
			g.Exec("nft", "table ip corp { chain pre { type nat hook prerouting priority -101; tcp dport 9999 "+
				fmt.Sprintf("dnat to 10.9.1.7:%d; }; }", open))
			for i, x := range []struct {
				kind     netnstest.Kind
				from     *netnstest.Peer
				src, dst string
				to       *netnstest.Peer // nil if it must not get there
				seen     string          // the source that the guest sees, empty for src
			}{
				{netnstest.SYN, world, "198.51.100.1", "198.51.100.2:8080", web, ""},
				{netnstest.SYN, world, "2001:db8:5::1", "[2001:db8:5::2]:8080", web, ""},
				{netnstest.UDP, world, "198.51.100.1", "198.51.100.2:8001", web, ""},
				{netnstest.UDP, world, "198.51.100.1", "198.51.100.2:8003", nil, ""},
				{netnstest.SYN, world, "198.51.100.1", "198.51.100.2:8081", nil, ""},
				{netnstest.UDP, world, "198.51.100.1", "198.51.100.2:9000", nil, ""}, // not from there
				{netnstest.SYN, world, "198.51.100.1", "198.51.100.2:9999", nil, ""}, // another's translation
				{netnstest.SYN, world, "198.51.100.1", fmt.Sprintf("10.9.1.7:%d", open), nil, ""},
				{netnstest.SYN, world, "198.51.100.1", fmt.Sprintf("198.51.100.2:%d", open), web, ""},
				{netnstest.SYN, db, "10.9.2.7", "198.51.100.2:8080", web, ""},
				{netnstest.SYN, db, "10.9.2.7", "10.9.2.1:8080", web, ""},
				{netnstest.SYN, db, "fd00:9:2::7", "[2001:db8:5::2]:8080", web, ""},
				{netnstest.SYN, neighbour, "10.9.1.8", "198.51.100.2:8080", web, "10.9.1.1"},
				{netnstest.SYN, neighbour, "fd00:9:1::8", "[2001:db8:5::2]:8080", web, "fd00:9:1::1"},
				{netnstest.SYN, neighbour, "10.9.1.8", fmt.Sprintf("198.51.100.1:%d", open), world, "198.51.100.2"},
			} {
				r := g.Send(x.from, netnstest.Packet{Kind: x.kind, Dst: netip.MustParseAddrPort(x.dst),
					Src: netip.AddrPortFrom(netip.MustParseAddr(x.src), uint16(31000+i))})
				if r.At != x.to {
					t.Errorf("%s %s > %s: %s", x.kind, x.src, x.dst, r)
					continue
				}
				if x.to == nil {
					continue
				}
				seen := x.seen
				if seen == "" {
					seen = x.src
				}
				if got := r.Arrived.Src.Addr().String(); got != seen {
					t.Errorf("%s %s > %s: the guest sees %s, want %s", x.kind, x.src, x.dst, got, seen)
				}
				if g.Reply(r).At != x.from {
					t.Errorf("%s %s > %s: the answer does not come back", x.kind, x.src, x.dst)
				}
			}
			g.wants(g.vnetc(0, "audit"), `in step`)
			g.vnetc(0, "remove", "--policies")
			r := g.Send(world, netnstest.Packet{Kind: netnstest.SYN, Dst: netip.MustParseAddrPort("198.51.100.2:8080"),
				Src: netip.MustParseAddrPort("198.51.100.1:32000")})
			if r.At != nil {
				t.Errorf("still published: %s", r)
			}
		})
	}
}
