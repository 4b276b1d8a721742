package merge

import (
	"net/netip"
	"strconv"

	"github.com/vnetc/vnetc/ir"
)

// Field is a property of packets that can be a part of a set's key: the name of an interface, or
// the beginning of an address.
type Field struct {
	Slot Slot
	Bits int  // of an address: the length of its prefix
	V6   bool // V6 is true for an IPv6 address.
}

// Slot is which interface or which address a field is.
type Slot uint8

const (
	In    Slot = iota // the interface by which the packet came in
	Out               // the one by which it leaves
	Src               // its source address
	Dst               // its destination address
	slots             // their number
)

// FieldOf returns the field that m compares with one value; ok is false for any other match, and
// for all addresses.
func FieldOf(m ir.Match) (f Field, not, ok bool) {
	switch m := m.(type) {
	case ir.IIfName:
		return Field{Slot: In}, m.Not, !m.Wildcard
	case ir.OIfName:
		return Field{Slot: Out}, m.Not, !m.Wildcard
	case ir.SAddr:
		return prefixField(Src, m.Prefix), m.Not, m.Prefix.Bits() > 0
	case ir.DAddr:
		return prefixField(Dst, m.Prefix), m.Not, m.Prefix.Bits() > 0
	}
	return Field{}, false, false
}

func prefixField(s Slot, p netip.Prefix) Field {
	return Field{Slot: s, Bits: p.Bits(), V6: p.Addr().Is6()}
}

// IsAddr is true of addresses.
func (f Field) IsAddr() bool { return f.Slot >= Src }

// Size returns the bytes of a value: a name of an interface has 16 with the NUL at its end.
func (f Field) Size() int {
	if f.IsAddr() && !f.V6 {
		return 4
	}
	return 16
}

// Family returns the family of packets that have the field: both have interfaces.
func (f Field) Family() ir.Family {
	switch {
	case !f.IsAddr():
		return ir.Both
	case f.V6:
		return ir.IPv6
	}
	return ir.IPv4
}

// is returns the match that the field has the value that m, a match of the field with as many bits
// or more, compares with.
func (f Field) is(m ir.Match) ir.Match {
	have, not, _ := FieldOf(m)
	if have == f && !not {
		return m
	}
	switch m := m.(type) {
	case ir.IIfName:
		return ir.IIfName{Name: m.Name}
	case ir.OIfName:
		return ir.OIfName{Name: m.Name}
	case ir.SAddr:
		return ir.SAddr{Prefix: shorter(m.Prefix, f.Bits)}
	case ir.DAddr:
		return ir.DAddr{Prefix: shorter(m.Prefix, f.Bits)}
	}
	panic("merge: a match without a value")
}

// shorter returns the prefix of p's first bits.
func shorter(p netip.Prefix, bits int) netip.Prefix {
	short, err := p.Addr().Prefix(bits)
	if err != nil {
		panic(err) // bits is the length of a prefix of the same family
	}
	return short
}

// name returns the field in a word for the names of sets: iif, saddr24.
func (f Field) name() string {
	switch f.Slot {
	case In:
		return "iif"
	case Out:
		return "oif"
	case Src:
		return "saddr" + strconv.Itoa(f.Bits)
	}
	return "daddr" + strconv.Itoa(f.Bits)
}
