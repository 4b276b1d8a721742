package netxml

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// subnet is one <ip>: an address of the bridge and the subnet it is in.
type subnet struct {
	node   *xmldoc.Node
	addr   netip.Addr
	prefix netip.Prefix // without host bits
	// ok is false if something is wrong with address, family, netmask or prefix; the rest is then
	// zero.
	ok bool
}

// local is true if the subnet's addresses are of the link only, so that those of other links may be
// the same (RFC 4291 section 2.5.6). Of IPv4 there are none: the host's routes do not distinguish
// the links of 169.254.0.0/16.
func (s subnet) local() bool {
	return s.prefix.Addr().Is6() && s.prefix.Addr().IsLinkLocalUnicast() && s.prefix.Bits() >= 10
}

// subnets fills c.net.subnets, and reports what is wrong with the addresses of <ip>.
func (c *checker) subnets() {
	ips := c.net.root.All("ip")
	c.net.subnets = make([]subnet, len(ips))
	for i, ip := range ips {
		s := &c.net.subnets[i]
		s.node = ip
		if ip.Bad {
			continue
		}
		addr, prefix, ok := c.prefixOf(ip, false)
		if !ok || !c.usable(ip, addr, prefix) {
			continue
		}
		s.addr, s.prefix, s.ok = addr, prefix, true
	}
}

// prefixOf reads address, family, netmask and prefix of an <ip> or <route>.
func (c *checker) prefixOf(n *xmldoc.Node, route bool) (addr netip.Addr, prefix netip.Prefix, ok bool) {
	addr, ok = c.family(n, "address")
	if !ok {
		return addr, prefix, false
	}
	bits, ok := c.bits(n, addr, route)
	if !ok {
		return addr, prefix, false
	}
	return addr, netip.PrefixFrom(addr, bits).Masked(), true
}

// family reads the address in attribute name and compares it with attribute family, which is ipv4
// if absent.
func (c *checker) family(n *xmldoc.Node, name string) (addr netip.Addr, ok bool) {
	value, ok := n.Value(name)
	if !ok {
		return addr, false
	}
	addr = netip.MustParseAddr(value)
	family, known := "ipv4", true
	if n.Has("family") {
		family, known = n.Value("family")
	}
	if !known || addr.Is4() == (family == "ipv4") {
		return addr, known
	}
	other := "ipv4"
	if family == "ipv4" {
		other = "ipv6"
	}
	c.Fault("ip-family", n.At(name), fmt.Sprintf("%s %s is not an address of family %s", name, addr, family),
		"family is ipv4 unless the element says otherwise, and all its addresses are of it",
		fmt.Sprintf("write family='%s'", other))
	return addr, false
}

// bits returns the length of the prefix that n gives, or libvirt's default: the class of an IPv4
// address, 64 for IPv6.
func (c *checker) bits(n *xmldoc.Node, addr netip.Addr, route bool) (bits int, ok bool) {
	switch {
	case n.Has("netmask") && n.Has("prefix"):
		c.Fault("ip-netmask-and-prefix", n.Attr("prefix").NameAt,
			fmt.Sprintf("<%s> has both netmask and prefix", n.Name),
			"both say how long the subnet's part of the address is, and they may differ", "remove one of the two",
			c.Related(n.Attr("netmask").NameAt, "the other"))
		return 0, false
	case n.Has("netmask"):
		value, ok := n.Value("netmask")
		if !ok {
			return 0, false
		}
		if addr.Is6() {
			c.Fault("ip-netmask", n.At("netmask"), fmt.Sprintf("netmask %s is beside an IPv6 address", value),
				"netmasks are of IPv4",
				"write prefix='64' in its place")
			return 0, false
		}
		bits, _ = xmldoc.MaskBits(netip.MustParseAddr(value))
		return bits, c.wholeNet(n, "netmask", bits, route)
	case n.Has("prefix"):
		value, ok := n.Value("prefix")
		if !ok {
			return 0, false
		}
		number, _ := xmldoc.ParseNumber(value)
		if bits = int(number); bits > addr.BitLen() {
			c.Fault("ip-prefix", n.At("prefix"), fmt.Sprintf("prefix %d is longer than the address %s", bits, addr),
				fmt.Sprintf("an address of this family has %d bits", addr.BitLen()),
				"write a shorter prefix, such as 24")
			return 0, false
		}
		return bits, c.wholeNet(n, "prefix", bits, route)
	}
	return c.defaultBits(n, addr, route)
}

// wholeNet refuses prefix 0, which libvirt takes for "not given" in an <ip>.
func (c *checker) wholeNet(n *xmldoc.Node, name string, bits int, route bool) (ok bool) {
	if bits > 0 || route {
		return true
	}
	c.Fault("ip-prefix-zero", n.At(name), fmt.Sprintf("%s makes every address in the world part of the subnet", name),
		"guests could reach nothing outside, and libvirt takes 0 for a prefix that was left out",
		"write the subnet's own prefix, such as prefix='24'")
	return false
}

func (c *checker) defaultBits(n *xmldoc.Node, addr netip.Addr, route bool) (bits int, ok bool) {
	if addr.IsUnspecified() {
		return 0, true // a default route; in an <ip> the address itself is refused
	}
	rule := "a prefix that is left out is 64 in IPv6"
	bits = 64
	if addr.Is4() {
		rule = "a prefix that is left out follows the classes of 1981 (RFC 791): the first octet decides"
		switch first := addr.As4()[0]; {
		case first < 128:
			bits = 8
		case first < 192:
			bits = 16
		case first < 224:
			bits = 24
		default:
			c.Fault("ip-prefix", n.At("address"), fmt.Sprintf("%s has no prefix, and its class has none to give", addr),
				"addresses from 224.0.0.0 on belong to no subnet by themselves", "write prefix='24' or the like")
			return 0, false
		}
	}
	if !route {
		c.Warn("ip-prefix-default", n.At("address"),
			fmt.Sprintf("%s is given without prefix or netmask and gets /%d", addr, bits),
			rule, fmt.Sprintf("write prefix='%d' if that is meant", bits))
	}
	return bits, true
}

// usable reports an address that no host in its subnet can have.
func (c *checker) usable(n *xmldoc.Node, addr netip.Addr, prefix netip.Prefix) bool {
	reason := unusable(addr, prefix)
	if reason == "" {
		return true
	}
	c.Fault("ip-unusable", n.At("address"), fmt.Sprintf("%s is %s", addr, reason),
		"it is to be the host's own address on the bridge, where guests must reach it",
		fmt.Sprintf("write an address of a host, such as %s", example(prefix)))
	return false
}

// unusable says what makes addr an address that no host in prefix can have; empty if one can.
func unusable(addr netip.Addr, prefix netip.Prefix) string {
	switch {
	case addr.IsUnspecified():
		return "the unspecified address"
	case addr.IsLoopback():
		return "a loopback address"
	case addr.IsMulticast():
		return "a multicast address"
	case addr == limitedBroadcast.Addr():
		return "the limited broadcast address"
	case prefix.IsValid() && prefix.Bits() < addr.BitLen()-1 && addr == prefix.Addr():
		return fmt.Sprintf("the address of the subnet %s itself", prefix)
	case prefix.IsValid() && addr.Is4() && prefix.Bits() < 31 && addr == last(prefix):
		return fmt.Sprintf("the broadcast address of %s", prefix)
	}
	return ""
}

// zeroNet is "this network" (RFC 1122 section 3.2.1.3), from which no host has its address.
var zeroNet = netip.MustParsePrefix("0.0.0.0/8")

// last returns the last address of p.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// example returns an address that a host could have in p, or near it where p holds none.
func example(p netip.Prefix) netip.Addr {
	if first := p.Addr().Next(); p.Contains(first) && unusable(first, p) == "" && !zeroNet.Contains(first) {
		return first
	}
	if p.Addr().Is6() {
		return netip.MustParseAddr("fd00:1:2:3::1")
	}
	return netip.MustParseAddr("192.168.122.1")
}
