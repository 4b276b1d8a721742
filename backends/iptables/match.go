package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// fields finds the matches of a rule that iptables-save prints at a place of their own: the index
// in Rule.Matches, -1 if there is none.
type fields struct {
	src, dst, in, out, proto                      int
	sport, dport, flags, srcRange, dstRange, icmp int
	// the IANA number that a packet must have to match; -1 if any may do
	protocol int
}

// matches appends the matches of r in the order of iptables-save: -s -d -i -o -p, then extensions
// in the order of the rule, both sides of -m tcp (udp, ...) and of -m iprange together.
func (l *lowering) matches(f ir.Family, at *tableChain, r *ir.Rule) (fields, *refusal) {
	m, why := collect(r)
	if why != nil {
		return m, why
	}
	for _, i := range [...]int{m.src, m.dst, m.in, m.out, m.proto} {
		if i < 0 {
			continue
		}
		if why := l.basic(at, r.Matches[i]); why != nil {
			return m, why
		}
	}
	for _, match := range r.Matches {
		if f, is := match.(ir.Field); is && f.Key == ir.KeyFragment {
			if why := l.fragment(at, f); why != nil {
				return m, why
			}
		}
	}
	for i := range r.Matches {
		if f, is := r.Matches[i].(ir.Field); is {
			if f.Key == ir.KeyOrigDPort && (m.protocol < 0 || !ir.HasPorts(uint8(m.protocol))) {
				return m, refusalf("ports belong to a protocol: the rule must match tcp, udp, sctp, dccp or udplite",
					"name the protocol", "an original port in a rule without such a protocol")
			}
			if why := l.field(at, f); why != nil {
				return m, why
			}
		}
		if why := l.extension(f, r, i, m); why != nil {
			return m, why
		}
	}
	return m, nil
}

// collect fills fields. A packet field can be matched once: the option is taken once in a command,
// and iptables-nft lists only the last of two extensions that look at the same port.
func collect(r *ir.Rule) (fields, *refusal) {
	m := fields{src: -1, dst: -1, in: -1, out: -1, proto: -1, sport: -1, dport: -1, flags: -1, srcRange: -1,
		dstRange: -1, icmp: -1, protocol: -1}
	for i, match := range r.Matches {
		var at *int
		switch match := match.(type) {
		case ir.IIfName:
			at = &m.in
		case ir.OIfName:
			at = &m.out
		case ir.SAddr:
			at = &m.src
		case ir.DAddr:
			at = &m.dst
		case ir.L4Proto:
			at = &m.proto
			if !match.Not {
				m.protocol = int(match.Proto)
			}
		case ir.SPort:
			at = &m.sport
		case ir.DPort:
			at = &m.dport
		case ir.TCPFlags:
			at = &m.flags
		case ir.SAddrRange:
			at = &m.srcRange
		case ir.DAddrRange:
			at = &m.dstRange
		case ir.ICMPType:
			at = &m.icmp
		case ir.Limit:
			if i < len(r.Matches)-1 {
				return m, refusalf("packets take its tokens that the match behind it does not let by",
					"make the limit the last match of the rule", "a limit before another match")
			}
			continue
		case ir.Field:
			same := func(o ir.Match) bool { f, is := o.(ir.Field); return is && f.Key == match.Key }
			if slices.ContainsFunc(r.Matches[:i], same) {
				return m, refusalf("a rule has one such condition", nftablesCan, "two conditions on %s in one rule", match.Key)
			}
			continue
		case ir.CTState, ir.CTStatus, ir.Mark, ir.Lookup, ir.AddrType, ir.Unknown, ir.Opaque:
			continue
		default:
			panic(fmt.Sprintf("iptables: unknown match %T", match))
		}
		if *at >= 0 {
			return m, refusalf("a rule has one such condition, "+options(match)+" appears once in a command",
				nftablesCan,
				"two conditions on the same field in one rule")
		}
		*at = i
	}
	return m, nil
}

// options names the option that m becomes.
func options(m ir.Match) string {
	switch m.(type) {
	case ir.IIfName:
		return "-i"
	case ir.OIfName:
		return "-o"
	case ir.SAddr:
		return "-s"
	case ir.DAddr:
		return "-d"
	case ir.L4Proto:
		return "-p"
	case ir.SPort:
		return "--sport"
	case ir.DPort:
		return "--dport"
	case ir.TCPFlags:
		return "--tcp-flags"
	case ir.SAddrRange:
		return "--src-range"
	case ir.DAddrRange:
		return "--dst-range"
	case ir.ICMPType:
		return "--icmp-type"
	}
	panic(fmt.Sprintf("iptables: no option for %T", m))
}

// option appends an option and its negation.
func (l *lowering) option(name string, not bool) {
	if not {
		l.text = append(l.text, " !"...)
	}
	l.text = append(append(append(l.text, ' '), name...), ' ')
}

// basic appends one of the five matches that need no extension.
func (l *lowering) basic(at *tableChain, match ir.Match) *refusal {
	switch m := match.(type) {
	case ir.SAddr:
		return l.prefixed("-s", m.Prefix, m.Not)
	case ir.DAddr:
		return l.prefixed("-d", m.Prefix, m.Not)
	case ir.IIfName:
		if at.builtin() && (at.hooks.has(ir.Output) || at.hooks.has(ir.Postrouting)) {
			return refusalf("the option is refused in this chain", nftablesCan, "an in interface in chain %s", at.name)
		}
		return l.interfaceName("-i", m.Name, m.Wildcard, m.Not)
	case ir.OIfName:
		if at.builtin() && (at.hooks.has(ir.Prerouting) || at.hooks.has(ir.Input)) {
			return refusalf("the option is refused in this chain", nftablesCan, "an out interface in chain %s", at.name)
		}
		return l.interfaceName("-o", m.Name, m.Wildcard, m.Not)
	case ir.L4Proto:
		return l.protocol(m)
	}
	panic(fmt.Sprintf("iptables: unknown match %T", match))
}

// prefixed appends an address with its prefix. All addresses of the family are no condition.
func (l *lowering) prefixed(option string, p netip.Prefix, not bool) *refusal {
	if p.Bits() == 0 {
		if not {
			return refusalf("iptables takes ! "+option+" 0.0.0.0/0 for no condition",
				"leave the rule out, no packet meets it", "a rule for no address at all")
		}
		return nil
	}
	l.option(option, not)
	l.addr(p.Masked().Addr())
	l.text = strconv.AppendInt(append(l.text, '/'), int64(p.Bits()), 10)
	return nil
}

// addr appends a as inet_ntop(3) writes it: unlike netip, with the last four bytes of ::192.0.2.1
// as an IPv4 address.
func (l *lowering) addr(a netip.Addr) {
	if a.Is6() && !a.Is4In6() {
		b := a.As16()
		compatible := b[12] != 0 || b[13] != 0
		for _, x := range b[:12] {
			compatible = compatible && x == 0
		}
		if compatible {
			l.text = append(l.text, "::"...)
			a = netip.AddrFrom4([4]byte(b[12:]))
		}
	}
	l.text = a.AppendTo(l.text)
}

// maxInterfaceName is the longest name of an interface in bytes, IFNAMSIZ without its NUL.
const maxInterfaceName = 15

// interfaceName appends an interface match. A + at the end stands for any ending.
func (l *lowering) interfaceName(option, name string, wildcard, not bool) *refusal {
	if wildcard && name == "" && !not {
		return nil
	}
	length := len(name)
	if wildcard {
		length++
	}
	switch {
	case name == "":
		return refusalf("an empty name is no condition in iptables", nftablesCan, "an interface without a name")
	case length > maxInterfaceName:
		return refusalf(fmt.Sprintf("an interface name, the + of a wildcard included, has at most %d bytes",
			maxInterfaceName), "shorten the name",
			"interface name %q", name)
	case !wildcard && name[len(name)-1] == '+':
		return refusalf("a + at the end means any ending, so the rule would match other interfaces too",
			nftablesCan, "interface name %q", name)
	case !plainWord(name) || strings.ContainsRune(name, '/') || name[0] == '!':
		return refusalf("an interface name is one word of printable ASCII characters without quotes, slashes and a leading !", "rename the interface",
			"interface name %q", name)
	}
	l.option(option, not)
	l.text = append(l.text, name...)
	if wildcard {
		l.text = append(l.text, '+')
	}
	return nil
}

// protocol appends -p.
func (l *lowering) protocol(m ir.L4Proto) *refusal {
	if m.Proto == 0 {
		return refusalf("-p 0 means all protocols", nftablesCan, "protocol 0")
	}
	l.option("-p", m.Not)
	l.text = appendProtocol(l.text, m.Proto)
	return nil
}

// appendProtocol appends a protocol's name where iptables itself knows it; others are found in
// /etc/protocols, which a host may lack, so their numbers are safer to load.
func appendProtocol(b []byte, proto uint8) []byte {
	for _, p := range ownProtocols {
		if p.number == proto {
			return append(b, p.name...)
		}
	}
	return strconv.AppendUint(b, uint64(proto), 10)
}

// ownProtocols are the names that iptables has without /etc/protocols.
var ownProtocols = [...]struct {
	number uint8
	name   string
}{{ir.TCP, "tcp"}, {ir.UDP, "udp"}, {ir.ICMP, "icmp"}, {ir.ICMPv6, "ipv6-icmp"}, {ir.SCTP, "sctp"}, {50, "esp"},
	{51, "ah"}, {ir.UDPLite, "udplite"}, {135, "mobility-header"}}

// familyOf returns the family of a.
func familyOf(a netip.Addr) ir.Family {
	if a.Is4() {
		return ir.IPv4
	}
	return ir.IPv6
}
