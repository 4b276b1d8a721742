package nftables

import (
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/merge"
)

// field is a part of a set's key: a property of packets that is loaded into a register.
type field struct{ merge.Field }

func (f field) dataType() dataType {
	switch {
	case !f.IsAddr():
		return ifName
	case f.V6:
		return ipv6Addr
	}
	return ipv4Addr
}

// fieldOf returns the field that m compares with one value; see [merge.FieldOf].
func fieldOf(m ir.Match) (f field, not, ok bool) {
	f.Field, not, ok = merge.FieldOf(m)
	return f, not, ok
}

// masked is true if only the beginning of an address counts.
func (f field) masked() bool { return f.IsAddr() && f.Bits < 8*f.dataType().size() }

// mask returns the mask of an address, in network byte order.
func (f field) mask() []byte {
	mask := make([]byte, f.dataType().size())
	for i := range f.Bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// appendKey appends the value that m, a match of this field, compares with. Names are filled up
// with NULs.
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

// appendPrefix appends the first bits of p, zeros behind them.
func (f field) appendPrefix(b []byte, p netip.Prefix) []byte {
	if f.V6 {
		raw := p.Addr().As16()
		return append(b, raw[:]...)
	}
	raw := p.Addr().As4()
	return append(b, raw[:]...)
}

// appendText appends the field as nft prints it: ip saddr & 255.255.255.0.
func (f field) appendText(b []byte) []byte {
	switch f.Slot {
	case merge.In:
		return append(b, "iifname"...)
	case merge.Out:
		return append(b, "oifname"...)
	}
	b = append(b, f.Family().String()...)
	if f.Slot == merge.Dst {
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
	switch f.Slot {
	case merge.In:
		return append(x, &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: to})
	case merge.Out:
		return append(x, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: to})
	}
	size := f.dataType().size()
	load := loadAddr(make([]byte, size), f.Slot == merge.Dst, size)
	load.DestRegister = to
	x = append(x, load)
	if !f.masked() {
		return x
	}
	return append(x, &expr.Bitwise{SourceRegister: to, DestRegister: to, Len: uint32(size), Mask: f.mask(),
		Xor: make([]byte, size)})
}
