package doctor

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// decideTypes replaces matches on the type of an address by what the host's addresses make of them.
func decideTypes(p *ir.Program, h *ir.Host) {
	t := typer{host: h, sets: make(map[string]*ir.Set)}
	for _, c := range p.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			for j, m := range r.Matches {
				if a, is := m.(ir.AddrType); is {
					if decided, ok := t.decide(a, r.Families()&c.Family); ok {
						r.Matches[j] = decided
					}
				}
			}
		}
	}
	p.AddSets()
}

type typer struct {
	host *ir.Host
	sets map[string]*ir.Set
}

// decide returns the look-up that says the same as m on the host, in a rule for packets of family
// f; ok is false if the host doesn't decide it, or m is decided anyhow.
func (t *typer) decide(m ir.AddrType, f ir.Family) (look ir.Match, ok bool) {
	if m.Decided() || f != ir.IPv4 && f != ir.IPv6 {
		return nil, false
	}
	not := m.Not
	m.Not = false
	key := f.String() + " " + ir.MatchText(m)
	set := t.sets[key]
	if set == nil {
		set = &ir.Set{Family: f, Name: key}
		for _, one := range []ir.AddrTypes{ir.TypeLocal, ir.TypeBroadcast, ir.TypeMulticast, ir.TypeAnycast} {
			if m.Types&one == 0 {
				continue
			}
			prefixes, known := t.addresses(one, f)
			if !known {
				return nil, false
			}
			for _, p := range prefixes {
				var element ir.Match = ir.DAddr{Prefix: p}
				if m.Source {
					element = ir.SAddr{Prefix: p}
				}
				set.Elements = append(set.Elements, []ir.Match{element})
			}
		}
		if m.Types&^(ir.TypeLocal|ir.TypeBroadcast|ir.TypeMulticast|ir.TypeAnycast) != 0 {
			return nil, false
		}
		t.sets[key] = set
	}
	return ir.Lookup{Set: set, Not: not}, true
}

// addresses returns those of a type, and whether the type is one that can be told.
func (t *typer) addresses(of ir.AddrTypes, f ir.Family) (all []netip.Prefix, known bool) {
	add := func(p netip.Prefix) {
		if p.Addr().Is4() == (f == ir.IPv4) {
			all = append(all, p)
		}
	}
	switch of {
	case ir.TypeAnycast: // of IPv4 there are none
		return nil, f == ir.IPv4
	case ir.TypeMulticast:
		add(netip.MustParsePrefix("224.0.0.0/4"))
		add(netip.MustParsePrefix("ff00::/8"))
	case ir.TypeLocal:
		add(netip.MustParsePrefix("127.0.0.0/8"))
		add(netip.MustParsePrefix("::1/128"))
		for _, d := range t.host.Devices {
			for _, a := range d.Addresses {
				add(netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
			}
		}
	case ir.TypeBroadcast:
		if f == ir.IPv6 {
			return nil, true // there are none
		}
		add(netip.MustParsePrefix("0.0.0.0/32"))
		add(netip.MustParsePrefix("255.255.255.255/32"))
		for _, d := range t.host.Devices {
			for _, a := range d.Addresses {
				if a.Addr().Is4() && a.Bits() < 31 {
					add(netip.PrefixFrom(last(a), 32))
				}
			}
		}
	default:
		return nil, false
	}
	return all, true
}

// last returns the last address of an IPv4 prefix.
func last(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(raw)
}
