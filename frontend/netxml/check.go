package netxml

import (
	"fmt"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
)

// checker judges one document.
type checker struct {
	xmldoc.Report
	opts Options
	net  *Network
	kind modes // what kind of network it is; 0 if its forward mode is not known

	statics []static // the routes that are good by themselves
}

// rules lists what is checked of one document beyond the table of the schema, one function for each
// rule or family of rules. Their order has no meaning: the list is sorted by place in the end.
var rules = []func(*checker){
	(*checker).identity,
	(*checker).bridgeSTP,
	(*checker).domain,
	(*checker).forwardIP,
	(*checker).forwardDevices,
	(*checker).natAddress,
	(*checker).natPorts,
	(*checker).addresses,
	(*checker).mtuIPv6,
	(*checker).routes,
	(*checker).dhcpTwice,
	(*checker).dhcp,
	(*checker).dns,
	(*checker).dnsmasqLines,
	(*checker).portOptions,
	(*checker).policies,
}

// check judges the document by itself, and fills in the defaults that don't depend on other
// documents.
func (c *checker) check() {
	root := c.net.root
	if !language.Check(&c.Report, root) {
		return
	}
	mode, ok := modeOf(root)
	if ok {
		c.net.Mode, c.kind = mode, kind(mode, root)
		c.placement()
	}
	c.subnets()
	for _, rule := range rules {
		rule(c)
	}
}

// managed is true if the network is known to be one whose bridge is made for it.
func (c *checker) managed() bool { return c.kind&inManaged != 0 }

// identity: a network has a name.
func (c *checker) identity() {
	if c.net.root.Kid("name") == nil {
		c.Fault("name-missing", c.net.root.Tag, "the network has no name",
			"everything that is made for a network has its name",
			"write <name>lab</name> or the like into it")
	}
}

// bridgeSTP: libvirt takes any word but off for on.
func (c *checker) bridgeSTP() {
	bridge := c.net.root.Sound("bridge")
	if v, ok := bridge.Value("stp"); ok && v != "on" && v != "off" {
		c.Warn("value-unknown", bridge.At("stp"), fmt.Sprintf("stp of <bridge> is %s, neither on nor off",
			xmldoc.Quote(v)),
			"libvirt takes every word but off for on, and so does vnetc", "write 'on'")
	}
}

// domain: systemd-resolved sends queries for the network's domain to the network's name server, and
// that server sends what it does not know back to systemd-resolved.
func (c *checker) domain() {
	domain := c.net.root.Sound("domain")
	if !domain.Yes("register") || domain.Yes("localOnly") || domain.Has("localOnly") && domain.Attr("localOnly").Bad {
		return
	}
	c.Fault("domain-register", domain.At("register"), "the domain is registered and not localOnly",
		"the network's name server would hand what it doesn't know to the host's resolver, which has just asked it; libvirt refuses it",
		"write localOnly='yes' too")
}

// autoBridge is the pattern for bridges whose document names none.
const autoBridge = "virbr%d"

// bridgePattern returns the bridge's name or pattern as the document has it, or the default
// pattern; ok is false if the network has no bridge or the name is not good.
func (c *checker) bridgePattern() (name string, ok bool) {
	bridge := c.net.root.Kid("bridge")
	switch {
	case c.kind == 0 || c.kind&(inManaged|inBridge) == 0:
		return "", false
	case !bridge.Has("name"):
		return autoBridge, c.net.Mode != ir.ModeBridge
	}
	return bridge.Value("name")
}
