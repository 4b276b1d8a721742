package ir

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Sort is a sort of what rules ask and no packet tells: why an [Unknown] is unknown.
type Sort string

const (
	SortRate       Sort = "rate"       // how often, or how many: hashlimit, recent, connlimit, statistic, quota
	SortMembers    Sort = "set"        // what is in a set that others fill: ipset, sets with timeouts
	SortOwner      Sort = "owner"      // who sends: a cgroup, a socket, one of several groups
	SortPayload    Sort = "payload"    // bytes that are not modelled: options, extension headers, text
	SortRouting    Sort = "routing"    // what routes say: reverse path, realm
	SortIPsec      Sort = "ipsec"      // whether a packet was, or will be, in a tunnel
	SortConnection Sort = "connection" // more of a connection: original addresses, helper, bytes
	SortPort       Sort = "port"       // devices beside the two interfaces: ports of a bridge, groups
	SortClock      Sort = "clock"      // the time
	SortElsewhere  Sort = "elsewhere"  // what a module asks that Linux does not have
)

// Sorts lists them.
var Sorts = [...]Sort{SortRate, SortMembers, SortOwner, SortPayload, SortRouting, SortIPsec, SortConnection, SortPort,
	SortClock, SortElsewhere}

// Unknown is a match of a known kind of which a packet's fields don't tell whether it holds, in the
// words of the rule set that it was read from. Those of equal words agree about one packet, as long
// as nothing is altered that they look at; but those of sort SortRate and SortElsewhere are
// independent.
type Unknown struct {
	Sort Sort
	Text string
	Not  bool
}

func (Unknown) isMatch() {}

// Asks returns what of a packet a match of a sort may look at; independent is true if equal words
// need not agree.
func (s Sort) Asks() (fields Fields, independent bool) {
	switch s {
	case SortRate, SortElsewhere:
		return AllFields, true
	case SortOwner, SortPort, SortClock:
		return 0, false
	case SortConnection:
		return FieldState | FieldCTMark, false
	case SortRouting:
		return FieldSAddr | FieldDAddr | FieldMark | FieldHeader, false
	}
	return AllFields, false
}

// AddrTypes is a set of types of addresses, the bits of iptables-extensions(8)'s addrtype and of
// nft(8)'s fib type, which are the numbers of rtnetlink(7).
type AddrTypes uint16

const (
	TypeUnspec AddrTypes = 1 << iota
	TypeUnicast
	TypeLocal
	TypeBroadcast
	TypeAnycast
	TypeMulticast
	TypeBlackhole
	TypeUnreachable
	TypeProhibit
	typesEnd
)

var addrTypeNames = [...]string{"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole",
	"unreachable", "prohibit"}

// String returns nft(8)'s words for the types of t, with commas.
func (t AddrTypes) String() string {
	var words []string
	for i, name := range addrTypeNames {
		if t>>i&1 == 1 {
			words = append(words, name)
		}
	}
	return strings.Join(words, ",")
}

// AddrType holds if the packet's source address, or its destination, is of one of Types on this
// host. Addresses of multicast, of the loopback and of limited broadcast tell it; of others the
// host's own addresses do, and [Host.DecideTypes] puts in what they say.
type AddrType struct {
	Source bool // Source is true for the source address.
	Types  AddrTypes
	Not    bool
}

func (AddrType) isMatch() {}

// Plain returns the prefixes of addresses of family f whose type is known on every host, with that
// type: inet_dev_addr_type in net/ipv4/fib_frontend.c.
func plainTypes(f Family) []typed {
	if f == IPv6 {
		return typed6
	}
	return typed4
}

// typed is addresses of one type.
type typed struct {
	from AddrRange
	is   AddrTypes
}

var (
	typed4 = []typed{
		{oneAddr("0.0.0.0"), TypeBroadcast}, {addrRangeOf("127.0.0.0/8"), TypeLocal},
		{addrRangeOf("224.0.0.0/4"), TypeMulticast}, {oneAddr("255.255.255.255"), TypeBroadcast},
	}
	typed6 = []typed{{oneAddr("::1"), TypeLocal}, {addrRangeOf("ff00::/8"), TypeMulticast}}
)

// KnownTypes calls yield with each range of addresses of family f whose type every host agrees on,
// and that type.
func KnownTypes(f Family, yield func(AddrRange, AddrTypes)) {
	for _, t := range plainTypes(f) {
		yield(t.from, t.is)
	}
}

// addrType is holds for the type of an address. Without a host, unicast addresses may be of any
// other type but multicast.
func (e *evaluation) addrType(m AddrType) answer {
	a := e.packet.Dst
	if m.Source {
		a = e.packet.Src
	}
	for _, t := range plainTypes(e.packet.Family) {
		if t.from.From.Compare(a) <= 0 && a.Compare(t.from.To) <= 0 {
			return answerOf((m.Types&t.is != 0) != m.Not)
		}
	}
	if m.Types&^TypeMulticast == 0 {
		return answerOf(m.Not)
	}
	return maybe
}

// Decided is true if every host agrees on the types of all addresses that m asks for.
func (m AddrType) Decided() bool { return m.Types&^TypeMulticast == 0 }

func addrTypeWords(m AddrType) string {
	side := "daddr "
	if m.Source {
		side = "saddr "
	}
	return side + not(m.Not) + m.Types.String()
}

// unknown reads a match of an unknown sort.
func (t *textReader) unknown(m *textMatch) Match {
	u := Unknown{Text: t.text(m.Value), Not: m.Not}
	if m.Sort != nil {
		u.Sort = Sort(t.text(*m.Sort))
	}
	if !slices.Contains(Sorts[:], u.Sort) {
		var words []string
		for _, s := range Sorts {
			words = append(words, string(s))
		}
		t.value(*m.Sort, "a sort of what is not known", "write one of "+strings.Join(words, ", "))
	}
	return u
}

// addrType reads the types of an address.
func (t *textReader) addrType(m *textMatch) Match {
	a := AddrType{Not: m.Not}
	if m.Sort != nil {
		switch side := t.text(*m.Sort); side {
		case "saddr", "daddr":
			a.Source = side == "saddr"
		default:
			t.value(*m.Sort, "an address", "write saddr or daddr")
		}
	}
	for word := range strings.SplitSeq(t.text(m.Value), ",") {
		i := slices.Index(addrTypeNames[:], word)
		if i < 0 {
			t.value(m.Value, "a list of types of addresses", "write some of "+(typesEnd-1).String()+
				" with commas between them")
			return a
		}
		a.Types |= 1 << i
	}
	return a
}

// addrType checks a match on the type of an address.
func (v *ruleVerifier) addrType(m AddrType) {
	if m.Types == 0 || m.Types >= typesEnd {
		v.wrong("ir-match", fmt.Sprintf("match on types of addresses %#x", uint16(m.Types)),
			"an address has one type, and the match names some", "name the types that are meant")
	}
}

// unknownSort checks an unknown match.
func (v *ruleVerifier) unknownSort(m Unknown) {
	v.text("ir-text", v.rule.Origin.Span, "unknown match", m.Text)
	if !slices.Contains(Sorts[:], m.Sort) {
		v.wrong("ir-match", fmt.Sprintf("match of an unknown sort %q", string(m.Sort)), "there is no such sort",
			"use one of ir.Sorts")
	}
}

func oneAddr(text string) AddrRange {
	a := netip.MustParseAddr(text)
	return AddrRange{a, a}
}

func addrRangeOf(text string) AddrRange {
	p := netip.MustParsePrefix(text)
	raw := p.Addr().AsSlice()
	for i := p.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	to, _ := netip.AddrFromSlice(raw)
	return AddrRange{p.Addr(), to}
}
