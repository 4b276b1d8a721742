package main

import (
	"regexp"
	"testing"
)

// TestKernelUpUnmanaged: networks whose devices others make are checked, and nothing of the host is
// changed for them.
func TestKernelUpUnmanaged(t *testing.T) {
	g := newGround(t)
	g.ns.Exec("ip", "link", "add", "br7", "type", "bridge")
	g.ns.Exec("ip", "link", "add", "eth7", "type", "veth", "peer", "name", "eth8")
	g.ns.Exec("ip", "link", "set", "eth8", "up", "master", "br7")
	clean := g.snapshot()
	var up []string
	for _, n := range []struct{ name, xml, says, wrong string }{
		{"bridged", "<forward mode='bridge'/><bridge name='br7'/>", "bridge br7", ""},
		{"macvtap", "<forward mode='bridge'><interface dev='eth7'/><interface dev='eth8'/></forward>", "eth7, eth8",
			""},
		{"private", "<forward mode='private'><interface dev='eth7'/></forward>", "eth7", ""},
		{"vepa", "<forward mode='vepa'><interface dev='eth7'/></forward>", "eth7", ""},
		{"passthrough", "<forward mode='passthrough'><interface dev='eth7'/></forward>", "eth7", ""},
		{"nobridge", "<forward mode='bridge'/><bridge name='br8'/>", "", "this host has no device br8"},
		{"wrongbridge", "<forward mode='bridge'/><bridge name='eth7'/>", "", "eth7 is not a bridge but"},
		{"nodev", "<forward mode='private'><interface dev='eth9'/></forward>", "", "this host has no device eth9"},
		{"nopf", "<forward mode='hostdev'><pf dev='eth7'/></forward>", "", "eth7 is not an SR-IOV physical function"},
		{"nopci", "<forward mode='hostdev' managed='yes'><address type='pci' domain='0' bus='0xf3' slot='7' function='1'/></forward>", "", "this host has no PCI device 0000:f3:07.1"},
	} {
		file := g.file(n.name, "<network><name>"+n.name+"</name>"+n.xml+"</network>")
		if n.wrong != "" {
			g.wants(g.vnetc(3, "up", "--dry-run", file), n.name+" is not to be brought up: .*"+n.wrong, "fix: ")
			g.wants(g.vnetc(3, "up", file), n.name+" is not up: .*"+n.wrong, "fix: ")
			continue
		}
		g.wants(g.vnetc(0, "up", "--dry-run", file), n.name+" is up: nothing to change")
		for range 2 {
			g.wants(g.vnetc(0, "up", file), "(?m)^"+n.name+" is up: "+n.says+"; nothing to change")
		}
		up = append(up, n.name)
	}
	if diff := diffLines(clean, withoutNotes(g.snapshot())); diff != "" {
		t.Errorf("the host changed:\n%s", diff)
	}

	list, status := g.vnetc(0, "list"), g.vnetc(1, "status")
	for _, name := range up {
		g.wants(list, `(?m)^`+name+` +yes `)
		word := "cut off" // br7 and eth7 are down
		if name == "passthrough" {
			word = "yes" // eth7 is for one guest, and whoever gives it to that sets it up
		}
		g.wants(status, `(?m)^`+name+` +`+word+` +\w+ +- +none `)
	}
	g.wants(g.vnetc(0, "audit"), "^in step")
	g.wants(g.vnetc(1, "status", "bridged"), `link +down`, `ports +eth8`, `rules +none in mode bridge`)
	g.wants(g.vnetc(1, "status", "macvtap"), `device +eth7, down`, `device +eth8, up`)
	g.ns.Exec("ip", "link", "del", "br7")
	g.ns.Exec("ip", "link", "del", "eth7")
	g.wants(g.vnetc(1, "status"), `bridged +in part`, `vepa +in part`)
	g.wants(g.vnetc(1, "status", "bridged", "vepa"), `link +missing`, `device +eth7, missing`,
		`missing +network bridged: this host has no device br7`)
	gone := withoutNotes(g.snapshot())

	g.wants(g.vnetc(1, "down", "--dry-run", "bridged"), `(?m)^bridged:\n  remove its state file: `)
	g.wants(g.vnetc(0, "down", "bridged"), `^bridged is down`)
	g.vnetc(2, "down", "bridged")
	g.vnetc(0, "down", "--all")
	if diff := diffLines(gone, g.snapshot()); diff != "" {
		t.Errorf("down changes the host:\n%s", diff)
	}
}

// withoutNotes is a snapshot without the files of the state folder's notes.
func withoutNotes(snapshot string) string {
	return regexp.MustCompile(`(?m)^/.*/networks/.*\n`).ReplaceAllString(snapshot, "")
}
