package iptables

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// fragment appends -f, which stands among iptables' own options.
func (l *lowering) fragment(at *tableChain, m ir.Field) *refusal {
	if m.Mask != 0x1fff || m.From|m.To != 0 {
		return refusalf("option -f is for those fragments that are not the first", nftablesCan, "a match on %s", ir.MatchText(m))
	}
	if l.of != ir.IPv4 {
		return refusalf("option -f is of IPv4", "make it a rule for ip", "a match on fragments of IPv6")
	}
	if !m.Not {
		l.text = append(l.text, " !"...)
	}
	l.text = append(l.text, " -f"...)
	return nil
}

// field appends the -m part of a match on a key.
func (l *lowering) field(at *tableChain, m ir.Field) *refusal {
	single, whole := m.From == m.To, m.Mask == m.Key.All()
	refused := refusalf("iptables compares other bits, or other values", nftablesCan, "a match on %s", ir.MatchText(m))
	not := ""
	if m.Not {
		not = " !"
	}
	add := func(format string, args ...any) *refusal {
		l.text = fmt.Appendf(l.text, format, args...)
		return nil
	}
	switch m.Key {
	case ir.KeyFragment:
		return nil // see fragment
	case ir.KeyCTMark:
		if !single {
			return refused
		}
		if whole {
			return add(" -m connmark%s --mark %#x", not, m.From)
		}
		return add(" -m connmark%s --mark %#x/%#x", not, m.From, m.Mask)
	case ir.KeyDirection:
		if !single {
			return refused
		}
		reply := (m.From == 1) != m.Not
		return add(" -m conntrack --ctdir %s", map[bool]string{true: "REPLY", false: "ORIGINAL"}[reply])
	case ir.KeyOrigDPort:
		switch {
		case !whole:
			return refused
		case single:
			return add(" -m conntrack%s --ctorigdstport %d", not, m.From)
		}
		return add(" -m conntrack%s --ctorigdstport %d:%d", not, m.From, m.To)
	case ir.KeyTTL:
		return l.ttl(m, not, refused)
	case ir.KeyLength:
		switch {
		case !whole:
			return refused
		case single:
			return add(" -m length%s --length %d", not, m.From)
		}
		return add(" -m length%s --length %d:%d", not, m.From, m.To)
	case ir.KeyTOS:
		switch {
		case !single:
			return refused
		case m.Mask == 0xfc:
			return add(" -m dscp%s --dscp 0x%02x", not, m.From>>2)
		}
		return add(" -m tos%s --tos 0x%02x/0x%02x", not, m.From, m.Mask)
	case ir.KeyPktType:
		if !single || !whole || m.From > 2 {
			return refused
		}
		return add(" -m pkttype%s --pkt-type %s", not, [...]string{"unicast", "broadcast", "multicast"}[m.From])
	case ir.KeyUID, ir.KeyGID:
		return l.owner(at, m, refused)
	case ir.KeyMAC:
		if !single || !whole {
			return refused
		}
		if !at.hooks.within(ir.Prerouting, ir.Input, ir.Forward) {
			return refusalf("the match works where packets have come in only", "put the rule into a chain of another hook",
				"a match on %s in chain %s", ir.MatchText(m), at.name)
		}
		b := binary.BigEndian.AppendUint64(nil, m.From)[2:]
		return add(" -m mac%s --mac-source %02x:%02x:%02x:%02x:%02x:%02x", not, b[0], b[1], b[2], b[3], b[4], b[5])
	}
	panic(fmt.Sprintf("iptables: unknown key %s", m.Key))
}

// ttl appends -m ttl or -m hl: they have one value, those below, or those above.
func (l *lowering) ttl(m ir.Field, not string, refused *refusal) *refusal {
	name := "ttl"
	if l.of == ir.IPv6 {
		name = "hl"
	}
	from, to := m.From, m.To
	if m.Not && from != to { // the others, if they are on one side
		switch {
		case from == 0 && to < math.MaxUint8:
			from, to = to+1, math.MaxUint8
		case to == math.MaxUint8 && from > 0:
			from, to = 0, from-1
		default:
			return refused
		}
		not = ""
	}
	switch {
	case m.Mask != m.Key.All():
		return refused
	case from == to:
		l.text = fmt.Appendf(l.text, " -m %s%s --%s-eq %d", name, not, name, from)
	case from == 0 && to < math.MaxUint8:
		l.text = fmt.Appendf(l.text, " -m %s --%s-lt %d", name, name, to+1)
	case to == math.MaxUint8 && from > 0:
		l.text = fmt.Appendf(l.text, " -m %s --%s-gt %d", name, name, from-1)
	default:
		return refused
	}
	return nil
}

// owner appends -m owner. Negated, it holds for packets without a sender too.
func (l *lowering) owner(at *tableChain, m ir.Field, refused *refusal) *refusal {
	switch {
	case m.Not || m.Mask != m.Key.All() || m.To == math.MaxUint32:
		return refused
	case !at.hooks.within(ir.Output, ir.Postrouting):
		return refusalf("the match works where packets leave only", "put the rule into a chain of another hook",
			"a match on %s in chain %s", ir.MatchText(m), at.name)
	}
	l.text = fmt.Appendf(l.text, " -m owner --%s-owner %d", m.Key, m.From)
	if m.To != m.From {
		l.text = fmt.Appendf(l.text, "-%d", m.To)
	}
	return nil
}

// addrType appends -m addrtype.
func (l *lowering) addrType(m ir.AddrType) *refusal {
	if l.of == ir.IPv6 && m.Types&ir.TypeBroadcast != 0 {
		return refusalf("IPv6 has no broadcast, and its match no such type", "leave the type out in a rule for ip6",
			"a match on addresses of type %s", m.Types)
	}
	l.text = append(l.text, " -m addrtype"...)
	option := "--dst-type"
	if m.Source {
		option = "--src-type"
	}
	l.option(option, m.Not)
	l.text = append(l.text, strings.ToUpper(m.Types.String())...)
	return nil
}
