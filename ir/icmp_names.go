package ir

import "strconv"

// icmpNames are nft(8)'s names of ICMP and ICMPv6 types.
var icmpNames = [...]struct {
	proto, number uint8
	name          string
}{
	{ICMP, 0, "echo-reply"}, {ICMP, 3, "destination-unreachable"}, {ICMP, 4, "source-quench"}, {ICMP, 5, "redirect"},
	{ICMP, 8, "echo-request"}, {ICMP, 9, "router-advertisement"}, {ICMP, 10, "router-solicitation"},
	{ICMP, 11, "time-exceeded"},
	{ICMP, 12, "parameter-problem"}, {ICMP, 13, "timestamp-request"}, {ICMP, 14, "timestamp-reply"},
	{ICMP, 15, "info-request"},
	{ICMP, 16, "info-reply"}, {ICMP, 17, "address-mask-request"}, {ICMP, 18, "address-mask-reply"},

	{ICMPv6, 1, "destination-unreachable"}, {ICMPv6, 2, "packet-too-big"}, {ICMPv6, 3, "time-exceeded"},
	{ICMPv6, 4, "parameter-problem"},
	{ICMPv6, 128, "echo-request"}, {ICMPv6, 129, "echo-reply"}, {ICMPv6, 130, "mld-listener-query"},
	{ICMPv6, 131, "mld-listener-report"},
	{ICMPv6, 132, "mld-listener-done"}, {ICMPv6, 133, "nd-router-solicit"}, {ICMPv6, 134, "nd-router-advert"},
	{ICMPv6, 135, "nd-neighbor-solicit"}, {ICMPv6, 136, "nd-neighbor-advert"}, {ICMPv6, 137, "nd-redirect"},
	{ICMPv6, 138, "router-renumbering"}, {ICMPv6, 141, "ind-neighbor-solicit"}, {ICMPv6, 142, "ind-neighbor-advert"},
	{ICMPv6, 143, "mld2-listener-report"},
}

// ICMPNumber returns the type of ICMP protocol proto that nft(8) calls name; ok is false if there
// is none.
func ICMPNumber(proto uint8, name string) (number uint8, ok bool) {
	for _, n := range icmpNames {
		if n.proto == proto && n.name == name {
			return n.number, true
		}
	}
	return 0, false
}

// ICMPName returns the name of a type of ICMP protocol proto, its number if it has none.
func ICMPName(proto, number uint8) string {
	for _, n := range icmpNames {
		if n.proto == proto && n.number == number {
			return n.name
		}
	}
	return strconv.Itoa(int(number))
}

// ICMPNames returns the names of proto's types.
func ICMPNames(proto uint8) []string {
	var names []string
	for _, n := range icmpNames {
		if n.proto == proto {
			names = append(names, n.name)
		}
	}
	return names
}
