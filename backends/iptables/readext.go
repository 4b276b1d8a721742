package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// extension reads -m. An extension that is not modelled is kept whole.
func (s *ruleReader) extension(t token) error {
	if s.not {
		return fmt.Errorf("a ! before %s", t.text)
	}
	name, err := s.arg(t)
	if err != nil {
		return err
	}
	switch name {
	case "tcp", "udp", "sctp", "dccp", "udplite", "icmp", "icmp6", "icmpv6", "conntrack", "state", "mark", "iprange":
		s.module = name
		return nil
	case "comment":
		return nil
	}
	name, n := "-m "+name, s.until()
	if n > 0 {
		first := s.rest[0]
		s.rest = s.rest[1:]
		name += " " + s.take(first, n-1)
	}
	s.one(ir.Opaque{Text: name})
	return nil
}

// extensionOption reads an option of an extension that is modelled. No two of them have an option of the same name, and the
// extension of the protocol needs no -m.
func (s *ruleReader) extensionOption(t token) error {
	switch t.text {
	case "--sport", "--source-port":
		return s.port(t, true)
	case "--dport", "--destination-port":
		return s.port(t, false)
	case "--icmp-type":
		return s.icmpType(t, icmpNames[:])
	case "--icmpv6-type":
		return s.icmpType(t, icmpv6Names[:])
	case "--ctstate", "--state":
		return s.ctstate(t)
	case "--mark":
		return s.mark(t)
	case "--src-range":
		return s.addrRange(t, true)
	case "--dst-range":
		return s.addrRange(t, false)
	case "--comment":
		return s.addComment(t)
	}
	s.opaque(t)
	return nil
}

// opaqueOption keeps an option of an extension with a value that is not modelled.
func (s *ruleReader) opaqueOption(t token, value string) error {
	s.opaqueText(t.text + " " + value)
	return nil
}

// parseNumber reads a decimal number up to top. One with leading zeros is octal to iptables, and not read.
func parseNumber(text string, top uint64) (n uint64, ok bool) {
	if !isDigits(text) || len(text) > 1 && text[0] == '0' || len(text) > 10 {
		return 0, false
	}
	for i := 0; i < len(text); i++ {
		n = n*10 + uint64(text[i]-'0')
	}
	return n, n <= top
}

// port reads a port or a range of ports, of which either end may be left out. Names of services are not modelled.
func (s *ruleReader) port(t token, source bool) error {
	value, err := s.arg(t)
	if err != nil {
		return err
	}
	from, to, err := parsePorts(value, ':')
	if err != nil {
		if strings.Trim(value, "0123456789:") != "" {
			return s.opaqueOption(t, value)
		}
		return err
	}
	switch {
	case from == 0 && to == 65535 && !s.not:
	case source:
		s.one(ir.SPort{From: from, To: to, Not: s.not})
	default:
		s.one(ir.DPort{From: from, To: to, Not: s.not})
	}
	return nil
}

// parsePorts reads one port, or two with sep between them.
func parsePorts(text string, sep byte) (from, to uint16, err error) {
	a, b := text, text
	if i := strings.IndexByte(text, sep); i >= 0 {
		a, b = text[:i], text[i+1:]
		if a == "" {
			a = "0"
		}
		if b == "" {
			b = "65535"
		}
	}
	x, ok := parseNumber(a, 65535)
	y, ok2 := parseNumber(b, 65535)
	if !ok || !ok2 || x > y {
		return 0, 0, fmt.Errorf("%q is no port or range of ports", text)
	}
	return uint16(x), uint16(y), nil
}

// icmpType reads a type, with its code behind a slash, or one of names. "any" is no condition.
func (s *ruleReader) icmpType(t token, names []icmpName) error {
	value, err := s.arg(t)
	if err != nil {
		return err
	}
	if value == "any" && !s.not {
		return nil
	}
	for _, n := range names {
		if n.name == value {
			s.one(ir.ICMPType{Type: n.number, Not: s.not})
			return nil
		}
	}
	typ, code, hasCode := strings.Cut(value, "/")
	if !isDigits(typ) {
		return s.opaqueOption(t, value)
	}
	x, ok := parseNumber(typ, 255)
	y, ok2 := parseNumber(code, 255)
	switch {
	case !ok || hasCode && !ok2:
		return fmt.Errorf("%q is no ICMP type", value)
	case s.family == ir.IPv4 && x == 255 && !s.not:
	case s.family == ir.IPv4 && x == 255:
		return s.opaqueOption(t, value)
	default:
		s.one(ir.ICMPType{Type: uint8(x), Code: uint8(y), HasCode: hasCode, Not: s.not})
	}
	return nil
}

type icmpName struct {
	name   string
	number uint8
}

// icmpNames and icmpv6Names are the types that iptables-extensions(8) names without a code.
var (
	icmpNames = [...]icmpName{
		{"echo-reply", 0}, {"pong", 0}, {"destination-unreachable", 3}, {"source-quench", 4}, {"redirect", 5},
		{"echo-request", 8}, {"ping", 8}, {"router-advertisement", 9}, {"router-solicitation", 10}, {"time-exceeded", 11},
		{"ttl-exceeded", 11}, {"parameter-problem", 12}, {"timestamp-request", 13}, {"timestamp-reply", 14},
		{"address-mask-request", 17}, {"address-mask-reply", 18},
	}
	icmpv6Names = [...]icmpName{
		{"destination-unreachable", 1}, {"packet-too-big", 2}, {"time-exceeded", 3}, {"ttl-exceeded", 3}, {"parameter-problem", 4},
		{"echo-request", 128}, {"ping", 128}, {"echo-reply", 129}, {"pong", 129}, {"router-solicitation", 133},
		{"router-advertisement", 134}, {"neighbor-solicitation", 135}, {"neighbour-solicitation", 135},
		{"neighbor-advertisement", 136}, {"neighbour-advertisement", 136}, {"redirect", 137},
	}
)

// ctstate reads a list of states, among them the virtual ones SNAT and DNAT.
func (s *ruleReader) ctstate(t token) error {
	value, err := s.arg(t)
	if err != nil {
		return err
	}
	var states ir.State
	var status ir.Status
	for word := range strings.SplitSeq(value, ",") {
		i := slices.IndexFunc(ctstates[:], func(c ctstate) bool { return strings.EqualFold(c.name, word) })
		j := slices.IndexFunc(natstates[:], func(c natstate) bool { return strings.EqualFold(c.name, word) })
		switch {
		case i >= 0:
			states |= ctstates[i].state
		case j >= 0:
			status |= natstates[j].status
		default:
			return fmt.Errorf("%q is no connection state", word)
		}
	}
	ways := stateWays(states, status, s.not)
	switch {
	case len(ways) == 1:
		s.matches = append(s.matches, ways[0]...)
	case s.ways != nil:
		return s.opaqueOption(t, value)
	default:
		s.ways = ways
	}
	return nil
}

// stateWays returns what --ctstate asks for: one of states, or one of status. Where the IR has no one word for it there are
// two ways, and a packet goes at most one of them: by its state, or by its status in another state. Negated, the option holds
// for packets without a connection too, unless it names their states.
func stateWays(states ir.State, status ir.Status, not bool) [][]ir.Match {
	only := func(m ...ir.Match) [][]ir.Match { return [][]ir.Match{m} }
	state, nat := ir.CTState{States: states, Not: not}, ir.CTStatus{Status: status, Not: not}
	switch {
	case status == 0:
		return only(state)
	case !not && states == 0:
		return only(nat)
	case !not:
		return append(only(state), []ir.Match{ir.CTState{States: states, Not: true}, nat})
	}
	ways := only(nat)
	if others := states &^ noConnection; others != 0 {
		ways = only(ir.CTState{States: others, Not: true}, nat)
	}
	if free := noConnection &^ states; free != 0 {
		ways = append(ways, []ir.Match{ir.CTState{States: free}})
	}
	return ways
}

// mark reads a mark and its mask.
func (s *ruleReader) mark(t token) error {
	text, err := s.arg(t)
	if err != nil {
		return err
	}
	value, mask, masked := strings.Cut(text, "/")
	m := ir.Mark{Mask: 0xffffffff, Not: s.not}
	ok := parseMark(value, &m.Value) && (!masked || parseMark(mask, &m.Mask))
	if !ok {
		return fmt.Errorf("%q is no mark", text)
	}
	s.one(m)
	return nil
}

// parseMark reads a number as strtoul(3) with base 0 does.
func parseMark(text string, into *uint32) bool {
	if strings.ContainsAny(text, "_oObB+-") && !strings.HasPrefix(text, "0x") && !strings.HasPrefix(text, "0X") {
		return false
	}
	n, err := strconv.ParseUint(text, 0, 32)
	*into = uint32(n)
	return err == nil && !strings.Contains(text, "_")
}

// addrRange reads a range of addresses, or a single one.
func (s *ruleReader) addrRange(t token, source bool) error {
	text, err := s.arg(t)
	if err != nil {
		return err
	}
	r, ok := parseRange(text, s.family)
	switch {
	case !ok:
		return fmt.Errorf("%q is no range of addresses", text)
	case source:
		s.one(ir.SAddrRange{From: r.From, To: r.To, Not: s.not})
	default:
		s.one(ir.DAddrRange{From: r.From, To: r.To, Not: s.not})
	}
	return nil
}

// parseRange reads a-b or a.
func parseRange(text string, f ir.Family) (ir.AddrRange, bool) {
	a, b, two := strings.Cut(text, "-")
	if !two {
		b = a
	}
	from, err := netip.ParseAddr(a)
	to, err2 := netip.ParseAddr(b)
	ok := err == nil && err2 == nil && from.Zone() == "" && to.Zone() == "" && familyOf(from) == f && familyOf(to) == f && from.Compare(to) <= 0
	return ir.AddrRange{From: from, To: to}, ok
}

// addComment reads a comment.
func (s *ruleReader) addComment(t token) error {
	text, err := s.arg(t)
	if err != nil {
		return err
	}
	if s.comment != "" {
		text = s.comment + "; " + text
	}
	s.comment = text
	return nil
}
