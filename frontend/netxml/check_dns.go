package netxml

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// dns: records that can be served, and somebody to serve them.
func (c *checker) dns() {
	dns := c.net.root.Sound("dns")
	if dns == nil {
		return
	}
	off := dns.ValueOr("enable") == "no"
	for _, k := range dns.Kids {
		switch {
		case k.Spec == nil || k.Bad:
		case off:
			c.Fault("dns-off", k.Tag, fmt.Sprintf("<%s> is in a <dns> that is off", k.Name),
				"without the name server it has no effect, and libvirt refuses it",
				"remove it, or remove enable='no'", c.Related(dns.At("enable"), "switched off here"))
		case k.Name == "forwarder":
			c.forwarder(k)
		case k.Name == "host" && k.Kid("hostname") == nil:
			c.Fault("dns-host-name", k.Tag, "the host has no name", "a record ties names to an address",
				"write <hostname>printer</hostname> into it")
		case k.Name == "host":
			c.unusualNames(k)
		case k.Name == "srv":
			c.srv(k)
		}
	}
	if off {
		c.unserved(dns)
	}
}

// unserved: names of DHCP hosts that no resolver can look up.
func (c *checker) unserved(dns *xmldoc.Node) {
	for _, s := range c.net.subnets {
		for _, h := range s.node.Kid("dhcp").All("host") {
			if h.Has("name") {
				c.Warn("dhcp-dns-off", h.Attr("name").NameAt, "a DHCP host has a name and DNS is off",
					"the guest would get the name, and no one could look it up",
					"remove the name, or enable='no'", c.Related(dns.At("enable"), "switched off here"))
				return // once is enough
			}
		}
	}
}

// unusualNames: dnsmasq serves names of hosts as they are written, whatever they are made of.
func (c *checker) unusualNames(host *xmldoc.Node) {
	for _, n := range host.All("hostname") {
		if n.Bad {
			continue
		}
		what := fmt.Sprintf("<hostname> is %s", xmldoc.Quote(n.Text))
		below, star := strings.CutPrefix(n.Text, "*.")
		switch odd, found := unusualLabel(n.Text); {
		case !found:
		case star:
			fix := "write each name, or an address=/.../ option for dnsmasq"
			if p := domainName(below); p.Code == "" && host.Has("ip") {
				fix = fmt.Sprintf("to answer for all names below %s, write <dnsmasq:option value='address=/%s/%s'/>",
					below, below, host.ValueOr("ip"))
			}
			c.Warn("dns-host-unusual", n.TextAt, what,
				"a star is not a wildcard here: only a query for the star itself gets the answer, and no query "+
					"for a name below it",
				fix)
		default:
			c.Warn("dns-host-unusual", n.TextAt, what+", "+odd,
				"dnsmasq serves it, but guests may refuse to look it up, since a host's name is made of letters, "+
					"digits and dashes",
				"use letters, digits and dashes, with dots between")
		}
	}
}

func (c *checker) forwarder(n *xmldoc.Node) {
	switch {
	case !n.Has("addr") && !n.Has("domain"):
		c.Fault("dns-forwarder", n.Tag, "the forwarder has neither addr nor domain",
			"it says which server to query, or which names to look up at the host's servers",
			"write addr='192.0.2.53' or domain='example.org'")
		return
	case n.Has("port") && !n.Has("addr"):
		c.Fault("dns-forwarder", n.Attr("port").NameAt, "the forwarder has a port and no addr",
			"the port is that of the server named by addr", "write addr='192.0.2.53', or remove port")
		return
	}
	addr, ok := n.Addr("addr")
	if !ok {
		return
	}
	if reason := unusable(addr, netip.Prefix{}); reason != "" && !addr.IsLoopback() {
		c.Fault("ip-unusable", n.At("addr"), fmt.Sprintf("%s is %s", addr, reason),
			"a name server has an address of its own", "write the address of a name server")
		return
	}
	for _, s := range c.net.subnets {
		if s.ok && s.addr == addr {
			c.Warn("dns-forwarder-self", n.At("addr"), fmt.Sprintf("%s is the network's own name server", addr),
				"it would be asked for what it doesn't know itself",
				"write the address of another name server", c.Related(s.node.At("address"), "its own address"))
		}
	}
}

// srv: RFC 2782. Port, priority and weight are those of a target.
func (c *checker) srv(n *xmldoc.Node) {
	for _, name := range [...]string{"port", "priority", "weight"} {
		if a := n.Attr(name); a != nil && !n.Has("target") {
			c.Fault("dns-srv-target", a.NameAt, fmt.Sprintf("the service has a %s and no target", name),
				"port, priority and weight are those of the target",
				"write target='host.example.org', or remove it")
			return
		}
	}
}
