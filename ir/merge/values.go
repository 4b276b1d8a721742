package merge

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// values numbers what rules compare fields with: names of interfaces, and prefixes, each from 1 on.
// Equal ones have one number, so the pass compares numbers, and finds rules by them in slices.
type values struct {
	names numbers[string]
	nets  numbers[netip.Prefix]
}

// numbers numbers what it is given. Rules of one network stand together, so the last one is often
// asked for again.
type numbers[K comparable] struct {
	of     map[K]uint32
	last   K
	number uint32
}

func (n *numbers[K]) get(key K) uint32 {
	if key == n.last && n.number != 0 {
		return n.number
	}
	number, ok := n.of[key]
	if !ok {
		if n.of == nil {
			n.of = make(map[K]uint32)
		}
		number = uint32(len(n.of) + 1)
		n.of[key] = number
	}
	n.last, n.number = key, number
	return number
}

// number returns the number of what m, the match of a field, compares with.
func (v *values) number(m ir.Match) uint32 {
	switch m := m.(type) {
	case ir.IIfName:
		return v.names.get(m.Name)
	case ir.OIfName:
		return v.names.get(m.Name)
	case ir.SAddr:
		return v.nets.get(m.Prefix)
	case ir.DAddr:
		return v.nets.get(m.Prefix)
	}
	panic("merge: a match without a value")
}

// shorter returns the number of the first bits of the prefix that m compares with.
func (v *values) shorter(m ir.Match, bits int) uint32 {
	return v.nets.get(shorter(prefixOfMatch(m), bits))
}

// prefixOfMatch returns the prefix that m, a match of an address, compares with.
func prefixOfMatch(m ir.Match) netip.Prefix {
	switch m := m.(type) {
	case ir.SAddr:
		return m.Prefix
	case ir.DAddr:
		return m.Prefix
	}
	panic("merge: a match without a prefix")
}
