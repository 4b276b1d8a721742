package link

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelARP asks a host by ARP from a port of a network's bridge: it answers for the bridge's
// addresses, and for none that it has elsewhere, as it does to one that asks at a bridge of others.
func TestKernelARP(t *testing.T) {
	netnstest.Require(t, "busybox")
	site := netnstest.NewHost(t)
	h := host{site.NS, t}
	l := &ir.Link{Name: "lab", Mode: ir.ModeNone, Bridge: ir.Bridge{Name: "virbr7", NoSTP: true},
		Addresses: []ir.Address{
			{Prefix: prefix("10.1.0.1/24")}, {Prefix: prefix("10.1.1.1/24")}}}
	site.Uplink("eth9", prefix("198.51.100.2/24"))
	site.Bridge("br9", prefix("10.9.0.1/24"))
	h.Exec("ip", "addr", "add", "203.0.113.7/32", "dev", "lo")
	h.up(l, Options{MAC: testMAC})
	h.wantNothing(l, Options{MAC: testMAC})
	for _, c := range []struct {
		guest *netnstest.Peer
		own   bool // own is true if only the bridge's addresses are wanted
	}{{site.Guest("a", "br9", prefix("10.9.0.9/24")), false}, {site.Guest("b", "virbr7", prefix("10.1.0.9/24")),
		true}} {
		for _, addr := range []string{"10.1.0.1", "10.1.1.1", "198.51.100.2", "203.0.113.7", "10.9.0.1"} {
			got := c.guest.Command("busybox", "arping", "-q", "-f", "-c", "3", "-w", "3", "-I", "eth0",
				addr).Run() == nil
			if want := !c.own || strings.HasPrefix(addr, "10.1."); got != want {
				t.Errorf("at %s the host answers ARP for %s: %v, want %v", c.guest.Gateway, addr, got, want)
			}
		}
	}
}

// TestKernelSysctls4 is what is set of the bridge's IPv4, by what the host does.
func TestKernelSysctls4(t *testing.T) {
	four := []ir.Address{{Prefix: prefix("10.1.0.1/24")}}
	for _, c := range []struct {
		name     string
		mode     ir.Mode
		defaults string // of the host
		want     string // ARP and forwarding of a new bridge
	}{
		{"routed", ir.ModeRoute, "ip_forward=1 conf.default.forwarding=0", "1 1"},
		{"the default forwards", ir.ModeRoute, "ip_forward=1", "1 1"},
		{"isolated", ir.ModeNone, "ip_forward=1 conf.default.forwarding=0", "1 0"},
		{"the host does not forward, yet", ir.ModeNAT, "ip_forward=0", "1 0"},
		{"a default that looks at who asks", ir.ModeNone, "ip_forward=0 conf.default.arp_ignore=2", "1 0"},
		{"a default that answers nobody", ir.ModeNone, "ip_forward=0 conf.default.arp_ignore=8", "1 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			for _, s := range strings.Fields(c.defaults) {
				h.Exec("sysctl", "-q", "-w", "net.ipv4."+s)
			}
			l := &ir.Link{Name: "lab", Mode: c.mode, Bridge: ir.Bridge{Name: "virbr7"}, Addresses: four}
			h.up(l, Options{})
			show := func() string {
				return strings.Join(strings.Fields(h.Exec("sysctl", "-n", "net.ipv4.conf.virbr7.arp_ignore",
					"net.ipv4.conf.virbr7.forwarding")), " ")
			}
			if got := show(); got != c.want {
				t.Errorf("ARP and forwarding are %s, want %s", got, c.want)
			}
			h.wantNothing(l, Options{})
			h.Exec("sysctl", "-q", "-w", "net.ipv4.conf.virbr7.arp_ignore=0", "net.ipv4.conf.virbr7.forwarding=0")
			p, _ := h.plan(l, Options{})
			h.up(l, Options{})
			if got := show(); got != c.want {
				t.Errorf("mended, ARP and forwarding are %s, want %s", got, c.want)
			}
			h.Do(func() { undo(t, p.Before) })
			if got := show(); got != "0 0" {
				t.Errorf("after undo, ARP and forwarding are %s, want what they were, 0 0", got)
			}
			h.Exec("sysctl", "-q", "-w", "net.ipv4.conf.virbr7.arp_ignore=2")
			h.up(l, Options{})
			if got := show(); !strings.HasPrefix(got, "2 ") {
				t.Errorf("what is stricter does not stay: %s", got)
			}
		})
	}
}
