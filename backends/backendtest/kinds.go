package backendtest

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// origin returns an origin of its own for the n-th rule of a program.
func origin(n int) ir.Origin {
	at := diag.Pos{Offset: n * 100, Line: n + 1, Col: 1}
	end := diag.Pos{Offset: n*100 + 10, Line: n + 1, Col: 11}
	return ir.Origin{Span: diag.Span{File: "sample.xml", Start: at, End: end}, Network: "sample", Element: "network/ip",
		Reason: fmt.Sprintf("rule %d", n+1)}
}

// numbered gives every rule of p an origin of its own.
func numbered(p *ir.Program) *ir.Program {
	for n, r := range rules(p) {
		r.Origin = origin(n)
	}
	return p
}

// setting is a place for rules: a group or a base chain.
type setting struct {
	name    string
	visible ir.Verdict // makes a packet's fate another than the policy's
	early   bool       // early is true where packets come before connection tracking.
	in      func(rules ...ir.Rule) *ir.Program
}

// visible returns a verdict that makes a packet's fate another than the policy of base.
func visible(base ir.Base) ir.Verdict {
	switch {
	case base.Drop:
		return ir.Accept{}
	case base.Type == ir.NATType && base.Hook == ir.Postrouting:
		return ir.Masquerade{}
	case base.Type == ir.NATType:
		return ir.Redirect{}
	}
	return ir.Drop{}
}

// groupSetting is the group g.
func groupSetting(g ir.Group) setting {
	rows := g.Rows()
	s := setting{name: g.String(), visible: visible(rows[len(rows)-1].Base)}
	s.in = func(rules ...ir.Rule) *ir.Program {
		p := &ir.Program{}
		p.Add(g, rules...)
		p.AddSets()
		return s.withOther(p, ir.Both, "")
	}
	return s
}

// baseSetting is a base chain in a table of family f.
func baseSetting(f ir.Family, base ir.Base) setting {
	s := setting{name: fmt.Sprintf("a chain of type %s at %s, family %s", base.Type, base.Hook, f),
		visible: visible(base)}
	s.early = base.Hook == ir.Prerouting && base.Priority < ir.PriorityConntrack
	s.in = func(rules ...ir.Rule) *ir.Program {
		own := base
		p := &ir.Program{Chains: []*ir.Chain{{Family: f, Table: "t", Name: "base", Base: &own, Rules: rules}}}
		p.AddSets()
		return s.withOther(p, f, "t")
	}
	return s
}

// withOther adds the chain that the sample verdicts jump to, if p does.
func (s setting) withOther(p *ir.Program, f ir.Family, table string) *ir.Program {
	if !slices.ContainsFunc(p.Chains[0].Rules, func(r ir.Rule) bool { _, leads := target(r.Verdict); return leads }) {
		return p
	}
	p.Chains = append(p.Chains, &ir.Chain{Family: f, Table: table, Name: "other", Rules: []ir.Rule{
		{Family: f, Matches: []ir.Match{ir.CTState{States: ir.StateNew}, ir.Mark{Value: 7, Mask: 7}},
			Verdict: ir.Return{}},
		{Family: f, Matches: []ir.Match{ir.CTState{States: ir.StateNew}, ir.IIfName{Name: "virbr0"}},
			Verdict: s.visible},
	}})
	return p
}

// bases returns the base chains that most firewalls have.
func bases() []ir.Base {
	return []ir.Base{
		{Hook: ir.Forward, Type: ir.FilterType, Priority: ir.PriorityFilter},
		{Hook: ir.Input, Type: ir.FilterType, Priority: ir.PriorityFilter, Drop: true},
		{Hook: ir.Output, Type: ir.FilterType, Priority: ir.PriorityFilter},
		{Hook: ir.Prerouting, Type: ir.FilterType, Priority: ir.PriorityRaw},
		{Hook: ir.Postrouting, Type: ir.FilterType, Priority: ir.PriorityMangle},
		{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		{Hook: ir.Postrouting, Type: ir.NATType, Priority: ir.PrioritySrcNAT},
	}
}

// Kinds returns programs that hold each sample match, each sample action and each sample verdict:
// in every group, and in every kind of base chain of the families ip, ip6 and inet. Each rule is
// one that could stand there: with the protocol that its ports need, and of a family that has its
// addresses. What a rule means is seen best where it stands alone; see [SingleKinds].
func Kinds() []Sample {
	var samples []Sample
	add := func(s setting) {
		all := slices.Concat(matchRules(ir.Accept{}), matchRules(ir.Return{}), actionRules(s, ir.Counter{}),
			actionRules(s, ir.Accept{}), verdictRules())
		samples = append(samples, Sample{"all kinds in " + s.name, numbered(clone(s.in(all...)))})
	}
	for _, g := range ir.Groups {
		add(groupSetting(g))
	}
	for _, f := range []ir.Family{ir.IPv4, ir.IPv6, ir.Both} {
		for _, base := range bases() {
			add(baseSetting(f, base))
		}
	}
	return samples
}

// SingleKinds returns a program for each sample, in the last group of each base and in some base
// chains: a match with a verdict that can be seen, a verdict before a rule that can be seen.
func SingleKinds() []Sample {
	var samples []Sample
	settings := []setting{baseSetting(ir.Both, bases()[0]), baseSetting(ir.Both, bases()[3]),
		baseSetting(ir.Both, bases()[5])}
	for _, rows := range ir.GroupBases() {
		if last := rows[len(rows)-1]; last.Of == nil || last.Type == ir.NATType {
			settings = append(settings, groupSetting(last.Group))
		}
	}
	for _, s := range settings {
		add := func(rules ...ir.Rule) {
			p := numbered(clone(s.in(rules...)))
			samples = append(samples, Sample{describe(p.Chains[0], 0), p})
		}
		for _, r := range matchRules(s.visible) {
			add(r)
		}
		for _, r := range actionRules(s, ir.Counter{}) {
			add(r, ir.Rule{Family: r.Family, Matches: []ir.Match{ir.Mark{Value: 1, Mask: 1},
				ir.CTState{States: ir.Tracked}}, Verdict: s.visible})
		}
		for _, r := range verdictRules() {
			add(r, ir.Rule{Family: ir.Both, Verdict: s.visible})
			if _, leads := target(r.Verdict); leads {
				add(r) // what the other chain does shows alone
			}
		}
	}
	return samples
}

// matchRules returns the sample matches as rules with verdict v.
func matchRules(v ir.Verdict) []ir.Rule {
	var all []ir.Rule
	for _, m := range ir.SampleMatches() {
		for _, f := range families {
			switch m := m.(type) {
			case ir.SPort, ir.DPort:
				for _, proto := range []uint8{ir.TCP, ir.UDP, ir.SCTP} {
					all = appendRule(all, f, v, ir.L4Proto{Proto: proto}, m)
				}
			case ir.TCPFlags:
				all = appendRule(all, f, v, ir.L4Proto{Proto: ir.TCP}, m)
			case ir.ICMPType:
				if f == ir.IPv4 {
					all = appendRule(all, f, v, ir.L4Proto{Proto: ir.ICMP}, m)
				} else if f == ir.IPv6 {
					all = appendRule(all, f, v, ir.L4Proto{Proto: ir.ICMPv6}, m)
				}
			case ir.Field:
				if m.Key == ir.KeyOrigDPort {
					all = appendRule(all, f, v, ir.L4Proto{Proto: ir.TCP}, m)
				} else {
					all = appendRule(all, f, v, m)
				}
			default:
				all = appendRule(all, f, v, m)
			}
		}
	}
	return all
}

var families = [...]ir.Family{ir.IPv4, ir.IPv6, ir.Both}

// appendRule appends a rule if packets of all of f can meet it.
func appendRule(all []ir.Rule, f ir.Family, v ir.Verdict, matches ...ir.Match) []ir.Rule {
	r := ir.Rule{Family: f, Matches: matches, Verdict: v}
	if r.Families() == f {
		all = append(all, r)
	}
	return all
}

// actionRules returns the sample actions that can be in s as rules with verdict v.
func actionRules(s setting, v ir.Verdict) []ir.Rule {
	var all []ir.Rule
	for _, a := range ir.SampleActions() {
		if _, is := a.(ir.NoTrack); is && !s.early {
			continue
		}
		if _, is := a.(ir.ClampMSS); is {
			for _, f := range families {
				all = append(all, ir.Rule{Family: f, Actions: []ir.Action{a}, Verdict: v, Matches: []ir.Match{
					ir.L4Proto{Proto: ir.TCP}, ir.TCPFlags{Mask: ir.FlagSYN, Flags: ir.FlagSYN}}})
			}
			continue
		}
		for _, f := range families {
			all = append(all, ir.Rule{Family: f, Actions: []ir.Action{a}, Verdict: v},
				ir.Rule{Family: f, Matches: []ir.Match{ir.IIfName{Name: "virbr0"}}, Actions: []ir.Action{a},
					Verdict: v})
		}
	}
	return all
}

// verdictRules returns the sample verdicts as rules, for all packets if it can be, and for TCP's.
func verdictRules() []ir.Rule {
	var all []ir.Rule
	for _, v := range ir.SampleVerdicts() {
		for _, f := range families {
			if f&^verdictFamilies(v) != 0 {
				continue
			}
			all = appendRule(all, f, v, ir.L4Proto{Proto: ir.TCP})
			if reject, ok := v.(ir.Reject); (!ok || reject.With != ir.TCPReset) && !hasPorts(v) {
				all = appendRule(all, f, v)
			}
		}
	}
	return all
}

// verdictFamilies returns the families whose packets can have v.
func verdictFamilies(v ir.Verdict) ir.Family {
	addrs := ir.AddrRange{}
	switch v := v.(type) {
	case ir.Reject:
		return v.With.Families()
	case ir.SNAT:
		addrs = v.Addrs
	case ir.DNAT:
		addrs = v.Addrs
	}
	if addrs.IsZero() {
		return ir.Both
	}
	return familyOf(addrs.From)
}

// hasPorts is true for verdicts that need a protocol with ports.
func hasPorts(v ir.Verdict) bool {
	switch v := v.(type) {
	case ir.Masquerade:
		return !v.Ports.IsZero()
	case ir.SNAT:
		return !v.Ports.IsZero()
	case ir.DNAT:
		return !v.Ports.IsZero()
	case ir.Redirect:
		return !v.Ports.IsZero()
	}
	return false
}
