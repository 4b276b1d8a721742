package netxml

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// dhcp: what is given out lies in the subnet, once.
func (c *checker) dhcp() {
	for _, s := range c.net.subnets {
		dhcp := s.node.Kid("dhcp")
		if dhcp == nil {
			continue
		}
		var ranges []span
		for _, k := range dhcp.Kids {
			if k.Spec == nil {
				continue
			}
			c.lease(k.Kid("lease"))
			if s.ok && k.Name == "range" && !k.Bad {
				if r, ok := c.dhcpRange(s, k); ok {
					ranges = append(ranges, r)
				}
			}
		}
		if s.ok {
			c.dhcpPrefix(s, dhcp)
			c.rangesApart(ranges)
			c.dhcpHosts(s, dhcp.All("host"))
			c.bootp(s, dhcp)
		}
	}
}

// dhcpPrefix: dnsmasq(8) on dhcp-range: the prefix length of IPv6 must be at least 64.
func (c *checker) dhcpPrefix(s subnet, dhcp *xmldoc.Node) {
	if s.addr.Is4() || s.prefix.Bits() >= 64 || dhcp.Kid("range") == nil && dhcp.Kid("host") == nil {
		return
	}
	c.Fault("dhcp-prefix", s.node.At("prefix"), fmt.Sprintf("DHCP is served in %s, whose prefix is shorter than 64",
		s.prefix),
		"dnsmasq does not start with such a range of IPv6, so libvirt can't start the network", "write prefix='64'",
		c.Related(dhcp.Tag, "the addresses to give out"))
}

// span is a range of addresses, both ends included.
type span struct {
	node     *xmldoc.Node
	from, to netip.Addr
}

// dhcpRange compares one range with its subnet, as libvirt does, and the address of the host.
func (c *checker) dhcpRange(s subnet, n *xmldoc.Node) (r span, ok bool) {
	from, ok1 := n.Addr("start")
	to, ok2 := n.Addr("end")
	if !ok1 || !ok2 {
		return r, false
	}
	const inside = "addresses are given to guests of the subnet of the <ip>, and no others can be reached on the bridge"
	top := last(s.prefix)
	switch {
	case from.Is4() && s.prefix.Bits() > 30 && s.prefix.Contains(from) && s.prefix.Contains(to):
		c.Fault("dhcp-range-edge", n.At("start"),
			fmt.Sprintf("DHCP range lies in %s, which has no address for a guest", s.prefix),
			"the first and the last address of a subnet belong to no guest",
			"give the <ip> a prefix of 30 or less")
		return r, false
	case !s.prefix.Contains(from):
		c.Fault("dhcp-range-outside", n.At("start"),
			fmt.Sprintf("DHCP range starts at %s, outside of %s", from, s.prefix), inside,
			fmt.Sprintf("start it at %s or above", example(s.prefix)))
		return r, false
	case !s.prefix.Contains(to):
		c.Fault("dhcp-range-outside", n.At("end"), fmt.Sprintf("DHCP range ends at %s, outside of %s", to, s.prefix),
			inside, fmt.Sprintf("end it at %s or below", highest(s.prefix)))
		return r, false
	case to.Less(from):
		c.Fault("dhcp-range-order", n.At("end"), fmt.Sprintf("DHCP range ends (%s) before it starts (%s)", to, from),
			"addresses are leased upward from start to end, so this range holds none",
			fmt.Sprintf("swap the two, or end the range at %s", highest(s.prefix)))
		return r, false
	case from.Is4() && from == s.prefix.Addr():
		c.Fault("dhcp-range-edge", n.At("start"),
			fmt.Sprintf("DHCP range starts at %s, the address of the subnet itself", from),
			"no guest can have that address", fmt.Sprintf("start it at %s", example(s.prefix)))
		return r, false
	case to.Is4() && to == top:
		c.Fault("dhcp-range-edge", n.At("end"),
			fmt.Sprintf("DHCP range ends at %s, the broadcast address of the subnet", to),
			"no guest can have that address", fmt.Sprintf("end it at %s", highest(s.prefix)))
		return r, false
	case !sameBlock(from, to):
		c.Fault("dhcp-range-size", n.At("end"), fmt.Sprintf("DHCP range from %s to %s is too large", from, to),
			"a range has 65536 addresses at most, all with the same beginning: two numbers of IPv4, seven of IPv6",
			"end the range earlier; several ranges may follow each other")
		return r, false
	}
	if from.Less(s.addr) && s.addr.Less(to) { // at the edge it is what everybody writes who gives out a whole subnet
		c.Warn("dhcp-range-gateway", n.At("start"),
			fmt.Sprintf("DHCP range %s-%s holds %s, the host's own address", from, to, s.addr),
			"the DHCP server never gives it away, so the range is smaller than it looks",
			fmt.Sprintf("leave %s out of the range", s.addr), c.Related(s.node.At("address"), "the host's address"))
	}
	return span{n, from, to}, true
}

// highest returns the highest address of p that a guest could have.
func highest(p netip.Prefix) netip.Addr {
	top := last(p)
	if top.Is4() && p.Bits() < 31 {
		return top.Prev()
	}
	return top
}

// sameBlock is libvirt's measure of a range: all but the last two octets are the same.
func sameBlock(a, b netip.Addr) bool {
	if a.Is4() {
		x, y := a.As4(), b.As4()
		return binary.BigEndian.Uint16(x[:]) == binary.BigEndian.Uint16(y[:])
	}
	x, y := a.As16(), b.As16()
	return string(x[:14]) == string(y[:14])
}

func (c *checker) rangesApart(ranges []span) {
	sort.SliceStable(ranges, func(i, j int) bool { return ranges[i].from.Less(ranges[j].from) })
	for i := 1; i < len(ranges); i++ {
		a, b := ranges[i-1], ranges[i]
		if a.to.Less(b.from) {
			continue
		}
		if b.node.Tag.Start < a.node.Tag.Start {
			a, b = b, a
		}
		c.Fault("dhcp-range-overlap", b.node.At("start"),
			fmt.Sprintf("DHCP ranges %s-%s and %s-%s overlap", b.from, b.to, a.from, a.to),
			"each address is in one range, whose lease time it has",
			"end one before the other starts, or merge them", c.Related(a.node.At("start"), "the other range"))
		if ranges[i].to.Less(ranges[i-1].to) {
			ranges[i].to = ranges[i-1].to // what follows is compared with the one that reaches farther
		}
	}
}

// minLease is dnsmasq's own, which libvirt checks too.
const minLease = 2 * time.Minute

// maxLease is dnsmasq's: seconds in 32 bits, of which the highest value means for ever.
const maxLease = (1<<32 - 2) * time.Second

func (c *checker) lease(n *xmldoc.Node) {
	expiry, ok := n.Number("expiry")
	unit, known := n.Value("unit")
	if !ok || n.Has("unit") && !known || expiry == 0 {
		return
	}
	seconds := expiry * uint64(leaseUnit(unit)/time.Second)
	if seconds >= uint64(minLease/time.Second) && seconds <= uint64(maxLease/time.Second) {
		return
	}
	if unit == "" {
		unit = "minutes"
	}
	c.Fault("dhcp-lease", n.At("expiry"), fmt.Sprintf("a lease of %d %s", expiry, unit),
		"a lease lasts at least 2 minutes and at most 2^32-2 seconds; 0 means forever",
		"write expiry='2' or more, or 0 for ever")
}

func leaseUnit(unit string) time.Duration {
	switch unit {
	case "seconds":
		return time.Second
	case "hours":
		return time.Hour
	}
	return time.Minute
}

// dhcpHosts: each reservation has a key and an address of the subnet, and none is made twice.
func (c *checker) dhcpHosts(s subnet, hosts []*xmldoc.Node) {
	seen := map[string]*xmldoc.Node{}
	for _, n := range hosts {
		c.hostKey(s, n)
		if mac, ok := xmldoc.ParseMAC(n.ValueOr("mac")); ok {
			c.once(seen, n, "mac", fmt.Sprintf("mac %x", mac), "the guest is to have one address")
		}
		c.once(seen, n, "id", "id "+strings.ToLower(n.ValueOr("id")), "the guest is to have one address")
		c.onceNamed(seen, n)
		addr, ok := n.Addr("ip")
		if !ok {
			continue
		}
		reason := unusable(addr, s.prefix)
		switch {
		case !s.prefix.Contains(addr):
			c.Fault("dhcp-host-outside", n.At("ip"), fmt.Sprintf("%s is outside of %s", addr, s.prefix),
				"guests of the subnet get addresses of the subnet, and dnsmasq ignores others",
				fmt.Sprintf("write an address from %s to %s", example(s.prefix), highest(s.prefix)),
				c.Related(s.node.At("address"), "the subnet"))
		case addr == s.addr:
			c.Fault("dhcp-host-outside", n.At("ip"), fmt.Sprintf("%s is the host's own address", addr),
				"two machines with one address can't communicate", "write another address of the subnet",
				c.Related(s.node.At("address"), "the host's address"))
		case reason != "":
			c.Fault("dhcp-host-outside", n.At("ip"), fmt.Sprintf("%s is %s", addr, reason),
				"no guest can have that address", "write another address of the subnet")
		default:
			c.once(seen, n, "ip", addr.String(), "each guest has an address of its own")
		}
	}
}

// hostKey: a guest is known by its MAC or name in IPv4, by its DUID or name in IPv6.
func (c *checker) hostKey(s subnet, n *xmldoc.Node) {
	if n.Bad {
		return
	}
	six := s.addr.Is6()
	switch {
	case six && n.Has("mac"):
		c.Fault("dhcp-host-key", n.Attr("mac").NameAt, "a guest is named by its MAC in IPv6",
			"DHCPv6 servers know clients by DUID, not by MAC", "write id='...' with the guest's DUID, or name='...'")
	case !six && n.Has("id"):
		c.Fault("dhcp-host-key", n.Attr("id").NameAt, "a guest is named by its DUID in IPv4",
			"libvirt knows guests by MAC in IPv4", "write mac='...' or name='...'")
	case six && !n.Has("id") && !n.Has("name"):
		c.Fault("dhcp-host-key", n.Tag, "it does not say which guest is meant",
			"the server must recognize the guest", "write id='...' with the guest's DUID, or name='...'")
	case !six && !n.Has("mac") && !n.Has("name"):
		c.Fault("dhcp-host-key", n.Tag, "it does not say which guest is meant",
			"the server must recognize the guest", "write mac='...' or name='...'")
	}
}

// once reports a second host with the same value of an attribute.
func (c *checker) once(seen map[string]*xmldoc.Node, n *xmldoc.Node, name, key, why string) {
	v, ok := n.Value(name)
	if !ok {
		return
	}
	if first := seen[key]; first != nil {
		c.Fault("dhcp-host-twice", n.At(name), fmt.Sprintf("%s %s is in two hosts", name, xmldoc.Quote(v)), why,
			"remove or alter one of the two", c.Related(first.At(name), "the first"))
		return
	}
	seen[key] = n
}

// onceNamed reports a second host of a name. A guest with two cards has one: each card gets its
// address, and the name is that of one of them. If a guest is known by nothing else, one of the two
// addresses is never used.
func (c *checker) onceNamed(seen map[string]*xmldoc.Node, n *xmldoc.Node) {
	v, ok := n.Value("name")
	if !ok {
		return
	}
	key := "name " + strings.ToLower(v)
	first := seen[key]
	if first == nil {
		seen[key] = n
		return
	}
	keyed := func(n *xmldoc.Node) bool { return n.Has("mac") || n.Has("id") }
	what := fmt.Sprintf("name %s is in two hosts", xmldoc.Quote(v))
	if !keyed(first) || !keyed(n) {
		c.Fault("dhcp-host-twice", n.At("name"), what,
			"a guest that is recognized by its name only gets one of the two addresses",
			"write the guest's mac='...', or id='...' in IPv6, into both, or remove one",
			c.Related(first.At("name"), "the first"))
		return
	}
	c.Warn("dhcp-host-twice", n.At("name"), what,
		"both get their addresses, and the name resolves to one of them",
		"give each a name of its own, unless both are cards of one guest", c.Related(first.At("name"), "the first"))
}

// bootp: libvirt sends guests what to boot together with their IPv4 address.
func (c *checker) bootp(s subnet, dhcp *xmldoc.Node) {
	n := dhcp.Sound("bootp")
	switch {
	case n == nil:
	case s.addr.Is6():
		c.Fault("dhcp-bootp-family", n.Tag, "a boot file is given in an IPv6 <ip>",
			"libvirt serves boot files to IPv4 guests only, and ignores it here",
			"move it into the <dhcp> of an IPv4 <ip>")
	case dhcp.Kid("range") == nil && dhcp.Kid("host") == nil:
		c.Warn("dhcp-bootp-unused", n.Tag, "a boot file is given and no address",
			"guests learn of it with the address they are given, and this <dhcp> gives none", "add a <range> or <host>")
	}
}
