package iptables

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// match reads -m.
func (s *ruleReader) match(name string) error {
	if s.not {
		return fmt.Errorf("a ! before -m")
	}
	e := s.find(&s.found, s.known.matches, name)
	if e == nil {
		return fmt.Errorf("%q is not a match of iptables for family %s", name, s.family)
	}
	s.load(e)
	return nil
}

// portsAllowed is true if the rule's protocol, as far as it was read, is one of names.
func (s *ruleReader) portsAllowed(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		p, _ := parseProtocol(name)
		return s.protocol != "" && p == s.number
	})
}

// parsePort reads the number of a port, or the name of a service of the protocol that the present
// match, or the rule, has.
func (s *ruleReader) parsePort(text string) (uint16, bool) {
	protocol := s.present.ext.name
	switch protocol {
	case "tcp", "sctp":
	case "multiport":
		protocol = protocolName(s.number)
	default: // as getaddrinfo(3) does
		if isDigits(text) {
			n, err := strconv.ParseUint(text, 10, 16)
			return uint16(n), err == nil
		}
		n := serviceOf(text, "")
		return n, n != 0
	}
	if n, rest, ok := strtoul(text); ok && rest == "" {
		return uint16(n), n <= math.MaxUint16
	}
	n := serviceOf(text, protocol)
	return n, n != 0
}

// parsePorts reads one port, or two with a colon between them, of which either may be missing.
func (s *ruleReader) parsePorts(text string) (from, to uint16, ok bool) {
	a, b, two := strings.Cut(text, ":")
	if !two {
		from, ok = s.parsePort(a)
		return from, from, ok
	}
	to, ok = math.MaxUint16, true
	ok2 := true
	if a != "" {
		from, ok = s.parsePort(a)
	}
	if b != "" {
		to, ok2 = s.parsePort(b)
	}
	return from, to, ok && ok2
}

// isMatchPorts takes what --sport and --dport take. Some matches want the ends of a range in order.
func (s *ruleReader) isMatchPorts(text string) bool {
	from, to, ok := s.parsePorts(text)
	reversible := s.present.ext.name == "udp" || s.present.ext.name == "dccp"
	return ok && (from <= to || reversible)
}

// sourcePort reads --sport.
func (s *ruleReader) sourcePort(text string) bool { return s.port(text, true) }

// destinationPort reads --dport.
func (s *ruleReader) destinationPort(text string) bool { return s.port(text, false) }

// port reads a port or a range of ports. One whose ends are reversed holds for no port.
func (s *ruleReader) port(text string, source bool) bool {
	from, to, _ := s.parsePorts(text)
	not := s.not
	if from > to {
		from, to, not = 0, math.MaxUint16, !not
	} else if from == 0 && to == math.MaxUint16 && not {
		return false // one kind of iptables takes it for any port, the other for none
	}
	switch {
	case from == 0 && to == math.MaxUint16 && !not:
	case source:
		s.one(ir.SPort{From: from, To: to, Not: not})
	default:
		s.one(ir.DPort{From: from, To: to, Not: not})
	}
	return true
}

// parseICMP reads a type, with its code behind a slash, or a name or the beginning of one. any is
// true for all types.
func parseICMP(text string, f ir.Family) (m ir.ICMPType, any, ok bool) {
	if m, any, ok, named := icmpNamed(text, f); named {
		return m, any, ok
	}
	n, rest, ok := strtoul(text)
	if !ok || n > math.MaxUint8 {
		return m, false, false
	}
	m.Type = uint8(n)
	if code, coded := strings.CutPrefix(rest, "/"); coded {
		n, rest, ok = strtoul(code)
		m.Code, m.HasCode = uint8(n), true
		if !ok || n > math.MaxUint8 || rest != "" {
			return m, false, false
		}
	}
	return m, f == ir.IPv4 && m.Type == math.MaxUint8, true
}

// icmpNamed reads the name of a type. One that begins several names is no type, unless it is one of
// them itself.
func icmpNamed(text string, f ir.Family) (m ir.ICMPType, any, ok, named bool) {
	names := icmpv6Names[:]
	if f == ir.IPv4 {
		names = icmpNames[:]
	}
	hits := 0
	for _, n := range names {
		if len(text) > len(n.name) || !strings.EqualFold(n.name[:len(text)], text) {
			continue
		}
		if hits++; hits == 1 || len(text) == len(n.name) {
			m, any = ir.ICMPType{Type: n.typ, Code: n.code, HasCode: n.coded}, n.name == "any"
		}
		if len(text) == len(n.name) {
			hits = 1
			break
		}
	}
	return m, any, hits == 1, hits > 0
}

func isICMPType(s *ruleReader, text string) bool {
	_, _, ok := parseICMP(text, s.family)
	return ok
}

// icmpType reads a type. "any" is no condition; not any is kept as text.
func (s *ruleReader) icmpType(text string) bool {
	m, any, _ := parseICMP(text, s.family)
	switch {
	case any && s.not, s.protocolNot:
		return false
	case any:
		return true
	}
	m.Not = s.not
	s.one(m)
	return true
}

type icmpName struct {
	name      string
	typ, code uint8
	coded     bool
}

// icmpNames and icmpv6Names are the types that iptables-extensions(8) names.
var (
	icmpNames = [...]icmpName{
		{name: "any", typ: 255}, {name: "echo-reply"}, {name: "pong"},
		{name: "destination-unreachable", typ: 3}, {"network-unreachable", 3, 0, true},
		{"host-unreachable", 3, 1, true},
		{"protocol-unreachable", 3, 2, true}, {"port-unreachable", 3, 3, true}, {"fragmentation-needed", 3, 4, true},
		{"source-route-failed", 3, 5, true}, {"network-unknown", 3, 6, true}, {"host-unknown", 3, 7, true},
		{"network-prohibited", 3, 9, true}, {"host-prohibited", 3, 10, true},
		{"TOS-network-unreachable", 3, 11, true},
		{"TOS-host-unreachable", 3, 12, true}, {"communication-prohibited", 3, 13, true},
		{"host-precedence-violation", 3, 14, true},
		{"precedence-cutoff", 3, 15, true}, {name: "source-quench", typ: 4},
		{name: "redirect", typ: 5}, {"network-redirect", 5, 0, true}, {"host-redirect", 5, 1, true},
		{"TOS-network-redirect", 5, 2, true},
		{"TOS-host-redirect", 5, 3, true}, {name: "echo-request", typ: 8}, {name: "ping", typ: 8},
		{name: "router-advertisement", typ: 9}, {name: "router-solicitation", typ: 10},
		{name: "time-exceeded", typ: 11}, {name: "ttl-exceeded", typ: 11}, {"ttl-zero-during-transit", 11, 0, true},
		{"ttl-zero-during-reassembly", 11, 1, true}, {name: "parameter-problem", typ: 12},
		{"ip-header-bad", 12, 0, true},
		{"required-option-missing", 12, 1, true}, {name: "timestamp-request", typ: 13},
		{name: "timestamp-reply", typ: 14},
		{name: "address-mask-request", typ: 17}, {name: "address-mask-reply", typ: 18},
	}
	icmpv6Names = [...]icmpName{
		{name: "destination-unreachable", typ: 1}, {"no-route", 1, 0, true}, {"communication-prohibited", 1, 1, true},
		{"beyond-scope", 1, 2, true}, {"address-unreachable", 1, 3, true}, {"port-unreachable", 1, 4, true},
		{"failed-policy", 1, 5, true}, {"reject-route", 1, 6, true}, {name: "packet-too-big", typ: 2},
		{name: "time-exceeded", typ: 3}, {name: "ttl-exceeded", typ: 3}, {"ttl-zero-during-transit", 3, 0, true},
		{"ttl-zero-during-reassembly", 3, 1, true}, {name: "parameter-problem", typ: 4}, {"bad-header", 4, 0, true},
		{"unknown-header-type", 4, 1, true}, {"unknown-option", 4, 2, true}, {name: "echo-request", typ: 128},
		{name: "ping", typ: 128},
		{name: "echo-reply", typ: 129}, {name: "pong", typ: 129}, {name: "router-solicitation", typ: 133},
		{name: "router-advertisement", typ: 134},
		{name: "neighbour-solicitation", typ: 135}, {name: "neighbor-solicitation", typ: 135},
		{name: "neighbour-advertisement", typ: 136},
		{name: "neighbor-advertisement", typ: 136}, {name: "redirect", typ: 137},
	}
)

// parseStates reads a list of states, among them the virtual ones SNAT and DNAT, each by its
// beginning.
func parseStates(text string) (states ir.State, status ir.Status, ok bool) {
	for word := range strings.SplitSeq(text, ",") {
		starts := func(name string) bool {
			return word != "" && len(word) <= len(name) && strings.EqualFold(name[:len(word)], word)
		}
		i := slices.IndexFunc(ctstates[:], func(c ctstate) bool { return starts(c.name) })
		j := slices.IndexFunc(natstates[:], func(c natstate) bool { return starts(c.name) })
		switch {
		case i >= 0:
			states |= ctstates[i].state
		case j >= 0:
			status |= natstates[j].status
		default:
			return 0, 0, false
		}
	}
	return states, status, true
}

// ctstate reads --ctstate or --state.
func (s *ruleReader) ctstate(text string) bool {
	states, status, _ := parseStates(text)
	ways := stateWays(states, status, s.not)
	s.states++
	switch {
	case len(ways) == 1:
		s.matches = append(s.matches, ways[0]...)
	case s.ways != nil:
		return false
	default:
		s.ways = ways
	}
	return true
}

// stateWays returns what --ctstate matches: one of states, or one of status. Where the IR has no
// one word for it there are two ways, and a packet goes at most one of them: by its state, or by
// its status in another state. Negated, the option holds for packets without a connection too,
// unless it names their states.
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

// parseMark reads a value and its mask.
func parseMark(text string) (m ir.Mark, ok bool) {
	value, mask, masked := strings.Cut(text, "/")
	v, ok := parseUint(value, math.MaxUint32)
	k, ok2 := uint64(math.MaxUint32), true
	if masked {
		k, ok2 = parseUint(mask, math.MaxUint32)
	}
	return ir.Mark{Value: uint32(v), Mask: uint32(k)}, ok && ok2
}

// mark reads a mark and its mask.
func (s *ruleReader) mark(text string) bool {
	m, _ := parseMark(text)
	m.Not = s.not
	s.one(m)
	return true
}

// sourceRange reads --src-range.
func (s *ruleReader) sourceRange(text string) bool { return s.addrRange(text, true) }

// destinationRange reads --dst-range.
func (s *ruleReader) destinationRange(text string) bool { return s.addrRange(text, false) }

// addrRange reads a range of addresses. One whose ends are reversed is kept as text.
func (s *ruleReader) addrRange(text string, source bool) bool {
	r, _ := parseRange(text, s.family)
	switch {
	case r.From.Compare(r.To) > 0:
		return false
	case source:
		s.one(ir.SAddrRange{From: r.From, To: r.To, Not: s.not})
	default:
		s.one(ir.DAddrRange{From: r.From, To: r.To, Not: s.not})
	}
	return true
}

// parseRange reads a-b or a.
func parseRange(text string, f ir.Family) (ir.AddrRange, bool) {
	a, b, two := strings.Cut(text, "-")
	if !two {
		b = a
	}
	from, ok := parseHost(a, f)
	to, ok2 := parseHost(b, f)
	return ir.AddrRange{From: from, To: to}, ok && ok2 && from.IsValid() && to.IsValid()
}

// addComment reads a comment.
func (s *ruleReader) addComment(text string) bool {
	if s.comment != "" {
		text = s.comment + "; " + text
	}
	s.comment = text
	return true
}
