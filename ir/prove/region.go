package prove

import "github.com/vnetc/vnetc/ir"

// Region is a set of packets: those for which all matches hold. An interface of empty name is the
// host itself, as in [ir.Packet]; a region without matches is all packets. Matches that look into
// sets or are not modelled have no place in it.
type Region []ir.Match

// Only returns the region of one packet. What the packet's protocol does not have, such as ports,
// is not asked.
func Only(p ir.Packet) Region {
	r := Region{ir.Mark{Value: p.Mark, Mask: ^uint32(0)}}
	switch {
	case ir.HasPorts(p.Proto):
		r = append(r, ir.DPort{From: p.DPort, To: p.DPort}, ir.SPort{From: p.SPort, To: p.SPort})
	case p.Proto == ir.ICMP || p.Proto == ir.ICMPv6:
		r = append(r, ir.ICMPType{Type: p.ICMPType, Code: p.ICMPCode, HasCode: true})
	}
	for k := range ir.Keys {
		if value, known := p.Value(k); known && p.Has(k) {
			r = append(r, ir.FieldIs(k, value))
		}
	}
	if p.Proto == ir.TCP {
		r = append(r, ir.TCPFlags{Mask: ir.AllFlags, Flags: p.TCPFlags()})
	}
	if p.State&ir.Tracked != 0 {
		for _, bit := range [...]ir.Status{ir.StatusDNAT, ir.StatusSNAT} {
			r = append(r, ir.CTStatus{Status: bit, Not: p.Status&bit == 0})
		}
	}
	return append(r, // the first variables of a space are added last: that is cheapest
		ir.DAddrRange{From: p.Dst, To: p.Dst}, ir.SAddrRange{From: p.Src, To: p.Src}, ir.L4Proto{Proto: p.Proto},
		ir.CTState{States: p.State}, ir.OIfName{Name: p.Out}, ir.IIfName{Name: p.In})
}

// EqualAmong is [Equal] for the packets of the regions only: a refutation has a packet that is in
// one of them. With it a test gets a difference that it can show, by packets that it can send.
func EqualAmong(a, b *ir.Program, families ir.Family, among []Region) Result {
	return (*Budget)(nil).equal(a, b, families, named(among), func(s *space) node {
		var sets []node
		for _, r := range among {
			sets = append(sets, s.region(r))
		}
		return s.Union(sets)
	})
}

// region returns the packets of r.
func (s *space) region(r Region) node {
	set := always
	for _, m := range r {
		set = s.And(set, s.match(ir.Postrouting, m)) // where every match has its value
	}
	return set
}

// named returns a program that does nothing and has the regions' interface names, so that a space
// has them too.
func named(among []Region) *ir.Program {
	c := &ir.Chain{Family: ir.Both, Name: "regions"}
	for _, r := range among {
		c.Rules = append(c.Rules, ir.Rule{Family: ir.Both, Matches: r, Verdict: ir.Counter{}})
	}
	return &ir.Program{Chains: []*ir.Chain{c}}
}
