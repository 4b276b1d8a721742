package netxml

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Sources of a guest that has no address of the network yet: DHCP (RFC 2131), and IPv6 before and
// on the link (RFC 4861, RFC 4862).
var (
	unspecified4 = netip.MustParsePrefix("0.0.0.0/32")
	unspecified6 = netip.MustParsePrefix("::/128")
	linkLocal6   = netip.MustParsePrefix("fe80::/10")
)

// confine ends the network's part of FWX under strict isolation: what its FWO would accept goes on
// to the next group. Else its guests are refused before another network can accept them, and what
// lies about its source is dropped without an answer.
func (l *lowering) confine(family ir.Family) {
	for _, s := range l.subnetsOf(family) {
		if l.net.Mode != ir.ModeNone {
			l.add(ir.FWX, family, l.addressOf(s), "guests with an address of the subnet may open connections",
				ir.Return{}, ir.SAddr{Prefix: s.prefix}, l.in, l.outDev)
		}
	}
	for _, s := range l.subnetsOf(family) {
		l.add(ir.FWX, family, l.addressOf(s),
			"nothing else leaves the network, even if another network would let it in", refused,
			ir.SAddr{Prefix: s.prefix}, l.in)
	}
	l.add(ir.FWX, family, l.self, "a source that is not the network's gets no answer, which would go there", ir.Drop{},
		l.in)
}

// guard is the network's part of INP and OUT under strict isolation: services of the host are open
// to sources of the network, other packets from these go on to the host's own rules, and what lies
// about its source is dropped.
func (l *lowering) guard(family ir.Family) {
	sources := l.sources(family)
	from := len(l.Group(ir.INP).Rules)
	switch {
	case family == ir.IPv4:
		l.services4()
	case l.six:
		l.services6()
	}
	l.only(ir.INP, from, sources)
	for _, source := range sources {
		l.add(ir.INP, family, l.self, "a source of the network: the host's own rules decide", ir.Return{}, source, l.in)
	}
	if family == ir.IPv4 {
		l.add(ir.INP, family, l.self, "guests without an address may ask the host's DHCP server", ir.Accept{},
			ir.SAddr{Prefix: unspecified4}, l.in, udp, ir.DPort{From: 67, To: 67})
	}
	l.add(ir.INP, family, l.self, "a source that is not the network's gets no answer, which would go there", ir.Drop{},
		l.in)
}

// sources returns what packets to the host may come from: the subnets, what the host reaches by way
// of guests, and in IPv6 what a guest has before and beside its address.
func (l *lowering) sources(family ir.Family) (all []ir.Match) {
	for _, s := range l.subnetsOf(family) {
		all = append(all, ir.SAddr{Prefix: s.prefix})
	}
	for i, route := range l.net.root.All("route") {
		if dest := routeOf(route, &l.net.Def.Routes[i]).Dest; familyOf(dest.Addr()) == family {
			all = append(all, ir.SAddr{Prefix: dest.Masked()})
		}
	}
	if family == ir.IPv6 {
		all = append(all, ir.SAddr{Prefix: linkLocal6}, ir.SAddr{Prefix: unspecified6})
	}
	return all
}

// only has each rule of g from number from on once for each of the sources.
func (l *lowering) only(g ir.Group, from int, sources []ir.Match) {
	group := l.Group(g)
	open := append([]ir.Rule(nil), group.Rules[from:]...)
	group.Rules = group.Rules[:from]
	for _, r := range open {
		for _, source := range sources {
			one := r
			one.Matches = l.keep(append([]ir.Match{source}, r.Matches...))
			group.Rules = append(group.Rules, one)
		}
	}
}

// subnetsOf returns the network's subnets of the family.
func (l *lowering) subnetsOf(family ir.Family) (all []subnet) {
	for _, s := range l.net.subnets {
		if familyOf(s.addr) == family {
			all = append(all, s)
		}
	}
	return all
}

func (l *lowering) addressOf(s subnet) ir.Origin {
	return l.net.origin("network/ip/@address", s.node.At("address"))
}
