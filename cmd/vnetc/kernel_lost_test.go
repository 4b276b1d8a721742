package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelLostFiles loses state files in every way: list and audit tell the truth, and applying
// the networks again leaves rules and files as they were.
func TestKernelLostFiles(t *testing.T) {
	rewrite := func(h *host, name string, change func(text string) string) {
		path := filepath.Join(h.state, "networks", name+".json")
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(change(string(text))), 0o644)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	replace := func(pattern, with string) func(string) string {
		return func(text string) string {
			out := regexp.MustCompile(pattern).ReplaceAllString(text, with)
			if out == text {
				t.Errorf("%q is not in %s", pattern, text)
			}
			return out
		}
	}
	tests := []struct {
		name        string
		lose        func(h *host)
		list, audit []string // patterns in what they say
		exit        int      // of audit
	}{
		{"the folder is deleted", func(h *host) { os.RemoveAll(h.state) },
			[]string{"found vnetc rules for virbr-lab, virbr0 with no state file; they stay. To remove them: vnetc remove --bridge virbr-lab --bridge virbr0"}, []string{`\? unexplained bridge virbr-lab: .*\n\? unexplained bridge virbr0: `}, 1},
		{"one file is deleted", func(h *host) { os.Remove(h.state + "/networks/lab.json") },
			[]string{"default"}, []string{`\? unexplained bridge virbr-lab: \d+ rules with no state file`}, 1},
		{"one file is torn", func(h *host) {
			rewrite(h, "lab", func(text string) string {
				return text[:len(text)/2]
			})
		},
			[]string{"state file .*lab.json is damaged; apply the network again", "default"},
			[]string{`\? unexplained bridge virbr-lab: \d+ rules with no state file`}, 1},
		{"one file is of another boot", func(h *host) { rewrite(h, "lab", replace(`"boot": ".`, `"boot": "x`)) },
			[]string{"lab.json is from before the last boot", "default"},
			[]string{`\? unexplained bridge virbr-lab: \d+ rules with no state file`}, 1},
		{"one file is of another namespace", func(h *host) { rewrite(h, "lab", replace(`"netns": .`, `"netns": 99`)) },
			[]string{"lab.json is about another network namespace", "default"},
			[]string{`\? unexplained bridge virbr-lab: \d+ rules with no state file`}, 1},
		{"the rules are gone", func(h *host) { h.ns.Exec("sh", "-c", "nft flush ruleset") },
			[]string{"default", "lab"}, []string{"- missing .*virbr-lab"}, 1},
		{"the boot of everything is over", func(h *host) {
			h.ns.Exec("nft", "flush", "ruleset")
			for _, name := range []string{"lab", "default"} {
				rewrite(h, name, replace(`"boot": ".`, `"boot": "x`))
			}
		}, []string{"(?m)^vnetc: state file .*default.json is from before the last boot, and so are the state " +
			"files of 1 other network; apply these networks again$"}, []string{"^in step"}, 0},
		{"a file claims what was never in force", func(h *host) {
			text, _ := os.ReadFile(h.state + "/networks/lab.json")
			more := strings.NewReplacer(`"name": "lab"`, `"name": "ghost"`, `\u003cname\u003elab`,
				`\u003cname\u003eghost`, "virbr-lab", "ghost0", "192.168.150", "192.168.77").Replace(string(text))
			more = regexp.MustCompile(`\\u003cuuid.*/uuid\\u003e`).ReplaceAllString(more, "")
			if err := os.WriteFile(h.state+"/networks/ghost.json", []byte(more), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"ghost"}, []string{"- missing .*ghost0"}, 1},
	}
	for _, backend := range []string{"nftables", "iptables"} {
		for _, test := range tests {
			if backend == "iptables" && strings.Contains(test.name, "rules are gone") {
				continue // nft knows how to flush them, and that is tried elsewhere
			}
			t.Run(backend+", "+test.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.state = filepath.Join(h.state, "state")
				both := []string{"apply", "--backend", backend, "--prune", networks + "default.xml",
					networks + "isolated.xml"}
				h.vnetc(0, both...)
				rules := strings.Join(h.tables(backend), "")
				test.lose(h)
				h.wants(h.vnetc(0, "list"), test.list...)
				audit := h.vnetc(test.exit, "audit", "--backend", backend)
				h.wants(audit, test.audit...)
				if strings.Contains(audit, "unexplained") && strings.Contains(audit, "differ") {
					t.Errorf("an untouched host has differences:\n%s", audit)
				}
				h.vnetc(0, both...)
				if got := strings.Join(h.tables(backend), ""); got != rules {
					t.Errorf("rules after the next apply:\n%s\nwant\n%s", got, rules)
				}
				h.wants(h.vnetc(0, "audit"), "^in step")
				h.wants(h.vnetc(0, "list"), `(?s)default.*lab`)
				h.vnetc(0, "remove", "lab")
				h.vnetc(0, "remove", "default")
			})
		}
	}
}

// lostGround is a host with networks that vnetc has only the rules of, as those of libvirt's in
// mode open: iso is isolated, out has NAT, and rest is another. The state files of iso and out get
// lost.
type lostGround struct {
	*ground
	iso, out, world *netnstest.Peer
}

func newLostGround(t *testing.T, args ...string) *lostGround {
	g := &lostGround{ground: newGround(t)}
	files := []string{g.network("iso", "", 3), g.network("out", "<forward mode='nat'><nat ipv6='yes'/></forward>", 4),
		g.network("rest", "<forward mode='nat'/>", 5)}
	g.vnetc(0, append(append([]string{"apply"}, args...), files...)...)
	return g
}

// network writes the XML of a network on the bridge vb-NAME.
func (g *lostGround) network(name, forward string, n int) string {
	return g.file(name, fmt.Sprintf(`<network><name>%[1]s</name>%[2]s<bridge name='vb-%[1]s' stp='off'/>
		<ip address='10.3.%[3]d.1' prefix='24'/><ip family='ipv6' address='fd03:%[3]d::1' prefix='64'/></network>`, name, forward, n))
}

// start makes bridges and guests of the two networks, as libvirt does when they are started.
func (g *lostGround) start() {
	addrs := func(n, last int) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.3.%d.%d/24", n, last)),
			netip.MustParsePrefix(fmt.Sprintf("fd03:%d::%d/64", n, last))}
	}
	g.Sysctl("ipv4/ip_forward", "1")
	g.Sysctl("ipv6/conf/all/forwarding", "1")
	g.world = g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:ffff::2/64"))
	g.Bridge("vb-iso", addrs(3, 1)...)
	g.Bridge("vb-out", addrs(4, 1)...)
	g.iso, g.out = g.Guest("iso", "vb-iso", addrs(3, 7)...), g.Guest("out", "vb-out", addrs(4, 7)...)
}

// closed checks by packets that the networks are as their XML wants them.
func (g *lostGround) closed(when string) {
	t := g.host.t
	t.Helper()
	for _, six := range []bool{false, true} {
		for _, way := range []struct {
			name     string
			from, to *netnstest.Peer
			arrives  bool
		}{
			{"outside to iso", g.world, g.iso, false}, {"iso to outside", g.iso, g.world, false},
			{"outside to out", g.world, g.out, false},
			{"out to outside", g.out, g.world, true}, {"iso to out", g.iso, g.out, false},
			{"out to iso", g.out, g.iso, false},
		} {
			if got := g.arrives(netnstest.UDP, way.from, way.to, six); got != way.arrives {
				t.Errorf("%s: %s (IPv6: %t): arrives %t, want %t", when, way.name, six, got, way.arrives)
			}
		}
	}
}

// masked checks that what leaves out has the host's address.
func (g *lostGround) masked(when string) {
	g.host.t.Helper()
	g.serial++
	r := g.Send(g.out, netnstest.Packet{Kind: netnstest.UDP, Src: netip.AddrPortFrom(g.out.Addrs[0].Addr(),
		20000+g.serial), Dst: netip.AddrPortFrom(g.world.Addrs[0].Addr(), netnstest.Open)})
	if r.At != g.world || r.Arrived.Src.Addr() == g.out.Addrs[0].Addr() {
		g.host.t.Errorf("%s: %s, want it with the host's address", when, r)
	}
}

// TestKernelLostOpensNothing: networks whose state files are lost stay as they were, whatever is
// done to others: in every layout and back end, when they are moved, and whether or not their
// bridges are there at that moment. This is told by packets.
func TestKernelLostOpensNothing(t *testing.T) {
	places := map[string][]string{
		"nftables sets":   {"--backend", "nftables", "--layout", "sets"},
		"nftables chains": {"--backend", "nftables", "--layout", "chains"},
		"iptables":        {"--backend", "iptables"}, "strict": {"--backend", "nftables", "--strict-isolation"},
	}
	losses := map[string]string{
		"removed": "rm iso.json out.json", "torn": "truncate -s 100 iso.json out.json",
		"everybody writes":  "chmod 666 iso.json out.json",
		"another boot":      `sed -i 's/"boot": "/&x/' iso.json out.json`,
		"another namespace": `sed -i 's/"netns": /&9/' iso.json out.json`,
	}
	for place, args := range places {
		for loss, command := range losses {
			t.Run(place+", "+loss, func(t *testing.T) {
				t.Parallel()
				g := newLostGround(t, args...)
				g.ns.Exec("sh", "-ec", "cd "+g.state+"/networks; "+command)
				changed := g.network("rest", "", 5)
				told := `found vnetc rules for vb-iso, vb-out with no state file; they stay. To remove them: vnetc remove --bridge vb-iso --bridge vb-out`
				g.wants(g.vnetc(0, "apply", changed), told)
				g.start()
				g.closed("apply of another")
				g.masked("apply of another")
				g.wants(g.vnetc(1, "audit"), `unexplained bridge vb-iso`, `unexplained bridge vb-out`)
				if out := g.vnetc(0, "apply", changed); !strings.Contains(out, "nothing to change") {
					t.Errorf("the same once more:\n%s", out)
				}
				other := "iptables"
				if place == "iptables" {
					other = "nftables"
				}
				for _, verb := range [][]string{
					{"up", g.network("fresh", "<forward mode='nat'/>", 6)}, {"apply", "--backend", other, changed},
					{"apply", "--backend", "nftables", "--layout", "chains", changed},
					{"apply", "--layout", "sets", changed}, {"down", "fresh"}, {"remove", "rest"}, {"remove", "--all"},
				} {
					g.wants(g.vnetc(0, verb...), told)
					g.closed(strings.Join(verb, " "))
				}
				g.masked("at last")
				g.vnetc(0, "remove", "--bridge", "vb-out")
				if !g.arrives(netnstest.UDP, g.world, g.out, false) {
					t.Error("out was removed, and is closed")
				}
				if g.arrives(netnstest.UDP, g.world, g.iso, false) {
					t.Error("out was removed, and iso is open")
				}
				g.vnetc(0, "remove", "--bridge", "vb-iso")
				if left := g.ns.Exec("nft", "list", "tables"); strings.Contains(left, "vnetc") {
					t.Errorf("left: %s", left)
				}
			})
		}
	}
}

// TestKernelLostFolder: another state folder opens nothing either, and --prune says what it takes.
func TestKernelLostFolder(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			g := newLostGround(t, "--backend", backend)
			g.start()
			g.state = t.TempDir()
			rest := g.network("rest", "", 5)
			g.vnetc(0, "apply", rest)
			g.closed("apply with another state folder")
			g.wants(g.vnetc(1, "audit", "--prune", rest), `\+ extra .*vb-iso`)
			g.wants(g.vnetc(0, "apply", "--prune", rest),
				`removed what is not named: rules for vb-iso, vb-out, which had no state file`)
			if !g.arrives(netnstest.UDP, g.world, g.iso, false) {
				t.Error("iso was pruned, and is closed")
			}
			g.wants(g.vnetc(0, "audit"), "^in step")
		})
	}
}
