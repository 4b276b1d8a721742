package link

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestFaults is which devices on guests' way out are at fault, by network.
func TestFaults(t *testing.T) {
	four, six := []ir.Address{{Prefix: prefix("192.168.50.1/24")}}, []ir.Address{{Prefix: prefix("fd00::1/64")}}
	forwarding, mute := &IPv4Info{Forwarding: 1}, &IPv4Info{}
	facts := Facts{
		Devices: []Device{
			{Index: 2, Name: "eth0", Up: true, IPv4: forwarding}, {Index: 3, Name: "eth1", IPv4: forwarding},
			{Index: 4, Name: "eth2", Up: true, IPv4: mute}, {Index: 5, Name: "br0", Kind: "bridge",
				Bridge: &BridgeInfo{}, IPv4: mute},
		},
		Routes: []Route{{Dest: prefix("0.0.0.0/0"), Device: 2, Metric: 100},
			{Dest: prefix("0.0.0.0/0"), Device: 4, Metric: 200}, {Dest: prefix("::/0"), Device: 4}},
	}
	by := func(names ...string) ir.Uplink { return ir.Uplink{Devices: names} }
	for _, c := range []struct {
		name    string
		link    ir.Link
		forward bool // what the host does
		out     int  // index of the device of the best default route
		want    string
	}{
		{"a good device", ir.Link{Mode: ir.ModeNAT, Uplink: by("eth0"), Addresses: four}, true, 2, ""},
		{"no device named", ir.Link{Mode: ir.ModeNAT, Addresses: four}, true, 2, ""},
		{"missing", ir.Link{Mode: ir.ModeNAT, Uplink: by("eth9"), Addresses: four}, true, 2,
			"by eth9, and this host has no such device"},
		{"down", ir.Link{Mode: ir.ModeRoute, Uplink: by("eth1"), Addresses: six}, true, 2, "eth1, which is down"},
		{"doesn't forward", ir.Link{Mode: ir.ModeNAT, Uplink: by("eth2"), Addresses: four}, true, 2,
			"conf.eth2.forwarding=1"},
		{"the best way out doesn't forward", ir.Link{Mode: ir.ModeOpen, Addresses: four}, true, 4,
			"conf.eth2.forwarding=1"},
		{"the host doesn't forward, which is said of the host", ir.Link{Mode: ir.ModeNAT, Uplink: by("eth2"),
			Addresses: four}, false, 2, ""},
		{"IPv6 doesn't go by that sysctl", ir.Link{Mode: ir.ModeNAT, Uplink: by("eth2"), Addresses: six}, true, 2, ""},
		{"isolated", ir.Link{Mode: ir.ModeNone, Addresses: four}, true, 4, ""},
		{"a bridge of others is down", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br0"}}, true, 2,
			"br0, which is down"},
		{"a bridge of others, missing", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br9"}}, true, 2, ""},
		{"a device of many guests is down", ir.Link{Mode: ir.ModeVEPA, Uplink: by("eth0", "eth1")}, true, 2,
			"eth1, which is down"},
		{"a device of one guest is down", ir.Link{Mode: ir.ModePassthrough, Uplink: by("eth1")}, true, 2, ""},
	} {
		f := facts
		f.Forwards = c.forward
		if c.out == 4 {
			f.Routes = f.Routes[1:]
		}
		got := strings.Join(Faults(&c.link, &f), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
