package nftables

import "github.com/vnetc/vnetc/ir"

// The names that nft(8) prints for ICMP types and codes; a number without a name is printed as
// such.
var (
	// RFC 792
	icmpTypes = map[uint8]string{
		0:  "echo-reply",
		3:  "destination-unreachable",
		4:  "source-quench",
		5:  "redirect",
		8:  "echo-request",
		9:  "router-advertisement",
		10: "router-solicitation",
		11: "time-exceeded",
		12: "parameter-problem",
		13: "timestamp-request",
		14: "timestamp-reply",
		15: "info-request",
		16: "info-reply",
		17: "address-mask-request",
		18: "address-mask-reply",
	}
	// RFC 792, RFC 1812: codes of destination unreachable, printed for every type
	icmpCodes = map[uint8]string{
		0:  "net-unreachable",
		1:  "host-unreachable",
		2:  "prot-unreachable",
		3:  "port-unreachable",
		4:  "frag-needed",
		9:  "net-prohibited",
		10: "host-prohibited",
		13: "admin-prohibited",
	}
	// RFC 4443, RFC 4861, RFC 2710
	icmpv6Types = map[uint8]string{
		1:   "destination-unreachable",
		2:   "packet-too-big",
		3:   "time-exceeded",
		4:   "parameter-problem",
		128: "echo-request",
		129: "echo-reply",
		130: "mld-listener-query",
		131: "mld-listener-report",
		132: "mld-listener-done",
		133: "nd-router-solicit",
		134: "nd-router-advert",
		135: "nd-neighbor-solicit",
		136: "nd-neighbor-advert",
		137: "nd-redirect",
		138: "router-renumbering",
		141: "ind-neighbor-solicit",
		142: "ind-neighbor-advert",
		143: "mld2-listener-report",
	}
	// RFC 4443: codes of destination unreachable, printed for every type
	icmpv6Codes = map[uint8]string{
		0: "no-route",
		1: "admin-prohibited",
		3: "addr-unreachable",
		4: "port-unreachable",
		5: "policy-fail",
		6: "reject-route",
	}
)

func icmpTypeName(proto, typ uint8) string {
	if proto == ir.ICMPv6 {
		return icmpv6Types[typ]
	}
	return icmpTypes[typ]
}

func icmpCodeName(proto, code uint8) string {
	if proto == ir.ICMPv6 {
		return icmpv6Codes[code]
	}
	return icmpCodes[code]
}
