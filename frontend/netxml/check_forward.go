package netxml

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// forwardIP: what is translated or routed is the traffic of subnets.
func (c *checker) forwardIP() {
	if c.kind&(inNAT|inRoute) == 0 || len(c.net.subnets) > 0 {
		return
	}
	c.Fault("forward-ip-missing", c.net.root.Kid("forward").At("mode"),
		fmt.Sprintf("mode %s needs an <ip>, and there is none", c.net.Mode),
		"the mode forwards the traffic of the network's subnets, and it has none",
		"write <ip address='192.168.122.1' prefix='24'/> or the like, or remove <forward>")
}

// forwardDevices: one kind of device, each once, and as many as the mode can use.
func (c *checker) forwardDevices() {
	forward := c.net.root.Sound("forward")
	if forward == nil || c.kind == 0 {
		return
	}
	interfaces, addresses, pf := forward.All("interface"), forward.All("address"), forward.Kid("pf")
	dev := forward.Attr("dev")
	c.forwardMixed(forward)
	if dev != nil && !dev.Bad && len(interfaces) > 0 {
		if first, ok := interfaces[0].Value("dev"); ok && first != dev.Value {
			c.Fault("forward-dev-mismatch", dev.ValueAt,
				fmt.Sprintf("dev is %s, the first <interface> is %s", xmldoc.Quote(dev.Value), xmldoc.Quote(first)),
				"dev is short for the first interface, so both name the same", "remove dev",
				c.Related(interfaces[0].At("dev"), "the first interface"))
		}
	}
	if c.kind&(inNAT|inRoute) != 0 && len(interfaces) > 1 {
		c.Fault("forward-dev-many", interfaces[1].Tag, fmt.Sprintf("mode %s has more than one <interface>", c.net.Mode),
			"traffic of the network is confined to one way out, or to none",
			"keep one <interface>, or remove all to let routing choose",
			c.Related(interfaces[0].Tag, "the first"))
	} else {
		c.twice(interfaces, "dev", "forward-dev-twice", "list each device once")
	}
	c.pciAddresses(addresses)
	c.forwardSelf()
	none := dev == nil && len(interfaces) == 0 && len(addresses) == 0 && pf == nil
	switch {
	case none && c.kind&(inMacvtap|inHostdev) != 0:
		c.Warn("forward-dev-missing", forward.At("mode"),
			fmt.Sprintf("mode %s is chosen and no device is named", c.net.Mode),
			"guests are put on a device of the network's pool, which is empty: none can start", deviceFix(c.kind))
	case !none && c.kind == inBridge:
		c.Fault("forward-bridge", firstDevice(forward), "mode bridge has both a <bridge name> and devices",
			"guests are put either on a bridge of the host or, by macvtap, on a device",
			"remove one of the two", c.Related(c.net.root.Kid("bridge").At("name"), "the bridge"))
	}
}

// forwardSelf: what is forwarded leaves by another device than it came by. In mode bridge the two
// exclude each other.
func (c *checker) forwardSelf() {
	name, ok := c.bridgePattern()
	if !ok || !c.managed() {
		return
	}
	if n := c.uplink(name); n != nil {
		c.Fault("forward-dev-self", n.At("dev"), fmt.Sprintf("the way out of the network is %s, its own bridge", name),
			"traffic that leaves by another device would be refused, and nothing else leaves the network",
			"name the device that leads outside, or remove dev to let routing choose",
			c.Related(c.net.root.Kid("bridge").At("name"), "the bridge"))
	}
}

// uplink returns the element that names a device to forward to, nil if there is none.
func (c *checker) uplink(name string) *xmldoc.Node {
	forward := c.net.root.Kid("forward")
	if dev, ok := forward.Value("dev"); ok && dev == name {
		return forward
	}
	for _, n := range forward.All("interface") {
		if dev, ok := n.Value("dev"); ok && dev == name {
			return n
		}
	}
	return nil
}

func deviceFix(kind modes) string {
	switch kind {
	case inHostdev:
		return "write <pf dev='eth0'/>, or PCI addresses of virtual functions, into <forward>"
	case inDirect:
		return "write <interface dev='eth0'/> into <forward>, or name a bridge of the host: <bridge name='br0'/>"
	}
	return "write <interface dev='eth0'/> or <pf dev='eth0'/> into <forward>"
}

// firstDevice is where the first of a network's devices stands.
func firstDevice(forward *xmldoc.Node) xmldoc.Extent {
	if forward.Has("dev") {
		return forward.At("dev")
	}
	for _, k := range forward.Kids {
		if k.Spec != nil && (k.Name == "interface" || k.Name == "pf") {
			return k.Tag
		}
	}
	return forward.Tag
}

// forwardMixed: a pool is of interfaces or of PCI addresses. Those beside a <pf> are its functions,
// which libvirt writes into the document of a running network; it never writes a dev there.
func (c *checker) forwardMixed(forward *xmldoc.Node) {
	dev := forward.Attr("dev")
	sound := dev != nil && !dev.Bad
	var first *xmldoc.Node
	for _, k := range forward.Kids {
		if k.Spec == nil || k.Bad || k.Name != "interface" && k.Name != "address" && k.Name != "pf" {
			continue
		}
		if k.Name != "pf" && first == nil {
			first = k
		}
		at := xmldoc.Extent{}
		switch {
		case k.Name != "interface" && sound:
			at = dev.NameAt
		case k.Name != "pf" && k.Name != first.Name:
			at = first.Tag
		default:
			continue
		}
		c.Fault("forward-mixed", k.Tag, fmt.Sprintf("<%s> is beside devices of another kind", k.Name),
			"a network's devices are interfaces, PCI addresses or the functions of one card, never a mix",
			"keep one kind", c.Related(at, "the other kind"))
		return
	}
}

// twice reports elements with the same value of an attribute.
func (c *checker) twice(nodes []*xmldoc.Node, name string, code diag.Code, why string) {
	seen := map[string]*xmldoc.Node{}
	for _, n := range nodes {
		v, ok := n.Value(name)
		if !ok {
			continue
		}
		if first := seen[v]; first != nil {
			c.Fault(code, n.At(name), fmt.Sprintf("%s %s appears twice", name, xmldoc.Quote(v)), why,
				"remove one of the two",
				c.Related(first.At(name), "the first"))
			continue
		}
		seen[v] = n
	}
}

func (c *checker) pciAddresses(addresses []*xmldoc.Node) {
	type pci [4]uint64
	seen := map[pci]*xmldoc.Node{}
	for _, a := range addresses {
		var id pci
		_, sound := a.Value("type")
		sound = sound && !a.Bad
		for i, name := range [...]string{"domain", "bus", "slot", "function"} {
			id[i], _ = a.Number(name)
			sound = sound && (!a.Has(name) || !a.Attr(name).Bad)
		}
		first := seen[id]
		switch {
		case !sound:
		case id[0] == 0 && id[1] == 0 && id[2] == 0:
			c.Fault("forward-pci", a.Tag, "the PCI address has neither domain nor bus nor slot",
				"that is the host bridge of every PC, and no network card",
				"write the address that lspci -D shows, such as domain='0x0000' bus='0x01' slot='0x10' function='0x0'")
		case first != nil:
			c.Fault("forward-dev-twice", a.Tag,
				fmt.Sprintf("PCI address %04x:%02x:%02x.%x appears twice", id[0], id[1], id[2], id[3]),
				"list each device once", "remove one of the two", c.Related(first.Tag, "the first"))
		default:
			seen[id] = a
		}
	}
}

// natAddress: the range of addresses that guests share.
func (c *checker) natAddress() {
	n := c.net.root.Sound("forward").Sound("nat").Sound("address")
	from, ok1 := n.Addr("start")
	to, ok2 := n.Addr("end")
	if !ok1 || !ok2 {
		return
	}
	for _, name := range [...]string{"start", "end"} {
		a, _ := n.Addr(name)
		if reason := unusable(a, netip.Prefix{}); reason != "" {
			c.Fault("ip-unusable", n.At(name), fmt.Sprintf("%s is %s", a, reason),
				"it becomes the source address of packets, and answers go to it", "write an address of a host")
			return
		}
	}
	a, b := from.As4(), to.As4()
	switch {
	case to.Less(from):
		c.Fault("nat-address-order", n.At("end"), fmt.Sprintf("the range ends (%s) before it starts (%s)", to, from),
			"a range holds the addresses from start up to end",
			"swap the two")
	case a[0] != b[0] || a[1] != b[1]:
		c.Fault("nat-address-order", n.At("end"), fmt.Sprintf("%s to %s are more than 65536 addresses", from, to),
			"libvirt takes ranges whose first two numbers are the same",
			"write a smaller range")
	case !c.hasFamily(ir.IPv4):
		c.Warn("nat-unused", n.Tag, "the range has IPv4 addresses, and there is no IPv4 <ip>",
			"the range is for guests with an IPv4 address; IPv6 takes the address of the interface",
			"remove it, or add an IPv4 <ip>")
	}
}

// hasFamily is true if the network has an <ip> of that family, or one whose family is unknown.
func (c *checker) hasFamily(family ir.Family) bool {
	for _, s := range c.net.subnets {
		if !s.ok || familyOf(s.addr) == family {
			return true
		}
	}
	return false
}

// natPorts: the range of source ports that guests get.
func (c *checker) natPorts() {
	nat := c.net.root.Sound("forward").Sound("nat")
	if nat.Yes("ipv6") && !c.hasFamily(ir.IPv6) {
		c.Warn("nat-unused", nat.At("ipv6"), "NAT of IPv6 is on, and there is no IPv6 <ip>",
			"it concerns guests with an IPv6 address of the network", "remove it, or add an IPv6 <ip>")
	}
	n := nat.Sound("port")
	from, ok1 := n.Number("start")
	to, ok2 := n.Number("end")
	switch {
	case !ok1 || !ok2:
	case to < from:
		c.Fault("nat-port-order", n.At("end"), fmt.Sprintf("the ports end (%d) before they start (%d)", to, from),
			"a range holds the ports from start up to end", "swap the two")
	case to == from:
		c.Fault("nat-port-order", n.At("end"), fmt.Sprintf("the range holds port %d only", to),
			"libvirt defines such a network and can't start it; one port would serve one connection a server",
			"end the range higher, such as at 65535")
	case from < 1024:
		c.Warn("nat-port-low", n.At("start"), fmt.Sprintf("guests may get source port %d", from),
			"ports below 1024 are those of which servers such as NFS believe that only root uses them",
			"start the range at 1024 or higher")
	}
}
