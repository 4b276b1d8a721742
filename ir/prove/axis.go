package prove

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Rules that match different values of one field match different packets. A chain of many networks
// is made of such rules, a set of such elements: so they are looked at value by value, and what
// comes of each value is hung below the field's variables, which costs far less than letting what
// one rule leaves go through each of the others.

// axis is a field of which rules match one value.
type axis uint8

const (
	axisIn axis = iota
	axisOut
	axisSrc
	axisDst
	axes // their number
)

// axisOf returns the axis on which m matches one value; ok is false for any other match.
func axisOf(m ir.Match) (a axis, v value, ok bool) {
	switch m := m.(type) {
	case ir.IIfName:
		return axisIn, value{name: m.Name}, !m.Not && !m.Wildcard
	case ir.OIfName:
		return axisOut, value{name: m.Name}, !m.Not && !m.Wildcard
	case ir.SAddr:
		return axisSrc, value{prefix: m.Prefix}, !m.Not && m.Prefix.Bits() > 0
	case ir.DAddr:
		return axisDst, value{prefix: m.Prefix}, !m.Not && m.Prefix.Bits() > 0
	}
	return 0, value{}, false
}

// value is one on an axis: a name, or a prefix.
type value struct {
	name   string
	prefix netip.Prefix
}

// common is the axes on which all of some rules, or all elements of a set, match a value; of
// addresses, the first bits at least.
type common struct {
	at   [][axes]int8 // by rule: the number of the match on each axis, -1 if there is none
	bits [axes]int    // -1 on an axis that some rule says nothing about
}

// takes adds a rule, unless that would leave no axis.
func (c *common) takes(matches []ir.Match) bool {
	at, bits := [axes]int8{-1, -1, -1, -1}, [axes]int{-1, -1, -1, -1}
	left := false
	for i, m := range matches {
		a, v, ok := axisOf(m)
		if !ok || at[a] >= 0 || i > math.MaxInt8 {
			continue
		}
		at[a] = int8(i)
		switch {
		case len(c.at) == 0:
			bits[a] = max(0, v.prefix.Bits())
		case c.bits[a] >= 0:
			bits[a] = min(c.bits[a], max(0, v.prefix.Bits()))
		}
		left = left || bits[a] >= 0
	}
	if !left && len(c.at) > 0 {
		return false
	}
	c.at, c.bits = append(c.at, at), bits
	return true
}

// axis returns the axis by which the rules are distinguished; ok is false if there is none. Before
// routing no packet has an interface by which it leaves.
func (c *common) axis(hook ir.Hook) (axis, bool) {
	for a := range axes {
		if len(c.at) > 0 && c.bits[a] >= 0 && !(a == axisOut && hook == ir.Prerouting) {
			return a, true
		}
	}
	return 0, false
}

// placed is a rule by its value on an axis.
type placed struct {
	value digits
	rule  int32
	but   int8 // the number of the match that matches the value and nothing else; -1 if it matches more
}

// digits is a value of a field in binary, its first bit first.
type digits [16]byte

func (d *digits) at(i int) bool { return d[i/8]>>(7-i%8)&1 == 1 }

// byValue returns the field of an axis, as far as all rules say something about it, and the rules
// by their values on it: the values rising, the rules for one in their order. Matches returns those
// of a rule. Rules for addresses of the other family are left out.
func (s *space) byValue(c *common, by axis, matches func(rule int32) []ir.Match) (field, []placed) {
	f := [axes]field{s.iif, s.oif, s.saddr, s.daddr}[by]
	named := by == axisIn || by == axisOut
	addrBits := f.bits
	if !named {
		f.bits = c.bits[by]
	}
	all := make([]placed, 0, len(c.at))
	for rule, at := range c.at {
		p := placed{rule: int32(rule), but: at[by]}
		_, v, _ := axisOf(matches(p.rule)[p.but])
		switch {
		case named:
			binary.BigEndian.PutUint64(p.value[:], uint64(s.atoms[v.name])<<(64-f.bits))
		case v.prefix.Addr().BitLen() != addrBits:
			continue
		default:
			first, _ := v.prefix.Addr().Prefix(f.bits)
			copy(p.value[:], first.Addr().AsSlice())
			if v.prefix.Bits() > f.bits {
				p.but = -1
			}
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(bytes.Compare(a.value[:], b.value[:]), cmp.Compare(a.rule, b.rule))
	})
	return f, all
}

// sameValue returns the first rules of all that have one value.
func sameValue(all []placed) []placed {
	n := 1
	for n < len(all) && all[n].value == all[0].value {
		n++
	}
	return all[:n]
}
