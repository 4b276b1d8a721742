package netxml

import (
	"net/netip"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/parallel"
)

// limitedBroadcast is every host on a link (RFC 919).
var limitedBroadcast = netip.MustParsePrefix("255.255.255.255/32")

// What rules of every network have in common.
var (
	udp     ir.Match   = ir.L4Proto{Proto: ir.UDP}
	tcp     ir.Match   = ir.L4Proto{Proto: ir.TCP}
	replies ir.Match   = ir.CTState{States: ir.StateEstablished | ir.StateRelated}
	refused ir.Verdict = ir.Reject{With: ir.PortUnreachable}

	// where packets that must never be translated go (RFC 919, RFC 5771, RFC 4291)
	toBroadcast  ir.Match = ir.DAddr{Prefix: limitedBroadcast}
	toMulticast4 ir.Match = ir.DAddr{Prefix: netip.MustParsePrefix("224.0.0.0/24")}
	toMulticast6 ir.Match = ir.DAddr{Prefix: netip.MustParsePrefix("ff02::/16")}
)

// guestPorts are the source ports of NATed guests where the document names none: below 1024 are
// those of which servers such as NFS believe that only root uses them.
var guestPorts = ir.PortRange{From: 1024, To: 65535}

// Lower returns the program of networks, which must come from [Parse] without an error. Libvirt
// puts each rule it makes on top of its chain; so the rules of later networks stand above those of
// earlier ones, and within a network in the order of the functions below. Modes other than none,
// nat and route have no rules. Links are in the order of networks.
//
// An accept in FWI of a routed network is met before the FWO of the network that a packet comes
// from, so guests that their own network would let out nowhere get into the routed one. That is
// libvirt's meaning, and the default. With Options.StrictIsolation each network also checks, at the
// end of its FWX, that its own rules let the packet out. And what comes in by its bridge with a
// source that is not of its guests is dropped, there and at input, whoever it is for: what the host
// sends because of such a packet (a refusal, an echo, a SYN-ACK, an answer of DNS) would go to the
// source that the guest wrote, with the guest's data in it.
func Lower(networks []*Network) *ir.Program {
	p := &ir.Program{Links: make([]*ir.Link, len(networks))}
	for _, g := range ir.Groups {
		if g.Optional() {
			continue
		}
		p.Add(g)
		p.Group(g).Rules = make([]ir.Rule, 0, usual[g]*len(networks))
	}
	parallel.For(len(networks), func(i int) { p.Links[i] = networks[i].link() })
	for i := len(networks) - 1; i >= 0; i-- {
		if n := networks[i]; n.Mode.Filtered() {
			newLowering(p, n).lower()
		}
	}
	return p
}

// usual is how many rules of each group a network of mode nat with one subnet has.
var usual = map[ir.Group]int{ir.INP: 4, ir.OUT: 4, ir.FWX: 1, ir.FWI: 2, ir.FWO: 2, ir.PRT: 6}

// lowering makes the rules of one network.
type lowering struct {
	*ir.Program
	net           *Network
	self          ir.Origin    // of the rules that a network has for being one
	in, out       ir.Match     // by the bridge
	inDev, outDev ir.Match     // by the device that is the only way out; nil if any will do
	dhcp4         *xmldoc.Node // the <dhcp> of IPv4 with ranges or hosts
	tftp          *xmldoc.Node
	six           bool // six is true if the bridge has an IPv6 address.

	room []ir.Match // where the matches of rules are kept
}

func newLowering(p *ir.Program, n *Network) *lowering {
	l := &lowering{
		Program: p, net: n, self: n.origin("network/bridge/@name", n.root.Tag),
		in: ir.IIfName{Name: n.Bridge}, out: ir.OIfName{Name: n.Bridge},
	}
	if bridge := n.root.Kid("bridge"); bridge.Has("name") {
		l.self.Span = n.src.Span(bridge.At("name"))
	} else if name := n.root.Kid("name"); name != nil {
		l.self.Element, l.self.Span = "network/name", n.src.Span(name.TextAt)
	}
	if dev := n.device(); dev != "" {
		l.inDev, l.outDev = ir.IIfName{Name: dev}, ir.OIfName{Name: dev}
	}
	for _, s := range n.subnets {
		dhcp, tftp := s.node.Kid("dhcp"), s.node.Kid("tftp")
		served := dhcp.Kid("range") != nil || dhcp.Kid("host") != nil
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

func (n *Network) origin(element string, at xmldoc.Extent) ir.Origin {
	return ir.Origin{Span: n.src.Span(at), Network: n.Name(), Element: element}
}

// lower adds all rules of the network, top to bottom.
func (l *lowering) lower() {
	if l.net.Strict {
		l.guard(ir.IPv4)
		l.guard(ir.IPv6)
	} else {
		l.services4()
		if l.six {
			l.services6()
		}
	}
	l.add(ir.FWX, ir.IPv4, l.self, "guests of one network may talk to each other through the host", ir.Accept{},
		l.in, l.out)
	six := l.six || l.net.root.Yes("ipv6")
	origin6 := l.self
	if six && !l.six {
		origin6 = l.net.origin("network/@ipv6", l.net.root.At("ipv6"))
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

// refuse ends the network's part of the forward groups: what was not accepted above goes nowhere.
func (l *lowering) refuse(family ir.Family, o ir.Origin) {
	l.add(ir.FWI, family, o, "nothing else may enter the network", refused, l.out)
	l.add(ir.FWO, family, o, "nothing else may leave the network", refused, l.in)
}

// add puts a rule at the end of a group's present rules. It copies o and sets its reason. A match
// that is nil is left out.
func (l *lowering) add(g ir.Group, family ir.Family, o ir.Origin, reason string, v ir.Verdict, matches ...ir.Match) {
	o.Reason = reason
	l.Add(g, ir.Rule{Family: family, Matches: l.keep(matches), Verdict: v, Origin: o})
}

// keep returns the matches that are not nil, in a slice of their own. These slices are cut from
// larger ones: there are many of them, and they are short.
func (l *lowering) keep(matches []ir.Match) []ir.Match {
	if cap(l.room)-len(l.room) < len(matches) {
		l.room = make([]ir.Match, 0, 64)
	}
	from := len(l.room)
	for _, m := range matches {
		if m != nil {
			l.room = append(l.room, m)
		}
	}
	return l.room[from:len(l.room):len(l.room)]
}

// service lets guests reach a service of the host, or the host answer at their port.
func (l *lowering) service(g ir.Group, family ir.Family, o ir.Origin, reason string, proto ir.Match, port uint16) {
	device := l.in
	if g == ir.OUT {
		device = l.out
	}
	l.add(g, family, o, reason, ir.Accept{}, device, proto, ir.DPort{From: port, To: port})
}

// services4: libvirt opens DHCP and DNS for every network, whether or not it serves them.
func (l *lowering) services4() {
	if l.tftp != nil {
		o := l.net.origin("network/ip/tftp/@root", l.tftp.At("root"))
		l.service(ir.INP, ir.IPv4, o, "guests may fetch files from the host's TFTP server", udp, 69)
		l.service(ir.OUT, ir.IPv4, o, "the host may answer TFTP", udp, 69)
	}
	for _, proto := range [...]ir.Match{udp, tcp} {
		l.service(ir.INP, ir.IPv4, l.self, "guests may ask the host's DNS server", proto, 53)
		l.service(ir.OUT, ir.IPv4, l.self, "the host may ask DNS servers among the guests", proto, 53)
	}
	for _, proto := range [...]ir.Match{udp, tcp} {
		l.service(ir.INP, ir.IPv4, l.self, "guests may ask the host's DHCP server", proto, 67)
		l.service(ir.OUT, ir.IPv4, l.self, "the host's DHCP server may answer guests", proto, 68)
	}
}

// services6 is services4 for a bridge with an IPv6 address.
func (l *lowering) services6() {
	o := l.self
	for _, s := range l.net.subnets {
		if s.addr.Is6() {
			o = l.net.origin("network/ip/@address", s.node.At("address"))
			break
		}
	}
	l.service(ir.INP, ir.IPv6, o, "guests may ask the host's DHCPv6 server", udp, 547)
	l.service(ir.OUT, ir.IPv6, o, "the host's DHCPv6 server may answer guests", udp, 546)
	for _, proto := range [...]ir.Match{udp, tcp} {
		l.service(ir.INP, ir.IPv6, o, "guests may ask the host's DNS server", proto, 53)
		l.service(ir.OUT, ir.IPv6, o, "the host may ask DNS servers among the guests", proto, 53)
	}
}

// subnet adds the rules of one <ip>: translated or plainly routed.
func (l *lowering) subnet(s subnet) {
	switch family := familyOf(s.addr); {
	case l.net.Mode == ir.ModeNone:
	case l.net.Mode == ir.ModeNAT && (family == ir.IPv4 || l.net.root.Kid("forward").Kid("nat").Yes("ipv6")):
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
	o := l.net.origin("network/ip/@address", s.node.At("address"))
	l.add(ir.FWI, family, o, "the subnet is routed: anybody may open connections to its guests", ir.Accept{},
		ir.DAddr{Prefix: s.prefix}, l.inDev, l.out)
	l.guestsOut(ir.SAddr{Prefix: s.prefix}, family, o)
}

// guestsOut lets out what comes from the subnet.
func (l *lowering) guestsOut(from ir.Match, family ir.Family, o ir.Origin) {
	l.add(ir.FWO, family, o, "guests with an address of the subnet may open connections", ir.Accept{}, from, l.in,
		l.outDev)
}
