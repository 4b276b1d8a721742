package prove

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// extent is what some packets have in each field. Most of the rules of a large host are about
// packets that nobody asks about; extents tell without an operation on sets.
type extent struct {
	s                           *space
	all                         bool
	iif, oif, saddr, daddr, end node // end: both addresses
}

// extent returns the extent of the packets that are looked at.
func (m *model) extent() extent {
	e, ok := m.extents[m.scope]
	if !ok {
		e = m.extentOf(m.scope)
		m.extents[m.scope] = e
	}
	return e
}

// extentOf returns the extent of set.
func (s *space) extentOf(set node) extent {
	if set == always {
		return extent{all: true}
	}
	only := func(f ...field) node {
		var others []field
		next := 0
		for _, x := range f {
			others = append(others, field{next, x.first - next})
			next = x.first + x.bits
		}
		return s.Without(set, s.cube(append(others, field{next, s.width - next})...))
	}
	return extent{s: s, iif: only(s.iif), oif: only(s.oif), saddr: only(s.saddr), daddr: only(s.daddr),
		end: only(s.saddr, s.daddr)}
}

// meets is false if no packet of the extent can have all matches at hook. True may be wrong.
func (e extent) meets(matches []ir.Match, hook ir.Hook) bool {
	if e.all {
		return true
	}
	var from, to *netip.Prefix
	for _, m := range matches {
		switch m := m.(type) {
		case ir.IIfName:
			if !m.Not && !m.Wildcard && !e.s.has1(e.iif, e.s.iif, e.s.atoms[m.Name]) {
				return false
			}
		case ir.OIfName:
			if hook != ir.Prerouting && !m.Not && !m.Wildcard && !e.s.has1(e.oif, e.s.oif, e.s.atoms[m.Name]) {
				return false
			}
		case ir.SAddr:
			if !m.Not {
				from = &m.Prefix
			}
		case ir.DAddr:
			if !m.Not {
				to = &m.Prefix
			}
		}
	}
	switch {
	case from != nil && to != nil:
		left := e.s.under(e.end, e.s.saddr, *from)
		if from.Bits() < from.Addr().BitLen() && e.s.Level(left) < uint16(e.s.daddr.first) {
			return left != never // some source has some destination, maybe this one
		}
		return e.s.under(left, e.s.daddr, *to) != never
	case from != nil:
		return e.s.under(e.saddr, e.s.saddr, *from) != never
	case to != nil:
		return e.s.under(e.daddr, e.s.daddr, *to) != never
	}
	return true
}

// under returns what is left of set, which depends on no variable before f, if the first bits of
// address field f are those of p.
func (s *space) under(set node, f field, p netip.Prefix) node {
	raw := p.Addr().AsSlice()
	if 8*len(raw) != f.bits {
		return never
	}
	for set > always {
		bit := int(s.Level(set)) - f.first
		if bit >= p.Bits() {
			break
		}
		lo, hi := s.Halves(set)
		if set = lo; raw[bit/8]>>(7-bit%8)&1 == 1 {
			set = hi
		}
	}
	return set
}
