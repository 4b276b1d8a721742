package netxml

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// translate adds the rules of a subnet behind source NAT. The matches stand in the order in which
// libvirt writes them.
func (l *lowering) translate(s subnet, family ir.Family) {
	o := l.net.origin("network/ip/@address", s.node.At("address"))
	var from, abroad ir.Match = ir.SAddr{Prefix: s.prefix}, ir.DAddr{Prefix: s.prefix, Not: true}
	l.add(ir.FWI, family, o, "replies to connections that guests opened may come back", ir.Accept{},
		l.inDev, l.out, ir.DAddr{Prefix: s.prefix}, replies)
	l.guestsOut(from, family, o)
	l.untranslated(from, family, o)

	ports, portsOrigin := l.ports(o)
	addrs, addrsOrigin := l.addrs(family, o)
	withPorts := sourceNAT(addrs, ports)
	for _, proto := range [...]ir.Match{tcp, udp} {
		l.add(ir.PRT, family, portsOrigin,
			"guests share the host's address, and get none of the ports that servers trust",
			withPorts, proto, from, abroad, l.outDev)
	}
	l.add(ir.PRT, family, addrsOrigin, "guests share the host's address outside of their subnet",
		sourceNAT(addrs, ir.PortRange{}), from, abroad, l.outDev)
}

// untranslated: guests' broadcasts and multicasts to their own link must not get the address of
// another.
func (l *lowering) untranslated(from ir.Match, family ir.Family, o ir.Origin) {
	multicast := toMulticast4
	if family == ir.IPv6 {
		multicast = toMulticast6
	}
	l.add(ir.PRT, family, o, "multicasts to the own link keep their source", ir.Return{}, l.outDev, from, multicast)
	if family == ir.IPv4 {
		l.add(ir.PRT, family, o, "broadcasts to the own link keep their source", ir.Return{}, l.outDev, from,
			toBroadcast)
	}
}

// sourceNAT is SNAT if there are addresses to choose from, else masquerading.
func sourceNAT(addrs ir.AddrRange, ports ir.PortRange) ir.Verdict {
	if addrs.IsZero() {
		return ir.Masquerade{Ports: ports}
	}
	return ir.SNAT{Addrs: addrs, Ports: ports}
}

// ports returns the guests' source ports and who asked for them.
func (l *lowering) ports(o ir.Origin) (ir.PortRange, ir.Origin) {
	nat := l.net.Def.Forward.NAT
	if nat == nil || len(nat.Ports) == 0 {
		return guestPorts, o
	}
	asked := l.net.root.Kid("forward").Kid("nat").Kid("port")
	return ir.PortRange{From: uint16(nat.Ports[0].Start), To: uint16(nat.Ports[0].End)},
		l.net.origin("network/forward/nat/port", asked.Tag)
}

// addrs returns the addresses that IPv4 guests share, zero for the one of the interface they leave
// by.
func (l *lowering) addrs(family ir.Family, o ir.Origin) (ir.AddrRange, ir.Origin) {
	nat := l.net.Def.Forward.NAT
	if nat == nil || len(nat.Addresses) == 0 || family != ir.IPv4 {
		return ir.AddrRange{}, o
	}
	asked := l.net.root.Kid("forward").Kid("nat").Kid("address")
	return ir.AddrRange{From: netip.MustParseAddr(nat.Addresses[0].Start),
			To: netip.MustParseAddr(nat.Addresses[0].End)},
		l.net.origin("network/forward/nat/address", asked.Tag)
}

// checksum: guests whose network card leaves checksums to the host get DHCP answers without one,
// which some clients drop.
func (l *lowering) checksum() {
	if l.dhcp4 == nil {
		return
	}
	l.add(ir.PRT, ir.IPv4, l.net.origin("network/ip/dhcp", l.dhcp4.Tag),
		"old DHCP clients in guests drop answers without a checksum",
		ir.ChecksumFill{}, l.out, udp, ir.DPort{From: 68, To: 68})
}
