package backendtest

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// origin returns an origin of its own for the n-th rule of a program.
func origin(n int) ir.Origin {
	at := diag.Pos{Offset: n * 100, Line: n + 1, Col: 1}
	end := diag.Pos{Offset: n*100 + 10, Line: n + 1, Col: 11}
	return ir.Origin{Span: diag.Span{File: "sample.xml", Start: at, End: end}, Network: "sample", Element: "network/ip", Reason: fmt.Sprintf("rule %d", n+1)}
}

// numbered gives every rule of p an origin of its own.
func numbered(p *ir.Program) *ir.Program {
	for n, r := range rules(p) {
		r.Origin = origin(n)
	}
	return p
}

// Kinds returns programs that hold each sample match and each sample verdict: in every group, and in every kind of base chain
// of the families ip, ip6 and inet. Each rule is one that could stand there: with the protocol that its ports need, and of a
// family that has its addresses. Only the first rules of a chain are met by many packets; see [SingleKinds].
func Kinds() []Sample {
	var samples []Sample
	for _, g := range ir.Groups {
		samples = append(samples, Sample{"all kinds in " + g.String(), numbered(inGroup(g, sampleRules()...))})
	}
	for _, f := range []ir.Family{ir.IPv4, ir.IPv6, ir.Both} {
		for _, base := range bases() {
			name := fmt.Sprintf("all kinds in a chain of type %s at %s, family %s", base.Type, base.Hook, f)
			samples = append(samples, Sample{name, numbered(inBase(f, base, sampleRules()...))})
		}
	}
	return samples
}

// SingleKinds returns a program for each rule of [Kinds], in one group of each hook and in two base chains.
func SingleKinds() []Sample {
	var samples []Sample
	add := func(p *ir.Program) { samples = append(samples, Sample{describe(p.Chains[0], 0), numbered(p)}) }
	for _, r := range sampleRules() {
		for _, g := range []ir.Group{ir.INP, ir.OUT, ir.FWI, ir.PRT} {
			add(inGroup(g, r))
		}
		add(inBase(ir.Both, bases()[0], r))
		add(inBase(ir.Both, bases()[5], r))
	}
	return samples
}

// inGroup returns a program with rules in one group.
func inGroup(g ir.Group, rules ...ir.Rule) *ir.Program {
	p := &ir.Program{}
	p.Add(g, rules...)
	p.Chains = append(p.Chains, &ir.Chain{Family: ir.Both, Name: "other", Rules: []ir.Rule{{Family: ir.Both, Verdict: ir.Return{}}}})
	return p
}

// inBase returns a program with rules in one base chain.
func inBase(f ir.Family, base ir.Base, rules ...ir.Rule) *ir.Program {
	return &ir.Program{Chains: []*ir.Chain{
		{Family: f, Table: "t", Name: "base", Base: &base, Rules: rules},
		{Family: f, Table: "t", Name: "other", Rules: []ir.Rule{{Family: f, Verdict: ir.Return{}}}},
	}}
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

// sampleRules returns the sample matches and verdicts as rules.
func sampleRules() []ir.Rule {
	var all []ir.Rule
	add := func(f ir.Family, v ir.Verdict, matches ...ir.Match) {
		r := ir.Rule{Family: f, Matches: matches, Verdict: v}
		if meets(&ir.Chain{Family: ir.Both}, &r) == f {
			all = append(all, r)
		}
	}
	families := []ir.Family{ir.IPv4, ir.IPv6, ir.Both}
	for _, m := range ir.SampleMatches() {
		for _, f := range families {
			switch m := m.(type) {
			case ir.SPort, ir.DPort:
				for _, proto := range []uint8{ir.TCP, ir.UDP, ir.SCTP} {
					add(f, ir.Accept{}, ir.L4Proto{Proto: proto}, m)
				}
			case ir.ICMPType:
				if f == ir.IPv4 {
					add(f, ir.Accept{}, ir.L4Proto{Proto: ir.ICMP}, m)
				} else if f == ir.IPv6 {
					add(f, ir.Accept{}, ir.L4Proto{Proto: ir.ICMPv6}, m)
				}
			default:
				add(f, ir.Accept{}, m)
				add(f, ir.Return{}, m, ir.OIfName{Name: "eth0"}, ir.CTState{States: ir.StateNew})
			}
		}
	}
	for _, v := range ir.SampleVerdicts() {
		for _, f := range families {
			if f&^verdictFamilies(v) != 0 {
				continue
			}
			add(f, v, ir.L4Proto{Proto: ir.TCP})
			if reject, ok := v.(ir.Reject); (!ok || reject.With != ir.TCPReset) && !hasPorts(v) {
				add(f, v)
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
