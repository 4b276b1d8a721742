package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// policies writes a file of policies and returns its path.
func (g *ground) policies(name, text string) string {
	path := filepath.Join(g.dir, name+".policy")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		g.host.t.Fatal(err)
	}
	return path
}

// targets are the back ends and layouts that rules are tried in, as flags.
var policyTargets = [][]string{{"--backend", "nftables", "--layout", "sets"},
	{"--backend", "nftables", "--layout", "chains"}, {"--backend", "iptables"}}

// TestKernelPolicies: real packets meet what statements say, first match first, between networks of
// any mode, to the host and outside, in both families; whoever lies about its source gets no
// answer.
func TestKernelPolicies(t *testing.T) {
	for _, flags := range policyTargets {
		t.Run(fmt.Sprint(flags[1:]), func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			world := g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:5::2/64"))
			network := func(name, mode string, n int) string {
				forward := fmt.Sprintf("<forward mode='%s'/>", mode)
				if mode == "none" {
					forward = ""
				}
				return g.file(name, fmt.Sprintf(`<network><name>%s</name>%s<bridge name='vb%d' stp='off' delay='0'/>
<ip address='10.9.%[3]d.1' prefix='24'><dhcp><range start='10.9.%[3]d.100' end='10.9.%[3]d.120'/></dhcp></ip>
<ip family='ipv6' address='fd00:9:%[3]d::1' prefix='64'/></network>`, name, forward, n))
			}
			policy := g.policies("site", `
deny from network web to network db port 4003
deny icmp from network web to network db
allow udp from network web to network db
allow tcp from network web to network db
allow icmp type echo-request from outside to network db
deny from network lab to outside
deny from network lab to host
`)
			g.vnetc(0, append([]string{"up", "--policy", policy, network("web", "nat", 1), network("db", "none", 2),
				network("lab", "nat", 3)}, flags...)...)
			peer := func(name string, n int) *netnstest.Peer {
				return g.Guest(name, fmt.Sprintf("vb%d", n), netip.MustParsePrefix(fmt.Sprintf("10.9.%d.7/24", n)),
					netip.MustParsePrefix(fmt.Sprintf("fd00:9:%d::7/64", n)))
			}
			web, db, lab := peer("web", 1), peer("db", 2), peer("lab", 3)
			type try struct {
				kind     netnstest.Kind
				from     *netnstest.Peer
				src, dst string // src may be a lie
				port     uint16
				to       *netnstest.Peer // nil if it must arrive nowhere
				answer   bool            // answer is true if the sender must be told that it was refused.
			}
			tries := []try{
				{netnstest.SYN, web, "10.9.1.7", "10.9.2.7", 0, db, false},
				{netnstest.SYN, web, "fd00:9:1::7", "fd00:9:2::7", 0, db, false},
				{netnstest.SYN, web, "10.9.1.7", "10.9.2.7", 4003, nil, true},
				{netnstest.UDP, web, "fd00:9:1::7", "fd00:9:2::7", 4003, nil, true},
				{netnstest.EchoRequest, web, "10.9.1.7", "10.9.2.7", 0, nil, true},
				{netnstest.SYN, web, "10.9.77.7", "10.9.2.7", 4003, nil, false}, // a lie: no answer
				{netnstest.SYN, db, "10.9.2.7", "10.9.1.7", 0, nil, true},
				{netnstest.SYN, lab, "10.9.3.7", "10.9.2.7", 0, nil, true},
				{netnstest.SYN, world, "198.51.100.1", "10.9.2.7", 0, nil, true},
				{netnstest.EchoRequest, world, "198.51.100.1", "10.9.2.7", 0, db, false},
				{netnstest.EchoRequest, world, "198.51.100.1", "10.9.1.7", 0, nil, true},
				{netnstest.SYN, lab, "10.9.3.7", "198.51.100.1", 80, nil, true},
				{netnstest.SYN, lab, "fd00:9:3::7", "2001:db8:5::1", 80, nil, true},
				{netnstest.SYN, lab, "10.9.3.7", "10.9.3.1", 22, nil, true},
				{netnstest.SYN, lab, "10.9.3.7", "198.51.100.2", 22, nil, true},
				{netnstest.SYN, lab, "fd00:9:3::7", "fd00:9:3::1", 22, nil, true},
				{netnstest.SYN, web, "10.9.1.7", "198.51.100.1", 0, world, false},
			}
			for i, x := range tries {
				port := x.port
				if port == 0 {
					port = netnstest.Open
				}
				r := g.Send(x.from, netnstest.Packet{Kind: x.kind, Src: netip.AddrPortFrom(netip.MustParseAddr(x.src),
					uint16(30000+i)), Dst: netip.AddrPortFrom(netip.MustParseAddr(x.dst), port)})
				if r.At != x.to || r.Refused != x.answer && x.to == nil {
					t.Errorf("%s %s > %s port %d: %s", x.kind, x.src, x.dst, x.port, r)
				}
				if r.At != nil && r.At == x.to && g.Reply(r).At != x.from {
					t.Errorf("%s %s > %s port %d: the answer does not come back", x.kind, x.src, x.dst, x.port)
				}
			}
			for _, ask := range [][]string{{"ping", "-c", "1", "-W", "2", "10.9.3.1"},
				{"ping", "-6", "-c", "1", "-W", "2", "fd00:9:3::1"}, {"nslookup", "localhost", "10.9.3.1"}} {
				if out, err := lab.Command("busybox", ask...).CombinedOutput(); err != nil &&
					!strings.Contains(string(out), "NXDOMAIN") {
					t.Errorf("the host does not answer %v: %v\n%s", ask, err, out)
				}
			}
			g.wants(g.vnetc(0, "audit"), `in step`)
		})
	}
}

// TestKernelPoliciesInForce: a policy file is in force until it is applied again or removed,
// whatever happens to networks. While its state file is lost nothing is changed that would drop
// what it denied; networks that it names may go and come back.
func TestKernelPoliciesInForce(t *testing.T) {
	for _, flags := range policyTargets[1:] {
		t.Run(fmt.Sprint(flags[1:]), func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			dir := t.TempDir()
			file := func(name, text string) string {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return path
			}
			network := func(name, bridge, address string) string {
				return file(name+".xml", fmt.Sprintf("<network><name>%s</name><bridge name='%s'/>"+
					"<ip address='%s' prefix='24'/></network>", name, bridge, address))
			}
			web, db := network("web", "vb1", "10.9.1.1"), network("db", "vb2", "10.9.2.1")
			policy := file("site.policy", "deny tcp from network web to network db port 22\n")
			denied := func() bool {
				return strings.Contains(h.ns.Exec("nft", "list", "ruleset"), "dport 22 ")
			}
			wants := func(when string, want bool) {
				t.Helper()
				if denied() != want {
					t.Errorf("%s: denied is %t", when, !want)
				}
			}
			h.vnetc(0, append([]string{"apply", web, db, policy}, flags...)...)
			wants("applied", true)
			h.wants(h.vnetc(0, "list"), `policy site \(`)
			h.vnetc(0, "apply", db)
			wants("another network was applied", true)

			lost := filepath.Join(h.state, "policies.json")
			text, err := os.ReadFile(lost)
			if err != nil {
				t.Fatal(err)
			}
			for what, damage := range map[string]func() error{
				"deleted": func() error { return os.Remove(lost) },
				"cut off": func() error { return os.WriteFile(lost, text[:len(text)/2], 0o644) },
			} {
				if err := damage(); err != nil {
					t.Fatal(err)
				}
				h.wants(h.vnetc(3, "apply", db), "polic")
				h.vnetc(3, "remove", "web")
				wants("state file "+what, true)
				h.vnetc(1, "audit")
				h.vnetc(0, "apply", policy)
				wants("given again", true)
				h.wants(h.vnetc(0, "audit"), "in step")
			}

			h.vnetc(0, "remove", "web")
			wants("without the network", false)
			h.vnetc(0, "apply", web)
			wants("the network is back", true)
			h.vnetc(0, "remove", "web", "db")
			h.vnetc(0, append([]string{"apply", web, db}, flags...)...)
			wants("all networks went and are back", true)

			// Another file says nothing of what the lost one denied.
			other := file("other.policy", "deny udp from network web to network db port 69\n")
			if err := os.Remove(lost); err != nil {
				t.Fatal(err)
			}
			h.wants(h.vnetc(3, "apply", other), "text of policy site is lost")
			wants("another policy was given", true)
			h.vnetc(0, "apply", policy, other)
			clash := file("clash/site.policy", "allow tcp from network web to network db\n")
			h.wants(h.vnetc(2, "apply", policy, clash), "of one name")
			h.wants(h.vnetc(0, "apply", "--prune", web, db, policy), "removed what is not named: policy .*other")

			// What is damaged can be dropped for good.
			if err := os.WriteFile(lost, []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
			h.vnetc(0, "remove", "--policies")
			wants("damaged and removed", false)
			h.wants(h.vnetc(0, "audit"), "in step")
			h.vnetc(0, "apply", policy)
			h.vnetc(0, "remove", "--all")
			h.vnetc(0, append([]string{"apply", web, db}, flags...)...)
			wants("all was removed", false)
			h.vnetc(0, "apply", policy)
			h.vnetc(0, "remove", "--policy", "site")
			wants("removed", false)
			h.vnetc(2, "remove", "--policy", "site")
		})
	}
}

// TestKernelPoliciesLostNetwork: where the state file of a network is lost, what policies refuse it
// goes on to be refused, and what they let in from outside is not let in from other networks: the
// rules that tell these apart are about all networks, and know nothing of the lost one.
func TestKernelPoliciesLostNetwork(t *testing.T) {
	for _, flags := range policyTargets {
		t.Run(fmt.Sprint(flags[1:]), func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			world := g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"))
			g.Sysctl("ipv4/ip_forward", "1")
			var files []string
			for i, name := range []string{"web", "lab"} {
				address := fmt.Sprintf("10.9.%d.1", i+1)
				g.Bridge(fmt.Sprintf("vb%d", i+1), netip.MustParsePrefix(address+"/24"))
				files = append(files, g.file(name, fmt.Sprintf("<network><name>%s</name><forward mode='nat'/>"+
					"<bridge name='vb%d'/><ip address='%s' prefix='24'/></network>", name, i+1, address)))
			}
			policy := g.policies("site", fmt.Sprintf("allow tcp from outside to network lab port %d\n"+
				"deny tcp from network lab to outside\n", netnstest.Open))
			g.vnetc(0, append([]string{"apply", "--policy", policy, files[0], files[1]}, flags...)...)
			web := g.Guest("web", "vb1", netip.MustParsePrefix("10.9.1.7/24"))
			lab := g.Guest("lab", "vb2", netip.MustParsePrefix("10.9.2.7/24"))
			for i, when := range []string{"with both", "with lab's state file lost", "behind another apply"} {
				switch i {
				case 1:
					if err := os.Remove(filepath.Join(g.state, "networks", "lab.json")); err != nil {
						t.Fatal(err)
					}
					g.vnetc(0, "apply", files[0])
				case 2:
					g.vnetc(0, "apply", "--in-force")
				}
				if i == 0 && !g.arrives(netnstest.SYN, world, lab, false) {
					t.Errorf("%s: the world does not reach lab", when)
				}
				if g.arrives(netnstest.SYN, web, lab, false) {
					t.Errorf("%s: web reaches lab", when)
				}
				if g.arrives(netnstest.SYN, lab, world, false) {
					t.Errorf("%s: lab reaches the world", when)
				}
				if !g.arrives(netnstest.UDP, lab, world, false) {
					t.Errorf("%s: lab does not reach the world by UDP", when)
				}
			}
		})
	}
}
