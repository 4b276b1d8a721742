package policy

import "github.com/vnetc/vnetc/ir"

// exceptions returns what a deny between the network and the host leaves alone, as matches beside
// the interface: to the host, or from it.
func (n *network) exceptions(f ir.Family, toHost bool) (all [][]ir.Match) {
	port := func(proto uint8, port uint16) {
		all = append(all, []ir.Match{ir.L4Proto{Proto: proto}, ir.DPort{From: port, To: port}})
	}
	icmp := func(proto uint8, types ...uint8) {
		for _, t := range types {
			all = append(all, []ir.Match{ir.L4Proto{Proto: proto}, ir.ICMPType{Type: t}})
		}
	}
	var dhcp, tftp bool
	for _, a := range n.link.Addresses {
		if familyOf(a.Prefix.Addr()) == f {
			dhcp, tftp = dhcp || a.DHCP != nil, tftp || a.TFTP != ""
		}
	}
	serves := len(n.subnets(f)) > 0
	switch {
	case toHost && f == ir.IPv4:
		icmp(ir.ICMP, 8)                                    // echo
		all = append(all, []ir.Match{ir.L4Proto{Proto: 2}}) // IGMP, RFC 3376
	case toHost:
		// echo, router solicitation, neighbour solicitation and advertisement (RFC 4861), reports
		// of multicast listeners (RFC 2710, RFC 3810)
		icmp(ir.ICMPv6, 128, 133, 135, 136, 131, 132, 143)
	case f == ir.IPv4:
		all = append(all, []ir.Match{ir.L4Proto{Proto: 2}})
	default: // the same from a router: advertisement, neighbours, queries
		icmp(ir.ICMPv6, 134, 135, 136, 130, 131, 132, 143)
	}
	server, client := uint16(67), uint16(68)
	if f == ir.IPv6 {
		server, client = 547, 546
	}
	switch {
	case toHost && dhcp:
		port(ir.UDP, server)
	case !toHost && dhcp:
		port(ir.UDP, client)
	}
	if toHost && serves && !n.link.DNS.Off {
		port(ir.UDP, 53)
		port(ir.TCP, 53)
	}
	if toHost && tftp {
		port(ir.UDP, 69)
	}
	return all
}
