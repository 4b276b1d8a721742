package nftables

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// ruleLowering is the state of lowering one rule.
type ruleLowering struct {
	lowerer    *lowerer
	chain      *chain
	table      ir.Family // of the table
	family     ir.Family // of the packets that the rule can match there; 0 if there are none
	rule       *ir.Rule
	statements []statement
	familySaid bool // familySaid is true if the statements so far match the family
	reason     *refusal
}

// refusal is why nftables can't express a rule.
type refusal struct{ what, why, fix string }

func (s *ruleLowering) add(st statement) { s.statements = append(s.statements, st) }

// matches lowers the conditions in the order of ms, but for those on the transport header: they
// stand together where the first of them stands, after the match of their protocol, which is where
// nft 1.0.6 lists them.
func (s *ruleLowering) matches(ms []ir.Match) {
	s.statements = slices.Grow(s.statements, len(ms)+3)
	transport := transportOf(ms)
	for _, m := range ms {
		s.family &= familyOfMatch(m)
		if p, ok := m.(ir.L4Proto); ok && !p.Not && p != transport.proto {
			s.refuse("a rule that matches two protocols at once", "no packet has two, and nft(8) refuses the rule",
				"make a rule for each")
			return
		}
	}
	if last := len(ms) - 1; slices.ContainsFunc(ms, isOriginalPort) { // nft(8) wants the protocol before it
		_, limited := ms[last].(ir.Limit)
		if !limited {
			last++
		}
		ms = append(slices.Concat(without(ms[:last], isOriginalPort), with(ms[:last], isOriginalPort)), ms[last:]...)
	}
	for i, m := range ms {
		if _, is := m.(ir.Limit); is && i < len(ms)-1 {
			s.refuse("a rule with a limit before another match",
				"packets take its tokens that the match behind it does not let by",
				"make the limit the last match of the rule")
			return
		}
		switch {
		case slices.Contains(ms[:i], m): // said already
		case isTransport(m):
			s.transport(&transport)
		case transport.covers(m): // comes with the transport header
		default:
			s.match(m)
		}
	}
}

func isOriginalPort(m ir.Match) bool {
	f, is := m.(ir.Field)
	return is && f.Key == ir.KeyOrigDPort
}

// with returns those of ms that are such, without the others.
func with(ms []ir.Match, is func(ir.Match) bool) []ir.Match {
	return without(ms, func(m ir.Match) bool { return !is(m) })
}

func without(ms []ir.Match, is func(ir.Match) bool) []ir.Match {
	return slices.DeleteFunc(slices.Clone(ms), is)
}

// endMatches says the family where no condition says it: in a table of both families, for a rule of
// one.
func (s *ruleLowering) endMatches() {
	if s.table == ir.Both && s.family != ir.Both && !s.familySaid {
		s.add(nfproto{family: s.family})
		s.familySaid = true
	}
}

// needFamily says the family before a condition on a header of one family. Nft does so by itself in
// an inet table.
func (s *ruleLowering) needFamily(f ir.Family, shown shown) {
	if s.table == ir.Both && !s.familySaid {
		s.add(nfproto{family: f, shown: shown})
		s.familySaid = true
	}
}

// match lowers a condition that stands by itself.
func (s *ruleLowering) match(m ir.Match) {
	switch m := m.(type) {
	case ir.IIfName:
		s.add(ifname{name: m.Name, wildcard: m.Wildcard, not: m.Not})
	case ir.OIfName:
		s.add(ifname{out: true, name: m.Name, wildcard: m.Wildcard, not: m.Not})
	case ir.SAddr:
		s.needFamily(familyOf(m.Prefix.Addr()), nowhere)
		s.add(addr{prefix: m.Prefix.Masked(), not: m.Not})
	case ir.DAddr:
		s.needFamily(familyOf(m.Prefix.Addr()), nowhere)
		s.add(addr{dst: true, prefix: m.Prefix.Masked(), not: m.Not})
	case ir.SAddrRange:
		s.needFamily(familyOf(m.From), nowhere)
		s.add(addrRange{from: m.From, to: m.To, not: m.Not})
	case ir.DAddrRange:
		s.needFamily(familyOf(m.From), nowhere)
		s.add(addrRange{dst: true, from: m.From, to: m.To, not: m.Not})
	case ir.L4Proto:
		s.add(l4proto{proto: m.Proto, not: m.Not})
	case ir.CTState:
		s.add(ctState{states: m.States, not: m.Not})
	case ir.CTStatus:
		s.add(ctStatus{status: m.Status, not: m.Not})
	case ir.Mark:
		s.add(mark{value: m.Value, mask: m.Mask, not: m.Not})
	case ir.Limit:
		s.add(limit(m))
	case ir.Field:
		s.field(m)
	case ir.AddrType:
		s.addrType(m)
	case ir.Unknown:
		s.refuse(fmt.Sprintf("a match of which only the text is known can't be expressed in nftables: %s", m.Text),
			"vnetc does not model it, so its meaning could change or be lost",
			"write the match in nft(8)'s words, in a table of your own")
	case ir.Lookup:
		s.inSet(m)
	case ir.Opaque:
		s.refuse(fmt.Sprintf("a match of which only the text is known can't be expressed in nftables: %s", m.Text),
			"vnetc does not model it, so its meaning could change or be lost",
			"write the match in nft(8)'s words, in a table of your own")
	default:
		panic(fmt.Sprintf("nftables: unknown match %T", m))
	}
}

// transport is what a rule matches in the transport header.
type transport struct {
	proto  ir.L4Proto // the protocol that the fields are of: the one that the rule matches
	fields []ir.Match // ports, the source before the destination; then ICMP types and TCP flags
	done   bool
}

func isTransport(m ir.Match) bool {
	switch m.(type) {
	case ir.SPort, ir.DPort, ir.ICMPType, ir.TCPFlags:
		return true
	}
	return false
}

// covers is true if m is the match of the protocol that comes with the fields.
func (t *transport) covers(m ir.Match) bool { return len(t.fields) > 0 && m == ir.Match(t.proto) }

func transportOf(ms []ir.Match) transport {
	var t transport
	var dst, rest []ir.Match
	for i, m := range ms {
		if slices.Contains(ms[:i], m) {
			continue
		}
		switch m := m.(type) {
		case ir.L4Proto:
			if !m.Not && t.proto.Proto == 0 {
				t.proto = m
			}
		case ir.SPort:
			t.fields = append(t.fields, m)
		case ir.DPort:
			dst = append(dst, m)
		case ir.ICMPType, ir.TCPFlags:
			rest = append(rest, m)
		}
	}
	t.fields = append(append(t.fields, dst...), rest...)
	return t
}

// transport lowers the fields of the transport header, all at once, after the match of their
// protocol.
func (s *ruleLowering) transport(t *transport) {
	if t.done {
		return
	}
	t.done = true
	proto := t.proto.Proto
	show := nowhere
	var types []icmp
	for _, m := range t.fields {
		if m, ok := m.(ir.ICMPType); ok {
			i := icmp{proto: proto, typ: m.Type, code: m.Code, hasCode: m.HasCode, not: m.Not}
			types = append(types, i)
			if i.raw() {
				show = inScript
			}
		}
	}
	if len(types) > 0 {
		if of := map[uint8]ir.Family{ir.ICMP: ir.IPv4, ir.ICMPv6: ir.IPv6}[proto]; s.family != of {
			s.refuse(fmt.Sprintf("an %s type in a rule for %s", ir.ProtoName(proto), s.family),
				"nft(8) takes a type for one of the protocol's own family", fmt.Sprintf("make it a rule for %s", of))
			return
		}
		s.needFamily(s.family, show)
	}
	s.add(l4proto{proto: proto, shown: show})
	s.ports(proto, t.fields)
	for _, i := range types {
		s.add(i)
	}
	for _, m := range t.fields {
		if m, ok := m.(ir.TCPFlags); ok {
			s.add(tcpFlags{flags: m.Flags, mask: m.Mask, not: m.Not})
		}
	}
}

// ports lowers the ports, the sources before the destinations. Nft merges neighbours of one header
// into one comparison of four bytes: right for a single source port next to a single destination
// port, so the same is done here; wrong for two negated ones, which nft 1.0.6 takes for the
// negation of both together. There the second is sent as a range.
func (s *ruleLowering) ports(proto uint8, fields []ir.Match) {
	last := -1 // the statement that the next single port would be merged with
	for _, m := range fields {
		var p port
		switch m := m.(type) {
		case ir.SPort:
			p = port{proto: proto, from: m.From, to: m.To, not: m.Not}
		case ir.DPort:
			p = port{proto: proto, dst: true, from: m.From, to: m.To, not: m.Not}
		default:
			continue
		}
		if last >= 0 && p.single() {
			before, ok := s.statements[last].(port)
			if ok && !before.dst && p.dst && before.not == p.not {
				if !p.not {
					s.statements[last] = portPair{before, p}
					continue
				}
				p.spread = true
			}
		}
		if p.single() {
			last = len(s.statements)
		}
		s.add(p)
	}
}

// familyOfMatch returns the families of the packets that m can hold for.
func familyOfMatch(m ir.Match) ir.Family {
	switch m := m.(type) {
	case ir.SAddr:
		return familyOf(m.Prefix.Addr())
	case ir.DAddr:
		return familyOf(m.Prefix.Addr())
	case ir.SAddrRange:
		return familyOf(m.From)
	case ir.DAddrRange:
		return familyOf(m.From)
	case ir.Lookup:
		f := ir.Both
		for _, e := range m.Set.Elements[:min(1, len(m.Set.Elements))] { // all are alike, or refused
			for _, m := range e {
				f &= familyOfMatch(m)
			}
		}
		return f
	}
	return ir.Both
}
