package ir

import (
	"fmt"
	"net/netip"
	"strings"
)

// answer is whether a condition holds; maybe for what is not modelled.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

func answerOf(holds bool) answer {
	if holds {
		return yes
	}
	return no
}

// meets reports whether the packet has the rule's verdict: the rule is for its family and all
// matches hold. One match that does not hold decides, whatever the unknown ones would say.
func (e *evaluation) meets(r *Rule) answer {
	if r.Family&e.packet.Family == 0 {
		return no
	}
	all := yes
	for _, m := range r.Matches {
		all = min(all, e.holds(m))
	}
	return all
}

// holds reports whether m holds for the packet at the present hook.
//
// Not negates a condition among the packets that have the field: both targets match an address, a
// port or an ICMP type only after the protocol that carries it (nft(8) adds the missing "meta
// l4proto tcp", iptables(8) wants -p). So for a packet of the other family an address match does
// not hold, negated or not, nor a port match for a packet without ports, nor a match on the status
// of a connection for a packet that has none. Interfaces, states and marks are there for every
// packet.
func (e *evaluation) holds(m Match) answer {
	if unknown := e.unknown(); unknown != 0 && unknown&FieldsOf(m) != 0 {
		return maybe
	}
	p := &e.packet
	switch m := m.(type) {
	case IIfName:
		return answerOf(nameHolds(p.In, m.Name, m.Wildcard) != m.Not)
	case OIfName:
		return answerOf(nameHolds(e.out(), m.Name, m.Wildcard) != m.Not)
	case SAddr:
		return prefixHolds(p.Src, m.Prefix, m.Not)
	case DAddr:
		return prefixHolds(p.Dst, m.Prefix, m.Not)
	case SAddrRange:
		return addrsHold(p.Src, m.From, m.To, m.Not)
	case DAddrRange:
		return addrsHold(p.Dst, m.From, m.To, m.Not)
	case L4Proto:
		return answerOf((p.Proto == m.Proto) != m.Not)
	case SPort:
		return answerOf(HasPorts(p.Proto) && (m.From <= p.SPort && p.SPort <= m.To) != m.Not)
	case DPort:
		return answerOf(HasPorts(p.Proto) && (m.From <= p.DPort && p.DPort <= m.To) != m.Not)
	case ICMPType:
		is := p.ICMPType == m.Type && (!m.HasCode || p.ICMPCode == m.Code)
		return answerOf((p.Proto == ICMP || p.Proto == ICMPv6) && is != m.Not)
	case TCPFlags:
		return answerOf(p.Proto == TCP && (p.TCPFlags()&m.Mask == m.Flags) != m.Not)
	case CTState:
		return answerOf((p.State&m.States != 0) != m.Not)
	case CTStatus:
		return answerOf(p.State&Tracked != 0 && (p.Status&m.Status != 0) != m.Not)
	case Mark:
		return answerOf((p.Mark&m.Mask == m.Value) != m.Not)
	case Lookup:
		return answerOf(e.inSet(m.Set) != m.Not)
	case Field:
		return e.field(m)
	case AddrType:
		return e.addrType(m)
	case Limit, Unknown, Opaque:
		return maybe
	}
	panic(fmt.Sprintf("ir: unknown match %T", m))
}

// inSet is true if all matches of some element hold.
func (e *evaluation) inSet(s *Set) bool {
	for _, element := range s.Elements {
		all := yes
		for _, m := range element {
			if all = min(all, e.holds(m)); all == no {
				break
			}
		}
		if all == yes {
			return true
		}
	}
	return false
}

// out returns the interface by which the packet leaves, which is not known before routing. (The one
// by which it came is known at every hook, at postrouting since Linux 5.7.)
func (e *evaluation) out() string {
	if e.hook == Prerouting {
		return ""
	}
	return e.packet.Out
}

func nameHolds(have, want string, wildcard bool) bool {
	return have == want || wildcard && strings.HasPrefix(have, want)
}

func prefixHolds(a netip.Addr, p netip.Prefix, not bool) answer {
	return answerOf(addrFamily(a) == addrFamily(p.Addr()) && p.Contains(a) != not)
}

func addrsHold(a, from, to netip.Addr, not bool) answer {
	return answerOf(addrFamily(a) == addrFamily(from) && (from.Compare(a) <= 0 && a.Compare(to) <= 0) != not)
}
