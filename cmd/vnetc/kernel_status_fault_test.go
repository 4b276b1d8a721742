package main

import (
	"net/netip"
	"strings"
	"testing"
)

// TestKernelStatusFaults: what keeps guests from the world at devices that vnetc didn't make gets
// the networks that it concerns, with exit code 1, and up says it too; neither touches them.
func TestKernelStatusFaults(t *testing.T) {
	g := newGround(t)
	uplink := netip.MustParsePrefix
	g.Uplink("eth8", uplink("198.51.100.2/24")) // has the default route
	g.Uplink("eth9", uplink("203.0.113.2/24"))
	g.ns.Exec("ip", "link", "add", "br7", "type", "bridge")
	g.ns.Exec("ip", "link", "set", "br7", "up")
	xml := func(name, forward, bridge, ip string) string {
		return g.file(name, "<network><name>"+name+"</name>"+forward+"<bridge name='"+bridge+"'/>"+ip+"</network>")
	}
	files := []string{
		xml("any", "<forward mode='nat'/>", "vb0", "<ip address='10.20.0.1' prefix='24'/>"),
		xml("one", "<forward mode='nat' dev='eth9'/>", "vb1", "<ip address='10.20.1.1' prefix='24'/>"),
		xml("alone", "", "vb2", "<ip address='10.20.2.1' prefix='24'/>"),
		xml("lan", "<forward mode='bridge'/>", "br7", ""),
	}
	g.vnetc(0, append([]string{"up"}, files...)...)
	g.vnetc(0, "status")
	for _, c := range []struct{ damage, mend, network, told string }{
		{"echo 0 >/proc/sys/net/ipv4/conf/eth8/forwarding", "echo 1 >/proc/sys/net/ipv4/conf/eth8/forwarding", "any",
			`sysctl -w net\.ipv4\.conf\.eth8\.forwarding=1`},
		{"echo 0 >/proc/sys/net/ipv4/conf/eth9/forwarding", "echo 1 >/proc/sys/net/ipv4/conf/eth9/forwarding", "one",
			`sysctl -w net\.ipv4\.conf\.eth9\.forwarding=1`},
		{"ip link set eth9 down", "ip link set eth9 up", "one", "eth9, which is down"},
		{"ip link set br7 down", "ip link set br7 up", "lan", "br7, which is down"},
		{"ip link set eth9 name eth5 || { ip link set eth9 down; ip link set eth9 name eth5; }",
			"ip link set eth5 down; ip link set eth5 name eth9; ip link set eth9 up", "one",
			"eth9, and this host has no such device"},
	} {
		g.ns.Exec("sh", "-ec", c.damage)
		table := g.vnetc(1, "status")
		g.wants(table, `(?m)^`+c.network+` +cut off `)
		if strings.Count(table, "cut off") != 1 {
			t.Errorf("%s: networks that it doesn't concern are called cut off:\n%s", c.damage, table)
		}
		for _, name := range []string{"any", "one", "alone", "lan"} {
			want := 0
			if name == c.network {
				want = 1
			}
			if details := g.vnetc(want, "status", name); want == 1 {
				g.wants(details, `(?m)^fault +.*`+c.told)
			}
			g.vnetc(want, "status", name, "--format", "json")
		}
		g.wants(g.vnetc(0, append([]string{"up"}, files...)...), `network `+c.network+`: note: .*`+c.told,
			`nothing to change`)
		g.ns.Exec("sh", "-ec", c.mend)
		g.vnetc(0, "status")
	}
}

// TestKernelStatusWidth: the table fits a terminal of 80 columns, whatever was counted and whatever
// is wrong.
func TestKernelStatusWidth(t *testing.T) {
	g := newGround(t)
	name := strings.Repeat("n", 20)
	file := g.file(name, "<network><name>"+name+
		"</name><forward mode='nat'/><bridge name='vb0'/><ip address='10.20.0.1' prefix='24'/></network>")
	g.ns.Exec("ip", "link", "add", "eth7", "type", "veth", "peer", "name", "far7")
	other := g.file("other",
		"<network><name>other</name><forward mode='passthrough'><interface dev='eth7'/></forward></network>")
	g.vnetc(0, "up", file, other)
	g.ns.Exec("ip", "link", "set", "vb0", "down")
	g.ns.Exec("nft", "flush", "chain", "ip", "vnetc", "fwo")
	for line := range strings.Lines(g.vnetc(1, "status")) {
		if n := len(strings.TrimRight(line, "\n")); n > 80 && !strings.Contains(line, "difference") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestSize is how bytes are rounded: never more than seven characters.
func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1049: "1.0 kB", 1051: "1.1 kB", 9949: "9.9 kB", 9951: "10 kB",
		71064:  "71 kB",
		999499: "999 kB", 999500: "1.0 MB", 1650344: "1.7 MB", 1<<64 - 1: "18 EB",
	} {
		if got := size(n); got != want || len(got) > 7 {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
}
