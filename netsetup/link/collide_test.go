package link

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// someHost has a network card, a container bridge, a VPN, and one of our networks.
func someHost() *Facts {
	gateway := netip.MustParseAddr("192.168.1.254")
	return &Facts{
		IPv6: true, AddressMarks: true,
		Devices: []Device{
			{Index: 1, Name: "lo", Addresses: []Address{{Prefix: prefix("127.0.0.1/8")}, {Prefix: prefix("::1/128")}}},
			{Index: 2, Name: "eth0", Addresses: []Address{
				{Prefix: prefix("192.168.1.5/24")}, {Prefix: prefix("2001:db8:1::5/64")},
				{Prefix: prefix("fe80::5/64"), LinkLocal: true}}},
			{Index: 3, Name: "docker0", Kind: "bridge", Addresses: []Address{{Prefix: prefix("172.17.0.1/16")}}},
			{Index: 4, Name: "tun0", Kind: "tun", Addresses: []Address{{Prefix: prefix("10.8.0.2/32")}}},
			{Index: 5, Name: "virbr0", Kind: "bridge", Alias: "vnetc lab", Bridge: &BridgeInfo{},
				Addresses: []Address{{Prefix: prefix("192.168.122.1/24")}}},
		},
		Routes: []Route{
			{Dest: prefix("0.0.0.0/0"), Gateway: gateway, Device: 2, Metric: 100},
			{Dest: prefix("0.0.0.0/1"), Device: 4},
			{Dest: prefix("128.0.0.0/1"), Device: 4},
			{Dest: prefix("::/0"), Device: 2},
			{Dest: prefix("2000::/3"), Device: 4},
			{Dest: prefix("192.168.1.0/24"), Device: 2},
			{Dest: prefix("172.17.0.0/16"), Device: 3},
			{Dest: prefix("10.8.0.0/22"), Gateway: gateway, Device: 2},
			{Dest: prefix("192.168.122.0/24"), Device: 5},
			{Dest: prefix("192.168.200.0/24"), Gateway: netip.MustParseAddr("192.168.122.9"), Device: 5, Metric: 1,
				Protocol: Protocol},
			{Dest: prefix("2001:db8:1::/64"), Device: 2},
			{Dest: prefix("fe80::/64"), Device: 2},
		},
	}
}

func TestCollisions(t *testing.T) {
	for _, c := range []struct {
		name    string
		address string
		route   string
		want    []string
	}{
		{"free", "192.168.50.1/24", "", nil},
		{"its own, running", "192.168.122.1/24", "192.168.200.0/24", nil},
		{"same subnet", "192.168.1.1/24", "",
			[]string{"subnet 192.168.1.0/24 of network lab overlaps with 192.168.1.5/24 of eth0"}},
		{"larger", "192.168.0.1/16", "",
			[]string{"subnet 192.168.0.0/16 of network lab overlaps with 192.168.1.5/24 of eth0"}},
		{"smaller", "172.17.9.1/24", "",
			[]string{"subnet 172.17.9.0/24 of network lab overlaps with 172.17.0.1/16 of docker0"}},
		{"in a wider route, with an address", "10.8.0.1/24", "",
			[]string{"subnet 10.8.0.0/24 of network lab overlaps with 10.8.0.2/32 of tun0"}},
		{"in a wider route", "10.8.3.1/24", "", nil},
		{"the same as a route", "10.8.3.1/22", "", []string{
			"subnet 10.8.0.0/22 of network lab overlaps with 10.8.0.2/32 of tun0",
			"subnet 10.8.0.0/22 of network lab overlaps with the host's route to 10.8.0.0/22 via 192.168.1.254 on eth0"}},
		{"around a route", "10.8.9.1/16", "", []string{
			"subnet 10.8.0.0/16 of network lab overlaps with 10.8.0.2/32 of tun0",
			"subnet 10.8.0.0/16 of network lab overlaps with the host's route to 10.8.0.0/22 via 192.168.1.254 on eth0"}},
		{"IPv6", "2001:db8:1::1/48", "",
			[]string{"subnet 2001:db8:1::/48 of network lab overlaps with 2001:db8:1::5/64 of eth0"}},
		{"IPv6 free", "fd00::1/64", "", nil},
		{"loopback", "127.5.0.1/24", "",
			[]string{"subnet 127.5.0.0/24 of network lab overlaps with 127.0.0.1/8 of lo"}},
		{"same route", "192.168.50.1/24", "10.8.0.0/22", []string{
			"the <route> to 10.8.0.0/22 of network lab goes where the host's route to 10.8.0.0/22 via 192.168.1.254 on eth0 does"}},
		{"narrower route", "192.168.50.1/24", "10.8.1.0/24", nil},
		{"default route", "192.168.50.1/24", "0.0.0.0/0", []string{
			"the <route> to 0.0.0.0/0 of network lab goes where the host's route to 0.0.0.0/0 via 192.168.1.254 on eth0 does"}},
	} {
		l := &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr0"},
			Addresses: []ir.Address{{Prefix: prefix(c.address)}}}
		if c.route != "" {
			l.Routes = []ir.Route{{Dest: prefix(c.route)}}
		}
		if diff := cmp.Diff(c.want, whats(Collisions(l, someHost(), nil))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		l.Name, l.Bridge.Name = "other", "virbr9" // for which virbr0 is another's
		if c.name == "its own, running" && len(Collisions(l, someHost(), nil)) == 0 {
			t.Error("no collision with another network of vnetc's")
		}
	}
}

// A wider route is no reason not to come up: the longest prefix wins. Nor is what came when the
// network was up, which then is no reason to call it anything else.
func TestOverlaps(t *testing.T) {
	host := someHost()
	host.Routes = append(host.Routes, Route{Dest: prefix("192.168.122.0/25"), Device: 4},
		Route{Dest: prefix("192.168.0.0/16"), Device: 4}, Route{Dest: prefix("192.168.200.0/24"), Device: 2})
	host.Devices[1].Addresses = append(host.Devices[1].Addresses, Address{Prefix: prefix("192.168.122.77/24")})
	for _, c := range []struct {
		name, address, route string
		want                 []string
	}{
		{"in a wider route", "10.8.3.1/24", "", []string{
			"subnet 10.8.3.0/24 overlaps with the host's route to 10.8.0.0/22 via 192.168.1.254 on eth0, and " +
				"hides a part of it: the host reaches no other machine in that part while the network is up"}},
		{"running", "192.168.122.1/24", "192.168.200.0/24", []string{
			"subnet 192.168.122.0/24 overlaps with 192.168.122.77/24 of eth0, so the host may look for guests there; choose another subnet, or remove the address from eth0",
			"subnet 192.168.122.0/24 overlaps with the host's route to 192.168.122.0/25 on tun0, which leads away from guests; choose another subnet, or remove the route",
			"subnet 192.168.122.0/24 overlaps with the host's route to 192.168.0.0/16 on tun0, and hides a part " +
				"of it: the host reaches no other machine in that part while the network is up",
			"the <route> to 192.168.200.0/24 goes where the host's route to 192.168.200.0/24 on eth0 does, and one of the two is never used"}},
		{"running, and to be moved", "172.17.9.1/24", "", nil},
		{"in the rest of the world", "172.16.0.1/24", "", nil},
	} {
		l := &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr0"},
			Addresses: []ir.Address{{Prefix: prefix(c.address)}}}
		if c.route != "" {
			l.Routes = []ir.Route{{Dest: prefix(c.route)}}
		}
		if diff := cmp.Diff(c.want, Overlaps(l, host)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if problems := Collisions(l, host, nil); len(problems) > 0 != (c.name == "running, and to be moved") {
			t.Errorf("%s: problems %v", c.name, whats(problems))
		}
	}
	l := &ir.Link{Name: "lab", Mode: ir.ModeBridge, Addresses: []ir.Address{{Prefix: prefix("10.8.3.1/24")}}}
	if got := Overlaps(l, host); len(got) > 0 {
		t.Errorf("a network without a bridge of its own: %v", got)
	}
}

func TestBusyPorts(t *testing.T) {
	dhcp := &ir.DHCP{Ranges: []ir.DHCPRange{{}}}
	both := []ir.Address{{Prefix: prefix("192.168.50.1/24"), DHCP: dhcp}, {Prefix: prefix("fd00::1/64")}}
	socket := func(tcp bool, addr, name string) Listener {
		return Listener{TCP: tcp, Addr: netip.MustParseAddrPort(addr), PID: 77, Process: name}
	}
	for _, c := range []struct {
		name   string
		dnsOff bool
		socket Listener
		want   []string
	}{
		{"DNS at all addresses", false, socket(false, "0.0.0.0:53", "named"),
			[]string{"named (pid 77) listens at UDP port 0.0.0.0:53, which DNS of network lab needs"}},
		{"DNS at all, both families", false, socket(true, "[::]:53", "unbound"),
			[]string{"unbound (pid 77) listens at TCP port [::]:53, which DNS of network lab needs"}},
		{"DNS at the address", false, socket(true, "192.168.50.1:53", "named"),
			[]string{"named (pid 77) listens at TCP port 192.168.50.1:53, which DNS of network lab needs"}},
		{"DNS at the IPv6 address", false, socket(false, "[fd00::1]:53", "named"),
			[]string{"named (pid 77) listens at UDP port [fd00::1]:53, which DNS of network lab needs"}},
		{"the host's resolver", false, socket(false, "127.0.0.53:53", "systemd-resolve"), nil},
		{"another dnsmasq at all", false, socket(false, "0.0.0.0:53", "dnsmasq"),
			[]string{"dnsmasq (pid 77) listens at UDP port 0.0.0.0:53, which DNS of network lab needs"}},
		{"no DNS wanted", true, socket(false, "0.0.0.0:53", "named"), nil},
		{"DHCP", false, socket(false, "0.0.0.0:67", "dhcpd"),
			[]string{"dhcpd (pid 77) listens at UDP port 0.0.0.0:67, which DHCP of network lab needs"}},
		{"DHCP of a dnsmasq", false, socket(false, "0.0.0.0:67", "dnsmasq"), nil},
		{"no DHCPv6 wanted", false, socket(false, "[::]:547", "kea-dhcp6"), nil},
		{"unseen", false, Listener{Addr: netip.MustParseAddrPort("0.0.0.0:67")},
			[]string{"a process of another namespace or user listens at UDP port 0.0.0.0:67, which DHCP of network lab needs"}},
	} {
		l := &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr0"}, Addresses: both,
			DNS: ir.DNS{Off: c.dnsOff}}
		if diff := cmp.Diff(c.want, whats(Collisions(l, someHost(), []Listener{c.socket}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if got := Collisions(l, someHost(), []Listener{c.socket}, 77); c.socket.PID == 77 && len(got) > 0 {
			t.Errorf("%s, of its own process: %v", c.name, got)
		}
		l.Addresses = nil // and so no dnsmasq
		if got := Collisions(l, someHost(), []Listener{c.socket}); len(got) > 0 {
			t.Errorf("%s, without an address: %v", c.name, got)
		}
	}
}

// One process is one reason, whatever it listens at; and so is one bridge, with all that is behind
// it.
func TestCollisionsOfOneCause(t *testing.T) {
	dhcp := &ir.DHCP{Ranges: []ir.DHCPRange{{}}}
	l := &ir.Link{Name: "net", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr1"},
		Addresses: []ir.Address{{Prefix: prefix("192.168.50.1/24"), DHCP: dhcp}}}
	socket := func(pid int, tcp bool, addr string) Listener {
		name := map[int]string{77: "named", 78: "dhcpd", 0: ""}[pid]
		return Listener{TCP: tcp, Addr: netip.MustParseAddrPort(addr), PID: pid, Process: name}
	}
	for _, c := range []struct {
		name    string
		sockets []Listener
		want    []string
	}{
		{"one process", []Listener{socket(77, false, "0.0.0.0:53"), socket(77, true, "0.0.0.0:53"),
			socket(77, true, "0.0.0.0:53"), socket(77, false, "[::]:53")},
			[]string{"named (pid 77) listens at UDP port 0.0.0.0:53, TCP port 0.0.0.0:53 and UDP port [::]:53, which DNS of network net needs"}},
		{"of two services", []Listener{socket(78, false, "0.0.0.0:53"), socket(78, false, "0.0.0.0:67")},
			[]string{"dhcpd (pid 78) listens at UDP port 0.0.0.0:53 and UDP port 0.0.0.0:67, which DNS and DHCP of network net need"}},
		{"two processes", []Listener{socket(77, false, "0.0.0.0:53"), socket(78, false, "0.0.0.0:67"),
			socket(77, true, "0.0.0.0:53")}, []string{
			"named (pid 77) listens at UDP port 0.0.0.0:53 and TCP port 0.0.0.0:53, which DNS of network net needs",
			"dhcpd (pid 78) listens at UDP port 0.0.0.0:67, which DHCP of network net needs"}},
		{"unseen, of who knows how many", []Listener{socket(0, false, "0.0.0.0:53"), socket(0, true, "0.0.0.0:53")},
			[]string{"one or more processes that can't be seen from here listen at UDP port 0.0.0.0:53 and TCP port 0.0.0.0:53, which DNS of network net needs"}},
	} {
		if diff := cmp.Diff(c.want, whats(Collisions(l, someHost(), c.sockets))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}

	// As beside libvirt, where the network runs: PlanUp says that the bridge is there.
	l.Bridge.Name, l.Addresses[0].Prefix = "docker0", prefix("172.17.0.1/16")
	behind := []Listener{socket(77, false, "172.17.0.1:53"), socket(77, true, "172.17.0.1:53"),
		{Addr: netip.MustParseAddrPort("0.0.0.0:67"), Device: 3, PID: 78, Process: "dhcpd"}}
	if got := Collisions(l, someHost(), behind); len(got) > 0 {
		t.Errorf("what is behind a bridge that is there already: %v", got)
	}
	if _, got := PlanUp(l, someHost(), Options{}); len(got) != 1 {
		t.Errorf("a bridge that is there already: %v; want one problem", got)
	}
	all := append(behind, socket(78, false, "0.0.0.0:67"))
	if got := whats(Collisions(l, someHost(), all)); len(got) != 1 {
		t.Errorf("and a server at all addresses: %v; want that", got)
	}
}

// The lines are of the kernel's Documentation/networking/proc_net_tcp.rst, with other addresses.
func TestReadSocket(t *testing.T) {
	for _, c := range []struct {
		table, line string
		want        string
	}{
		{"tcp", "   0: 00000000:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 24331 1 0000000000000000 100 0 0 10 0", "0.0.0.0:53 24331"},
		{"tcp", "   1: 017AA8C0:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 24332 1",
			"192.168.122.1:53 24332"},
		{"tcp", "   2: 0100007F:0277 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 24333 1",
			""},
		{"udp", "  10: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 24334 2 0000000000000000 0", "0.0.0.0:67 24334"},
		{"udp6", "  10: 000000FD000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 9 2 0 0", "[fd00::1]:53 9"},
		{"tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
	} {
		s, ok := readSocket(c.line, c.table)
		got := ""
		if ok {
			got = s.Addr.String() + " " + s.inode
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.table, c.line, got, c.want)
		}
	}
}
