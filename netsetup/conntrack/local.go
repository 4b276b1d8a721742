package conntrack

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// onHost returns p with the host's addresses in place of matches on the type that makes an address
// one of them. Other types stay, and nothing is certain where they decide; so do all on a host that
// is not known.
func onHost(p *ir.Program, at *places, h *ir.Host) *ir.Program {
	if len(h.Devices) == 0 {
		return p
	}
	own := at.ownSets()
	out := *p
	out.Chains = slices.Clone(p.Chains)
	for i, c := range p.Chains {
		if slices.ContainsFunc(c.Rules, asksLocal) {
			decided := *c
			decided.Rules = slices.Clone(c.Rules)
			for j := range decided.Rules {
				r := &decided.Rules[j]
				r.Matches = own.in(r.Matches)
			}
			out.Chains[i] = &decided
		}
	}
	return &out
}

func asksLocal(r ir.Rule) bool { return slices.ContainsFunc(r.Matches, isLocal) }

func isLocal(m ir.Match) bool {
	a, ok := m.(ir.AddrType)
	return ok && a.Types == ir.TypeLocal
}

// ownSets hold packets from the host's addresses, and those to them.
type ownSets struct{ sources, dests *ir.Set }

// ownSets returns them. Those of the loopback are the host's, whichever it has.
func (at *places) ownSets() ownSets {
	own := ownSets{&ir.Set{Family: ir.Both, Name: "own sources"}, &ir.Set{Family: ir.Both, Name: "own"}}
	add := func(p netip.Prefix) {
		own.sources.Elements = append(own.sources.Elements, []ir.Match{ir.SAddr{Prefix: p}})
		own.dests.Elements = append(own.dests.Elements, []ir.Match{ir.DAddr{Prefix: p}})
	}
	for a := range at.own {
		add(netip.PrefixFrom(a, a.BitLen()))
	}
	add(netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8))
	add(netip.PrefixFrom(netip.IPv6Loopback(), 128))
	return own
}

// in returns matches with look-ups in the sets.
func (o ownSets) in(matches []ir.Match) []ir.Match {
	out := slices.Clone(matches)
	for i, m := range out {
		if isLocal(m) {
			set := o.dests
			if m.(ir.AddrType).Source {
				set = o.sources
			}
			out[i] = ir.Lookup{Set: set, Not: m.(ir.AddrType).Not}
		}
	}
	return out
}
