package conntrack

import "github.com/vnetc/vnetc/ir"

// narrowed is a program, and what is left of it for packets that have much in common. A host has
// many connections and few ways that they go; of thousands of rules few are about one way.
type narrowed struct {
	*ir.Program
	ways map[way]*ir.Program
}

// way is what packets have in common that are judged by the same part of a program.
type way struct {
	family  ir.Family
	in, out string
	proto   uint8
	port    uint16 // of the destination
}

const maxWays = 256 // that are kept: each has its own list of rules

// of returns the program without rules that p can't match for its way alone.
func (n *narrowed) of(p ir.Packet) *ir.Program {
	w := way{p.Family, p.In, p.Out, p.Proto, p.DPort}
	if part, ok := n.ways[w]; ok {
		return part
	}
	if n.ways == nil || len(n.ways) >= maxWays {
		n.ways = make(map[way]*ir.Program)
	}
	part := &ir.Program{}
	for _, c := range n.Chains {
		part.Chains = append(part.Chains, narrow(c, p))
	}
	n.ways[w] = part
	return part
}

// narrow returns c without rules that no packet on the way of p matches. A chain that others jump
// to stays as it is.
func narrow(c *ir.Chain, p ir.Packet) *ir.Chain {
	var hook ir.Hook
	switch {
	case c.Group != 0:
		hook = c.Group.Hook()
	case c.Base != nil:
		hook = c.Base.Hook
	default:
		return c
	}
	short := *c
	short.Rules = nil
	for i := range c.Rules {
		if onWay(&c.Rules[i], p, hook) {
			short.Rules = append(short.Rules, c.Rules[i])
		}
	}
	return &short
}

// onWay is true unless the family of r or a match on the way alone rules p out.
func onWay(r *ir.Rule, p ir.Packet, hook ir.Hook) bool {
	if r.Family&p.Family == 0 {
		return false
	}
	for i, m := range r.Matches {
		switch m.(type) {
		case ir.IIfName, ir.OIfName, ir.L4Proto, ir.DPort:
			one := ir.Rule{Family: r.Family, Matches: r.Matches[i : i+1]}
			if !one.Holds(p, hook) {
				return false
			}
		}
	}
	return true
}
