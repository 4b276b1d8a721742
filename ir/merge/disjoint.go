package merge

import (
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// disjoint is true if it is sure that no packet matches both rules: they are for different
// families, or some match of the one excludes some match of the other.
func disjoint(a, b *item) bool {
	if a.family&b.family == 0 {
		return true
	}
	for _, m := range a.rule.Matches {
		for _, n := range b.rule.Matches {
			if excludes(m, n) {
				return true
			}
		}
	}
	return false
}

// excludes is true if no packet has both properties. Unknown pairs exclude nothing.
func excludes(a, b ir.Match) bool {
	switch a := a.(type) {
	case ir.IIfName:
		b, ok := b.(ir.IIfName)
		return ok && namesExclude(a.Name, a.Wildcard, a.Not, b.Name, b.Wildcard, b.Not)
	case ir.OIfName:
		b, ok := b.(ir.OIfName)
		return ok && namesExclude(a.Name, a.Wildcard, a.Not, b.Name, b.Wildcard, b.Not)
	case ir.SAddr:
		if b, ok := b.(ir.SAddr); ok {
			return prefixesExclude(a.Prefix, a.Not, b.Prefix, b.Not)
		}
		b, ok := b.(ir.SAddrRange)
		return ok && addrsExclude(a, b)
	case ir.DAddr:
		if b, ok := b.(ir.DAddr); ok {
			return prefixesExclude(a.Prefix, a.Not, b.Prefix, b.Not)
		}
		b, ok := b.(ir.DAddrRange)
		return ok && addrsExclude(a, b)
	case ir.SAddrRange, ir.DAddrRange:
		return addrsExclude(a, b)
	case ir.L4Proto:
		b, ok := b.(ir.L4Proto)
		return ok && (a.Proto == b.Proto) == (a.Not != b.Not) && !(a.Not && b.Not)
	case ir.SPort:
		b, ok := b.(ir.SPort)
		return ok && !a.Not && !b.Not && (a.To < b.From || b.To < a.From)
	case ir.DPort:
		b, ok := b.(ir.DPort)
		return ok && !a.Not && !b.Not && (a.To < b.From || b.To < a.From)
	case ir.TCPFlags:
		b, ok := b.(ir.TCPFlags)
		return ok && !a.Not && !b.Not && (a.Flags^b.Flags)&a.Mask&b.Mask != 0
	case ir.CTState:
		b, ok := b.(ir.CTState)
		return ok && statesOf(a)&statesOf(b) == 0
	case ir.CTStatus:
		b, ok := b.(ir.CTStatus)
		return ok && (a.Not && !b.Not && b.Status&^a.Status == 0 || b.Not && !a.Not && a.Status&^b.Status == 0)
	case ir.Mark:
		b, ok := b.(ir.Mark)
		return ok && !a.Not && !b.Not && (a.Value^b.Value)&a.Mask&b.Mask != 0
	}
	return false
}

// namesExclude is excludes for names of one interface: equal to, beginning with, or not.
func namesExclude(a string, wildA, notA bool, b string, wildB, notB bool) bool {
	within := func(x string, wildX bool, y string, wildY bool) bool { // every name that x covers, y does
		return x == y && (!wildX || wildY) || wildY && strings.HasPrefix(x, y)
	}
	switch {
	case notA && notB:
		return false
	case notA:
		return within(b, wildB, a, wildA)
	case notB:
		return within(a, wildA, b, wildB)
	}
	return !within(a, wildA, b, wildB) && !within(b, wildB, a, wildA)
}

// prefixesExclude is excludes for prefixes of addresses of one side.
func prefixesExclude(a netip.Prefix, notA bool, b netip.Prefix, notB bool) bool {
	switch {
	case notA && notB:
		return false
	case a.Addr().Is4() != b.Addr().Is4():
		return true
	case notA:
		return a.Bits() <= b.Bits() && a.Overlaps(b)
	case notB:
		return b.Bits() <= a.Bits() && a.Overlaps(b)
	}
	return !a.Overlaps(b)
}

// addrsExclude is excludes for addresses, of which those of the same side are compared.
func addrsExclude(a, b ir.Match) bool {
	dstA, fromA, toA, notA, okA := addrsOf(a)
	dstB, fromB, toB, notB, okB := addrsOf(b)
	switch {
	case !okA || !okB || dstA != dstB || notA && notB:
		return false
	case fromA.Is4() != fromB.Is4():
		return true
	case notA:
		return fromA.Compare(fromB) <= 0 && toB.Compare(toA) <= 0
	case notB:
		return fromB.Compare(fromA) <= 0 && toA.Compare(toB) <= 0
	}
	return toA.Less(fromB) || toB.Less(fromA)
}

// addrsOf returns the first and the last address that m compares with.
func addrsOf(m ir.Match) (dst bool, from, to netip.Addr, not, ok bool) {
	switch m := m.(type) {
	case ir.SAddr:
		return false, m.Prefix.Masked().Addr(), lastAddr(m.Prefix), m.Not, true
	case ir.DAddr:
		return true, m.Prefix.Masked().Addr(), lastAddr(m.Prefix), m.Not, true
	case ir.SAddrRange:
		return false, m.From, m.To, m.Not, true
	case ir.DAddrRange:
		return true, m.From, m.To, m.Not, true
	}
	return false, from, to, false, false
}

// lastAddr returns the highest address of p.
func lastAddr(p netip.Prefix) netip.Addr {
	if p.Addr().Is4() {
		a := p.Addr().As4()
		setBits(a[:], p.Bits())
		return netip.AddrFrom4(a)
	}
	a := p.Addr().As16()
	setBits(a[:], p.Bits())
	return netip.AddrFrom16(a)
}

// setBits sets the bits of b from number first on.
func setBits(b []byte, first int) {
	for i := range b {
		if n := first - i*8; n <= 0 {
			b[i] = 0xff
		} else if n < 8 {
			b[i] |= 0xff >> n
		}
	}
}

func statesOf(m ir.CTState) ir.State {
	if m.Not {
		return ^m.States
	}
	return m.States
}
