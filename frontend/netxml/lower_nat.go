package netxml

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// translate adds the rules of a subnet behind source NAT. The matches stand in the order in which libvirt writes them.
func (l *lowering) translate(s subnet, family ir.Family) {
	o := l.net.origin("network/ip/@address", s.node.at("address"))
	reply := append([]ir.Match{}, l.devMatch[inDev]...)
	reply = append(reply, l.out, ir.DAddr{Prefix: s.prefix}, ir.CTState{States: ir.StateEstablished | ir.StateRelated})
	l.add(ir.FWI, family, o, "replies to connections that guests opened may come back", ir.Accept{}, reply...)
	l.guestsOut(s, family, o)
	l.untranslated(s, family, o)

	ports, portsOrigin := l.ports(o)
	addrs, addrsOrigin := l.addrs(family, o)
	for _, proto := range [...]uint8{ir.TCP, ir.UDP} {
		l.add(ir.PRT, family, portsOrigin, "guests share the host's address, and get none of the ports that servers trust",
			sourceNAT(addrs, ports), l.abroad(s, ir.L4Proto{Proto: proto})...)
	}
	l.add(ir.PRT, family, addrsOrigin, "guests share the host's address outside of their subnet",
		sourceNAT(addrs, ir.PortRange{}), l.abroad(s)...)
}

// untranslated: guests' broadcasts and multicasts to their own link must not get the address of another.
func (l *lowering) untranslated(s subnet, family ir.Family, o ir.Origin) {
	multicast := localMulticast4
	if family == ir.IPv6 {
		multicast = localMulticast6
	}
	l.local(s, family, o, "multicasts to the own link keep their source", multicast)
	if family == ir.IPv4 {
		l.local(s, family, o, "broadcasts to the own link keep their source", limitedBroadcast)
	}
}

func (l *lowering) local(s subnet, family ir.Family, o ir.Origin, reason string, to netip.Prefix) {
	m := append([]ir.Match{}, l.devMatch[outDev]...)
	l.add(ir.PRT, family, o, reason, ir.Return{}, append(m, ir.SAddr{Prefix: s.prefix}, ir.DAddr{Prefix: to})...)
}

// abroad matches what leaves the subnet for another.
func (l *lowering) abroad(s subnet, first ...ir.Match) []ir.Match {
	m := make([]ir.Match, 0, 4)
	m = append(append(m, first...), ir.SAddr{Prefix: s.prefix}, ir.DAddr{Prefix: s.prefix, Not: true})
	return append(m, l.devMatch[outDev]...)
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
	asked := l.net.root.kid("forward").kid("nat").kid("port")
	return ir.PortRange{From: uint16(nat.Ports[0].Start), To: uint16(nat.Ports[0].End)},
		l.net.origin("network/forward/nat/port", asked.tag)
}

// addrs returns the addresses that IPv4 guests share, zero for the one of the interface they leave by.
func (l *lowering) addrs(family ir.Family, o ir.Origin) (ir.AddrRange, ir.Origin) {
	nat := l.net.Def.Forward.NAT
	if nat == nil || len(nat.Addresses) == 0 || family != ir.IPv4 {
		return ir.AddrRange{}, o
	}
	asked := l.net.root.kid("forward").kid("nat").kid("address")
	return ir.AddrRange{From: netip.MustParseAddr(nat.Addresses[0].Start), To: netip.MustParseAddr(nat.Addresses[0].End)},
		l.net.origin("network/forward/nat/address", asked.tag)
}

// checksum: guests whose network card leaves checksums to the host get DHCP answers without one, which some clients drop.
func (l *lowering) checksum() {
	if l.dhcp4 == nil {
		return
	}
	l.add(ir.PRT, ir.IPv4, l.net.origin("network/ip/dhcp", l.dhcp4.tag),
		"old DHCP clients in guests drop answers without a checksum",
		ir.ChecksumFill{}, l.out, ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 68, To: 68})
}
