package conntrack

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// ends says which entries are to be judged at all. Most of a busy host's are not, so it is asked
// before everything else.
type ends struct {
	nets ranges // of the networks
	published
}

func newEnds(programs ...*ir.Program) *ends {
	e := &ends{}
	for _, p := range programs {
		for _, l := range p.Links {
			if !l.Mode.Managed() {
				continue
			}
			for _, a := range l.Addresses {
				e.nets = append(e.nets, rangeOf(a.Prefix))
			}
			for _, r := range l.Routes {
				if r.Dest.Bits() > 0 { // behind a default route everything would be
					e.nets = append(e.nets, rangeOf(r.Dest))
				}
			}
		}
		e.published.add(p)
	}
	e.nets, e.dests = e.nets.merged(), e.dests.merged()
	return e
}

// concern is true if an end of the entry, as it is or as it was translated, is in one of the
// networks.
func (e *ends) concern(x *Entry) bool {
	return e.nets.have(x.Original.Src) || e.nets.have(x.Original.Dst) || e.nets.have(x.Reply.Src) ||
		e.nets.have(x.Reply.Dst)
}

// ranges is a set of addresses.
type ranges []ir.AddrRange

// rangeOf returns the addresses of p.
func rangeOf(p netip.Prefix) ir.AddrRange {
	raw := p.Addr().AsSlice()
	for i := p.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return ir.AddrRange{From: p.Masked().Addr(), To: last}
}

// merged returns the same addresses in order, none in two ranges.
func (r ranges) merged() (all ranges) {
	slices.SortFunc(r, func(a, b ir.AddrRange) int { return a.From.Compare(b.From) }) // IPv4 comes first
	for _, one := range r {
		last := len(all) - 1
		if last < 0 || !within(one.From, all[last]) {
			all = append(all, one)
		} else if all[last].To.Less(one.To) {
			all[last].To = one.To
		}
	}
	return all
}

// have is true if a is in one of the ranges, which are merged.
func (r ranges) have(a netip.Addr) bool {
	i, found := slices.BinarySearchFunc(r, a, func(r ir.AddrRange, a netip.Addr) int { return r.From.Compare(a) })
	return found || i > 0 && within(a, r[i-1])
}

// within is true if a is an address of r.
func within(a netip.Addr, r ir.AddrRange) bool {
	return a.Is4() == r.From.Is4() && r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0
}
