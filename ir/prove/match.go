package prove

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
)

// match returns the packets for which m holds at hook. It says the same as the referee, [ir.Eval]:
// Not negates a condition among the packets that have the field. Opaque is the caller's.
func (s *space) match(hook ir.Hook, m ir.Match) node {
	if out, ok := m.(ir.OIfName); ok && hook == ir.Prerouting { // not known before routing
		return constant((out.Name == "") != out.Not)
	}
	if l, ok := m.(ir.Lookup); ok {
		return s.lookup(hook, l)
	}
	set, ok := s.known[m]
	if !ok {
		set = s.build(m)
		s.known[m] = set
	}
	return set
}

func (s *space) build(m ir.Match) node {
	switch m := m.(type) {
	case ir.IIfName:
		return s.turned(always, s.iface(s.iif, m.Name, m.Wildcard), m.Not)
	case ir.OIfName:
		return s.turned(always, s.iface(s.oif, m.Name, m.Wildcard), m.Not)
	case ir.SAddr:
		return s.turned(s.has(m.Prefix.Addr().Is4()), s.prefix(s.saddr, m.Prefix), m.Not)
	case ir.DAddr:
		return s.turned(s.has(m.Prefix.Addr().Is4()), s.prefix(s.daddr, m.Prefix), m.Not)
	case ir.SAddrRange:
		return s.turned(s.has(m.From.Is4()), s.addrs(s.saddr, m.From, m.To), m.Not)
	case ir.DAddrRange:
		return s.turned(s.has(m.From.Is4()), s.addrs(s.daddr, m.From, m.To), m.Not)
	case ir.L4Proto:
		return s.turned(always, s.value(s.proto, uint64(m.Proto)), m.Not)
	case ir.SPort:
		return s.turned(s.ports, s.between(s.sport, uint64(m.From), uint64(m.To)), m.Not)
	case ir.DPort:
		return s.turned(s.ports, s.between(s.dport, uint64(m.From), uint64(m.To)), m.Not)
	case ir.ICMPType:
		is := s.value(s.icmpType, uint64(m.Type))
		if m.HasCode {
			is = s.And(is, s.value(s.icmpCode, uint64(m.Code)))
		}
		return s.turned(s.Or(s.value(s.proto, ir.ICMP), s.value(s.proto, ir.ICMPv6)), is, m.Not)
	case ir.TCPFlags:
		return s.turned(s.value(s.proto, ir.TCP), s.masked(s.flags, uint64(m.Flags), uint64(m.Mask)), m.Not)
	case ir.CTState:
		return s.turned(always, s.inStates(m.States), m.Not)
	case ir.CTStatus:
		return s.turned(s.inStates(ir.Tracked), s.hasStatus(m.Status), m.Not)
	case ir.Mark:
		return s.turned(always, s.marked(m.Value, m.Mask), m.Not)
	case ir.Field:
		return s.keyed(m)
	case ir.AddrType: // one that every host agrees on
		must, _ := s.typed(m)
		return must
	}
	panic(fmt.Sprintf("prove: unknown match %T", m))
}

// turned returns the packets of having that are in set, or those that are not.
func (s *space) turned(having, set node, not bool) node {
	if not {
		return s.Diff(having, set)
	}
	return s.And(having, set)
}

func constant(holds bool) node {
	if holds {
		return always
	}
	return never
}

// has returns all packets if their addresses are of the asked kind, else none.
func (s *space) has(v4 bool) node { return constant(v4 == (s.family == ir.IPv4)) }

func (s *space) inStates(wanted ir.State) node {
	var sets []node
	for i, st := range states {
		if wanted&st != 0 {
			sets = append(sets, s.value(s.state, uint64(i)))
		}
	}
	return s.Union(sets)
}

// hasStatus returns the packets whose connection has one of wanted, and those without a connection
// for which the same variables are set: no match depends on them.
func (s *space) hasStatus(wanted ir.Status) node {
	set := never
	for i := range s.status.bits {
		if wanted>>i&1 == 1 {
			set = s.Or(set, s.bit(s.status.first+i, true, always))
		}
	}
	return set
}

// masked returns the packets whose field f, masked, is value.
func (s *space) masked(f field, value, mask uint64) node {
	if value&^mask != 0 {
		return never
	}
	set := always
	for i := f.bits - 1; i >= 0; i-- {
		if bit := f.bits - 1 - i; mask>>bit&1 == 1 {
			set = s.bit(f.first+i, value>>bit&1 == 1, set)
		}
	}
	return set
}

// marked returns the packets whose mark, masked, is value.
func (s *space) marked(value, mask uint32) node { return s.masked(s.mark, uint64(value), uint64(mask)) }

// freely returns a variable of its own for an opaque match: it may hold or not. The n-th such match
// of one text is the same variable in every program of the space, so that two programs that share
// an unknown rule can still be shown equal; two such matches in one program are not, since a rate
// limit, for one, answers differently each time.
func (s *space) freely(key string, step ir.Step) node {
	v, ok := s.opaque[key]
	if !ok {
		v = s.width
		s.width++
		s.opaque[key] = v
		s.unknown[v] = step
	}
	return s.Vertex(uint16(v), never, always)
}
