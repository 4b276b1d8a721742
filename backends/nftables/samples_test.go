package nftables

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

var (
	vnetcOptions   = backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: backends.Chains}
	libvirtOptions = backends.Options{Families: ir.Both, Names: backends.LibvirtNames, Layout: backends.Chains}
)

// lowered returns p's Ruleset, and fails if it was refused.
func lowered(t testing.TB, p *ir.Program, o backends.Options) *Ruleset {
	t.Helper()
	rules, diags := Backend{}.Lower(p, o)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return rules.(*Ruleset)
}

// script returns the text of p.
func scriptOf(t testing.TB, p *ir.Program, o backends.Options) []byte {
	t.Helper()
	return lowered(t, p, o).Emit()[0].Text
}

// network adds rules as a NAT network has them (libvirt's order within a chain).
func network(p *ir.Program, family ir.Family, bridge, subnet string, multicast []string, out ...ir.Match) {
	name, src := ir.IIfName{Name: bridge}, ir.SAddr{Prefix: netip.MustParsePrefix(subnet)}
	to, dst := ir.OIfName{Name: bridge}, ir.DAddr{Prefix: src.Prefix}
	rule := func(v ir.Verdict, ms ...ir.Match) ir.Rule { return ir.Rule{Family: family, Matches: ms, Verdict: v} }
	with := func(ms ...ir.Match) []ir.Match { return append(ms, out...) }
	p.Add(ir.FWX, rule(ir.Accept{}, name, to))
	p.Add(ir.FWI, rule(ir.Accept{}, to, dst, ir.CTState{States: ir.StateEstablished | ir.StateRelated}),
		rule(ir.Reject{With: ir.PortUnreachable}, to))
	p.Add(ir.FWO, rule(ir.Accept{}, with(src, name)...), rule(ir.Reject{With: ir.PortUnreachable}, name))
	for _, m := range multicast {
		p.Add(ir.PRT, rule(ir.Return{}, with(src, ir.DAddr{Prefix: netip.MustParsePrefix(m)})...))
	}
	ports := ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 65535}}
	notSelf := ir.DAddr{Prefix: src.Prefix, Not: true}
	p.Add(ir.PRT, rule(ports, with(ir.L4Proto{Proto: ir.TCP}, src, notSelf)...),
		rule(ports, with(ir.L4Proto{Proto: ir.UDP}, src, notSelf)...),
		rule(ir.Masquerade{}, with(src, notSelf)...))
}

// networks returns n networks, half of them with IPv6 as well: about ten rules each.
func networks(n int) *ir.Program {
	p := new(ir.Program)
	for i := range n {
		bridge := fmt.Sprintf("virbr%d", i)
		network(p, ir.IPv4, bridge, fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff),
			[]string{"224.0.0.0/24", "255.255.255.255/32"})
	}
	return p
}

// hanging returns a chain of the table t at a hook, and beside it the chain that jumps of
// [ir.SampleVerdicts] lead to.
func hanging(family ir.Family, typ ir.ChainType, hook ir.Hook, rules []ir.Rule) *ir.Program {
	base := &ir.Base{Hook: hook, Type: typ, Priority: ir.PriorityFilter}
	return &ir.Program{Chains: []*ir.Chain{
		{Family: family, Table: "t", Name: "other"},
		{Family: family, Table: "t", Name: "c", Base: base, Rules: rules},
	}}
}

// program is a case of the tests that compare both forms with nft and the kernel.
type program struct {
	name string
	p    *ir.Program
	o    backends.Options
}

// programs returns groups under both names, and every match and verdict that can be lowered, in
// tables of each family.
func programs() []program {
	v6 := new(ir.Program)
	network(v6, ir.IPv4, "virbr0", "192.168.122.0/24", []string{"224.0.0.0/24", "255.255.255.255/32"},
		ir.OIfName{Name: "eth0"})
	network(v6, ir.IPv6, "virbr0", "fd00:1:2:3::/64", []string{"ff02::/16"})
	list := []program{
		{"no network", new(ir.Program), vnetcOptions},
		{"networks", networks(3), vnetcOptions},
		{"networks libvirt", networks(3), libvirtOptions},
		{"both families", v6, libvirtOptions},
		{"types of icmp", allICMP(ir.IPv4, ir.ICMP, false), vnetcOptions},
		{"codes of icmp", allICMP(ir.IPv4, ir.ICMP, true), vnetcOptions},
		{"types of icmpv6", allICMP(ir.IPv6, ir.ICMPv6, false), vnetcOptions},
		{"codes of icmpv6", allICMP(ir.IPv6, ir.ICMPv6, true), vnetcOptions},
		{"priorities", priorities(), vnetcOptions},
		{"names", named(goodNames), vnetcOptions},
		{"comments", commented(), backends.Options{Families: ir.Both, Names: backends.VnetcNames,
			Layout: backends.Chains, Comments: true}},
	}
	for _, table := range []ir.Family{ir.IPv4, ir.IPv6, ir.Both} {
		for _, family := range []ir.Family{ir.IPv4, ir.IPv6, ir.Both} {
			if family&table != family {
				continue
			}
			name := fmt.Sprintf("%s rules in %s", family, table)
			// In parts: nft in a user namespace may not send more than a socket buffer holds by
			// default.
			for part := range slices.Chunk(spoken(table, matchRules(family)), 100) {
				list = append(list, program{name + ": matches", hanging(table, ir.FilterType, ir.Forward, part),
					vnetcOptions})
			}
			list = append(list,
				program{name + ": actions", untracked(table, actionRules(family)), vnetcOptions},
				program{name + ": verdicts", hanging(table, ir.FilterType, ir.Forward, verdictRules(family, isFilter)),
					vnetcOptions},
				program{name + ": snat", hanging(table, ir.NATType, ir.Postrouting, verdictRules(family, isSNAT)),
					vnetcOptions},
				program{name + ": dnat", hanging(table, ir.NATType, ir.Prerouting, verdictRules(family, isDNAT)),
					vnetcOptions})
		}
	}
	for _, p := range list {
		p.name, p.o.Layout = p.name+", sets", backends.Sets
		list = append(list, p)
	}
	for _, s := range append(backendtest.NetworkSamples(), backendtest.Random(20, 5)...) {
		if p := emittable(s.Program); p != nil {
			list = append(list, program{s.Name + ", sets", p, backends.Options{Families: ir.Both,
				Names: backends.VnetcNames, Layout: backends.Sets, Comments: true}})
		}
	}
	return list
}

// emittable returns p without the rules that break an invariant or that nftables refuses, nil if it
// refuses the rest.
func emittable(p *ir.Program) *ir.Program {
	bad := make(map[diag.Span]bool)
	_, refused := Backend{}.Lower(p, vnetcOptions)
	for _, d := range append(ir.Verify(p), refused...) {
		bad[d.Span] = bad[d.Span] || d.Severity == diag.Error
	}
	for _, c := range p.Chains {
		c.Rules = slices.DeleteFunc(c.Rules, func(r ir.Rule) bool { return bad[r.Origin.Span] })
	}
	if _, refused = (Backend{}).Lower(p, vnetcOptions); refused.HasErrors() {
		return nil
	}
	return p
}

func commented() *ir.Program {
	p := networks(1)
	for _, c := range p.Chains {
		for i := range c.Rules {
			c.Rules[i].Origin = ir.Origin{Network: "lab", Reason: fmt.Sprintf("the \"%d\"th reason, of Zürich", i)}
			c.Rules[i].Origin.Span.File = "a directory/with a long name/and another one/and one more, so that the whole/gets too long.xml"
		}
	}
	return p
}

func isFilter(v ir.Verdict) bool {
	switch v.(type) {
	case ir.Accept, ir.Drop, ir.Return, ir.Jump, ir.Goto, ir.Reject, ir.Counter:
		return true
	}
	return false
}

func isSNAT(v ir.Verdict) bool {
	switch v.(type) {
	case ir.Masquerade, ir.SNAT:
		return true
	}
	return false
}

func isDNAT(v ir.Verdict) bool {
	switch v.(type) {
	case ir.DNAT, ir.Redirect:
		return true
	}
	return false
}

// untracked returns a chain of the table t that packets come through before connection tracking.
func untracked(family ir.Family, rules []ir.Rule) *ir.Program {
	base := &ir.Base{Hook: ir.Prerouting, Type: ir.FilterType, Priority: ir.PriorityRaw}
	return &ir.Program{Chains: []*ir.Chain{{Family: family, Table: "t", Name: "c", Base: base, Rules: rules}}}
}

// actionRules returns rules with the sample actions that can be lowered, and some that are printed
// in a way of their own.
func actionRules(family ir.Family) []ir.Rule {
	var rules []ir.Rule
	for _, a := range append(ir.SampleActions(), ir.SetMark{Value: 0xf0, Mask: 0xf0}, ir.SetMark{Mask: ^uint32(0)},
		ir.SetMark{Value: 0x13, Mask: 0xff},
		ir.Log{Prefix: "it's 100% \\ * {}"}) {
		if _, opaque := a.(ir.OpaqueAction); opaque {
			continue
		}
		for _, v := range []ir.Verdict{ir.Counter{}, ir.Drop{}} {
			rules = append(rules, ir.Rule{Family: family, Actions: []ir.Action{a}, Verdict: v},
				ir.Rule{Family: family, Matches: []ir.Match{ir.IIfName{Name: "eth0"}},
					Actions: []ir.Action{a, ir.SetMark{Value: 7, Mask: ^uint32(0)}}, Verdict: v})
			if mss, is := a.(ir.ClampMSS); is && mss.Size > 0 { // the other is not for prerouting
				rules = append(rules, ir.Rule{Family: family, Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}},
					Actions: []ir.Action{mss}, Verdict: v})
			}
		}
	}
	return spoken(family, rules)
}

// spoken returns those of rules that can be lowered in a table: of kinds that nft(8) has words for
// in part.
func spoken(table ir.Family, rules []ir.Rule) []ir.Rule {
	partly := func(r *ir.Rule) bool {
		for _, m := range r.Matches {
			switch m.(type) {
			case ir.Field, ir.AddrType, ir.Unknown:
				return true
			}
		}
		for _, a := range r.Actions {
			switch a.(type) {
			case ir.Effect, ir.CopyMark, ir.ClampMSS, ir.SetMark:
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(rules, func(r ir.Rule) bool {
		_, found := Backend{}.Lower(untracked(table, []ir.Rule{r}), vnetcOptions)
		return partly(&r) && found.HasErrors()
	})
}

// matchRules returns a rule for each sample match that a packet of family can meet, alone and among
// others.
func matchRules(family ir.Family) []ir.Rule {
	var rules []ir.Rule
	for _, m := range moreMatches() {
		if _, ok := m.(ir.Opaque); ok || familyOfMatch(m) != ir.Both && familyOfMatch(m) != family {
			continue
		}
		name, state := ir.IIfName{Name: "eth0"}, ir.CTState{States: ir.StateNew}
		for _, proto := range protosOf(m) {
			if p, ok := proto.(ir.L4Proto); ok && icmpFamily(p.Proto) != ir.Both && icmpFamily(p.Proto) != family {
				continue
			}
			rule := func(v ir.Verdict, ms ...ir.Match) {
				rules = append(rules, ir.Rule{Family: family, Matches: ms, Verdict: v})
			}
			if proto == nil {
				rule(ir.Accept{}, m)
				rule(ir.Reject{With: ir.PortUnreachable}, m)
				if _, last := m.(ir.Limit); last {
					rule(ir.Accept{}, ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 80, To: 80}, state, m)
					continue
				}
				rule(ir.Accept{}, name, m, state)
				if p, ok := m.(ir.L4Proto); !ok || p.Not {
					rule(ir.Reject{With: ir.PortUnreachable}, ir.L4Proto{Proto: ir.TCP}, m, ir.DPort{From: 80, To: 80})
				}
				continue
			}
			rule(ir.Accept{}, proto, m)
			rule(ir.Drop{}, proto, name, m, state)
			rule(ir.Reject{With: ir.PortUnreachable}, m, proto)
			for _, a := range []string{"10.0.0.0/8", "fd00::/8"} {
				if p := netip.MustParsePrefix(a); familyOf(p.Addr()) == family {
					rule(ir.Accept{}, ir.SAddr{Prefix: p}, proto, m)
					rule(ir.Reject{With: ir.PortUnreachable}, proto, m, ir.DAddr{Prefix: p})
				}
			}
			if proto != ir.Match(ir.L4Proto{Proto: ir.TCP}) {
				continue
			}
			rule(ir.Reject{With: ir.TCPReset}, m, proto)
			for _, n := range moreMatches() {
				switch n.(type) {
				case ir.SPort, ir.DPort, ir.TCPFlags:
					rule(ir.Accept{}, proto, m, n)
				}
			}
		}
	}
	return spoken(family, rules)
}

// moreMatches returns the samples and some that are printed or sent in a way of their own.
func moreMatches() []ir.Match {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	return append(ir.SampleMatches(),
		ir.SAddr{Prefix: p("0.0.0.0/0")}, ir.DAddr{Prefix: p("0.0.0.0/0"), Not: true}, ir.SAddr{Prefix: p("::/0")},
		ir.SAddr{Prefix: p("::1.2.3.4/128")}, ir.DAddr{Prefix: p("::1:0/112")}, ir.DAddr{Prefix: p("::1/128")},
		ir.DAddr{Prefix: p("::ffff:1.2.3.4/128")}, ir.SAddr{Prefix: p("64:ff9b::/96")}, ir.DAddr{Prefix: p("::/128")},
		ir.SAddr{Prefix: p("2001:db8:0:1:0:0:0:1/128")}, ir.SAddr{Prefix: p("2001:0:0:1:2:3:4:5/128")},
		ir.SAddr{Prefix: p("1:0:2:3:4:5:6:7/128")},
		ir.SAddrRange{From: a("192.0.2.0"), To: a("192.0.2.255")},
		ir.DAddrRange{From: a("192.0.2.7"), To: a("192.0.2.7")},
		ir.SPort{From: 53, To: 53, Not: true}, ir.DPort{From: 81, To: 81, Not: true}, ir.DPort{From: 0, To: 65535},
		ir.SPort{From: 7, To: 7},
		ir.ICMPType{Type: 200}, ir.ICMPType{Type: 3, Code: 4, HasCode: true, Not: true},
		ir.ICMPType{Type: 0, Code: 0, HasCode: true}, ir.ICMPType{Type: 3, Code: 200, HasCode: true},
		ir.TCPFlags{Mask: ir.AllFlags, Flags: ir.FlagSYN}, ir.TCPFlags{Mask: ir.AllFlags, Not: true},
		ir.TCPFlags{Mask: ir.FlagECE | ir.FlagCWR, Flags: ir.FlagECE}, ir.TCPFlags{Mask: ir.FlagACK, Not: true},
		ir.TCPFlags{Mask: ir.FlagSYN}, ir.TCPFlags{Mask: ir.AllFlags, Flags: ir.AllFlags},
		ir.CTState{States: ir.StateEstablished | ir.StateRelated, Not: true},
		ir.CTStatus{Status: ir.StatusSNAT}, ir.CTStatus{Status: ir.StatusSNAT | ir.StatusDNAT, Not: true},
		ir.Mark{Value: 0, Mask: 0xf0}, ir.Mark{Value: 0x10, Mask: 0xfffffff0},
		ir.Mark{Value: 0x80000000, Mask: 0x80000000, Not: true},
		ir.Mark{Value: 7, Mask: 0xffffffff, Not: true},
		ir.IIfName{Name: "abcdefghijklmno"}, ir.OIfName{Name: "abcdefghijklmn", Wildcard: true},
		ir.IIfName{Name: "st*ar", Not: true}, ir.IIfName{Name: "st*a", Wildcard: true},
		ir.L4Proto{Proto: 200}, ir.L4Proto{Proto: 2}, ir.L4Proto{Proto: 50}, ir.L4Proto{Proto: 51},
		ir.L4Proto{Proto: ir.DCCP}, ir.L4Proto{Proto: ir.UDPLite},
	)
}

// protosOf returns the protocols that m may stand beside; nil for none needed.
func protosOf(m ir.Match) []ir.Match {
	switch m := m.(type) {
	case ir.Field:
		if m.Key == ir.KeyOrigDPort {
			return []ir.Match{ir.L4Proto{Proto: ir.TCP}, ir.L4Proto{Proto: ir.UDP}}
		}
	case ir.SPort, ir.DPort:
		return []ir.Match{ir.L4Proto{Proto: ir.TCP}, ir.L4Proto{Proto: ir.UDP}, ir.L4Proto{Proto: ir.SCTP},
			ir.L4Proto{Proto: ir.DCCP}, ir.L4Proto{Proto: ir.UDPLite}}
	case ir.TCPFlags:
		return []ir.Match{ir.L4Proto{Proto: ir.TCP}}
	case ir.ICMPType:
		return []ir.Match{ir.L4Proto{Proto: ir.ICMP}, ir.L4Proto{Proto: ir.ICMPv6}}
	}
	return []ir.Match{nil}
}

// verdictRules returns a rule for each sample verdict that keep keeps and that is for packets of
// family.
func verdictRules(family ir.Family, keep func(ir.Verdict) bool) []ir.Rule {
	var rules []ir.Rule
	for _, v := range append(ir.SampleVerdicts(), moreVerdicts()...) {
		if !keep(v) || ir.VerdictFamilies(v)&family != family {
			continue
		}
		tcp := ir.L4Proto{Proto: ir.TCP}
		rules = append(rules,
			ir.Rule{Family: family, Matches: []ir.Match{tcp}, Verdict: v},
			ir.Rule{Family: family, Matches: []ir.Match{tcp, ir.DPort{From: 443, To: 443}}, Verdict: v})
		for _, a := range []string{"10.0.0.0/8", "fd00::/8"} {
			if p := netip.MustParsePrefix(a); familyOf(p.Addr()) == family && ir.VerdictFamilies(v)&family != 0 {
				rules = append(rules, ir.Rule{Family: family, Matches: []ir.Match{tcp, ir.SAddr{Prefix: p}},
					Verdict: v})
			}
		}
		if needsTCP(v) {
			continue
		}
		rules = append(rules, ir.Rule{Family: family, Verdict: v},
			ir.Rule{Family: family, Matches: []ir.Match{ir.IIfName{Name: "eth0"}}, Verdict: v})
	}
	return rules
}

func moreVerdicts() []ir.Verdict {
	a := netip.MustParseAddr
	ports := ir.PortRange{From: 1024, To: 65535}
	block4 := ir.AddrRange{From: a("198.51.100.40"), To: a("198.51.100.47")}
	block6 := ir.AddrRange{From: a("2001:db8::"), To: a("2001:db8::f")}
	all4 := ir.AddrRange{From: a("0.0.0.0"), To: a("255.255.255.255")}
	one6 := ir.AddrRange{From: a("2001:db8::4"), To: a("2001:db8::4")}
	return []ir.Verdict{
		ir.SNAT{Addrs: block4, Ports: ports}, ir.SNAT{Addrs: block6}, ir.SNAT{Addrs: block6, Ports: ports},
		ir.SNAT{Addrs: all4},
		ir.SNAT{Addrs: one6}, ir.SNAT{Addrs: one6, Ports: ir.PortRange{From: 7, To: 7}},
		ir.DNAT{Addrs: block4, Ports: ports}, ir.DNAT{Addrs: one6}, ir.DNAT{Addrs: block4},
	}
}

// needsTCP is true if v needs a protocol beside it.
func needsTCP(v ir.Verdict) bool {
	switch v := v.(type) {
	case ir.Reject:
		return v.With == ir.TCPReset
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

// allICMP has every type, or every code, so that each of nft's names is met.
func allICMP(family ir.Family, proto uint8, codes bool) *ir.Program {
	c := &ir.Chain{Family: family, Table: "t", Name: "c"}
	for n := range 256 {
		m := ir.ICMPType{Type: uint8(n)}
		if codes {
			m = ir.ICMPType{Type: 200, Code: uint8(n), HasCode: true}
		}
		c.Rules = append(c.Rules, ir.Rule{Family: family, Matches: []ir.Match{ir.L4Proto{Proto: proto}, m},
			Verdict: ir.Counter{}})
	}
	return &ir.Program{Chains: []*ir.Chain{c}}
}

// priorities has a base chain for each place and each distance from a named priority that is
// printed in a way of its own.
func priorities() *ir.Program {
	p := new(ir.Program)
	for hook := ir.Prerouting; hook <= ir.Postrouting; hook++ {
		for _, named := range []int{ir.PriorityRaw, ir.PriorityMangle, ir.PriorityDstNAT, ir.PriorityFilter,
			ir.PrioritySecurity, ir.PrioritySrcNAT} {
			for _, d := range []int{-11, -10, -1, 0, 1, 10, 11} {
				p.Chains = append(p.Chains, &ir.Chain{Family: ir.Both, Table: "t",
					Name: fmt.Sprintf("c%d", len(p.Chains)),
					Base: &ir.Base{Hook: hook, Type: ir.FilterType, Priority: named + d, Drop: d < 0}})
			}
		}
	}
	for _, b := range []ir.Base{{Hook: ir.Output, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		{Hook: ir.Output, Type: ir.RouteType, Priority: ir.PriorityMangle}} {
		p.Chains = append(p.Chains, &ir.Chain{Family: ir.IPv4, Table: "nat", Name: fmt.Sprintf("c%d", len(p.Chains)),
			Base: &b})
	}
	return p
}

// icmpFamily returns the family that an ICMP protocol is for; both for any other protocol.
func icmpFamily(proto uint8) ir.Family {
	switch proto {
	case ir.ICMP:
		return ir.IPv4
	case ir.ICMPv6:
		return ir.IPv6
	}
	return ir.Both
}

// goodNames are names of chains as iptables and its users have them, and words of nft that are no
// keywords where a name is.
var goodNames = []string{"FORWARD", "DOCKER-USER", "f2b-sshd", "cali-FORWARD", "_x", "a.b/c", "filter", "nat", "in",
	"to"}

// named has a chain of each name, in a table of that name, and a jump to it.
func named(names []string) *ir.Program {
	p := new(ir.Program)
	for _, n := range names {
		jump := []ir.Rule{{Family: ir.IPv4, Verdict: ir.Jump{Chain: n}}, {Family: ir.IPv4, Verdict: ir.Goto{Chain: n}}}
		p.Chains = append(p.Chains, &ir.Chain{Family: ir.IPv4, Table: n, Name: n},
			&ir.Chain{Family: ir.IPv4, Table: n, Name: "from", Rules: jump})
	}
	return p
}
