package doctor

import (
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// Types of addresses that a host's own addresses decide (iptables-extensions(8), addrtype).
const (
	localType     = "LOCAL"
	broadcastType = "BROADCAST"
	multicastType = "MULTICAST"
)

// decideTypes replaces matches on the type of an address, which rules read as text have, by what
// the host's addresses make of them.
func decideTypes(p *ir.Program, h *ir.Host) {
	t := typer{host: h, sets: make(map[string]*ir.Set)}
	for _, c := range p.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			for j, m := range r.Matches {
				if o, is := m.(ir.Opaque); is {
					if decided, ok := t.decide(o.Text, r.Family&c.Family); ok {
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

// decide reads "-m addrtype [!] --dst-type LOCAL[,TYPE]"; ok is false if it is something else.
func (t *typer) decide(text string, f ir.Family) (m ir.Match, ok bool) {
	words := strings.Fields(text)
	if len(words) < 2 || words[0] != "-m" || words[1] != "addrtype" {
		return nil, false
	}
	words = words[2:]
	not := len(words) > 0 && words[0] == "!"
	if not {
		words = words[1:]
	}
	if len(words) != 2 || words[0] != "--dst-type" && words[0] != "--src-type" || f != ir.IPv4 && f != ir.IPv6 {
		return nil, false
	}
	key := f.String() + text
	set := t.sets[key]
	if set == nil {
		set = &ir.Set{Family: f, Name: "type " + words[1] + " " + words[0]}
		for _, word := range strings.Split(words[1], ",") {
			prefixes, known := t.addresses(word, f)
			if !known {
				return nil, false
			}
			for _, p := range prefixes {
				var element ir.Match = ir.SAddr{Prefix: p}
				if words[0] == "--dst-type" {
					element = ir.DAddr{Prefix: p}
				}
				set.Elements = append(set.Elements, []ir.Match{element})
			}
		}
		t.sets[key] = set
	}
	return ir.Lookup{Set: set, Not: not}, true
}

// addresses returns those of a type, and whether the type is one that can be told.
func (t *typer) addresses(word string, f ir.Family) (all []netip.Prefix, known bool) {
	add := func(p netip.Prefix) {
		if p.Addr().Is4() == (f == ir.IPv4) {
			all = append(all, p)
		}
	}
	switch word {
	case multicastType:
		add(netip.MustParsePrefix("224.0.0.0/4"))
		add(netip.MustParsePrefix("ff00::/8"))
	case localType:
		add(netip.MustParsePrefix("127.0.0.0/8"))
		add(netip.MustParsePrefix("::1/128"))
		for _, d := range t.host.Devices {
			for _, a := range d.Addresses {
				add(netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
			}
		}
	case broadcastType:
		if f == ir.IPv6 {
			return nil, true // there are none
		}
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
