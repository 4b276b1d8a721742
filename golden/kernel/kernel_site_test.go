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

// network is one network of the tests. The document is all that vnetc gets; the rest builds what it
// describes.
type network struct {
	name    string
	attrs   string // of <network>
	forward string // the <forward> element
	inside  string // more, for the first <ip>

	bridge string
	addrs  []netip.Prefix // of the bridge
	guests []netip.Prefix // the subnets in which guests have addresses
}

// networks has one network of each behaviour, with IPv6 where that makes a behaviour of its own.
func networks() []network {
	const nat, end = "<forward mode='nat'><nat>", "</nat></forward>"
	all := []network{
		{name: "nat", forward: "<forward mode='nat'/>", addrs: four()},
		{name: "nat-dev", forward: "<forward mode='nat' dev='eth0'/>", addrs: both()},
		{name: "nat-ports", forward: nat + "<port start='2000' end='2999'/>" + end, addrs: four()},
		{name: "nat-address", forward: nat + "<address start='203.0.113.40' end='203.0.113.47'/>" + end, addrs: both()},
		{name: "nat-ipv6", forward: "<forward mode='nat'><nat ipv6='yes'/></forward>", addrs: both()},
		{name: "nat-all", forward: "<forward mode='nat' dev='eth0'><nat ipv6='yes'>" +
			"<address start='203.0.113.4' end='203.0.113.10'/><port start='500' end='1000'/>" + end, addrs: both()},
		{name: "nat-two", forward: "<forward mode='nat'/>", addrs: append(four(), four()...),
			inside: "<tftp root='/srv/tftp'/>"},
		{name: "route", forward: "<forward mode='route'/>", addrs: both()},
		{name: "route-dev", forward: "<forward mode='route' dev='eth0'/>", addrs: both()},
		{name: "isolated", addrs: both()},
		{name: "bare", attrs: " ipv6='yes'", guests: both()},
		{name: "open", forward: "<forward mode='open'/>", addrs: both()},
	}
	for i := range all {
		all[i].bridge = fmt.Sprintf("vb%d", i)
		all[i].addrs = numbered(all[i].addrs, i)
		all[i].guests = append(numbered(all[i].guests, i), all[i].addrs...)
	}
	return all
}

// four and both are what bridges have for addresses, before [numbered] makes them a network's own.
func four() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("192.168.0.1/24")} }
func both() []netip.Prefix { return append(four(), netip.MustParsePrefix("fd00::1/64")) }

// numbered returns the subnets of network i that look like the given ones.
func numbered(like []netip.Prefix, i int) []netip.Prefix {
	var own []netip.Prefix
	for j, p := range like {
		b := p.Addr().AsSlice()
		b[p.Bits()/8-1] = byte(10 + 20*j + i)
		addr, _ := netip.AddrFromSlice(b)
		own = append(own, netip.PrefixFrom(addr, p.Bits()))
	}
	return own
}

// named returns the network of that name.
func named(name string) network {
	for _, n := range networks() {
		if n.name == name {
			return n
		}
	}
	panic("kernel: no network " + name)
}

// xml returns the network's document.
func (n network) xml() []byte {
	const head = "<network%s>\n  <name>%s</name>\n  %s\n  <bridge name='%s'/>\n"
	text := fmt.Sprintf(head, n.attrs, n.name, n.forward, n.bridge)
	for i, a := range n.addrs {
		family, inside := "ipv4", ""
		if i == 0 {
			from, to := inSubnet(a, 100, true).Addr(), inSubnet(a, 199, true).Addr()
			inside = n.inside + fmt.Sprintf("<dhcp><range start='%s' end='%s'/></dhcp>", from, to)
		}
		if a.Addr().Is6() {
			family = "ipv6"
		}
		text += fmt.Sprintf("  <ip family='%s' address='%s' prefix='%d'>%s</ip>\n", family, a.Addr(), a.Bits(), inside)
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
	p := netxml.Lower(parsed)
	if broken := ir.Verify(p); len(broken) > 0 {
		t.Fatalf("verify: %v", broken)
	}
	return p
}

// site is a host with the bridges of all networks, two guests on each, a bridge of no network with
// a guest, and two uplinks; the default route leads to the first.
type site struct {
	*netnstest.Host
	t        *testing.T
	guests   map[string][]*netnstest.Peer // by network; "" for the foreign bridge
	far      []*netnstest.Peer
	port     uint16 // the last source port used
	outcomes map[ir.Outcome]int
}

// newSite builds the site. With onLink, guests of one bridge talk to each other across the bridge;
// else they, too, go by way of the host, in by the bridge and out by the same.
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
	foreign.guests = foreign.addrs
	for i, n := range append(slices.Clone(nets), foreign) {
		s.Bridge(n.bridge, n.addrs...)
		for host := byte(11); host <= 12; host++ {
			var addrs []netip.Prefix
			for _, a := range n.guests {
				addrs = append(addrs, inSubnet(a, host, onLink))
			}
			if host == 11 { // has them, so that a refusal of what it says finds back
				addrs = append(addrs, spoofed(i)...)
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

// spoofed returns addresses in no network's subnet that the first guest of network i uses all the
// same.
func spoofed(i int) []netip.Prefix {
	four, six := netip.AddrFrom4([4]byte{10, 99, byte(i), 9}), netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(i), 15: 9})
	return []netip.Prefix{netip.PrefixFrom(four, 32), netip.PrefixFrom(six, 128)}
}

// isSpoofed is true for the addresses that [spoofed] makes.
func isSpoofed(a netip.Addr) bool {
	return netip.MustParsePrefix("10.99.0.0/16").Contains(a) || netip.MustParsePrefix("fd99::/16").Contains(a)
}
