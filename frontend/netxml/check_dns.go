package netxml

import (
	"fmt"
	"net/netip"
)

// dns: records that can be served, and somebody to serve them.
func (c *checker) dns() {
	dns := c.net.root.sound("dns")
	if dns == nil {
		return
	}
	off := dns.valueOr("enable") == "no"
	for _, k := range dns.kids {
		switch {
		case k.spec == nil || k.bad:
		case off:
			c.fault("dns-off", k.tag, fmt.Sprintf("<%s> stands in a <dns> that is off", k.name),
				"without the name server nobody would see it, and libvirt refuses it",
				"remove it, or remove enable='no'", c.related(dns.at("enable"), "switched off here"))
		case k.name == "forwarder":
			c.forwarder(k)
		case k.name == "host" && k.kid("hostname") == nil:
			c.fault("dns-host-name", k.tag, "the host has no name", "a record ties names to an address",
				"write <hostname>printer</hostname> into it")
		case k.name == "srv":
			c.srv(k)
		}
	}
	if off {
		c.unserved(dns)
	}
}

// unserved: names of DHCP hosts that nobody will be able to ask for.
func (c *checker) unserved(dns *node) {
	for _, s := range c.net.subnets {
		for _, h := range s.node.kid("dhcp").all("host") {
			if h.has("name") {
				c.warn("dhcp-dns-off", h.attr("name").nameAt, "a DHCP host has a name and DNS is off",
					"the name would be told to the guest and to nobody else",
					"remove the name, or enable='no'", c.related(dns.at("enable"), "switched off here"))
				return // once is enough
			}
		}
	}
}

func (c *checker) forwarder(n *node) {
	switch {
	case !n.has("addr") && !n.has("domain"):
		c.fault("dns-forwarder", n.tag, "the forwarder has neither addr nor domain",
			"it says which server to ask, or which names to ask the host's servers for",
			"write addr='192.0.2.53' or domain='example.org'")
		return
	case n.has("port") && !n.has("addr"):
		c.fault("dns-forwarder", n.attr("port").nameAt, "the forwarder has a port and no addr",
			"the port is that of the server named by addr", "write addr='192.0.2.53', or remove port")
		return
	}
	addr, ok := n.addr("addr")
	if !ok {
		return
	}
	if reason := unusable(addr, netip.Prefix{}); reason != "" && !addr.IsLoopback() {
		c.fault("ip-unusable", n.at("addr"), fmt.Sprintf("%s is %s", addr, reason),
			"a name server has an address of its own", "write the address of a name server")
		return
	}
	for _, s := range c.net.subnets {
		if s.ok && s.addr == addr {
			c.warn("dns-forwarder-self", n.at("addr"), fmt.Sprintf("%s is the network's own name server", addr),
				"it would be asked for what it doesn't know itself",
				"write the address of another name server", c.related(s.node.at("address"), "its own address"))
		}
	}
}

// srv: RFC 2782. Port, priority and weight are those of a target.
func (c *checker) srv(n *node) {
	for _, name := range [...]string{"port", "priority", "weight"} {
		if a := n.attr(name); a != nil && !n.has("target") {
			c.fault("dns-srv-target", a.nameAt, fmt.Sprintf("the service has a %s and no target", name),
				"port, priority and weight are those of the target",
				"write target='host.example.org', or remove it")
			return
		}
	}
}
