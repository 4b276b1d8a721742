package netxml

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// lowerText compiles documents that have no error, named a.xml, b.xml and so on.
func lowerText(t *testing.T, documents ...string) *ir.Program {
	t.Helper()
	src := &diag.Sources{}
	for i, text := range documents {
		src.Add(fmt.Sprintf("%c.xml", 'a'+i), []byte(text))
	}
	networks, list := Parse(src, Options{})
	if list.HasErrors() {
		t.Fatal(list)
	}
	return Lower(networks)
}

var compareValues = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// Everything that the large document says arrives, in the units of ir.Link.
func TestLink(t *testing.T) {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	want := &ir.Link{
		Name: "lab", UUID: "8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6", Mode: ir.ModeNAT, IPv6: true,
		Bridge: ir.Bridge{Name: "virbr0", Delay: 4 * time.Second, LibvirtFDB: true, Zone: "libvirt"},
		MAC:    net.HardwareAddr{0x52, 0x54, 0, 0xaa, 0, 0x1e},
		MTU:    9000,
		Uplink: ir.Uplink{Devices: []string{"eth0"}},
		Addresses: []ir.Address{
			{Prefix: p("10.20.30.1/24"), LocalPTR: true, TFTP: "/srv/tftp", DHCP: &ir.DHCP{
				Ranges: []ir.DHCPRange{{From: a("10.20.30.100"), To: a("10.20.30.200"), Lease: "1h"}},
				Hosts: []ir.DHCPHost{{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xbb, 0, 1}, Name: "h1",
					Addr: a("10.20.30.201"), Lease: ir.Forever}},
				BootFile: "pxelinux.0", BootServer: a("10.20.30.9"),
			}},
			{Prefix: p("fd00:20:30::1/64"), DHCP: &ir.DHCP{
				Ranges: []ir.DHCPRange{{From: a("fd00:20:30::100"), To: a("fd00:20:30::1ff")}},
				Hosts:  []ir.DHCPHost{{DUID: "0:3:0:1:0:16:3e:11:22:33", Name: "six", Addr: a("fd00:20:30::202")}},
			}},
		},
		Routes: []ir.Route{{Dest: p("10.130.0.0/16"), Gateway: a("10.20.30.2"), Metric: 7}},
		Domain: ir.Domain{Name: "lab.example", LocalOnly: true},
		DNS: ir.DNS{
			NoPlainNames: true,
			Forwarders: []ir.Forwarder{
				{Addr: a("198.51.100.53")}, {Domain: "corp.example", Addr: a("198.51.100.54"), Port: 5353},
				{Domain: "open.example"},
			},
			TXT:   []ir.TXTRecord{{Name: "note.lab.example", Value: "v=x1 some text"}},
			Hosts: []ir.DNSHost{{Addr: a("10.20.30.5"), Names: []string{"printer", "printer.lab.example"}}},
			SRV: []ir.SRVRecord{{
				Service: "ldap", Protocol: "tcp", Domain: "lab.example", Target: "dir.lab.example", Port: 389,
				Priority: 10, Weight: 20,
			}},
		},
		Options:  []string{"log-dhcp"},
		Inbound:  &ir.Rate{Average: 1000, Peak: 5000, Burst: 1024},
		Outbound: &ir.Rate{Average: 128},
		Port:     ir.PortOptions{Isolated: true},
		Groups:   []ir.PortGroup{{Name: "one", Default: true, Inbound: &ir.Rate{Average: 100}}},
	}
	if diff := cmp.Diff(want, lowerText(t, document).Links[0], compareValues); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a document leaves open gets libvirt's defaults.
func TestDefaults(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		check      func(l *ir.Link) any
		want       any
	}{
		{"isolated", "", func(l *ir.Link) any { return l.Mode }, ir.ModeNone},
		{"forward without mode", "<forward/><ip address='10.0.0.1' prefix='24'/>",
			func(l *ir.Link) any { return l.Mode }, ir.ModeNAT},
		{"bridge", "", func(l *ir.Link) any { return l.Bridge }, ir.Bridge{Name: "virbr0", Auto: true}},
		{"pattern", "<bridge name='lab%dx'/>", func(l *ir.Link) any { return l.Bridge },
			ir.Bridge{Name: "lab0x", Auto: true}},
		{"class A", "<ip address='10.1.2.3'/>", func(l *ir.Link) any { return l.Addresses[0].Prefix.String() },
			"10.1.2.3/8"},
		{"class B", "<ip address='172.16.2.3'/>", func(l *ir.Link) any { return l.Addresses[0].Prefix.String() },
			"172.16.2.3/16"},
		{"class C", "<ip address='192.168.2.3'/>", func(l *ir.Link) any { return l.Addresses[0].Prefix.String() },
			"192.168.2.3/24"},
		{"IPv6", "<ip family='ipv6' address='fd00::1'/>", func(l *ir.Link) any {
			return l.Addresses[0].Prefix.String()
		}, "fd00::1/64"},
		{"lease in minutes",
			"<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'><lease expiry='5'/></range></dhcp></ip>",
			func(l *ir.Link) any { return l.Addresses[0].DHCP.Ranges[0].Lease }, ir.Lease("5m")},
		{"lease in hours",
			"<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'><lease expiry='48' unit='hours'/></range></dhcp></ip>",
			func(l *ir.Link) any { return l.Addresses[0].DHCP.Ranges[0].Lease }, ir.Lease("48h")},
		{"lease in seconds",
			"<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'><lease expiry='3600' unit='seconds'/></range></dhcp></ip>",
			func(l *ir.Link) any { return l.Addresses[0].DHCP.Ranges[0].Lease }, ir.Lease("3600s")},
		{"default route", "<ip address='10.0.0.1' prefix='24'/><route address='0.0.0.0' gateway='10.0.0.2'/>",
			func(l *ir.Link) any { return l.Routes[0].Dest.String() }, "0.0.0.0/0"},
		{"several tags make a trunk",
			"<forward mode='bridge'/><bridge name='br0'/><vlan><tag id='1'/><tag id='2' nativeMode='untagged'/></vlan>",
			func(l *ir.Link) any { return l.Port }, ir.PortOptions{VLANTrunk: true,
				VLANs: []ir.VLAN{{ID: 1}, {ID: 2, Native: "untagged"}}}},
		{"hexadecimal",
			"<forward mode='hostdev' managed='yes'><driver name='vfio'/><address type='pci' domain='0x1' bus='0x0a' slot='16' function='0x1'/></forward>",
			func(l *ir.Link) any { return l.Uplink }, ir.Uplink{PCI: []string{"0001:0a:10.1"}, Managed: true,
				Driver: "vfio"}},
		{"virtual port",
			"<forward mode='vepa' dev='eth0'/><virtualport type='802.1Qbg'><parameters managerid='0x11' typeid='1193047' typeidversion='2'/></virtualport>",
			func(l *ir.Link) any { return *l.Port.VirtualPort }, ir.VirtualPort{Type: "802.1Qbg", ManagerID: 17,
				TypeID: 1193047, TypeIDVers: 2}},
		{"virtual port of the network's type",
			"<forward mode='bridge'/><bridge name='br0'/><portgroup name='a'><virtualport><parameters profileid='b'/></virtualport></portgroup><virtualport type='openvswitch'/>",
			func(l *ir.Link) any { return *l.Groups[0].Port.VirtualPort },
			ir.VirtualPort{Type: "openvswitch", ProfileID: "b"}},
		{"virtual port without type",
			"<forward mode='vepa' dev='eth0'/><portgroup name='a'><virtualport><parameters managerid='0x11' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></portgroup>",
			func(l *ir.Link) any { return *l.Groups[0].Port.VirtualPort },
			ir.VirtualPort{ManagerID: 17, InstanceID: "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := lowerText(t, "<network><name>lab</name>"+tt.body+"</network>")
			if diff := cmp.Diff(tt.want, tt.check(p.Links[0]), compareValues); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Bridges whose names are left open get the lowest numbers that no document uses, whatever the
// order of documents.
func TestBridges(t *testing.T) {
	one := func(name, bridge string) string {
		return "<network><name>" + name + "</name>" + bridge + "</network>"
	}
	p := lowerText(t, one("a", ""), one("b", "<bridge name='virbr%d'/>"), one("c", "<bridge name='virbr1'/>"),
		one("d", "<bridge stp='off'/>"),
		one("e", "<forward mode='bridge'/><bridge name='virbr2'/>"), one("f", "<forward mode='private' dev='eth0'/>"),
		one("g", "<bridge name='x%d'/>"),
		one("h", "<forward dev='y0'/><ip address='10.0.0.1' prefix='24'/><bridge name='y%d'/>"),
		one("i", "<bridge name='y%d'/>"), one("j", "<bridge name='y%d'/>"))
	var got []string
	for _, l := range p.Links {
		got = append(got, l.Bridge.Name)
	}
	if diff := cmp.Diff("virbr0 virbr3 virbr1 virbr4 virbr2  x0 y1 y0 y2", strings.Join(got, " ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A bridge that was chosen before stays, unless it doesn't fit the document any more or a document
// gives it away; devices that are taken are passed over by those that have none yet.
func TestBridgesOfBefore(t *testing.T) {
	one := func(name, bridge string) string {
		return "<network><name>" + name + "</name>" + bridge + "</network>"
	}
	src := &diag.Sources{}
	for i, text := range []string{one("a", ""), one("b", ""), one("c", "<bridge name='x%d'/>"), one("d", ""),
		one("e", ""), one("f", "<bridge name='virbr9'/>")} {
		src.Add(fmt.Sprint(i), []byte(text))
	}
	nets, found := Parse(src, Options{
		Taken:   map[string]bool{"virbr0": true, "virbr1": true, "virbr3": true},
		Bridges: map[string]string{"b": "virbr1", "c": "virbr5", "d": "virbr9", "e": "virbr01", "f": "virbr7"},
	})
	if len(found) > 0 {
		t.Fatal(found)
	}
	var got []string
	for _, n := range nets {
		got = append(got, n.Bridge)
	}
	if diff := cmp.Diff("virbr2 virbr1 x0 virbr4 virbr5 virbr9", strings.Join(got, " ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Unmanaged networks and mode open have no rules, whatever else they say.
func TestNoRules(t *testing.T) {
	p := lowerText(t, "<network><name>a</name><forward mode='open'/><ip address='10.0.0.1' prefix='24'/></network>",
		"<network><name>b</name><forward mode='bridge'/><bridge name='br0'/></network>",
		"<network><name>c</name><forward mode='passthrough' dev='eth0'/></network>",
		"<network><name>d</name><forward mode='hostdev'><pf dev='eth0'/></forward></network>")
	for _, c := range p.Chains {
		if len(c.Rules) > 0 {
			t.Errorf("%s has rules: %v", c.Label(), c.Rules)
		}
	}
	groups := slices.DeleteFunc(slices.Clone(ir.Groups), ir.Group.Optional)
	if len(p.Chains) != len(groups) || len(p.Links) != 4 {
		t.Errorf("%d chains and %d links, want all groups that are always there and 4", len(p.Chains), len(p.Links))
	}
}

// A rule's origin is the tightest piece of XML that asked for it.
func TestOrigins(t *testing.T) {
	p := lowerText(t, document)
	got := map[string]string{}
	for _, c := range p.Chains {
		for _, r := range c.Rules {
			o := r.Origin
			got[o.Element] = document[o.Span.Start.Offset:o.Span.End.Offset]
			if o.Network != "lab" || o.Span.File != "a.xml" || o.Reason == "" {
				t.Errorf("%s: origin %+v", c.Group, o)
			}
		}
	}
	want := map[string]string{
		"network/bridge/@name":        "virbr0",
		"network/ip/dhcp":             "dhcp",
		"network/ip/tftp/@root":       "/srv/tftp",
		"network/forward/nat/port":    "port",
		"network/forward/nat/address": "address",
	}
	delete(got, "network/ip/@address")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// libvirt finds options by their namespace, whether a prefix stands for it or not.
func TestOptionsDefaultNamespace(t *testing.T) {
	networks := parsed(t, "<network><name>lab</name><options xmlns='"+dnsmasqNamespace+
		"'><option value='log-dhcp'/></options></network>")
	if diff := cmp.Diff([]string{"log-dhcp"}, Lower(networks).Links[0].Options); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// libvirt takes the options of every <dnsmasq:options>.
func TestOptionsTwice(t *testing.T) {
	const options = "<d:options><d:option value='log-dhcp'/></d:options><d:options><d:option value='no-hosts'/><d:option value='log-queries'/></d:options>"
	networks := parsed(t, "<network xmlns:d='"+dnsmasqNamespace+"'><name>lab</name>"+options+"</network>")
	if diff := cmp.Diff([]string{"log-dhcp", "no-hosts", "log-queries"}, Lower(networks).Links[0].Options); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
