package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelUpReach brings up two networks of each mode and has guests of all open connections to
// all others, the world and back: for every pair of modes the kernel does what the matrix of vnetc
// verify says.
func TestKernelUpReach(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			g := newGround(t)
			world := g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"),
				netip.MustParsePrefix("2001:db8:ffff::2/64"))
			var files []string
			places := map[string]*netnstest.Peer{}
			forwards := map[string]string{"nat": "<forward mode='nat'/>", "route": "<forward mode='route'/>",
				"open": "<forward mode='open'/>", "isolated": ""}
			names := []string{"nat1", "route1", "open1", "isolated1", "nat2", "route2", "open2", "isolated2"}
			for i, name := range names {
				files = append(files, g.file(name,
					fmt.Sprintf(`<network><name>%[1]s</name>%[2]s<bridge name='%[1]s' stp='off'/>
					<ip address='10.78.%[3]d.1' prefix='24'/><ip family='ipv6' address='fd78:%[3]d::1' prefix='64'/></network>`,
						name, forwards[name[:len(name)-1]], i)))
			}
			g.vnetc(0, append([]string{"up", "--backend", backend}, files...)...)
			for i, name := range names {
				places["network "+name] = g.Guest(name, name, netip.MustParsePrefix(fmt.Sprintf("10.78.%d.7/24", i)),
					netip.MustParsePrefix(fmt.Sprintf("fd78:%d::7/64", i)))
			}
			places["outside"] = world

			var doc struct {
				Matrix []struct{ From, To, Family, Access string }
			}
			var out bytes.Buffer
			if code := run(streams{out: &out, err: &out}, append([]string{"verify", "--format", "json"},
				files...)); code != 0 {
				t.Fatalf("verify: exit code %d\n%s", code, &out)
			}
			if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			judged := 0
			for _, cell := range doc.Matrix {
				from, to := places[cell.From], places[cell.To]
				if from == nil || to == nil || from == to {
					continue
				}
				if cell.Access == "some" {
					t.Fatalf("%s to %s: the matrix says some, and these networks have no rule that would make it so",
						cell.From, cell.To)
				}
				judged++
				for _, kind := range []netnstest.Kind{netnstest.SYN, netnstest.UDP, netnstest.EchoRequest} {
					if got := g.arrives(kind, from, to, cell.Family == "ip6"); got != (cell.Access == "yes") {
						t.Errorf("%s %s from %s to %s: arrives %t; verify says %s", cell.Family, kind, cell.From,
							cell.To, got, cell.Access)
					}
				}
			}
			if want := 2 * 9 * 8; judged != want {
				t.Errorf("%d pairs were judged, want %d", judged, want)
			}
		})
	}
}

// arrives reports whether the first packet of a connection does.
func (g *ground) arrives(kind netnstest.Kind, from, to *netnstest.Peer, six bool) bool {
	pick := func(p *netnstest.Peer) netip.Addr {
		for _, a := range p.Addrs {
			if a.Addr().Is6() == six {
				return a.Addr()
			}
		}
		g.host.t.Fatalf("%s has no address of that family", p.Name)
		return netip.Addr{}
	}
	g.serial++
	return g.Send(from, netnstest.Packet{Kind: kind, Src: netip.AddrPortFrom(pick(from), 20000+g.serial),
		Dst: netip.AddrPortFrom(pick(to), netnstest.Open)}).At == to
}
