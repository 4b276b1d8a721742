package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// statusSite is a host with three networks that are in force, their guests, and the world.
type statusSite struct {
	*host
	site                  *netnstest.Host
	a, neighbour, b, c, w *netnstest.Peer
	files                 []string // of the networks
}

// A datagram's bytes: its IP header, eight of UDP, eight of netnstest.
const (
	bytes4 = 20 + 8 + 8
	bytes6 = 40 + 8 + 8
)

func newStatusSite(t *testing.T, args ...string) *statusSite {
	netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
	s := &statusSite{site: netnstest.NewHost(t)}
	s.host = &host{t: t, ns: s.site.NS, state: t.TempDir()}
	p := netip.MustParsePrefix
	s.site.Bridge("vbr0", p("10.0.0.1/24"), p("fd00:0:0:a::1/64"))
	s.site.Bridge("vbr1", p("10.0.1.1/24"))
	s.site.Bridge("vbr2", p("10.0.2.1/24"))
	s.a = s.site.Guest("a", "vbr0", p("10.0.0.2/32"), p("fd00:0:0:a::2/64"))
	s.neighbour = s.site.Guest("neighbour", "vbr0", p("10.0.0.3/32"))
	s.b = s.site.Guest("b", "vbr1", p("10.0.1.2/24"))
	s.c = s.site.Guest("c", "vbr2", p("10.0.2.2/24"))
	s.w = s.site.Uplink("eth9", p("198.51.100.2/24"), p("2001:db8:9::2/64"))
	s.files = []string{s.network("a", "nat", 0, "<ip family='ipv6' address='fd00:0:0:a::1' prefix='64'/>"),
		s.network("b", "nat", 1, ""), s.network("c", "route", 2, "")}
	s.vnetc(0, append(append([]string{"apply"}, s.files...), args...)...)
	return s
}

// network writes the XML of a network on bridge vbrN with the subnet 10.0.N.0/24.
func (s *statusSite) network(name, mode string, n int, more string) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), name+".xml")
	xml := fmt.Sprintf("<network><name>%s</name><forward mode='%s'/><bridge name='vbr%d'/><ip address='10.0.%d.1' prefix='24'/>%s</network>", name, mode, n, n, more)
	if err := os.WriteFile(file, []byte(xml), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// send sends n datagrams from one peer, with the source address src, to dst, and as many replies as
// are wanted.
func (s *statusSite) send(n int, from *netnstest.Peer, src, dst string, replies int) {
	s.t.Helper()
	at := func(a string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(a), netnstest.Open) }
	for i := range n {
		r := s.site.Send(from, netnstest.Packet{Kind: netnstest.UDP, Src: at(src), Dst: at(dst)})
		if i < replies {
			s.site.Reply(r)
		}
	}
}

// traffic returns what status says of the networks, and of all together under "".
func (s *statusSite) traffic() map[string]firewall.Traffic {
	s.t.Helper()
	var doc inforce.Status
	text := s.vnetc(0, "status", "--format", "json")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		s.t.Fatalf("%v:\n%s", err, text)
	}
	all := map[string]firewall.Traffic{"": *doc.Together}
	for _, n := range doc.Networks {
		all[n.Name] = n.Firewall.Traffic
	}
	return all
}

// packets returns the count of n datagrams of IPv4 and six of IPv6.
func packets(n, six uint64) *backends.Count {
	return &backends.Count{Packets: n + six, Bytes: n*bytes4 + six*bytes6}
}

// legacy puts the tools of iptables-legacy where the plain names of iptables are looked for.
func legacy(t *testing.T) {
	bin := t.TempDir()
	for _, stem := range []string{"iptables", "ip6tables"} {
		for _, tail := range []string{"", "-save", "-restore"} {
			path, err := exec.LookPath(stem + "-legacy" + tail)
			if err == nil {
				err = os.Symlink(path, filepath.Join(bin, stem+tail))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestKernelStatusCounts sends known packets and wants exactly these in the figures.
func TestKernelStatusCounts(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		legacy  bool
		refused bool // refused is true if each network's refused packets are counted apart.
	}{
		{"sets", []string{"--backend", "nftables"}, false, false},
		{"chains", []string{"--backend", "nftables", "--layout", "chains"}, false, true},
		{"iptables-nft", []string{"--backend", "iptables"}, false, true},
		{"iptables-legacy", []string{"--backend", "iptables"}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.legacy {
				netnstest.Require(t, "iptables-legacy-save", "ip6tables-legacy-save")
				legacy(t)
			}
			s := newStatusSite(t, tt.args...)
			none := packets(0, 0)
			for name, got := range s.traffic() {
				if got.In == nil || *got.In != *none || got.Out == nil || *got.Out != *none {
					t.Errorf("network %q has counted before a packet was sent: %+v", name, got)
				}
			}
			s.send(5, s.a, "10.0.0.2", "198.51.100.1", 2)
			s.send(1, s.a, "fd00:0:0:a::2", "2001:db8:9::1", 0)
			s.send(3, s.b, "10.0.1.2", "198.51.100.1", 1)
			s.send(2, s.a, "10.0.0.2", "10.0.0.3", 0)    // between guests, through the host
			s.send(1, s.a, "10.0.0.2", "10.0.2.2", 0)    // into the routed network, whose rule comes first
			s.send(1, s.a, "203.0.113.9", "10.0.2.9", 0) // also, whatever the source
			s.send(1, s.a, "203.0.113.9", "198.51.100.1", 0)
			s.send(1, s.w, "198.51.100.1", "10.0.0.2", 0)
			s.send(4, s.a, "10.0.0.2", "10.0.1.2", 0)
			want := map[string]firewall.Traffic{
				"":  {In: packets(5, 0), Out: packets(8, 1), Between: packets(2, 0), Refused: packets(6, 0)},
				"a": {In: packets(2, 0), Out: packets(5, 1), Between: packets(2, 0)},
				"b": {In: packets(1, 0), Out: packets(3, 0), Between: none},
				"c": {In: packets(2, 0), Out: none, Between: none},
			}
			if tt.refused {
				for name, n := range map[string]uint64{"a": 2, "b": 4, "c": 0} {
					own := want[name]
					own.Refused = packets(n, 0)
					want[name] = own
				}
			}
			if diff := cmp.Diff(want, s.traffic()); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}

			s.vnetc(0, append([]string{"apply", s.network("d", "nat", 3, "")},
				tt.args...)...) // the others' rules stay, and their figures
			want["d"] = firewall.Traffic{In: none, Out: none, Between: none}
			if tt.refused {
				want["d"] = firewall.Traffic{In: none, Out: none, Between: none, Refused: none}
			}
			if diff := cmp.Diff(want, s.traffic()); diff != "" {
				t.Errorf("figures after another network came (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKernelStatus is what status says of networks that are in step, that have drifted, and that
// are not there.
func TestKernelStatus(t *testing.T) {
	s := newStatusSite(t)
	s.send(3, s.a, "10.0.0.2", "198.51.100.1", 0)
	s.wants(s.vnetc(0, "status"), `^NAME +UP +MODE `, `(?m)^a +no +nat +nftables +in step +0 B +108 B$`,
		`(?m)^c +no +route +nftables +in step +0 B +0 B$`)
	s.wants(s.vnetc(0, "status", "a"), `(?m)^network +a$`, `(?m)^out +3 packets, 108 bytes$`,
		`(?m)^refused +counted for all networks together: 0 packets`)
	s.vnetc(2, "status", "nosuch")

	s.ns.Exec("nft", "delete element ip vnetc fwo_accept_iif_saddr24 { vbr1 . 10.0.1.0 }")
	s.wants(s.vnetc(1, "status"), `(?m)^a .* in step `, `(?m)^b .* drifted `, `the host differs from the configuration: 1 difference`)
	s.wants(s.vnetc(1, "status", "--format", "json"), `"in_step": false`)
	s.vnetc(0, "status", "a", "c")
	s.vnetc(1, "status", "a", "b")
	s.vnetc(1, "status", "b", "--format", "json")
	s.ns.Exec("nft", "flush", "ruleset")
	s.wants(s.vnetc(1, "status"), `(?m)^a .* drifted +0 B +0 B$`)
}

// TestKernelStatusDrift is which networks drift concerns.
func TestKernelStatusDrift(t *testing.T) {
	tests := []struct{ name, tampering, want string }{
		{"an element of one", "nft delete element ip vnetc fwo_accept_iif_saddr24 '{ vbr1 . 10.0.1.0 }'", "b"},
		{"an element that names a network and another's bridge",
			"nft add element ip vnetc fwo_accept_iif_saddr24 '{ vbr2 . 10.0.1.0 }'", "b c"},
		{"rules that networks share", "nft flush chain ip vnetc prt", "a b c"},
		{"a rule about another's subnet", "nft insert rule ip vnetc fwi ip daddr 10.0.2.0/24 drop", "c"},
		{"a rule about nobody", "nft insert rule ip vnetc fwi accept", "a b c"},
		{"a table", "nft delete table ip6 vnetc", "a b c"},
	}
	s := newStatusSite(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.ns.Exec("sh", "-ec", tt.tampering)
			var doc inforce.Status
			if err := json.Unmarshal([]byte(s.vnetc(1, "status", "--format", "json")), &doc); err != nil {
				t.Fatal(err)
			}
			var off []string
			for _, n := range doc.Networks {
				if !n.Firewall.InStep {
					off = append(off, n.Name)
				}
			}
			if got := strings.Join(off, " "); got != tt.want || doc.InStep {
				t.Errorf("drifted: %q, want %q; in step altogether: %t", got, tt.want, doc.InStep)
			}
			s.vnetc(0, append([]string{"apply"}, s.files...)...)
		})
	}
}
