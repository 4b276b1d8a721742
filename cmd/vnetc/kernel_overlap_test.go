package main

import (
	"regexp"
	"strings"
	"testing"
)

// A network in a wider route comes up, with a word about it, as the longest prefix wins. A route
// that comes later makes no network that is up one that is not; only one that isn't up is refused
// for it.
func TestKernelOverlaps(t *testing.T) {
	g := newGround(t)
	g.ns.Exec("ip", "link", "add", "vpn0", "type", "veth", "peer", "name", "vpn1")
	g.ns.Exec("ip", "link", "set", "vpn0", "up")
	g.ns.Exec("ip", "link", "set", "vpn1", "up")
	g.ns.Exec("ip", "route", "add", "10.0.0.0/8", "dev", "vpn0")
	file := g.file("lab",
		"<network><name>lab</name><forward mode='nat'/><bridge name='vb0'/><ip address='10.20.1.1' prefix='24'><dhcp><range start='10.20.1.2' end='10.20.1.9'/></dhcp></ip></network>")
	wide := regexp.QuoteMeta("overlaps with the host's route to 10.0.0.0/8 on vpn0")
	g.wants(g.vnetc(0, "up", file), "note: .*"+wide, "lab is up")
	a := g.join("a", "vb0")
	g.lease([]*guest{a})
	g.ns.Exec("ip", "route", "add", "10.20.1.0/25", "dev", "vpn0")
	narrow := regexp.QuoteMeta("overlaps with the host's route to 10.20.1.0/25 on vpn0, which leads away from guests")
	out := g.vnetc(0, "up", file)
	g.wants(out, "note: .*"+wide, "note: .*"+narrow, "lab is up: .*nothing to change")
	if strings.Contains(out, "not up") {
		t.Errorf("a network that is up is called something else:\n%s", out)
	}
	out = g.vnetc(0, "status", "lab")
	g.wants(out, "overlap +subnet .*"+narrow)
	if strings.Contains(out, "missing") {
		t.Errorf("nothing is missing:\n%s", out)
	}
	g.vnetc(0, "down", "lab")
	g.wants(g.vnetc(3, "up", file),
		"lab is not up: subnet 10.20.1.0/24 of network lab overlaps with the host's route to 10.20.1.0/25")
}
