package backendtest

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// values are what a program's rules compare with, and their neighbours: where a fate can change.
type values struct {
	names  []string
	addrs  map[ir.Family][]netip.Addr
	protos []uint8
	ports  []uint16
	icmp   [][2]uint8
	marks  []uint32
	flags  []ir.Flags
	fields []ir.Field
}

// Packets returns packets that probe p, always the same: for each rule some that match it, and
// those with one field moved to or over a boundary that p's rules draw; forwarded ones and, for
// chains at other hooks, those from and to the host.
func Packets(p *ir.Program) []ir.Packet {
	v := collect(p)
	random := rand.New(rand.NewPCG(1, 2))
	var all []ir.Packet
	around := v.around
	if len(rules(p)) > 50 {
		around = v.near
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
				if meets(c, &c.Rules[i])&f == 0 {
					continue
				}
				all = append(all, around(aim(v.packet(random, f), &c.Rules[i], random), random)...)
				if within, ok := inSets(&c.Rules[i]); ok {
					all = append(all, aim(v.packet(random, f), &within, random))
				}
			}
		}
	}
	for range 16 {
		all = append(all, v.packet(random, ir.IPv4), v.packet(random, ir.IPv6))
	}
	return all
}

// inSets returns r with the sense of its negated look-ups turned around; ok is false if it has
// none. Hardly a packet is in a set by chance.
func inSets(r *ir.Rule) (within ir.Rule, ok bool) {
	within = *r
	within.Matches = slices.Clone(r.Matches)
	for i, m := range within.Matches {
		if l, is := m.(ir.Lookup); is && l.Not {
			l.Not, ok = false, true
			within.Matches[i] = l
		}
	}
	return within, ok
}

// collect finds the values of p.
func collect(p *ir.Program) *values {
	v := &values{names: []string{"other0"}, protos: []uint8{ir.TCP, ir.UDP, ir.ICMP, ir.ICMPv6, 47},
		ports: []uint16{0, 40000, 65535},
		icmp:  [][2]uint8{{8, 0}}, marks: []uint32{0}, flags: []ir.Flags{ir.FlagSYN, ir.FlagACK},
		addrs: map[ir.Family][]netip.Addr{}}
	v.prefix(netip.MustParsePrefix("198.18.0.1/32"))
	v.prefix(netip.MustParsePrefix("2001:db8:ffff::1/128"))
	for _, r := range rules(p) {
		for _, m := range r.Matches {
			v.match(m)
		}
		if nat, ok := r.Verdict.(ir.DNAT); ok && !nat.Addrs.IsZero() {
			v.addrRange(nat.Addrs.From, nat.Addrs.To)
		}
	}
	return v
}

// match adds the values of m.
func (v *values) match(m ir.Match) {
	switch m := m.(type) {
	case ir.IIfName:
		v.name(m.Name, m.Wildcard)
	case ir.OIfName:
		v.name(m.Name, m.Wildcard)
	case ir.SAddr:
		v.prefix(m.Prefix)
	case ir.DAddr:
		v.prefix(m.Prefix)
	case ir.SAddrRange:
		v.addrRange(m.From, m.To)
	case ir.DAddrRange:
		v.addrRange(m.From, m.To)
	case ir.L4Proto:
		v.protos = append(v.protos, m.Proto)
	case ir.SPort:
		v.ports = append(v.ports, m.From-1, m.From, m.To, m.To+1)
	case ir.DPort:
		v.ports = append(v.ports, m.From-1, m.From, m.To, m.To+1)
	case ir.ICMPType:
		v.icmp = append(v.icmp, [2]uint8{m.Type, m.Code}, [2]uint8{m.Type, m.Code + 1}, [2]uint8{m.Type + 1, m.Code})
	case ir.TCPFlags:
		v.flags = append(v.flags, m.Flags, m.Flags^m.Mask, m.Flags|^m.Mask, m.Flags^(m.Mask&-m.Mask))
	case ir.Lookup:
		for _, element := range m.Set.Elements {
			for _, m := range element {
				v.match(m)
			}
		}
	case ir.Field:
		v.fields = append(v.fields, m)
	case ir.Mark:
		v.marks = append(v.marks, m.Value, m.Value^m.Mask, m.Value|^m.Mask, m.Value^(m.Mask&-m.Mask))
	}
}

func (v *values) name(name string, wildcard bool) {
	if name != "" {
		v.names = append(v.names, name)
	}
	if len(name) < 15 {
		v.names = append(v.names, name+"0")
	}
	if wildcard && len(name) > 1 {
		v.names = append(v.names, name[:len(name)-1])
	}
}

func (v *values) prefix(p netip.Prefix) { v.addrRange(p.Masked().Addr(), last(p)) }

// last returns the highest address of p.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (v *values) addrRange(from, to netip.Addr) {
	f := familyOf(from)
	for _, a := range []netip.Addr{from.Prev(), from, to, to.Next()} {
		if a.IsValid() {
			v.addrs[f] = append(v.addrs[f], a)
		}
	}
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

// states are the five states of which a packet has one.
var states = []ir.State{ir.StateInvalid, ir.StateEstablished, ir.StateRelated, ir.StateNew, ir.StateUntracked}

// statuses are what NAT may have done to a packet's connection.
var statuses = []ir.Status{0, 0, ir.StatusSNAT, ir.StatusDNAT, ir.StatusSNAT | ir.StatusDNAT}

// packet returns any packet of family f.
func (v *values) packet(random *rand.Rand, f ir.Family) ir.Packet {
	icmp := pick(random, v.icmp)
	p := ir.Packet{
		Family: f, In: pick(random, v.names), Out: pick(random, v.names), Src: pick(random, v.addrs[f]),
		Dst:   pick(random, v.addrs[f]),
		Proto: pick(random, v.protos), State: pick(random, states), Status: pick(random, statuses),
		Mark:  pick(random, v.marks),
		SPort: pick(random, v.ports), DPort: pick(random, v.ports), ICMPType: icmp[0], ICMPCode: icmp[1],
		Flags: pick(random, v.flags), HasFlags: random.IntN(4) > 0,
	}
	for _, f := range v.fields {
		p = p.With(f.Key, v.said(random, f))
	}
	switch random.IntN(4) {
	case 0:
		p.In = ""
	case 1:
		p.Out = ""
	}
	return tidy(p)
}

// said returns a value at the edge of those that f is for, or beside it.
func (v *values) said(random *rand.Rand, f ir.Field) uint64 {
	if f.Key == ir.KeyFragment {
		return pick(random, []uint64{0, 0x4000})
	}
	return pick(random, []uint64{f.From - 1, f.From, f.To, f.To + 1, f.From ^ f.Mask}) & f.Key.All()
}

// tidy takes away the fields that a packet of its protocol, or of its state, has not.
func tidy(p ir.Packet) ir.Packet {
	if !ir.HasPorts(p.Proto) {
		p.SPort, p.DPort = 0, 0
	}
	if p.Proto != ir.TCP || !p.HasFlags {
		p.Flags, p.HasFlags = 0, false
	}
	if p.Proto != ir.ICMP && p.Proto != ir.ICMPv6 {
		p.ICMPType, p.ICMPCode = 0, 0
	}
	if p.State&ir.Tracked == 0 {
		p.Status = 0
	}
	return p
}

// aim changes p so that the matches of r that are not negated hold.
func aim(p ir.Packet, r *ir.Rule, random *rand.Rand) ir.Packet {
	if pick(random, []bool{true, true, false}) {
		p.State = ir.StateNew // the only one that meets nat chains
	}
	aimAt(&p, r.Matches, random)
	if p.In == "" && p.Out == "" {
		p.In = "other0"
	}
	return tidy(p)
}

// aimAt changes p so that those of matches that are not negated hold.
func aimAt(p *ir.Packet, matches []ir.Match, random *rand.Rand) {
	ends := func(a, b netip.Addr) netip.Addr { return pick(random, []netip.Addr{a, b}) }
	for _, m := range matches {
		switch m := m.(type) {
		case ir.Lookup:
			if len(m.Set.Elements) > 0 && !m.Not {
				aimAt(p, pick(random, m.Set.Elements), random)
			}
		case ir.IIfName:
			set(&p.In, m.Name, m.Not)
			if m.Wildcard && !m.Not {
				p.In += "0"
			}
		case ir.OIfName:
			set(&p.Out, m.Name, m.Not)
			if m.Wildcard && !m.Not {
				p.Out += "0"
			}
		case ir.SAddr:
			set(&p.Src, ends(m.Prefix.Masked().Addr(), last(m.Prefix)), m.Not)
		case ir.DAddr:
			set(&p.Dst, ends(m.Prefix.Masked().Addr(), last(m.Prefix)), m.Not)
		case ir.SAddrRange:
			set(&p.Src, ends(m.From, m.To), m.Not)
		case ir.DAddrRange:
			set(&p.Dst, ends(m.From, m.To), m.Not)
		case ir.L4Proto:
			set(&p.Proto, m.Proto, m.Not)
		case ir.SPort:
			set(&p.SPort, m.To, m.Not)
		case ir.DPort:
			set(&p.DPort, m.To, m.Not)
		case ir.ICMPType:
			set(&p.ICMPType, m.Type, m.Not)
			set(&p.ICMPCode, m.Code, m.Not)
		case ir.TCPFlags:
			set(&p.Flags, m.Flags, m.Not)
			set(&p.HasFlags, true, m.Not)
		case ir.CTState:
			set(&p.State, m.States&-m.States, m.Not)
		case ir.CTStatus:
			set(&p.Status, m.Status&-m.Status, m.Not)
		case ir.Field:
			if !m.Not {
				*p = p.With(m.Key, m.From)
			}
		case ir.Mark:
			set(&p.Mark, m.Value, m.Not)
		}
	}
}

func set[T any](field *T, value T, not bool) {
	if !not {
		*field = value
	}
}

// around returns p, and p with one field changed, for each field.
func (v *values) around(p ir.Packet, random *rand.Rand) []ir.Packet {
	all := []ir.Packet{p}
	change := func(f func(*ir.Packet)) {
		q := p
		f(&q)
		if q.In != "" || q.Out != "" {
			all = append(all, tidy(q))
		}
	}
	change(func(q *ir.Packet) { q.In = pick(random, v.names) })
	change(func(q *ir.Packet) { q.Out = pick(random, v.names) })
	change(func(q *ir.Packet) { q.Src = pick(random, v.addrs[p.Family]) })
	change(func(q *ir.Packet) { q.Dst = pick(random, v.addrs[p.Family]) })
	change(func(q *ir.Packet) { q.Proto = pick(random, v.protos) })
	change(func(q *ir.Packet) { q.SPort = pick(random, v.ports) })
	change(func(q *ir.Packet) { q.DPort = pick(random, v.ports) })
	change(func(q *ir.Packet) { q.State = pick(random, states) })
	change(func(q *ir.Packet) { q.Status = pick(random, statuses) })
	change(func(q *ir.Packet) { q.Mark = pick(random, v.marks) })
	change(func(q *ir.Packet) { q.Flags, q.HasFlags = pick(random, v.flags), true })
	for _, f := range v.fields {
		change(func(q *ir.Packet) { *q = q.With(f.Key, v.said(random, f)) })
	}
	change(func(q *ir.Packet) { q.In = "" })
	change(func(q *ir.Packet) { q.Out = "" })
	change(func(q *ir.Packet) { icmp := pick(random, v.icmp); q.ICMPType, q.ICMPCode = icmp[0], icmp[1] })
	if p.Src.Next().IsValid() {
		change(func(q *ir.Packet) { q.Src = p.Src.Next() })
	}
	if p.Dst.Prev().IsValid() {
		change(func(q *ir.Packet) { q.Dst = p.Dst.Prev() })
	}
	change(func(q *ir.Packet) { q.DPort++ })
	change(func(q *ir.Packet) { q.SPort-- })
	return all
}

// near is around for long programs: p and two of the others.
func (v *values) near(p ir.Packet, random *rand.Rand) []ir.Packet {
	all := v.around(p, random)
	return []ir.Packet{p, pick(random, all), pick(random, all)}
}
