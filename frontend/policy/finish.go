package policy

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// finish puts the rules into their groups.
func (l *lowering) finish() {
	l.hostGroup(ir.POH, l.toHost.list, true)
	l.hostGroup(ir.POG, l.fromHost.list, false)
	l.put(ir.POX, l.replies.list, l.between.list, l.behindOurs(untilRefusal(l.refusals.list), false))
	l.put(ir.POO, l.behindOurs(slices.Concat(l.outReplies.list, l.outward.list), true))
	l.put(ir.POI, l.behindOurs(l.inward.list, false))
	for _, n := range l.nets {
		l.letPass(ir.FWX, n.exits.list, n.in, l.oursOut)
		l.letPass(ir.FWI, n.enters.list, n.out, l.ours)
	}
	if sources := slices.Concat(l.hairpins.list, l.untranslate.list); len(sources) > 0 {
		l.Add(ir.PRT)
		c := l.Group(ir.PRT)
		c.Rules = slices.Concat(sources, c.Rules)
	}
	l.put(ir.MSS, l.segments.list)
	l.put(ir.PRE, l.pre.list)
	l.put(ir.LOC, l.loc.list)
	l.AddSets()
}

// put adds rules to a group, which is made only for them.
func (l *lowering) put(g ir.Group, parts ...[]ir.Rule) {
	if all := slices.Concat(parts...); len(all) > 0 {
		l.Add(g, all...)
	}
}

// hostGroup adds the rules about the host, behind what a deny leaves alone.
func (l *lowering) hostGroup(g ir.Group, list []ir.Rule, toHost bool) {
	var spared []ir.Rule
	for _, n := range l.nets {
		denied, device, origin := n.deniesToHost, n.in, n.origin[0]
		if !toHost {
			denied, device, origin = n.deniesFromHost, n.out, n.origin[1]
		}
		origin.Reason = "what networks need of the host is not denied"
		for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
			if denied&f == 0 {
				continue
			}
			for _, matches := range n.exceptions(f, toHost) {
				spared = append(spared, ir.Rule{Family: f, Matches: slices.Concat([]ir.Match{device}, matches),
					Verdict: ir.Return{}, Origin: origin})
			}
		}
	}
	l.put(g, spared, list)
}

// untilRefusal returns list without the returns at its end, behind which there is nothing to be
// spared.
func untilRefusal(list []ir.Rule) []ir.Rule {
	for len(list) > 0 && list[len(list)-1].Verdict == ir.Verdict(ir.Return{}) {
		list = list[:len(list)-1]
	}
	return list
}

// behindOurs returns list behind rules by which what goes to our bridges, or comes from them,
// leaves the group: the list is about the outside.
func (l *lowering) behindOurs(list []ir.Rule, out bool) []ir.Rule {
	if len(list) == 0 {
		return nil
	}
	all := make([]ir.Rule, 0, len(l.nets)+len(list))
	for _, n := range l.nets {
		r := ir.Rule{Family: ir.Both, Matches: []ir.Match{n.in}, Verdict: ir.Return{}, Origin: list[0].Origin}
		r.Origin.Network, r.Origin.Reason = n.link.Name, "what comes from a network is not from outside"
		if out {
			r.Matches[0], r.Origin.Reason = n.out, "what goes to a network does not go outside"
		}
		all = append(all, r)
	}
	return append(all, list...)
}

// letPass puts passes before the rules of a group by which a network refuses whatever comes or goes
// by its bridge: what they match goes on to the group of a policy that accepts it. They are about
// the outside: what has one of our bridges at the other end is refused before them.
func (l *lowering) letPass(g ir.Group, passes []ir.Rule, device, ours ir.Match) {
	c := l.Group(g)
	if c == nil || len(passes) == 0 {
		return
	}
	for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
		of := slices.DeleteFunc(slices.Clone(passes), func(r ir.Rule) bool { return r.Family != f })
		refusals := refusalsOf(c, device, f)
		if len(of) == 0 || len(refusals) == 0 {
			continue
		}
		var before []ir.Rule
		for _, i := range refusals {
			own := c.Rules[i]
			own.Family = f
			own.Matches = slices.Concat(own.Matches, []ir.Match{ours})
			own.Origin.Reason = "a policy about the outside does not open one network to another"
			before = append(before, own)
		}
		c.Rules = slices.Insert(c.Rules, refusals[0], append(before, of...)...)
	}
}

// refusalsOf returns the numbers of the rules of c that refuse whatever has the device, or whatever
// of it comes from some addresses.
func refusalsOf(c *ir.Chain, device ir.Match, f ir.Family) (all []int) {
	for i := range c.Rules {
		switch c.Rules[i].Verdict.(type) {
		case ir.Reject, ir.Drop:
			whole := !slices.ContainsFunc(c.Rules[i].Matches, func(m ir.Match) bool {
				_, addr := m.(ir.SAddr)
				return !addr && m != device
			})
			if whole && c.Rules[i].Family&f != 0 && slices.Contains(c.Rules[i].Matches, device) {
				all = append(all, i)
			}
		}
	}
	return all
}
