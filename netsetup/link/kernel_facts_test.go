package link

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

func (h host) facts() (f *Facts) {
	h.t.Helper()
	h.Do(func() {
		var err error
		if f, err = ReadFacts(); err != nil {
			h.t.Fatal(err)
		}
	})
	return f
}

// TestKernelFacts reads what ip(8), bridge(8) and sysctl(8) have set.
func TestKernelFacts(t *testing.T) {
	h := newHost(t)
	for _, command := range []string{
		"ip link add br0 address 52:54:00:0a:0b:0c mtu 1400 type bridge forward_delay 700 stp_state 1",
		"ip link set br0 up alias some&text group 7",
		"ip link add p0 type veth peer name far",
		"ip link set p0 up master br0",
		"bridge link set dev p0 isolated on learning off flood on",
		"sysctl -q -w net.ipv6.conf.far.accept_ra=2 net.ipv6.conf.far.autoconf=0",
		"sysctl -q -w net.ipv6.conf.p0.disable_ipv6=1",
		"sysctl -q -w net.ipv4.ip_forward=1",
		"sysctl -q -w net.ipv4.conf.default.forwarding=0",
		"sysctl -q -w net.ipv4.conf.br0.forwarding=0 net.ipv4.conf.br0.arp_ignore=2 net.ipv4.conf.br0.arp_announce=1",
		"ip addr add 10.1.0.1/24 dev br0",
		"ip addr add 10.1.0.2/24 dev br0",
		"ip addr add fd00:5::1/64 dev br0 nodad",
		"ip route add 10.2.0.0/16 via 10.1.0.9 metric 5 proto 99",
		"ip route add default via 10.1.0.8",
		"ip route add 10.3.0.0/16 via 10.1.0.9 table 100",
		"ip route add blackhole 10.4.0.0/16",
		"ip route add fd00:6::/64 via fd00:5::9 proto ra",
	} {
		words := strings.Fields(command)
		h.Exec(words[0], words[1:]...)
	}
	f := h.facts()
	br0, _ := f.Device("br0")
	want := Device{
		Index: br0.Index, Name: "br0", Kind: "bridge", Alias: "some&text", Group: 7,
		MAC: net.HardwareAddr{0x52, 0x54, 0, 10, 11, 12},
		MTU: br0.MTU, Up: true, Bridge: &BridgeInfo{STP: true, Delay: 7e9}, IPv4: &IPv4Info{0, 2},
		IPv6: &IPv6Info{0, 1, 1},
		Addresses: []Address{
			{Prefix: prefix("10.1.0.1/24")}, {Prefix: prefix("10.1.0.2/24"), Secondary: true},
			{Prefix: prefix("fd00:5::1/64")}},
	}
	br0.Addresses = slices.DeleteFunc(br0.Addresses, func(a Address) bool { return a.LinkLocal })
	if diff := cmp.Diff(want, br0, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("br0 (-want +got):\n%s", diff)
	}
	p0, _ := f.Device("p0")
	if p0.Master != br0.Index || p0.Kind != "veth" || p0.IPv6.Disable != 1 {
		t.Errorf("p0: %+v", p0)
	}
	if diff := cmp.Diff(&PortInfo{Isolated: true, Learning: false, Flood: true}, p0.Port); diff != "" {
		t.Errorf("port p0 (-want +got):\n%s", diff)
	}
	if *p0.IPv4 != (IPv4Info{1, 0}) || !f.Forwards || f.ForwardsNew {
		t.Errorf("p0 %+v, the host forwards: %v, by a new link: %v; want it to, but not by a new one", p0.IPv4,
			f.Forwards, f.ForwardsNew)
	}
	if far, _ := f.Device("far"); far.Up || far.Port != nil || *far.IPv6 != (IPv6Info{0, 2, 0}) {
		t.Errorf("far: %+v", far)
	}
	var routes []string
	for _, r := range f.Routes {
		if r.Device == br0.Index && !r.Dest.Addr().IsLinkLocalUnicast() {
			routes = append(routes, fmt.Sprintf("%s via %s metric %d proto %d", r.Dest, r.Gateway, r.Metric,
				r.Protocol))
		}
	}
	slices.Sort(routes)
	wantRoutes := []string{ // protocols of linux/rtnetlink.h: 2 is kernel, 3 boot, 9 ra
		"0.0.0.0/0 via 10.1.0.8 metric 0 proto 3",
		"10.1.0.0/24 via invalid IP metric 0 proto 2",
		"10.2.0.0/16 via 10.1.0.9 metric 5 proto 99",
		"fd00:5::/64 via invalid IP metric 256 proto 2",
		"fd00:6::/64 via fd00:5::9 metric 1024 proto 9",
	}
	if diff := cmp.Diff(wantRoutes, routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"br0"}, f.LosesRoutes()); diff != "" {
		t.Errorf("loses routes (-want +got):\n%s", diff)
	}
	h.Exec("sysctl", "-q", "-w", "net.ipv6.conf.br0.accept_ra=2")
	if got := h.facts().LosesRoutes(); len(got) > 0 {
		t.Errorf("loses routes with accept_ra 2: %v", got)
	}
}

// TestKernelListeners finds sockets of this very process.
func TestKernelListeners(t *testing.T) {
	h := newHost(t)
	var got []Listener
	h.Do(func() {
		for _, at := range []string{"127.0.0.1:53", "[::1]:53"} {
			tcp, err := net.Listen("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer tcp.Close()
		}
		udp, err := net.ListenPacket("udp4", "0.0.0.0:67")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		dual, err := net.ListenPacket("udp", "[::]:547")
		if err != nil {
			t.Fatal(err)
		}
		defer dual.Close()
		other, err := net.ListenPacket("udp4", "0.0.0.0:69")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if got, err = ReadListeners(53, 67, 547); err != nil {
			t.Fatal(err)
		}
	})
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	self := func(tcp bool, addr string) Listener {
		return Listener{TCP: tcp, Addr: netip.MustParseAddrPort(addr), PID: os.Getpid(),
			Process: strings.TrimSpace(string(comm))}
	}
	want := []Listener{self(true, "127.0.0.1:53"), self(true, "[::1]:53"), self(false, "0.0.0.0:67"),
		self(false, "[::]:547")}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestKernelPorts sets options of ports that are plugged in, and leaves alone what the network
// doesn't ask for.
func TestKernelPorts(t *testing.T) {
	h := newHost(t)
	l := &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr7"}}
	h.up(l, Options{})
	for _, name := range []string{"p0", "p1"} {
		h.Exec("ip", "link", "add", name, "type", "veth", "peer", "name", "far"+name)
		h.Exec("ip", "link", "set", name, "master", "virbr7")
	}
	h.Exec("bridge", "link", "set", "dev", "p1", "isolated", "on")
	h.wantNothing(l, Options{})
	before := h.dump()

	l.Port.Isolated = true
	p, _ := h.plan(l, Options{})
	if diff := cmp.Diff([]string{"set port p0 of virbr7: isolated on"}, lines(p)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	l.Bridge.LibvirtFDB = true
	p, _ = h.plan(l, Options{})
	warnings := h.up(l, Options{})
	for _, port := range []string{"p0", "p1"} {
		got := h.Exec("bridge", "-d", "link", "show", "dev", port)
		for _, option := range []string{"isolated on", "learning off", " flood off"} {
			if !strings.Contains(got, option) {
				t.Errorf("%s: no %q in:\n%s", port, option, got)
			}
		}
	}
	filtering := strings.Contains(h.Exec("ip", "-d", "link", "show", "dev", "virbr7"), "vlan_filtering 1")
	if filtering != (len(warnings) == 0) {
		t.Errorf("VLAN filtering on: %v, warnings %v", filtering, warnings)
	}
	h.Do(func() { undo(t, p.After) })
	if diff := cmp.Diff(before, h.dump()); diff != "" {
		t.Errorf("after undo (-before +after):\n%s", diff)
	}
}

// TestKernelMTU keeps the MTU that was asked for when ports come and go.
func TestKernelMTU(t *testing.T) {
	h := newHost(t)
	l := &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr7"}, MTU: 1400,
		Addresses: []ir.Address{{Prefix: prefix("10.1.0.1/24")}}}
	h.up(l, Options{})
	h.Exec("ip", "link", "add", "p0", "type", "veth", "peer", "name", "far")
	h.Exec("ip", "link", "set", "p0", "master", "virbr7", "up")
	h.wantNothing(l, Options{})
	l.MTU = 1000 // too small for IPv6, which goes from the bridge and comes again
	h.up(l, Options{})
	h.wantNothing(l, Options{})
	l.MTU = 1500
	h.up(l, Options{})
	h.wantNothing(l, Options{})
	if got := h.shown("virbr7"); got.Sysctls != "001" || got.Link.MTU != 1500 {
		t.Errorf("MTU %d, sysctls %s, want 1500 and 001", got.Link.MTU, got.Sysctls)
	}
}
