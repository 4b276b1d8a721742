package prove

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Keys are fields that a packet need not say the value of. A proof that two programs are equal asks
// for all their values; what gets through does so for certain if it does for all of them.

// usually returns the packets whose keys have the values that packets have anyhow: those of a new
// connection have no mark of it and go its way, and all are whole.
func (s *space) usually() node {
	begins := s.Not(s.inStates(ir.StateNew))
	set := s.masked(s.keys[ir.KeyFragment], 0, ir.Whole)
	for _, k := range [...]ir.Key{ir.KeyCTMark, ir.KeyDirection} {
		set = s.And(set, s.Or(begins, s.value(s.keys[k], 0)))
	}
	return set
}

// hasKey returns the packets that have a property of key k.
func (s *space) hasKey(k ir.Key) node {
	switch k {
	case ir.KeyCTMark, ir.KeyDirection:
		return s.inStates(ir.Tracked)
	case ir.KeyOrigDPort:
		return s.And(s.inStates(ir.Tracked), s.ports)
	case ir.KeyUID, ir.KeyGID:
		return s.value(s.iif, 0)
	case ir.KeyFragment:
		return constant(s.family == ir.IPv4)
	case ir.KeyMAC:
		return s.Not(s.value(s.iif, 0))
	}
	return always
}

// keyed returns the packets for which m holds.
func (s *space) keyed(m ir.Field) node {
	f := s.keys[m.Key]
	var is node
	if m.From == m.To {
		is = s.masked(f, m.From, m.Mask)
	} else {
		is = s.between(f, m.From, m.To)
		if loose := m.Key.All() &^ m.Mask; loose != 0 { // bits that do not count are taken for 0
			zero := s.masked(f, 0, loose)
			is = s.Without(s.And(is, zero), s.bitsOf(f, loose))
		}
	}
	return s.turned(s.hasKey(m.Key), is, m.Not)
}

// bitsOf returns the conjunction of the variables of some bits of a field.
func (s *space) bitsOf(f field, bits uint64) node {
	set := always
	for i := f.bits - 1; i >= 0; i-- {
		if bits>>(f.bits-1-i)&1 == 1 {
			set = s.Vertex(uint16(f.first+i), never, set)
		}
	}
	return set
}

// keyCube returns the variables of all keys.
func (s *space) keyCube() node {
	set := always
	for v := s.free - 1; v >= s.keys[0].first; v-- {
		set = s.Vertex(uint16(v), never, set)
	}
	return set
}

// freeCube returns the variables that are no field's: those of opaque matches.
func (s *space) freeCube() node {
	cube := always
	for v := s.width - 1; v >= s.free; v-- {
		cube = s.Vertex(uint16(v), never, cube)
	}
	return cube
}

// bounds returns the packets for which a match that is undecided holds for certain, and those for
// which it may.
func (s *space) bounds(m ir.Match) (must, may node) {
	switch m := m.(type) {
	case ir.Field:
		usual := s.And(s.keyed(m), s.usual)
		cube := s.keyCube()
		must = s.Not(s.Without(s.Diff(s.usual, usual), cube))
		return s.And(must, s.hasKey(m.Key)), s.Without(usual, cube)
	case ir.AddrType:
		return s.typed(m)
	}
	return never, always
}

// typed is bounds for the type of an address.
func (s *space) typed(m ir.AddrType) (must, may node) {
	f := s.daddr
	if m.Source {
		f = s.saddr
	}
	told := never
	ir.KnownTypes(s.family, func(r ir.AddrRange, is ir.AddrTypes) {
		set := s.addrs(f, r.From, r.To)
		told = s.Or(told, set)
		if m.Types&is != 0 {
			must = s.Or(must, set)
		}
	})
	may = must
	if !m.Decided() {
		may = s.Or(must, s.Not(told))
	}
	if m.Not {
		return s.Not(may), s.Not(must)
	}
	return must, may
}

// agreement says of which undecided matches of equal words it is known that they agree about a
// packet: those met at one point of its way, of which nothing alters what they look at.
type agreement struct {
	program *ir.Program
	points  map[*ir.Chain][]point // where packets meet a chain
	touched map[point]ir.Fields
}

// point is a point of a packet's way: base chains that nothing comes between.
type point struct {
	hook     ir.Hook
	typ      ir.ChainType
	priority int
}

func newAgreement(p *ir.Program) *agreement {
	a := &agreement{program: p, points: make(map[*ir.Chain][]point), touched: make(map[point]ir.Fields)}
	for _, h := range []ir.Hook{ir.Prerouting, ir.Input, ir.Forward, ir.Output, ir.Postrouting} {
		for _, b := range p.Bases(h) {
			for _, c := range b.Chains {
				a.reach(c, point{h, b.Type, b.Priority})
			}
		}
	}
	return a
}

// reach notes that packets meet c, and what it leads to, at a point.
func (a *agreement) reach(c *ir.Chain, at point) {
	if slices.Contains(a.points[c], at) {
		return
	}
	a.points[c] = append(a.points[c], at)
	for i := range c.Rules {
		r := &c.Rules[i]
		for _, action := range r.Actions {
			a.touched[at] |= ir.Touches(action)
		}
		name := ""
		switch v := r.Verdict.(type) {
		case ir.Jump:
			name = v.Chain
		case ir.Goto:
			name = v.Chain
		} // a verdict that rewrites the packet ends its way at this point
		if name != "" {
			if t := a.program.Target(c, name); t != nil {
				a.reach(t, at)
			}
		}
	}
}

// at returns the point at which all matches of equal words agree with m, in a rule of c; ok is
// false if it is not known to agree with any.
func (a *agreement) at(c *ir.Chain, m ir.Match) (point, bool) {
	asks := ir.AllFields
	switch m := m.(type) {
	case ir.Limit:
		return point{}, false
	case ir.Unknown:
		fields, independent := m.Sort.Asks()
		if asks = fields; independent {
			return point{}, false
		}
	case ir.AddrType:
		asks = ir.FieldsOf(m)
	}
	points := a.points[c]
	if len(points) != 1 || a.touched[points[0]]&asks != 0 {
		return point{}, false
	}
	return points[0], true
}
