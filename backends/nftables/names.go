package nftables

import (
	"net/netip"
	"strconv"

	"github.com/vnetc/vnetc/ir"
)

// isIdentifier is true if nft(8) takes name for a table or chain: a string of its scanner that is
// no keyword. A name in quotes is none to nft 1.0.6. The kernel's limit is NFT_NAME_MAXLEN.
func isIdentifier(name string) bool {
	if name == "" || len(name) > 127 || isKeyword(name) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		other := '0' <= c && c <= '9' || c == '/' || c == '.' || c == '-'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}

// isKeyword is true for the words that nft 1.0.6 does not take for the name of a chain, and
// "destroy" of later ones.
func isKeyword(word string) bool {
	switch word {
	case "accept", "add", "ah", "all", "and", "arp", "auto-merge", "bridge", "cgroup", "chain", "comment", "comp",
		"constant",
		"continue", "counter", "cpu", "create", "ct", "day", "dccp", "define", "delete", "describe", "destroy",
		"device",
		"devices", "dnat", "drop", "dst", "dup", "dynamic", "ecn", "element", "elements", "eq", "esp", "ether",
		"exists",
		"expires", "export", "exthdr", "fib", "flags", "flow", "flowtable", "flush", "frag", "fwd", "gc-interval", "ge",
		"get",
		"goto", "gt", "handle", "hbh", "hook", "hour", "ibriport", "ibrname", "icmp", "icmpv6", "igmp", "iif",
		"iifgroup",
		"iifname", "iiftype", "import", "include", "index", "inet", "insert", "interval", "ip", "ip6", "ipsec", "jhash",
		"jump", "le", "limit", "list", "log", "lshift", "lt", "map", "mark", "masquerade", "meta", "meter", "mh",
		"missing",
		"monitor", "ne", "netdev", "nftrace", "not", "notrack", "numgen", "obriport", "obrname", "offload", "oif",
		"oifgroup", "oifname", "oiftype", "or", "osf", "pkttype", "policy", "position", "priority", "queue", "quota",
		"random", "redefine", "redirect", "reject", "rename", "replace", "reset", "return", "rshift", "rt", "rt0",
		"rt2",
		"rtclassid", "rule", "ruleset", "sctp", "secmark", "set", "size", "skgid", "skuid", "snat", "socket", "srh",
		"symhash",
		"synproxy", "table", "tcp", "th", "time", "timeout", "tproxy", "type", "typeof", "udp", "udplite", "undefine",
		"update", "vlan", "vmap", "xor", "xt":
		return true
	}
	return false
}

func familyOf(a netip.Addr) ir.Family {
	if a.Is4() {
		return ir.IPv4
	}
	return ir.IPv6
}

// appendPrefix appends a prefix as nft prints it: without the length where that is the whole
// address.
func appendPrefix(b []byte, p netip.Prefix) []byte {
	b = appendAddr(b, p.Addr())
	if p.Bits() == p.Addr().BitLen() {
		return b
	}
	return strconv.AppendInt(append(b, '/'), int64(p.Bits()), 10)
}

// appendAddr appends an address as inet_ntop(3) prints it, which unlike RFC 5952 has a dotted quad
// at the end of an address that begins with six zero words and is not shorter still (::1, ::).
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is6() && !a.Is4In6() {
		v := a.As16()
		if [12]byte(v[:12]) == ([12]byte{}) && (v[12] != 0 || v[13] != 0) {
			return netip.AddrFrom4([4]byte(v[12:])).AppendTo(append(b, "::"...))
		}
	}
	return a.AppendTo(b)
}

// prefixOf returns the prefix that holds the addresses from from to to and no others; ok is false
// if there is none.
func prefixOf(from, to netip.Addr) (p netip.Prefix, ok bool) {
	a, z := from.AsSlice(), to.AsSlice()
	bits := 0
	for bits < len(a)*8 && bit(a, bits) == bit(z, bits) {
		bits++
	}
	for i := bits; i < len(a)*8; i++ {
		if bit(a, i) != 0 || bit(z, i) != 1 {
			return netip.Prefix{}, false
		}
	}
	return netip.PrefixFrom(from, bits), true
}

func bit(b []byte, i int) byte { return b[i/8] >> (7 - i%8) & 1 }

// appendPriority appends a base chain's priority as nft prints it: a name of nft(8), if there is
// one at that hook, with the distance from it.
func appendPriority(b []byte, base *ir.Base) []byte {
	named := [...]struct {
		word  string
		value int
		hook  ir.Hook // the only one that has the name; 0 for all
	}{
		{"raw", ir.PriorityRaw, 0},
		{"mangle", ir.PriorityMangle, 0},
		{"dstnat", ir.PriorityDstNAT, ir.Prerouting},
		{"filter", ir.PriorityFilter, 0},
		{"security", ir.PrioritySecurity, 0},
		{"srcnat", ir.PrioritySrcNAT, ir.Postrouting},
	}
	const near = 10
	for _, n := range named {
		d := base.Priority - n.value
		switch {
		case n.hook != 0 && n.hook != base.Hook || d < -near || d > near:
		case d == 0:
			return append(b, n.word...)
		case d < 0:
			return strconv.AppendInt(append(append(b, n.word...), " - "...), int64(-d), 10)
		default:
			return strconv.AppendInt(append(append(b, n.word...), " + "...), int64(d), 10)
		}
	}
	return strconv.AppendInt(b, int64(base.Priority), 10)
}

// protocolName returns the name that nft prints for a protocol number, from Debian's
// /etc/protocols, "" for those without one there, and for those that few hosts know.
func protocolName(proto uint8) string {
	switch proto {
	case ir.ICMP:
		return "icmp"
	case 2:
		return "igmp"
	case ir.TCP:
		return "tcp"
	case ir.UDP:
		return "udp"
	case ir.DCCP:
		return "dccp"
	case 47:
		return "gre"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case ir.ICMPv6:
		return "ipv6-icmp"
	case ir.SCTP:
		return "sctp"
	case ir.UDPLite:
		return "udplite"
	}
	return ""
}
