package link

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// TestPlanUp is about the order of the steps: what goes away is first, a bridge has all its options
// before the firewall, addresses come before the link is up and routes after.
func TestPlanUp(t *testing.T) {
	running := Device{Index: 5, Name: "virbr7", Kind: "bridge", Alias: "vnetc lab", Group: Group, MAC: testMAC,
		MTU: 1500, Up: true,
		Bridge: &BridgeInfo{STP: true, Delay: 2 * time.Second}, IPv4: &IPv4Info{0, 1}, IPv6: &IPv6Info{Disable: 1},
		Addresses: []Address{{Prefix: prefix("192.168.122.1/24"), Protocol: Protocol},
			{Prefix: prefix("192.168.9.1/24"), Protocol: Protocol}}}
	for _, c := range []struct {
		name  string
		facts Facts
		want  []string
	}{
		{"nothing is there", Facts{IPv6: true}, []string{
			"add bridge virbr7 (52:54:00:01:02:03, STP on, delay 2s, MTU 1400)",
			"set net.ipv4.conf.virbr7.arp_ignore to 1",
			"set net.ipv6.conf.virbr7.accept_ra to 0",
			"set net.ipv6.conf.virbr7.autoconf to 0",
			"set net.ipv6.conf.virbr7.disable_ipv6 to 0",
			"-- firewall --",
			"add address 192.168.122.1/24 to virbr7",
			"add address 192.168.128.1/25 to virbr7",
			"add address fd00:1::1/64 to virbr7",
			"set virbr7 up",
			"add route to 10.9.0.0/16 via 192.168.122.9 on virbr7, metric 1",
			"add route to fd00:9::/48 via fd00:1::9 on virbr7, metric 7",
		}},
		{"it runs otherwise", Facts{IPv6: true, AddressMarks: true, Devices: []Device{running}}, []string{
			"remove address 192.168.9.1/24 from virbr7",
			"set MTU of virbr7 to 1400",
			"set net.ipv6.conf.virbr7.disable_ipv6 to 0",
			"-- firewall --",
			"add address 192.168.128.1/25 to virbr7",
			"add address fd00:1::1/64 to virbr7",
			"add route to 10.9.0.0/16 via 192.168.122.9 on virbr7, metric 1",
			"add route to fd00:9::/48 via fd00:1::9 on virbr7, metric 7",
		}},
	} {
		p, problems := PlanUp(network(ir.ModeNAT), &c.facts, Options{MAC: testMAC})
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.name, problems)
		}
		if diff := cmp.Diff(c.want, append(append(lines(Plan{Before: p.Before}), "-- firewall --"),
			lines(Plan{After: p.After})...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestObstacles(t *testing.T) {
	small := network(ir.ModeNAT)
	small.MTU = 1200
	for _, c := range []struct {
		name  string
		link  *ir.Link
		facts Facts
		want  []string
	}{
		{"bridge renamed", network(ir.ModeNAT), Facts{IPv6: true,
			Devices: []Device{{Name: "virbr1", Kind: "bridge", Alias: "vnetc lab"}}},
			[]string{"network lab runs on bridge virbr1 and should now run on virbr7"}},
		{"a mode of others' devices", network(ir.ModeBridge), Facts{IPv6: true,
			Devices: []Device{{Name: "virbr7", Kind: "bridge", Alias: "vnetc lab"}}},
			[]string{"network lab runs on bridge virbr7, which vnetc made, and its mode should now be bridge"}},
		{"no IPv6", network(ir.ModeNAT), Facts{},
			[]string{"network lab has an IPv6 address, and this kernel has no IPv6"}},
		{"small MTU", small, Facts{IPv6: true}, []string{"network lab has an IPv6 address and an MTU of 1200"}},
		{"a bridge that only looks like ours", network(ir.ModeNAT), Facts{IPv6: true, Devices: []Device{
			{Index: 2, Name: "virbr7", Kind: "bridge", Alias: "vnetc", MAC: testMAC},
			{Index: 3, Name: "tap0", Master: 2}}},
			[]string{"virbr7 is there already: a bridge that vnetc didn't create, ports: 1"}},
	} {
		p, problems := PlanUp(c.link, &c.facts, Options{MAC: testMAC})
		if diff := cmp.Diff(c.want, whats(problems)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if len(p.Before)+len(p.After) > 0 {
			t.Errorf("%s: steps %v", c.name, lines(p))
		}
	}
}

// A bridge that vnetc only uses is never changed.
func TestPlanUnmanaged(t *testing.T) {
	l := &ir.Link{Name: "lab", Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br0", LibvirtFDB: true},
		Inbound: &ir.Rate{Average: 1}}
	p, problems := PlanUp(l, &Facts{Devices: []Device{{Name: "br0", Kind: "bridge", Bridge: &BridgeInfo{}}}}, Options{})
	if len(lines(p)) > 0 || len(problems) > 0 || len(p.Notes) != 2 {
		t.Errorf("plan %v, problems %v, notes %q; want two notes", lines(p), problems, p.Notes)
	}
}

// What a network asks of ports is set on those that are there, and guests are plugged in
// afterwards.
func TestPortNotes(t *testing.T) {
	isolated := ir.PortOptions{Isolated: true}
	tagged := ir.PortOptions{VLANs: []ir.VLAN{{ID: 100}, {ID: 200, Native: "untagged"}}}
	group := func(p ir.PortOptions, in *ir.Rate) []ir.PortGroup {
		return []ir.PortGroup{{Name: "g", Port: p, Inbound: in}}
	}
	for _, c := range []struct {
		name string
		link ir.Link
		want []string // each in a note
	}{
		{"nothing asked", ir.Link{Mode: ir.ModeNAT}, nil},
		{"isolated", ir.Link{Mode: ir.ModeNAT, Port: isolated}, []string{"isolated on"}},
		{"MAC table by hand", ir.Link{Mode: ir.ModeNone, Bridge: ir.Bridge{LibvirtFDB: true}},
			[]string{"learning off flood off"}},
		{"both", ir.Link{Mode: ir.ModeOpen, Bridge: ir.Bridge{LibvirtFDB: true}, Port: isolated},
			[]string{"isolated on learning off flood off"}},
		{"limits of a group", ir.Link{Mode: ir.ModeRoute, Groups: group(ir.PortOptions{}, &ir.Rate{Average: 1})},
			[]string{"bandwidth of port group g"}},
		{"isolated on a bridge of others", ir.Link{Mode: ir.ModeBridge, Port: isolated},
			[]string{"isolation of ports"}},
		{"VLANs of a network", ir.Link{Mode: ir.ModeBridge, Port: tagged}, []string{"VLAN 100 200"}},
		{"VLANs of a group", ir.Link{Mode: ir.ModeBridge, Groups: group(tagged, nil)},
			[]string{"VLAN 100 200 of port group g"}},
		{"VLANs of a card", ir.Link{Mode: ir.ModePassthrough, Port: ir.PortOptions{VLANs: []ir.VLAN{{ID: 7}}}},
			[]string{"VLAN 7"}},
	} {
		c.link.Name, c.link.Bridge.Name = "lab", "br0"
		p, problems := PlanUp(&c.link, &Facts{}, Options{})
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.name, problems)
		}
		for i, want := range c.want {
			if i >= len(p.Notes) || !strings.Contains(p.Notes[i], want) {
				t.Errorf("%s: notes %q; want %q in note %d", c.name, p.Notes, want, i+1)
			}
		}
		if c.link.Mode.Managed() && len(p.Notes) != len(c.want) {
			t.Errorf("%s: notes %q; want %d", c.name, p.Notes, len(c.want))
		}
	}
}

func TestLosesRoutes(t *testing.T) {
	f := &Facts{IPv6: true, Devices: []Device{
		{Index: 1, Name: "eth0", IPv6: &IPv6Info{AcceptRA: 1}},
		{Index: 2, Name: "eth1", IPv6: &IPv6Info{AcceptRA: 2}},
		{Index: 3, Name: "eth2", IPv6: &IPv6Info{AcceptRA: 0}},
		{Index: 4, Name: "eth3", IPv6: &IPv6Info{AcceptRA: 1}},
	}}
	for i := 1; i <= 3; i++ {
		f.Routes = append(f.Routes, Route{Dest: prefix("::/0"), Device: i, Protocol: protocolRA})
	}
	want := []string{"network lab has the host forward IPv6, and eth0 has its IPv6 routes by router advertisement"}
	if diff := cmp.Diff(want, whats(Collisions(network(ir.ModeRoute), f, nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Collisions(network(ir.ModeNone), f, nil); len(got) > 0 {
		t.Errorf("an isolated network, which forwards nothing: %v", got)
	}
}

func FuzzMessages(f *testing.F) {
	for _, o := range []trafficObject{rootQdisc(), markFilter{}, checksumFilter{}, policeFilter{1, 1},
		class{handle: wholeID}} {
		f.Add(encode(o))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		readDevice(b)
		readRoute(b)
		readFilter(b)
		readClass(b)
		readSocket(string(b), "tcp")
	})
}

func ExamplePlanUp() {
	l := &ir.Link{
		Name:      "default",
		Mode:      ir.ModeNAT,
		Bridge:    ir.Bridge{Name: "virbr0"},
		Addresses: []ir.Address{{Prefix: prefix("192.168.122.1/24")}},
	}
	host := &Facts{IPv6: true} // or ReadFacts()
	plan, _ := PlanUp(l, host, Options{MAC: testMAC})
	for _, step := range plan.Before {
		fmt.Println(step)
	}
	fmt.Println("the rules")
	for _, step := range plan.After {
		fmt.Println(step)
	}
	// Output:
	// add bridge virbr0 (52:54:00:01:02:03, STP on, delay 2s)
	// set net.ipv4.conf.virbr0.arp_ignore to 1
	// set net.ipv6.conf.virbr0.accept_ra to 0
	// set net.ipv6.conf.virbr0.autoconf to 0
	// set net.ipv6.conf.virbr0.disable_ipv6 to 1
	// the rules
	// add address 192.168.122.1/24 to virbr0
	// set virbr0 up
}
