package netxml

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
)

// addresses: what depends on an <ip> beside DHCP.
func (c *checker) addresses() {
	for _, s := range c.net.subnets {
		if !s.ok {
			continue
		}
		c.localPTR(s)
		tftp := s.node.Sound("tftp")
		c.exposed(tftp)
		if tftp != nil && s.addr.Is6() {
			c.Fault("tftp-family", tftp.Tag, "TFTP is to be served in an IPv6 <ip>",
				"libvirt serves TFTP to IPv4 guests only, and ignores it here", "move it into an IPv4 <ip>")
		}
	}
}

// exposed: TFTP has no authentication, so all guests can get every file below the root that all
// users of the host may read.
func (c *checker) exposed(tftp *xmldoc.Node) {
	root, ok := tftp.Value("root")
	if !ok {
		return
	}
	if !exposes(path.Clean(root)) {
		return
	}
	c.Warn("tftp-exposed", tftp.At("root"), fmt.Sprintf("TFTP serves %s to every guest", xmldoc.Quote(root)),
		"TFTP has no passwords: guests can get every file there that all users of the host may read, including the host's own",
		"serve a folder that holds nothing but what guests boot from, such as /srv/tftp")
}

// Folders that hold more than files for guests: systemFolders by themselves, privateFolders with
// all below them, as the home of a user by itself.
var (
	systemFolders = []string{
		"/", "/bin", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/sbin", "/srv", "/tmp", "/usr", "/usr/local",
		"/usr/share",
		"/var", "/var/cache", "/var/lib", "/var/tmp",
	}
	privateFolders = []string{
		"/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/backups", "/var/lib/vnetc", "/var/log",
		"/var/mail", "/var/run", "/var/spool",
	}
)

// exposes is true if a folder is one of the system's own.
func exposes(root string) bool {
	user := path.Dir(root) == "/home"
	return user || slices.Contains(systemFolders, root) || slices.ContainsFunc(privateFolders,
		func(private string) bool {
			return root == private || strings.HasPrefix(root, private+"/")
		})
}

// localPTR: a reverse zone is cut between two labels, which are octets in IPv4 and hexadecimal
// digits in IPv6.
func (c *checker) localPTR(s subnet) {
	step, bits := 8, s.prefix.Bits()
	if s.addr.Is6() {
		step = 4
	}
	if s.node.Yes("localPtr") && (bits%step != 0 || bits == s.addr.BitLen()) {
		c.Fault("localptr-prefix", s.node.At("localPtr"),
			fmt.Sprintf("the subnet %s has no reverse zone of its own", s.prefix),
			fmt.Sprintf("reverse zones are cut at multiples of %d bits, and libvirt can't start a network that wants "+
				"another", step),
			fmt.Sprintf("choose a prefix that %d divides, or remove localPtr", step))
	}
}

// mtuIPv6: RFC 8200 section 5, and the kernel takes the IPv6 addresses from a link below that.
func (c *checker) mtuIPv6() {
	mtu := c.net.root.Sound("mtu")
	size, ok := mtu.Number("size")
	if !ok || size >= 1280 {
		return
	}
	for _, s := range c.net.subnets {
		if s.ok && s.addr.Is6() {
			c.Fault("mtu-ipv6", mtu.At("size"), fmt.Sprintf("an MTU of %d bytes is too small for IPv6", size),
				"an IPv6 link carries at least 1280 bytes; the kernel refuses the address",
				"write size='1280' or more, or remove the IPv6 address",
				c.Related(s.node.At("address"), "the IPv6 address"))
			return
		}
	}
}

// static is a <route> that was read.
type static struct {
	node   *xmldoc.Node
	dest   netip.Prefix
	metric uint64 // 1 if the document has none, as in the kernel
}

// routes: a destination without host bits, behind a guest of the network.
func (c *checker) routes() {
	type key struct {
		dest   netip.Prefix
		metric uint64
	}
	seen := map[key]*xmldoc.Node{}
	for _, n := range c.net.root.All("route") {
		if n.Bad {
			continue
		}
		c.gateway(n)
		addr, dest, ok := c.prefixOf(n, true)
		if !ok {
			continue
		}
		if addr != dest.Addr() {
			c.Fault("route-host-bits", n.At("address"),
				fmt.Sprintf("%s is not the address of a subnet with prefix %d", addr, dest.Bits()),
				"a route leads to a subnet, whose address has zeros where hosts differ",
				fmt.Sprintf("write address='%s', or another prefix", dest.Addr()))
			continue
		}
		if dest.Bits() == 0 {
			c.Warn("route-default", n.At("address"), "the route leads everywhere",
				"all traffic of the host that has no better route would go to a guest",
				"write the subnet that is behind the gateway")
		} else if addr.IsLoopback() || addr.IsMulticast() {
			c.Fault("ip-unusable", n.At("address"), fmt.Sprintf("%s is %s", addr, unusable(addr, dest)),
				"no guest can be on the way there", "write the subnet that is behind the gateway")
			continue
		}
		metric, ok := n.Number("metric")
		if !ok {
			metric = 1
		}
		if first := seen[key{dest, metric}]; first != nil {
			c.Fault("route-twice", n.At("address"), fmt.Sprintf("there are two routes to %s", dest),
				"the kernel takes one route to a subnet, or several that differ in metric",
				"remove one, or give it another metric", c.Related(first.At("address"), "the first"))
			continue
		}
		seen[key{dest, metric}] = n
		c.statics = append(c.statics, static{n, dest, metric})
	}
}

// gateway: it is a guest, or could be one.
func (c *checker) gateway(n *xmldoc.Node) {
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
			c.Fault("route-gateway", n.At("gateway"), fmt.Sprintf("%s is %s", gateway, reason),
				"the gateway is a guest that sends packets on", "write the address of that guest")
		}
		return
	}
	c.Fault("route-gateway", n.At("gateway"), fmt.Sprintf("%s is in no subnet of the network", gateway),
		"the gateway is a guest, to which the host hands packets directly",
		"write an address inside of the subnet of an <ip>")
}

// dhcpTwice: libvirt gives dnsmasq one subnet of each family to serve.
func (c *checker) dhcpTwice() {
	var first [2]*xmldoc.Node
	for _, s := range c.net.subnets {
		dhcp := s.node.Kid("dhcp")
		if !s.ok || dhcp.Kid("range") == nil && dhcp.Kid("host") == nil {
			continue
		}
		family := slices.Index([]ir.Family{ir.IPv4, ir.IPv6}, familyOf(s.addr))
		if first[family] != nil {
			c.Fault("dhcp-twice", dhcp.Tag,
				fmt.Sprintf("DHCP is served in a second subnet of its family, %s", s.prefix),
				"libvirt serves one subnet of IPv4 and one of IPv6 in a network",
				"keep one <dhcp>, or make a network of the second subnet", c.Related(first[family].Tag, "the first"))
			continue
		}
		first[family] = dhcp
	}
	c.unadvertised(first[1])
}

// unadvertised: beside a subnet of IPv6 with DHCP, which its routers' advertisements speak of,
// others are not advertised. Libvirt logs a warning.
func (c *checker) unadvertised(dhcp *xmldoc.Node) {
	for _, s := range c.net.subnets {
		if dhcp == nil || !s.ok || s.addr.Is4() || s.local() || s.node.Kid("dhcp").Kid("range") != nil ||
			s.node.Kid("dhcp").Kid("host") != nil {
			continue
		}
		c.Warn("ip-unadvertised", s.node.At("address"), fmt.Sprintf("guests get no advertisement of %s", s.prefix),
			"beside a subnet with DHCP, router advertisements don't have guests choose addresses of another",
			"give guests addresses of it by hand, or make a network of it", c.Related(dhcp.Tag, "the subnet with DHCP"))
	}
}
