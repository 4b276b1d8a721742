package prove

import "github.com/vnetc/vnetc/ir"

// Leak is a connection that a network's own rules would refuse to let out, and that gets through
// all the same because a rule of another network, met earlier, accepts it.
type Leak struct {
	From     Endpoint
	To       []Endpoint // whom such connections reach
	Packet   ir.Packet  // one of them
	Family   ir.Family
	Accepted ir.Step // the rule that lets Packet through
	Refused  ir.Step // the rule of From's that would have refused it; Rule is nil if none would have let it through
}

// Leaks returns the leaks of all networks, in the order of the links, IPv4 first. It needs rules
// with origins: a network's own are those whose Origin names it. Whole is false if there may be
// others: to find them would cost more than the budget has.
func (r *Reacher) Leaks() (all []Leak, whole bool) {
	own := ownPrograms(r.program)
	whole = r.ask(func() {
		for _, s := range r.sides {
			leaks := s.leaks(own)
			for _, l := range r.program.Links {
				set := s.And(s.iface(s.iif, l.Bridge.Name, false), leaks)
				if p := own[l.Name]; p != nil && l.Mode.Filtered() && set != never {
					all = append(all, s.leak(l, p, set))
				}
			}
		}
	})
	return all, whole
}

// leaks returns the new forwarded packets that get through against their own network's rules. All
// networks are asked at once: what each lets out itself is a small set, and taking all of them from
// the large one is one step.
func (s *side) leaks(own map[string]*ir.Program) node {
	forwarded := ways[0]
	var bridges, allowed []node
	for _, l := range s.program.Links {
		p := own[l.Name]
		if p == nil || !l.Mode.Filtered() {
			continue
		}
		in := s.iface(s.iif, l.Bridge.Name, false)
		bridges = append(bridges, in)
		allowed = append(allowed, s.And(in, newMayModel(s.space, p).crossing(forwarded, always).accepted))
	}
	through := s.And(s.And(s.Union(bridges), s.inStates(ir.StateNew)), s.crossings[forwarded.name].accepted)
	return s.Diff(through, s.Union(allowed))
}

// ownPrograms returns, for each network, the program of its own rules.
func ownPrograms(p *ir.Program) map[string]*ir.Program {
	own := make(map[string]*ir.Program)
	for _, c := range p.Chains {
		if c.Group == 0 {
			continue
		}
		for _, rule := range c.Rules {
			name := rule.Origin.Network
			if own[name] == nil {
				own[name] = &ir.Program{}
			}
			own[name].Add(c.Group, rule)
		}
	}
	return own
}

// leak describes the leak out of one network by the packets of set.
func (s *side) leak(l *ir.Link, own *ir.Program, set node) Leak {
	honest := s.And(set, s.places.addresses(l, source))
	if honest != never {
		set = honest // guests with their own addresses are the plainer case
	}
	leak := Leak{From: Endpoint{Network, l.Name}, Family: s.family, To: s.places.occurring(set, dest)}
	leak.Packet = s.pick(s.And(set, s.places.by(leak.To[0], dest))) // one endpoint first: the whole set may be large
	leak.Accepted = lastStep(s.program, leak.Packet)
	leak.Refused = lastStep(own, leak.Packet)
	return leak
}

// lastStep returns the last rule that a forwarded packet meets at the forward hook: the one that
// decides.
func lastStep(p *ir.Program, packet ir.Packet) ir.Step {
	fate, err := ir.Eval(p, packet)
	if err != nil {
		return ir.Step{}
	}
	var last ir.Step
	for _, step := range fate.Trace {
		if step.Rule != nil && hookOf(step.Chain) == ir.Forward {
			last = step
		}
	}
	return last
}

// hookOf returns the hook of a group or base chain, 0 for other chains.
func hookOf(c *ir.Chain) ir.Hook {
	switch {
	case c.Group != 0:
		return c.Group.Hook()
	case c.Base != nil:
		return c.Base.Hook
	}
	return 0
}
