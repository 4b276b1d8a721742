package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// network is one network of the tests. The document is all that vnetc gets; the rest builds what it describes.
type network struct {
	name    string
	bridge  string
	forward string // the <forward> element
	addrs   []netip.Prefix
}

// networks has one network of each behaviour, with IPv6 where that makes a behaviour of its own.
func networks() []network {
	const four, both = 1, 2
	kinds := []struct {
		name, forward string
		families      int
	}{
		{"nat", `<forward mode='nat'/>`, four},
		{"nat-dev", `<forward mode='nat' dev='eth0'/>`, both},
		{"nat-ports", `<forward mode='nat'><nat><port start='2000' end='2999'/></nat></forward>`, four},
		{"nat-address", `<forward mode='nat'><nat><address start='203.0.113.40' end='203.0.113.47'/></nat></forward>`, both},
		{"nat-ipv6", `<forward mode='nat'><nat ipv6='yes'/></forward>`, both},
		{"nat-all", `<forward mode='nat' dev='eth0'><nat ipv6='yes'><address start='203.0.113.4' end='203.0.113.10'/>` +
			`<port start='500' end='1000'/></nat></forward>`, both},
		{"route", `<forward mode='route'/>`, both},
		{"route-dev", `<forward mode='route' dev='eth0'/>`, both},
		{"isolated", ``, both},
		{"open", `<forward mode='open'/>`, both},
	}
	var all []network
	for i, k := range kinds {
		n := network{name: k.name, bridge: fmt.Sprintf("vb%d", i), forward: k.forward}
		n.addrs = append(n.addrs, netip.MustParsePrefix(fmt.Sprintf("192.168.%d.1/24", 10+i)))
		if k.families == both {
			n.addrs = append(n.addrs, netip.MustParsePrefix(fmt.Sprintf("fd00:%d::1/64", 10+i)))
		}
		all = append(all, n)
	}
	return all
}

// xml returns the network's document.
func (n network) xml() []byte {
	text := fmt.Sprintf("<network>\n  <name>%s</name>\n  %s\n  <bridge name='%s'/>\n", n.name, n.forward, n.bridge)
	for _, a := range n.addrs {
		family, dhcp := "ipv4", ""
		if a.Addr().Is6() {
			family = "ipv6"
		} else {
			from, to := inSubnet(a, 100, true).Addr(), inSubnet(a, 199, true).Addr()
			dhcp = fmt.Sprintf("<dhcp><range start='%s' end='%s'/></dhcp>", from, to)
		}
		text += fmt.Sprintf("  <ip family='%s' address='%s' prefix='%d'>%s</ip>\n", family, a.Addr(), a.Bits(), dhcp)
	}
	return []byte(text + "</network>\n")
}

// compile returns the program of the networks, as if they had been started in the order given.
func compile(t *testing.T, nets ...network) *ir.Program {
	t.Helper()
	var src diag.Sources
	for _, n := range nets {
		src.Add(n.name+".xml", n.xml())
	}
	parsed, found := netxml.Parse(&src, netxml.Options{})
	if found.HasErrors() {
		t.Fatalf("parse: %v", found)
	}
	return netxml.Lower(parsed)
}

// site is a host with the bridges of all networks, two guests on each, a bridge of no network with a guest, and two
// uplinks; the default route leads to the first.
type site struct {
	*netnstest.Host
	t        *testing.T
	guests   map[string][]*netnstest.Peer // by network; "" for the foreign bridge
	far      []*netnstest.Peer
	port     uint16 // the last source port used
	outcomes map[ir.Outcome]int
}

// newSite builds the site. With onLink, guests of one bridge talk to each other across the bridge; else they, too, go by
// way of the host, in by the bridge and out by the same.
func newSite(t *testing.T, onLink bool, nets ...network) *site {
	t.Helper()
	p := netip.MustParsePrefix
	s := &site{
		Host: netnstest.NewHost(t), t: t, guests: make(map[string][]*netnstest.Peer),
		port: 10000, outcomes: make(map[ir.Outcome]int),
	}
	s.far = []*netnstest.Peer{
		s.Uplink("eth0", p("198.51.100.2/24"), p("2001:db8:ffff::2/64")),
		s.Uplink("eth1", p("192.0.2.2/24"), p("2001:db8:eeee::2/64")),
	}
	foreign := network{bridge: "br-other", addrs: []netip.Prefix{p("192.168.200.1/24"), p("fd00:200::1/64")}}
	for i, n := range append(slices.Clone(nets), foreign) {
		s.Bridge(n.bridge, n.addrs...)
		for host := byte(11); host <= 12; host++ {
			var addrs []netip.Prefix
			for _, a := range n.addrs {
				addrs = append(addrs, inSubnet(a, host, onLink))
			}
			if host == 11 { // has them, so that a refusal of what it says finds back
				addrs = append(addrs, spoofed(i)[:len(n.addrs)]...)
			}
			guest := s.Guest(fmt.Sprintf("%s-%d", n.bridge, host), n.bridge, addrs...)
			s.guests[n.name] = append(s.guests[n.name], guest)
		}
	}
	return s
}

// inSubnet returns the address of the subnet that ends in host.
func inSubnet(subnet netip.Prefix, host byte, onLink bool) netip.Prefix {
	b := subnet.Addr().AsSlice()
	b[len(b)-1] = host
	addr, _ := netip.AddrFromSlice(b)
	if onLink {
		return netip.PrefixFrom(addr, subnet.Bits())
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// spoofed returns addresses in no network's subnet, IPv4 first, that the first guest of network i uses.
func spoofed(i int) []netip.Prefix {
	four, six := netip.AddrFrom4([4]byte{10, 99, byte(i), 9}), netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(i), 15: 9})
	return []netip.Prefix{netip.PrefixFrom(four, 32), netip.PrefixFrom(six, 128)}
}
