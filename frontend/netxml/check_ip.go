package netxml

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// addresses: what hangs on an <ip> beside DHCP.
func (c *checker) addresses() {
	for _, s := range c.net.subnets {
		if !s.ok {
			continue
		}
		c.localPTR(s)
		if tftp := s.node.sound("tftp"); tftp != nil && s.addr.Is6() {
			c.fault("tftp-family", tftp.tag, "TFTP is to be served in an IPv6 <ip>",
				"libvirt serves TFTP to IPv4 guests only, and ignores it here", "move it into an IPv4 <ip>")
		}
	}
}

// localPTR: a reverse zone is cut between two labels, which are octets in IPv4 and hexadecimal digits in IPv6.
func (c *checker) localPTR(s subnet) {
	step, bits := 8, s.prefix.Bits()
	if s.addr.Is6() {
		step = 4
	}
	if s.node.yes("localPtr") && (bits%step != 0 || bits == s.addr.BitLen()) {
		c.fault("localptr-prefix", s.node.at("localPtr"),
			fmt.Sprintf("the subnet %s has no reverse zone of its own", s.prefix),
			fmt.Sprintf("reverse zones are cut at multiples of %d bits, and libvirt can't start a network that wants "+
				"another", step),
			fmt.Sprintf("choose a prefix that %d divides, or remove localPtr", step))
	}
}

// mtuIPv6: RFC 8200 section 5, and the kernel takes the IPv6 addresses from a link below that.
func (c *checker) mtuIPv6() {
	mtu := c.net.root.sound("mtu")
	size, ok := mtu.number("size")
	if !ok || size >= 1280 {
		return
	}
	for _, s := range c.net.subnets {
		if s.ok && s.addr.Is6() {
			c.fault("mtu-ipv6", mtu.at("size"), fmt.Sprintf("an MTU of %d bytes is too small for IPv6", size),
				"an IPv6 link carries at least 1280 bytes; the kernel refuses the address",
				"write size='1280' or more, or remove the IPv6 address",
				c.related(s.node.at("address"), "the IPv6 address"))
			return
		}
	}
}

// static is a <route> that was read.
type static struct {
	node   *node
	dest   netip.Prefix
	metric uint64 // 1 if the document has none, as in the kernel
}

// routes: a destination without host bits, behind a guest of the network.
func (c *checker) routes() {
	type key struct {
		dest   netip.Prefix
		metric uint64
	}
	seen := map[key]*node{}
	for _, n := range c.net.root.all("route") {
		if n.bad {
			continue
		}
		c.gateway(n)
		addr, dest, ok := c.prefixOf(n, true)
		if !ok {
			continue
		}
		if addr != dest.Addr() {
			c.fault("route-host-bits", n.at("address"),
				fmt.Sprintf("%s is not the address of a subnet with prefix %d", addr, dest.Bits()),
				"a route leads to a subnet, whose address has zeros where hosts differ",
				fmt.Sprintf("write address='%s', or another prefix", dest.Addr()))
			continue
		}
		if dest.Bits() == 0 {
			c.warn("route-default", n.at("address"), "the route leads everywhere",
				"all traffic of the host that has no better route would go to a guest",
				"write the subnet that is behind the gateway")
		} else if addr.IsLoopback() || addr.IsMulticast() {
			c.fault("ip-unusable", n.at("address"), fmt.Sprintf("%s is %s", addr, unusable(addr, dest)),
				"no guest can be on the way there", "write the subnet that is behind the gateway")
			continue
		}
		metric, ok := n.number("metric")
		if !ok {
			metric = 1
		}
		if first := seen[key{dest, metric}]; first != nil {
			c.fault("route-twice", n.at("address"), fmt.Sprintf("there are two routes to %s", dest),
				"the kernel takes one route to a subnet, or several that differ in metric",
				"remove one, or give it another metric", c.related(first.at("address"), "the first"))
			continue
		}
		seen[key{dest, metric}] = n
		c.statics = append(c.statics, static{n, dest, metric})
	}
}

// gateway: it is a guest, or could be one.
func (c *checker) gateway(n *node) {
	gateway, ok := c.family(n, "gateway")
	if !ok {
		return
	}
	for _, s := range c.net.subnets {
		if !s.ok {
			return // it may be in there
		}
		if !s.prefix.Contains(gateway) {
			continue
		}
		reason := unusable(gateway, s.prefix)
		if gateway == s.addr {
			reason = "the host's own address"
		}
		if reason != "" {
			c.fault("route-gateway", n.at("gateway"), fmt.Sprintf("%s is %s", gateway, reason),
				"the gateway is a guest that sends packets on", "write the address of that guest")
		}
		return
	}
	c.fault("route-gateway", n.at("gateway"), fmt.Sprintf("%s is in no subnet of the network", gateway),
		"the gateway is a guest, to which the host hands packets directly",
		"write an address inside of the subnet of an <ip>")
}

// dhcpTwice: libvirt gives dnsmasq one subnet of each family to serve.
func (c *checker) dhcpTwice() {
	var first [2]*node
	for _, s := range c.net.subnets {
		dhcp := s.node.kid("dhcp")
		if !s.ok || dhcp.kid("range") == nil && dhcp.kid("host") == nil {
			continue
		}
		family := slices.Index([]ir.Family{ir.IPv4, ir.IPv6}, familyOf(s.addr))
		if first[family] != nil {
			c.fault("dhcp-twice", dhcp.tag,
				fmt.Sprintf("DHCP is served in a second subnet of its family, %s", s.prefix),
				"libvirt serves one subnet of IPv4 and one of IPv6 in a network",
				"keep one <dhcp>, or make a network of the second subnet", c.related(first[family].tag, "the first"))
			continue
		}
		first[family] = dhcp
	}
	c.unadvertised(first[1])
}

// unadvertised: beside a subnet of IPv6 with DHCP, which its routers' advertisements speak of, others are not advertised.
// Libvirt logs a warning.
func (c *checker) unadvertised(dhcp *node) {
	for _, s := range c.net.subnets {
		if dhcp == nil || !s.ok || s.addr.Is4() || s.local() || s.node.kid("dhcp").kid("range") != nil || s.node.kid("dhcp").kid("host") != nil {
			continue
		}
		c.warn("ip-unadvertised", s.node.at("address"), fmt.Sprintf("guests are not told of %s", s.prefix),
			"beside a subnet with DHCP, router advertisements don't have guests choose addresses of another",
			"give guests addresses of it by hand, or make a network of it", c.related(dhcp.tag, "the subnet with DHCP"))
	}
}
