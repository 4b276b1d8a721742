package policy

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// String returns the statement in its own language, in one line. Sets come as their addresses.
func (s Statement) String() string {
	words := []string{string(s.Kind)}
	add := func(more ...string) { words = append(words, more...) }
	switch s.Kind {
	case Isolated:
		add(endWords(s.From))
	case Clamp:
		add("mss")
		if s.MSS != 0 {
			add(strconv.Itoa(int(s.MSS)))
		}
		add(endWords(s.From))
	case Publish:
		words = append(words, s.publishWords()...)
	default:
		words = append(words, s.ruleWords()...)
	}
	return strings.Join(words, " ")
}

// ruleWords returns the words of allow and deny.
func (s Statement) ruleWords() (words []string) {
	add := func(more ...string) { words = append(words, more...) }
	if s.Family != s.implied() {
		add(familyWord(s.Family))
	}
	if s.Proto != 0 {
		add(protoName(s.Proto))
	}
	if len(s.ICMP) > 0 {
		add("type", joined(s.ICMP, func(t ir.ICMPType) string { return ir.ICMPName(s.Proto, t.Type) }))
	}
	if s.From.Kind != Anywhere {
		add("from", endWords(s.From))
	}
	if s.To.Kind != Anywhere {
		add("to", endWords(s.To))
	}
	if len(s.Ports) > 0 {
		add("port", joined(s.Ports, ir.PortRange.String))
	}
	return words
}

func (s Statement) publishWords() []string {
	words := []string{protoName(s.Proto), joined(s.Ports, ir.PortRange.String), "to", s.Guest.String()}
	add := func(more ...string) { words = append(words, more...) }
	if len(s.Ports) != 1 || s.Ports[0] != s.GuestPorts {
		add("port", s.GuestPorts.String())
	}
	if s.On != "" {
		add("on", nameWord(s.On))
	}
	if s.At.IsValid() {
		add("at", s.At.String())
	}
	if len(s.From.Addrs) > 0 {
		add("from", joined(s.From.Addrs, addrWord))
	}
	return words
}

// implied returns the family that follows from the statement's other words.
func (s Statement) implied() ir.Family {
	family := s.From.families() & s.To.families()
	switch {
	case len(s.ICMP) == 0:
	case s.Proto == ir.ICMP:
		family &= ir.IPv4
	case s.Proto == ir.ICMPv6:
		family &= ir.IPv6
	}
	return family
}

func endWords(e End) string {
	words := plainEnd(e)
	if e.By != "" {
		words += " by " + nameWord(e.By)
	}
	if len(e.Addrs) > 0 {
		words = joined(e.Addrs, addrWord) + " in " + words
	}
	return words
}

// plainEnd returns the words for an end without what narrows it.
func plainEnd(e End) string {
	switch e.Kind {
	case Network:
		return "network " + nameWord(e.Name)
	case Host:
		return "host"
	case Outside:
		return "outside"
	}
	return "anywhere"
}

func joined[T any](all []T, word func(T) string) string {
	words := make([]string, len(all))
	for i, one := range all {
		words[i] = word(one)
	}
	return strings.Join(words, ",")
}

func addrWord(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func nameWord(name string) string {
	if isPlain(name) {
		return name
	}
	return strconv.Quote(name)
}

// isPlain is true if name can stand in a policy without quotes.
func isPlain(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '#' || r >= 0x7f
	})
}

// familyWord returns the word for one family, as the language has it.
func familyWord(f ir.Family) string {
	switch f {
	case ir.IPv4:
		return "ipv4"
	case ir.IPv6:
		return "ipv6"
	}
	return ""
}
