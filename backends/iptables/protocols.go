package iptables

import (
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// parseProtocol reads a number, or a name in any case: iptables' own, or one of protocols. 0 is any
// protocol.
func parseProtocol(name string) (number uint8, ok bool) {
	if n, ok := parseUint(name, 255); ok {
		return uint8(n), true
	}
	name = strings.ToLower(name)
	switch name {
	case "tcp":
		return ir.TCP, true
	case "udp":
		return ir.UDP, true
	case "icmp":
		return ir.ICMP, true
	case "all", "ip", "hopopt":
		return 0, true
	case "icmpv6", "icmp6":
		return ir.ICMPv6, true
	case "mh", "ipv6-mh":
		return 135, true
	}
	for _, p := range protocols {
		if p.name == name {
			return p.number, true
		}
	}
	return 0, false
}

// protocolName returns the first name of a protocol, "" if it has none.
func protocolName(number uint8) string {
	for _, p := range protocols {
		if p.number == number {
			return p.name
		}
	}
	return ""
}

// protocols are the names that iptables takes from /etc/protocols: IANA's list of protocol numbers,
// as Debian spells it.
var protocols = [...]struct {
	number uint8
	name   string
}{
	{1, "icmp"}, {2, "igmp"}, {3, "ggp"}, {4, "ipencap"}, {5, "st"}, {6, "tcp"}, {8, "egp"}, {9, "igp"},
	{12, "pup"}, {17, "udp"},
	{20, "hmp"}, {22, "xns-idp"}, {27, "rdp"}, {29, "iso-tp4"}, {33, "dccp"}, {36, "xtp"}, {37, "ddp"},
	{38, "idpr-cmtp"}, {41, "ipv6"},
	{43, "ipv6-route"}, {44, "ipv6-frag"}, {45, "idrp"}, {46, "rsvp"}, {47, "gre"}, {50, "esp"}, {51, "ah"},
	{57, "skip"},
	{58, "ipv6-icmp"}, {59, "ipv6-nonxt"}, {60, "ipv6-opts"}, {73, "rspf"}, {81, "vmtp"}, {88, "eigrp"},
	{89, "ospf"}, {93, "ax.25"},
	{94, "ipip"}, {97, "etherip"}, {98, "encap"}, {103, "pim"}, {108, "ipcomp"}, {112, "vrrp"}, {115, "l2tp"},
	{124, "isis"},
	{132, "sctp"}, {133, "fc"}, {135, "mobility-header"}, {136, "udplite"}, {137, "mpls-in-ip"}, {138, "manet"},
	{139, "hip"},
	{140, "shim6"}, {141, "wesp"}, {142, "rohc"}, {143, "ethernet"},
}
