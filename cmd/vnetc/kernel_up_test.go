package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// ground is a host with an uplink, on which vnetc brings networks up and guests get addresses as
// real ones do.
type ground struct {
	*host
	*netnstest.Host
	dir    string // with network XML
	serial uint16 // of connections
}

func newGround(t *testing.T) *ground {
	netnstest.Require(t, "nft", "iptables-nft-restore", "dnsmasq", "busybox", "ip")
	g := &ground{Host: netnstest.NewHost(t), dir: t.TempDir()}
	g.host = &host{t: t, ns: g.NS, state: t.TempDir()}
	open(t, g.state)
	g.Sysctl("ipv4/ip_forward", "0")
	g.Sysctl("ipv6/conf/all/forwarding", "0")
	t.Cleanup(func() { g.vnetc(0, "down", "--all") })
	return g
}

// file writes network XML and returns its path.
func (g *ground) file(name, text string) string {
	path := filepath.Join(g.dir, name+".xml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		g.host.t.Fatal(err)
	}
	return path
}

// guest is a peer on a bridge that got its address by DHCP.
type guest struct {
	*netnstest.Peer
	g    *ground
	sent string // all that DHCP told it, as udhcpc hands it to its script
}

// udhcpcScript takes what DHCP says as udhcpc's own script does, and writes it down (udhcpc(8): the
// environment).
const udhcpcScript = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev eth0 scope global
ip addr add "$ip/$mask" dev eth0
[ -z "$router" ] || ip route replace default via "$router"
env
`

// join adds a guest to a bridge; it has no address until it asks.
func (g *ground) join(name, bridge string) *guest {
	g.host.t.Helper()
	return &guest{Peer: g.Guest(name, bridge), g: g}
}

// lease has guests ask for addresses by a DHCP client, all at once: a server pings an address for
// seconds before it offers it, and is deaf meanwhile, so that clients may give up and have to ask
// again.
func (g *ground) lease(guests []*guest, options ...string) {
	t := g.host.t
	t.Helper()
	for range 5 {
		if guests = g.ask(guests, options...); len(guests) == 0 {
			return
		}
	}
	t.Fatalf("%s got no address:\n%s", guests[0].Name, guests[0].sent)
}

// ask is one try of lease; it returns those guests that got none.
func (g *ground) ask(guests []*guest, options ...string) (left []*guest) {
	t := g.host.t
	t.Helper()
	script := filepath.Join(t.TempDir(), "script")
	netnstest.Program(t, script, udhcpcScript)
	said := make([]bytes.Buffer, len(guests))
	var running []*exec.Cmd
	for i, v := range guests {
		args := append([]string{"udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", script, "-F",
			v.Name, "-O", "mtu"}, options...)
		cmd := v.Command("busybox", args...)
		cmd.Stdout, cmd.Stderr = &said[i], &said[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for i, v := range guests {
		err := running[i].Wait()
		v.sent = said[i].String()
		got, err2 := netip.ParsePrefix(v.option("ip") + "/" + v.option("mask"))
		if err != nil || err2 != nil {
			left = append(left, v)
			continue
		}
		v.Addrs = []netip.Prefix{got}
	}
	return left
}

// option returns what DHCP said about one thing.
func (v *guest) option(name string) string {
	m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(v.sent)
	if m == nil {
		return ""
	}
	return m[1]
}

func (v *guest) addr() string { return v.Addrs[0].Addr().String() }

// resolves asks the server for a name, as a guest's resolver does.
func (v *guest) resolves(name, server, want string) {
	t := v.g.host.t
	t.Helper()
	out, err := v.Command("busybox", "nslookup", "-type=a", name, server).CombinedOutput()
	if got := regexp.MustCompile(`(?m)^Address(?: \d+)?: +` + regexp.QuoteMeta(want) +
		`\b`).Match(out); got != (want != "") && err == nil || !got && want != "" {
		t.Errorf("%s asks %s for %s and wants %q: %v\n%s", v.Name, server, name, want, err, out)
	}
}

// pings reports whether an echo comes back.
func (v *guest) pings(addr string) bool {
	return v.Command("busybox", "ping", "-c", "1", "-W", "1", addr).Run() == nil
}

// TestKernelUpEndToEnd: guests of each mode live as the mode says, with rules of either back end.
func TestKernelUpEndToEnd(t *testing.T) {
	modes := []*lab{
		{mode: "nat", forward: "<forward mode='nat'/>", subnet: "10.77.1", routed: true},
		{mode: "route", forward: "<forward mode='route'/>", subnet: "10.77.2", routed: true, entered: true},
		{mode: "open", forward: "<forward mode='open'/>", subnet: "10.77.3", routed: true, entered: true},
		{mode: "isolated", subnet: "10.77.4"},
	}
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel() // it is mostly waiting
			g := newGround(t)
			world := &guest{Peer: g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24")), g: g}
			tftp := t.TempDir()
			if err := os.WriteFile(filepath.Join(tftp, "pxelinux.0"), []byte("boot me"), 0o644); err != nil {
				t.Fatal(err)
			}
			open(t, tftp)
			args := []string{"up", "--backend", backend}
			var guests []*guest
			for _, l := range modes {
				args = append(args, g.file(l.mode, l.xml(tftp, len(guests))))
				guests = append(guests, nil, nil)
			}
			g.vnetc(1, append(args, "--dry-run")...)
			g.wants(g.vnetc(0, args...), `(?m)^nat is up: bridge nat0`, `(?m)^isolated is up`)
			for i, l := range modes {
				guests[2*i], guests[2*i+1] = g.join(l.mode+"a", l.mode+"0"), g.join(l.mode+"b", l.mode+"0")
			}
			g.lease(guests)
			for i, l := range modes {
				l.check(t, guests[2*i], guests[2*i+1], world)
			}
			g.wants(g.vnetc(0, args...), `(?m)^nat is up: .*; nothing to change`,
				`(?m)^isolated is up: .*; nothing to change`)
			before := guests[0].addr()
			g.lease(guests[:1], "-r", before)
			if guests[0].addr() != before {
				t.Errorf("the lease of %s became %s", before, guests[0].addr())
			}
			g.wants(g.vnetc(0, "leases", "nat"), `nat +`+regexp.QuoteMeta(before)+` +52:54:00:aa:00:02 +nata `,
				`10\.77\.1\.10 +52:54:00:aa:00:03 +db `)
		})
	}
}

// lab is a network of one mode, and what guests in it may do.
type lab struct {
	mode, forward, subnet string
	routed                bool // guests are told of a router, and reach the world
	entered               bool // the world reaches guests
}

// xml is the network, with a host entry for the second guest that joins: peer number 2 plus those
// before, the world being 1.
func (l *lab) xml(tftp string, before int) string {
	return fmt.Sprintf(`<network><name>%[1]s</name>%[2]s<bridge name='%[1]s0' stp='off'/><mtu size='1400'/><domain name='%[1]s.test' localOnly='yes'/>
		<dns><host ip='%[3]s.1'><hostname>gate</hostname></host></dns>
		<ip address='%[3]s.1' prefix='24'><tftp root='%[4]s'/><dhcp>
		<range start='%[3]s.100' end='%[3]s.120'/><host mac='52:54:00:aa:00:%02[5]x' name='db' ip='%[3]s.10'/>
		<bootp file='pxelinux.0'/></dhcp></ip></network>`, l.mode, l.forward, l.subnet, tftp, before+3)
}

// check has the guests do what guests do.
func (l *lab) check(t *testing.T, a, b, world *guest) {
	t.Helper()
	host := l.subnet + ".1"
	if b.addr() != l.subnet+".10" {
		t.Errorf("%s: the host with an entry of its own got %s", l.mode, b.addr())
	}
	router := ""
	if l.routed {
		router = host
	}
	for name, want := range map[string]string{"mtu": "1400", "boot_file": "pxelinux.0", "domain": l.mode + ".test",
		"siaddr": host, "router": router} {
		if got := a.option(name); got != want {
			t.Errorf("%s: DHCP says %s=%q, want %q", l.mode, name, got, want)
		}
	}
	a.resolves("gate", host, host)
	a.resolves("db."+l.mode+".test", host, b.addr())
	b.resolves(l.mode+"a."+l.mode+".test", host, a.addr())
	a.resolves("nobody."+l.mode+".test", host, "")
	if got := a.Exec("busybox", "tftp", "-g", "-l", "-", "-r", "pxelinux.0", host); got != "boot me" {
		t.Errorf("%s: TFTP gives %q", l.mode, got)
	}
	if !a.pings(b.addr()) {
		t.Errorf("%s: guests don't reach each other", l.mode)
	}
	if !l.routed {
		a.Exec("ip", "route", "replace", "default", "via", host) // a guest that tries
	}
	if got := a.pings("198.51.100.1"); got != l.routed {
		t.Errorf("%s: a guest reaches the world: %t, want %t", l.mode, got, l.routed)
	}
	if got := world.pings(a.addr()); got != l.entered {
		t.Errorf("%s: the world reaches a guest: %t, want %t", l.mode, got, l.entered)
	}
}

// open lets everybody into a test's folder: dnsmasq reads as a user of its own.
func open(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot is all that a network may leave behind on a host: links, addresses, routes, sysctls,
// rules, processes, files.
func (g *ground) snapshot() string {
	g.host.t.Helper()
	var all strings.Builder
	out := g.ns.Exec("sh", "-ec",
		`ip -d link; ip addr; ip route show table all; ip -6 route show table all; ip rule; nft list ruleset
		iptables-save; ip6tables-save; iptables-legacy-save
		grep -r . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null || true`)
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") { // iptables-save's clock
			all.WriteString(line)
		}
	}
	for _, pid := range g.servers() {
		line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		fmt.Fprintf(&all, "%q\n", line)
	}
	err := filepath.WalkDir(g.state, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" {
			fmt.Fprintln(&all, path)
		}
		return err
	})
	if err != nil {
		g.host.t.Fatal(err)
	}
	expiry := regexp.MustCompile(`expires \d+sec|valid_lft \d+sec|preferred_lft \d+sec`)
	return expiry.ReplaceAllString(all.String(), "")
}

// servers lists the processes of dnsmasq that read files of the state folder.
func (g *ground) servers() (pids []string) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		g.host.t.Fatal(err)
	}
	for _, path := range lines {
		if line, _ := os.ReadFile(path); bytes.HasPrefix(line, []byte("dnsmasq\x00")) &&
			bytes.Contains(line, []byte(g.state+"/")) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

// TestKernelDownLeavesNothing: after down the host is what it was, links, sysctls, rules, processes
// and files.
func TestKernelDownLeavesNothing(t *testing.T) {
	g := newGround(t)
	g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"))
	g.ns.Exec("nft",
		"add table ip others { chain forward { type filter hook forward priority 5; policy drop; counter; }; }")
	before := g.snapshot()
	g.vnetc(0, "up", "default", networks+"dual-stack.xml", networks+"isolated.xml", networks+"open.xml",
		networks+"routed.xml")
	if up := g.snapshot(); up == before {
		t.Error("nothing came up")
	}
	g.wants(g.vnetc(0, "down", "default", "lab"), "default is down")
	g.vnetc(2, "down", "lab")
	g.wants(g.vnetc(0, "down", "--all"), "office is down")
	if diff := diffLines(before, g.snapshot()); diff != "" {
		t.Errorf("the host is not what it was:\n%s", diff)
	}
}

// diffLines lists the lines that only one of two texts has.
func diffLines(a, b string) string {
	count := map[string]int{}
	for line := range strings.Lines(a) {
		count[line]--
	}
	for line := range strings.Lines(b) {
		count[line]++
	}
	var out strings.Builder
	for line := range strings.Lines(a + b) {
		for ; count[line] < 0; count[line]++ {
			out.WriteString("- " + line)
		}
		for ; count[line] > 0; count[line]-- {
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}

// TestKernelApplyOfUp: rules of a network that is up don't leave its bridge by an apply.
func TestKernelApplyOfUp(t *testing.T) {
	g := newGround(t)
	g.vnetc(0, "up",
		g.file("lab",
			"<network><name>lab</name><forward/><bridge name='lab0'/><ip address='10.7.1.1' prefix='24'/></network>"))
	before := g.ns.Exec("nft", "-s", "list", "ruleset")
	for name, xml := range map[string]string{
		"another bridge": "<network><name>lab</name><forward/><bridge name='lab1'/><ip address='10.7.1.1' prefix='24'/></network>",
		"another's mode": "<network><name>lab</name><forward mode='bridge'/><bridge name='lab0'/></network>",
	} {
		g.wants(g.vnetc(1, "apply", g.file("lab", xml)), `network lab is up on bridge lab0.*vnetc down lab`)
		if diff := diffLines(before, g.ns.Exec("nft", "-s", "list", "ruleset")); diff != "" {
			t.Errorf("%s: rules changed:\n%s", name, diff)
		}
	}
	g.vnetc(0, "apply",
		g.file("lab",
			"<network><name>lab</name><forward mode='route'/><bridge name='lab0'/><ip address='10.7.1.1' prefix='24'/></network>"))
}
