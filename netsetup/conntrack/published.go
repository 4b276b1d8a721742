package conntrack

import "github.com/vnetc/vnetc/ir"

// published is what rules translate to another destination, as far as they say it by themselves: no
// entry is missed, some are found that no rule translates.
type published struct {
	protos   [256]bool
	ports    [1 << 16 / 64]uint64
	dests    ranges
	anyProto bool // anyProto is true if a rule does not say which protocol it is for.
	anyPort  bool // likewise
	anywhere bool // likewise of destinations
}

// add adds what p translates.
func (u *published) add(p *ir.Program) {
	for _, c := range p.Chains {
		if !translates(c) {
			continue
		}
		for i := range c.Rules {
			switch c.Rules[i].Verdict.(type) {
			case ir.Accept, ir.Counter, ir.Return, ir.ChecksumFill:
			default: // a translation, or a jump to one
				u.rule(c.Rules[i].Matches)
			}
		}
	}
}

// rule adds what a rule with these matches may translate.
func (u *published) rule(matches []ir.Match) {
	said := map[ir.Fields]bool{}
	for _, m := range matches {
		switch m := m.(type) {
		case ir.L4Proto:
			if !m.Not {
				u.protos[m.Proto], said[ir.FieldL4Proto] = true, true
			}
		case ir.DPort:
			if !m.Not {
				u.addPorts(m.From, m.To)
				said[ir.FieldDPort] = true
			}
		case ir.DAddr:
			if !m.Not {
				u.dests = append(u.dests, rangeOf(m.Prefix))
				said[ir.FieldDAddr] = true
			}
		case ir.DAddrRange:
			if !m.Not {
				u.dests = append(u.dests, ir.AddrRange{From: m.From, To: m.To})
				said[ir.FieldDAddr] = true
			}
		case ir.Lookup:
			said[ir.FieldDAddr] = u.set(m) || said[ir.FieldDAddr]
		}
	}
	u.anyProto = u.anyProto || !said[ir.FieldL4Proto]
	u.anyPort = u.anyPort || !said[ir.FieldDPort]
	u.anywhere = u.anywhere || !said[ir.FieldDAddr]
}

// set adds the destinations of a set of nothing else, and is true if it is one.
func (u *published) set(m ir.Lookup) bool {
	var dests []ir.AddrRange
	for _, element := range m.Set.Elements {
		d, ok := element[0].(ir.DAddr)
		if !ok || d.Not || m.Not || len(element) != 1 {
			return false
		}
		dests = append(dests, rangeOf(d.Prefix))
	}
	u.dests = append(u.dests, dests...)
	return true
}

func (u *published) addPorts(from, to uint16) {
	for port := int(from); port <= int(to); port++ {
		u.ports[port/64] |= 1 << (port % 64)
	}
}

// has is true if the first packet of t may be one that rules translate.
func (u *published) has(t *Tuple) bool {
	return (u.anyProto || u.protos[t.Proto]) && (u.anyPort || u.ports[t.DPort/64]>>(t.DPort%64)&1 == 1) &&
		(u.anywhere || u.dests.have(t.Dst))
}

// translates is true if packets meet c to get another destination.
func translates(c *ir.Chain) bool {
	if c.Group != 0 {
		return c.Group == ir.PRE || c.Group == ir.LOC
	}
	return c.Base != nil && c.Base.Type == ir.NATType && (c.Base.Hook == ir.Prerouting || c.Base.Hook == ir.Output)
}
