package netxml

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Where packets that must never be translated go (RFC 919, RFC 5771, RFC 4291).
var (
	limitedBroadcast = netip.MustParsePrefix("255.255.255.255/32")
	localMulticast4  = netip.MustParsePrefix("224.0.0.0/24")
	localMulticast6  = netip.MustParsePrefix("ff02::/16")
)

// guestPorts are the source ports of NATed guests where the document names none: below 1024 are those of which servers
// such as NFS believe that only root uses them.
var guestPorts = ir.PortRange{From: 1024, To: 65535}

// Lower returns the program of networks, which must come from [Parse] without an error. Libvirt puts each rule it makes
// on top of its chain; so the rules of later networks stand above those of earlier ones, and within a network in the
// order of the functions below. Modes other than none, nat and route have no rules. Links are in the order of networks.
//
// An accept in FWI of a routed network is met before the FWO of the network that a packet comes from, so guests that their
// own network would let out nowhere get into the routed one. That is libvirt's meaning, and the default. With
// Options.StrictIsolation each network also asks at the end of its FWX whether its own rules let the packet out.
func Lower(networks []*Network) *ir.Program {
	p := &ir.Program{}
	for _, g := range ir.Groups {
		p.Add(g)
		chain := p.Group(g)
		chain.Rules = make([]ir.Rule, 0, 4*len(networks)) // about what a network has
	}
	for _, n := range networks {
		p.Links = append(p.Links, n.link())
	}
	for i := len(networks) - 1; i >= 0; i-- {
		if n := networks[i]; n.Mode.Filtered() {
			newLowering(p, n).lower()
		}
	}
	return p
}

// lowering makes the rules of one network.
type lowering struct {
	*ir.Program
	net      *Network
	self     ir.Origin // of the rules that a network has for being one
	in, out  ir.Match  // by the bridge
	dev      string    // the way out, empty if any
	devMatch [2][]ir.Match
	dhcp4    *node // the <dhcp> of IPv4 with ranges or hosts
	tftp     *node
	six      bool // six is true if the bridge has an IPv6 address.
}

// inDev and outDev index devMatch.
const (
	inDev = iota
	outDev
)

func newLowering(p *ir.Program, n *Network) *lowering {
	l := &lowering{
		Program: p, net: n, self: n.origin("network/bridge/@name", n.root.tag),
		in: ir.IIfName{Name: n.Bridge}, out: ir.OIfName{Name: n.Bridge},
	}
	if bridge := n.root.kid("bridge"); bridge.has("name") {
		l.self.Span = n.src.span(bridge.at("name"))
	} else if name := n.root.kid("name"); name != nil {
		l.self.Element, l.self.Span = "network/name", n.src.span(name.textAt)
	}
	if l.dev = n.device(); l.dev != "" {
		l.devMatch = [2][]ir.Match{{ir.IIfName{Name: l.dev}}, {ir.OIfName{Name: l.dev}}}
	}
	for _, s := range n.subnets {
		dhcp, tftp := s.node.kid("dhcp"), s.node.kid("tftp")
		served := dhcp.kid("range") != nil || dhcp.kid("host") != nil
		switch {
		case s.addr.Is6():
			l.six = true
		case l.dhcp4 == nil && l.tftp == nil:
			// libvirt opens TFTP if the first <ip> that serves DHCP or TFTP serves TFTP
			if served {
				l.dhcp4 = dhcp
			}
			l.tftp = tftp
		case l.dhcp4 == nil && served:
			l.dhcp4 = dhcp
		}
	}
	return l
}

// device returns the interface that is the only way out, empty if there is none.
func (n *Network) device() string {
	forward := n.Def.Forward
	if forward == nil {
		return ""
	}
	if len(forward.Interfaces) > 0 {
		return forward.Interfaces[0].Dev
	}
	return forward.Dev
}

func (n *Network) origin(element string, at extent) ir.Origin {
	return ir.Origin{Span: n.src.span(at), Network: n.Name(), Element: element}
}

// lower adds all rules of the network, top to bottom.
func (l *lowering) lower() {
	l.services4()
	l.add(ir.FWX, ir.IPv4, l.self, "guests of one network may talk to each other through the host", ir.Accept{},
		l.in, l.out)
	six := l.six || l.net.root.yes("ipv6")
	origin6 := l.self
	if six && !l.six {
		origin6 = l.net.origin("network/@ipv6", l.net.root.at("ipv6"))
	}
	if l.six {
		l.services6()
	}
	if six {
		l.add(ir.FWX, ir.IPv6, origin6, "guests of one network may talk to each other through the host", ir.Accept{},
			l.in, l.out)
	}
	if l.net.Strict {
		l.confine(ir.IPv4)
		if six {
			l.confine(ir.IPv6)
		}
	}
	for i := len(l.net.subnets) - 1; i >= 0; i-- {
		l.subnet(l.net.subnets[i])
	}
	l.refuse(ir.IPv4, l.self)
	if six {
		l.refuse(ir.IPv6, origin6)
	}
	l.checksum()
}

// confine ends the network's part of FWX under strict isolation: what its FWO would accept goes on to the next group,
// anything else from its guests is refused before another network can accept it.
func (l *lowering) confine(family ir.Family) {
	for _, s := range l.net.subnets {
		if familyOf(s.addr) == family && l.net.Mode != ir.ModeNone {
			l.add(ir.FWX, family, l.net.origin("network/ip/@address", s.node.at("address")), "guests with an address of the subnet may open connections",
				ir.Return{}, append([]ir.Match{ir.SAddr{Prefix: s.prefix}, l.in}, l.devMatch[outDev]...)...)
		}
	}
	l.add(ir.FWX, family, l.self, "nothing else leaves the network, whoever would let it in", ir.Reject{With: ir.PortUnreachable}, l.in)
}

// refuse ends the network's part of the forward groups: what was not accepted above goes nowhere.
func (l *lowering) refuse(family ir.Family, o ir.Origin) {
	l.add(ir.FWI, family, o, "nothing else may enter the network", ir.Reject{With: ir.PortUnreachable}, l.out)
	l.add(ir.FWO, family, o, "nothing else may leave the network", ir.Reject{With: ir.PortUnreachable}, l.in)
}

// add puts a rule at the end of a group's present rules. It copies o and sets its reason.
func (l *lowering) add(g ir.Group, family ir.Family, o ir.Origin, reason string, v ir.Verdict, matches ...ir.Match) {
	o.Reason = reason
	l.Add(g, ir.Rule{Family: family, Matches: matches, Verdict: v, Origin: o})
}

// service lets guests reach a service of the host, or the host answer at their port.
func (l *lowering) service(g ir.Group, family ir.Family, o ir.Origin, reason string, proto uint8, port uint16) {
	device := l.in
	if g == ir.OUT {
		device = l.out
	}
	l.add(g, family, o, reason, ir.Accept{}, device, ir.L4Proto{Proto: proto}, ir.DPort{From: port, To: port})
}

// services4: libvirt opens DHCP and DNS for every network, whether or not it serves them.
func (l *lowering) services4() {
	if l.tftp != nil {
		o := l.net.origin("network/ip/tftp/@root", l.tftp.at("root"))
		l.service(ir.INP, ir.IPv4, o, "guests may fetch files from the host's TFTP server", ir.UDP, 69)
		l.service(ir.OUT, ir.IPv4, o, "the host may answer TFTP", ir.UDP, 69)
	}
	for _, proto := range [...]uint8{ir.UDP, ir.TCP} {
		l.service(ir.INP, ir.IPv4, l.self, "guests may ask the host's DNS server", proto, 53)
		l.service(ir.OUT, ir.IPv4, l.self, "the host may ask DNS servers among the guests", proto, 53)
	}
	for _, proto := range [...]uint8{ir.UDP, ir.TCP} {
		l.service(ir.INP, ir.IPv4, l.self, "guests may ask the host's DHCP server", proto, 67)
		l.service(ir.OUT, ir.IPv4, l.self, "the host's DHCP server may answer guests", proto, 68)
	}
}

// services6 is services4 for a bridge with an IPv6 address.
func (l *lowering) services6() {
	var o ir.Origin
	for _, s := range l.net.subnets {
		if s.addr.Is6() {
			o = l.net.origin("network/ip/@address", s.node.at("address"))
			break
		}
	}
	l.service(ir.INP, ir.IPv6, o, "guests may ask the host's DHCPv6 server", ir.UDP, 547)
	l.service(ir.OUT, ir.IPv6, o, "the host's DHCPv6 server may answer guests", ir.UDP, 546)
	for _, proto := range [...]uint8{ir.UDP, ir.TCP} {
		l.service(ir.INP, ir.IPv6, o, "guests may ask the host's DNS server", proto, 53)
		l.service(ir.OUT, ir.IPv6, o, "the host may ask DNS servers among the guests", proto, 53)
	}
}

// subnet adds the rules of one <ip>: translated or plainly routed.
func (l *lowering) subnet(s subnet) {
	switch family := familyOf(s.addr); {
	case l.net.Mode == ir.ModeNone:
	case l.net.Mode == ir.ModeNAT && (family == ir.IPv4 || l.net.root.kid("forward").kid("nat").yes("ipv6")):
		l.translate(s, family)
	default:
		l.route(s, family)
	}
}

func familyOf(a netip.Addr) ir.Family {
	if a.Is4() {
		return ir.IPv4
	}
	return ir.IPv6
}

// route lets the subnet's traffic through in both directions.
func (l *lowering) route(s subnet, family ir.Family) {
	o := l.net.origin("network/ip/@address", s.node.at("address"))
	l.add(ir.FWI, family, o, "the subnet is routed: anybody may open connections to its guests", ir.Accept{},
		l.matches(ir.DAddr{Prefix: s.prefix}, inDev, l.out)...)
	l.guestsOut(s, family, o)
}

func (l *lowering) guestsOut(s subnet, family ir.Family, o ir.Origin) {
	l.add(ir.FWO, family, o, "guests with an address of the subnet may open connections", ir.Accept{},
		append([]ir.Match{ir.SAddr{Prefix: s.prefix}, l.in}, l.devMatch[outDev]...)...)
}

// matches puts the match of the way out, if there is one, between two others.
func (l *lowering) matches(first ir.Match, dev int, rest ...ir.Match) []ir.Match {
	m := make([]ir.Match, 0, 2+len(rest))
	return append(append(append(m, first), l.devMatch[dev]...), rest...)
}
