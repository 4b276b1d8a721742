package nftables

import (
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// field is a property of packets that can be a part of a set's key: the name of an interface, or the beginning of an
// address.
type field struct {
	slot slot
	bits int  // of an address: the length of its prefix
	v6   bool // v6 is true for an IPv6 address.
}

// slot is a place for a field in a key: keys have their fields in this order.
type slot uint8

const (
	slotIn slot = iota
	slotOut
	slotSrc
	slotDst
	slots // their number
)

// fieldOf returns the field that m compares with one value; ok is false for any other match, and for all addresses.
func fieldOf(m ir.Match) (f field, not, ok bool) {
	switch m := m.(type) {
	case ir.IIfName:
		return field{slot: slotIn}, m.Not, !m.Wildcard
	case ir.OIfName:
		return field{slot: slotOut}, m.Not, !m.Wildcard
	case ir.SAddr:
		return prefixField(slotSrc, m.Prefix), m.Not, m.Prefix.Bits() > 0
	case ir.DAddr:
		return prefixField(slotDst, m.Prefix), m.Not, m.Prefix.Bits() > 0
	}
	return field{}, false, false
}

func prefixField(s slot, p netip.Prefix) field {
	return field{slot: s, bits: p.Bits(), v6: p.Addr().Is6()}
}

func (f field) isAddr() bool { return f.slot >= slotSrc }

func (f field) family() ir.Family {
	switch {
	case !f.isAddr():
		return ir.Both
	case f.v6:
		return ir.IPv6
	}
	return ir.IPv4
}

func (f field) dataType() dataType {
	switch {
	case !f.isAddr():
		return ifName
	case f.v6:
		return ipv6Addr
	}
	return ipv4Addr
}

// masked is true if only the beginning of an address counts.
func (f field) masked() bool { return f.isAddr() && f.bits < 8*f.dataType().size() }

// mask returns the mask of an address, in network byte order.
func (f field) mask() []byte {
	mask := make([]byte, f.dataType().size())
	for i := range f.bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// appendKey appends the value that m, a match of this field, compares with. Names are filled up with NULs.
func (f field) appendKey(b []byte, m ir.Match) []byte {
	switch m := m.(type) {
	case ir.IIfName:
		return appendName(b, m.Name)
	case ir.OIfName:
		return appendName(b, m.Name)
	case ir.SAddr:
		return f.appendPrefix(b, m.Prefix)
	case ir.DAddr:
		return f.appendPrefix(b, m.Prefix)
	}
	panic("nftables: a match without a key")
}

func appendName(b []byte, name string) []byte {
	var value [unix.IFNAMSIZ]byte
	copy(value[:], name)
	return append(b, value[:]...)
}

// appendPrefix appends the first bits of p that the field looks at, zeros behind them.
func (f field) appendPrefix(b []byte, p netip.Prefix) []byte {
	a := p.Addr()
	if p.Bits() != f.bits {
		short, err := a.Prefix(f.bits)
		if err != nil {
			panic(err) // lengths of the field are lengths of prefixes of its family
		}
		a = short.Addr()
	}
	if f.v6 {
		raw := a.As16()
		return append(b, raw[:]...)
	}
	raw := a.As4()
	return append(b, raw[:]...)
}

// appendText appends the field as nft prints it: ip saddr & 255.255.255.0.
func (f field) appendText(b []byte) []byte {
	switch f.slot {
	case slotIn:
		return append(b, "iifname"...)
	case slotOut:
		return append(b, "oifname"...)
	}
	b = append(b, f.family().String()...)
	if f.slot == slotDst {
		b = append(b, " daddr"...)
	} else {
		b = append(b, " saddr"...)
	}
	if !f.masked() {
		return b
	}
	a, _ := netip.AddrFromSlice(f.mask())
	return appendAddr(append(b, " & "...), a)
}

// load loads the field into a register.
func (f field) load(x []expr.Any, to uint32) []expr.Any {
	switch f.slot {
	case slotIn:
		return append(x, &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: to})
	case slotOut:
		return append(x, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: to})
	}
	size := f.dataType().size()
	load := loadAddr(make([]byte, size), f.slot == slotDst, size)
	load.DestRegister = to
	x = append(x, load)
	if !f.masked() {
		return x
	}
	return append(x, &expr.Bitwise{SourceRegister: to, DestRegister: to, Len: uint32(size), Mask: f.mask(), Xor: make([]byte, size)})
}

// name returns the field in a word for the names of sets: iif, saddr24.
func (f field) name() string {
	switch f.slot {
	case slotIn:
		return "iif"
	case slotOut:
		return "oif"
	case slotSrc:
		return "saddr" + itoa(f.bits)
	}
	return "daddr" + itoa(f.bits)
}
