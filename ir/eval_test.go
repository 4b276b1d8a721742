package ir_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// tcp4 is a forwarded IPv4 packet that the tests change to their needs.
func tcp4(change func(p *ir.Packet)) ir.Packet {
	p := ir.Packet{
		Family: ir.IPv4, In: "virbr0", Out: "eth0", Src: addr("192.168.122.10"), Dst: addr("198.51.100.7"),
		Proto: ir.TCP, SPort: 40000, DPort: 443, State: ir.StateNew,
	}
	if change != nil {
		change(&p)
	}
	return p
}

func tcp6(change func(p *ir.Packet)) ir.Packet {
	return tcp4(func(p *ir.Packet) {
		p.Family, p.Src, p.Dst = ir.IPv6, addr("fd00::10"), addr("2001:db8::7")
		if change != nil {
			change(p)
		}
	})
}

func rule(v ir.Verdict, matches ...ir.Match) ir.Rule {
	return ir.Rule{Family: ir.Both, Matches: matches, Verdict: v}
}

// program returns one inet filter chain at forward with policy accept, and other chains of its
// table.
func program(rules []ir.Rule, others ...*ir.Chain) *ir.Program {
	forward := &ir.Chain{Family: ir.Both, Table: "t", Name: "forward", Rules: rules,
		Base: &ir.Base{Hook: ir.Forward, Type: ir.FilterType}}
	return &ir.Program{Chains: append([]*ir.Chain{forward}, others...)}
}

func sub(name string, rules ...ir.Rule) *ir.Chain {
	return &ir.Chain{Family: ir.Both, Table: "t", Name: name, Rules: rules}
}

// fate returns the fate of pkt in words.
func fate(t *testing.T, p *ir.Program, pkt ir.Packet) string {
	t.Helper()
	f, err := ir.Eval(p, pkt)
	if err != nil {
		t.Fatalf("Eval(%s): %v", pkt, err)
	}
	return f.String()
}

func TestEvalMatches(t *testing.T) {
	in := func(p *ir.Packet) {}
	dnat := func(p *ir.Packet) { p.Status = ir.StatusDNAT }
	invalid := func(p *ir.Packet) { p.State = ir.StateInvalid }
	icmp := func(p *ir.Packet) { p.Proto, p.ICMPType, p.ICMPCode = ir.ICMP, 3, 4 }
	tests := []struct {
		name  string
		match ir.Match
		pkt   ir.Packet
		want  bool
	}{
		{"iifname", ir.IIfName{Name: "virbr0"}, tcp4(in), true},
		{"iifname other", ir.IIfName{Name: "virbr1"}, tcp4(in), false},
		{"iifname is no prefix", ir.IIfName{Name: "virbr"}, tcp4(in), false},
		{"iifname wildcard", ir.IIfName{Name: "virbr", Wildcard: true}, tcp4(in), true},
		{"iifname wildcard, whole name", ir.IIfName{Name: "virbr0", Wildcard: true}, tcp4(in), true},
		{"iifname wildcard, longer", ir.IIfName{Name: "virbr00", Wildcard: true}, tcp4(in), false},
		{"iifname not", ir.IIfName{Name: "virbr0", Not: true}, tcp4(in), false},
		{"iifname wildcard not", ir.IIfName{Name: "eth", Wildcard: true, Not: true}, tcp4(in), true},
		{"oifname", ir.OIfName{Name: "eth0"}, tcp4(in), true},
		{"oifname not", ir.OIfName{Name: "eth0", Not: true}, tcp4(in), false},
		{"oifname wildcard", ir.OIfName{Name: "eth", Wildcard: true}, tcp4(in), true},

		{"saddr", ir.SAddr{Prefix: prefix("192.168.122.0/24")}, tcp4(in), true},
		{"saddr outside", ir.SAddr{Prefix: prefix("192.168.122.128/25")}, tcp4(in), false},
		{"saddr not", ir.SAddr{Prefix: prefix("192.168.122.128/25"), Not: true}, tcp4(in), true},
		{"saddr everything", ir.SAddr{Prefix: prefix("0.0.0.0/0")}, tcp4(in), true},
		{"saddr other family", ir.SAddr{Prefix: prefix("::/0")}, tcp4(in), false},
		{"saddr not, other family", ir.SAddr{Prefix: prefix("fd00::/64"), Not: true}, tcp4(in), false},
		{"saddr ip6", ir.SAddr{Prefix: prefix("fd00::/61")}, tcp6(nil), true},
		{"daddr", ir.DAddr{Prefix: prefix("198.51.100.7/32")}, tcp4(in), true},
		{"daddr not", ir.DAddr{Prefix: prefix("198.51.100.7/32"), Not: true}, tcp4(in), false},
		{"daddr not, other family", ir.DAddr{Prefix: prefix("10.0.0.0/8"), Not: true}, tcp6(nil), false},

		{"range, first", ir.SAddrRange{From: addr("192.168.122.10"), To: addr("192.168.122.20")}, tcp4(in), true},
		{"range, last", ir.SAddrRange{From: addr("192.168.122.1"), To: addr("192.168.122.10")}, tcp4(in), true},
		{"range, after", ir.SAddrRange{From: addr("192.168.122.1"), To: addr("192.168.122.9")}, tcp4(in), false},
		{"range, before", ir.SAddrRange{From: addr("192.168.122.11"), To: addr("192.168.122.20")}, tcp4(in), false},
		{"range not", ir.SAddrRange{From: addr("192.168.122.11"), To: addr("192.168.122.20"), Not: true}, tcp4(in),
			true},
		{"range, other family", ir.SAddrRange{From: addr("fd00::1"), To: addr("fd00::2"), Not: true}, tcp4(in), false},
		{"drange ip6", ir.DAddrRange{From: addr("2001:db8::"), To: addr("2001:db8::ff")}, tcp6(nil), true},
		{"drange not", ir.DAddrRange{From: addr("198.51.100.0"), To: addr("198.51.100.9"), Not: true}, tcp4(in), false},

		{"l4proto", ir.L4Proto{Proto: ir.TCP}, tcp4(in), true},
		{"l4proto other", ir.L4Proto{Proto: ir.UDP}, tcp4(in), false},
		{"l4proto not", ir.L4Proto{Proto: ir.UDP, Not: true}, tcp4(in), true},
		{"sport", ir.SPort{From: 40000, To: 40000}, tcp4(in), true},
		{"sport range", ir.SPort{From: 1024, To: 65535}, tcp4(in), true},
		{"sport not", ir.SPort{From: 0, To: 1023, Not: true}, tcp4(in), true},
		{"dport", ir.DPort{From: 443, To: 443}, tcp4(in), true},
		{"dport below", ir.DPort{From: 444, To: 500}, tcp4(in), false},
		{"dport not", ir.DPort{From: 443, To: 443, Not: true}, tcp4(in), false},
		{"dport not, protocol without ports", ir.DPort{From: 53, To: 53, Not: true}, tcp4(icmp), false},
		{"sport, protocol without ports", ir.SPort{From: 0, To: 65535}, tcp4(icmp), false},
		{"sport, sctp", ir.SPort{From: 0, To: 65535}, tcp4(func(p *ir.Packet) { p.Proto = ir.SCTP }), true},

		{"icmp type", ir.ICMPType{Type: 3}, tcp4(icmp), true},
		{"icmp type and code", ir.ICMPType{Type: 3, Code: 4, HasCode: true}, tcp4(icmp), true},
		{"icmp other code", ir.ICMPType{Type: 3, Code: 3, HasCode: true}, tcp4(icmp), false},
		{"icmp other code not", ir.ICMPType{Type: 3, Code: 3, HasCode: true, Not: true}, tcp4(icmp), true},
		{"icmp type not", ir.ICMPType{Type: 3, Not: true}, tcp4(icmp), false},
		{"icmp type not, tcp", ir.ICMPType{Type: 8, Not: true}, tcp4(in), false},
		{"icmpv6 type", ir.ICMPType{Type: 128}, tcp6(func(p *ir.Packet) { p.Proto, p.ICMPType = ir.ICMPv6, 128 }),
			true},

		{"ct state", ir.CTState{States: ir.StateNew | ir.StateRelated}, tcp4(in), true},
		{"ct state other", ir.CTState{States: ir.StateEstablished | ir.StateRelated}, tcp4(in), false},
		{"ct status", ir.CTStatus{Status: ir.StatusDNAT}, tcp4(dnat), true},
		{"ct status, one of two", ir.CTStatus{Status: ir.StatusSNAT | ir.StatusDNAT}, tcp4(dnat), true},
		{"ct status other", ir.CTStatus{Status: ir.StatusSNAT}, tcp4(dnat), false},
		{"ct status none", ir.CTStatus{Status: ir.StatusDNAT}, tcp4(in), false},
		{"ct status not", ir.CTStatus{Status: ir.StatusDNAT, Not: true}, tcp4(in), true},
		{"ct status not other", ir.CTStatus{Status: ir.StatusSNAT, Not: true}, tcp4(dnat), true},
		{"ct status not, but so", ir.CTStatus{Status: ir.StatusSNAT | ir.StatusDNAT, Not: true}, tcp4(dnat), false},
		{"ct status not, no connection", ir.CTStatus{Status: ir.StatusDNAT, Not: true}, tcp4(invalid),
			false}, // nft_ct_get_eval: break
		{"ct state not", ir.CTState{States: ir.StateInvalid, Not: true}, tcp4(in), true},
		{"mark", ir.Mark{Value: 0x10, Mask: 0xf0}, tcp4(func(p *ir.Packet) { p.Mark = 0x31f }), true},
		{"mark other bits", ir.Mark{Value: 0x10, Mask: ^uint32(0)}, tcp4(func(p *ir.Packet) { p.Mark = 0x11 }), false},
		{"mark not", ir.Mark{Value: 0, Mask: 0xff, Not: true}, tcp4(in), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := "accepted"
			if tt.want {
				want = "dropped"
			}
			if got := fate(t, program([]ir.Rule{rule(ir.Drop{}, tt.match)}), tt.pkt); got != want {
				t.Errorf("%s: %s is %s, want %s", ir.MatchText(tt.match), tt.pkt, got, want)
			}
		})
	}
}

// TestEvalKnowsEveryKind fails when a kind of match, action or verdict is not evaluated.
func TestEvalKnowsEveryKind(t *testing.T) {
	var unknown *ir.UnknownError
	for _, m := range ir.SampleMatches() {
		for _, pkt := range []ir.Packet{tcp4(nil), tcp6(nil)} {
			if _, err := ir.Eval(program([]ir.Rule{rule(ir.Drop{}, m)}), pkt); err != nil && !errors.As(err, &unknown) {
				t.Errorf("match %s: %v", ir.MatchText(m), err)
			}
		}
	}
	for _, a := range ir.SampleActions() {
		r := ir.Rule{Family: ir.Both, Actions: []ir.Action{a}, Verdict: ir.Counter{}}
		if _, err := ir.Eval(program([]ir.Rule{r}), tcp4(nil)); err != nil {
			t.Errorf("action %s: %v", ir.ActionText(a), err)
		}
	}
	for _, v := range ir.SampleVerdicts() {
		if _, err := ir.Eval(program([]ir.Rule{rule(v)}, sub("other")), tcp4(nil)); err != nil &&
			!errors.As(err, &unknown) {
			t.Errorf("verdict %s: %v", ir.VerdictText(v), err)
		}
	}
}

func TestEvalVerdicts(t *testing.T) {
	drop := rule(ir.Drop{})
	tests := []struct {
		name   string
		rules  []ir.Rule
		others []*ir.Chain
		want   string
	}{
		{"accept ends", []ir.Rule{rule(ir.Accept{}), drop}, nil, "accepted"},
		{"drop ends", []ir.Rule{drop, rule(ir.Accept{})}, nil, "dropped"},
		{"reject", []ir.Rule{rule(ir.Reject{With: ir.TCPReset}), drop}, nil, "rejected with tcp-reset"},
		{"counter goes on", []ir.Rule{rule(ir.Counter{}), drop}, nil, "dropped"},
		{"checksum goes on", []ir.Rule{rule(ir.ChecksumFill{}), rule(ir.Accept{}), drop}, nil,
			"accepted, checksum filled"},
		{"dropped, nothing filled", []ir.Rule{rule(ir.ChecksumFill{}), drop}, nil, "dropped"},
		{"return in a base chain is the policy", []ir.Rule{rule(ir.Return{}), drop}, nil, "accepted"},
		{"jump comes back at the end", []ir.Rule{rule(ir.Jump{Chain: "a"}), drop}, []*ir.Chain{sub("a")}, "dropped"},
		{"jump comes back at return", []ir.Rule{rule(ir.Jump{Chain: "a"}), drop},
			[]*ir.Chain{sub("a", rule(ir.Return{}), rule(ir.Accept{}))}, "dropped"},
		{"accept in a jumped chain ends all", []ir.Rule{rule(ir.Jump{Chain: "a"}), drop},
			[]*ir.Chain{sub("a", rule(ir.Accept{}))}, "accepted"},
		{"return goes back one jump only", []ir.Rule{rule(ir.Jump{Chain: "a"}), drop},
			[]*ir.Chain{sub("a", rule(ir.Jump{Chain: "b"}), rule(ir.Accept{})), sub("b", rule(ir.Return{}))},
			"accepted"},
		{"goto from a base chain ends in the policy", []ir.Rule{rule(ir.Goto{Chain: "a"}), drop}, []*ir.Chain{sub("a")},
			"accepted"},
		{"goto from a jumped chain goes back past it", []ir.Rule{rule(ir.Jump{Chain: "a"}), drop},
			[]*ir.Chain{sub("a", rule(ir.Goto{Chain: "b"}), rule(ir.Accept{})), sub("b")}, "dropped"},
		{"return after goto goes back past it", []ir.Rule{rule(ir.Jump{Chain: "a"}), drop},
			[]*ir.Chain{sub("a", rule(ir.Goto{Chain: "b"}), rule(ir.Accept{})), sub("b", rule(ir.Return{}))},
			"dropped"},
		{"jump from a chain reached by goto comes back there", []ir.Rule{rule(ir.Goto{Chain: "a"}), rule(ir.Accept{})},
			[]*ir.Chain{sub("a", rule(ir.Jump{Chain: "b"}), drop), sub("b")}, "dropped"},
		{"rule of the other family", []ir.Rule{{Family: ir.IPv6, Verdict: ir.Drop{}}}, nil, "accepted"},
		{"all matches must hold", []ir.Rule{rule(ir.Drop{}, ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 80, To: 80})},
			nil, "accepted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fate(t, program(tt.rules, tt.others...), tcp4(nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEvalFamilyOfChain(t *testing.T) {
	p := program([]ir.Rule{rule(ir.Drop{})})
	p.Chains[0].Family = ir.IPv6
	if got := fate(t, p, tcp4(nil)); got != "accepted" {
		t.Errorf("an IPv4 packet met a chain of ip6: %s", got)
	}
	if got := fate(t, p, tcp6(nil)); got != "dropped" {
		t.Errorf("an IPv6 packet did not meet a chain of ip6: %s", got)
	}
	p.Chains[0].Rules, p.Chains[0].Base.Drop = nil, true
	if got := fate(t, p, tcp4(nil)); got != "accepted" {
		t.Errorf("an IPv4 packet met the policy of a chain of ip6: %s", got)
	}
}

// base returns a base chain with one rule.
func base(hook ir.Hook, typ ir.ChainType, priority int, rules ...ir.Rule) *ir.Chain {
	return &ir.Chain{Family: ir.Both, Table: "t", Name: "base", Rules: rules,
		Base: &ir.Base{Hook: hook, Type: typ, Priority: priority}}
}

// TestEvalHooks marks each hook by a drop, and asks which packets it stops.
func TestEvalHooks(t *testing.T) {
	forwarded, toHost, fromHost := tcp4(nil), tcp4(func(p *ir.Packet) { p.Out = "" }),
		tcp4(func(p *ir.Packet) { p.In = "" })
	tests := []struct {
		hook ir.Hook
		want string // of the forwarded, the incoming and the outgoing packet
	}{
		{ir.Prerouting, "dropped dropped accepted"},
		{ir.Input, "accepted dropped accepted"},
		{ir.Forward, "dropped accepted accepted"},
		{ir.Output, "accepted accepted dropped"},
		{ir.Postrouting, "dropped accepted dropped"},
	}
	for _, tt := range tests {
		p := &ir.Program{Chains: []*ir.Chain{base(tt.hook, ir.FilterType, 0, rule(ir.Drop{}))}}
		var got []string
		for _, pkt := range []ir.Packet{forwarded, toHost, fromHost} {
			got = append(got, fate(t, p, pkt))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: got %s, want %s", tt.hook, s, tt.want)
		}
	}
}

// TestEvalOutBeforeRouting: the way out is not known before routing.
func TestEvalOutBeforeRouting(t *testing.T) {
	match := ir.OIfName{Name: "eth0"}
	for hook, want := range map[ir.Hook]string{ir.Prerouting: "accepted", ir.Forward: "dropped",
		ir.Postrouting: "dropped"} {
		p := &ir.Program{Chains: []*ir.Chain{base(hook, ir.FilterType, 0, rule(ir.Drop{}, match))}}
		if got := fate(t, p, tcp4(nil)); got != want {
			t.Errorf("%s: got %s, want %s", hook, got, want)
		}
	}
}

func TestEvalGroups(t *testing.T) {
	port := ir.Reject{With: ir.PortUnreachable}
	other := func(priority int, drop bool, rules ...ir.Rule) *ir.Chain {
		c := base(ir.Forward, ir.FilterType, priority, rules...)
		c.Base.Drop = drop
		return c
	}
	tests := []struct {
		name   string
		groups map[ir.Group][]ir.Rule
		others []*ir.Chain
		want   string
	}{
		{"FWX before FWI", map[ir.Group][]ir.Rule{ir.FWI: {rule(ir.Drop{})}, ir.FWX: {rule(ir.Accept{})}}, nil,
			"accepted"},
		{"FWI before FWO", map[ir.Group][]ir.Rule{ir.FWO: {rule(ir.Drop{})}, ir.FWI: {rule(port)}}, nil,
			"rejected with port-unreachable"},
		{"return in FWI goes on to FWO", map[ir.Group][]ir.Rule{ir.FWI: {rule(ir.Return{}), rule(port)},
			ir.FWO: {rule(ir.Drop{})}}, nil, "dropped"},
		{"INP is not met by what is forwarded", map[ir.Group][]ir.Rule{ir.INP: {rule(ir.Drop{})}}, nil, "accepted"},
		{"a group's accept does not end other base chains", map[ir.Group][]ir.Rule{ir.FWX: {rule(ir.Accept{})}},
			[]*ir.Chain{other(10, false, rule(ir.Drop{}))}, "dropped"},
		{"groups come first at equal priority", map[ir.Group][]ir.Rule{ir.FWX: {rule(ir.Drop{})}},
			[]*ir.Chain{other(0, false, rule(port))}, "dropped"},
		{"priority decides", map[ir.Group][]ir.Rule{ir.FWX: {rule(ir.Drop{})}},
			[]*ir.Chain{other(-1, false, rule(port))}, "rejected with port-unreachable"},
		{"policy of another chain", map[ir.Group][]ir.Rule{ir.FWX: {rule(ir.Accept{})}}, []*ir.Chain{other(10, true)},
			"dropped"},
		{"return in PRT's NAT half", map[ir.Group][]ir.Rule{ir.PRT: {rule(ir.Return{}), rule(ir.Masquerade{}),
			rule(ir.ChecksumFill{})}}, nil, "accepted, checksum filled"},
		{"PRT", map[ir.Group][]ir.Rule{ir.PRT: {rule(ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 65535}}),
			rule(ir.Drop{})}}, nil,
			"accepted, masquerade port 1024-65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &ir.Program{Chains: tt.others}
			for _, g := range []ir.Group{ir.PRT, ir.FWO, ir.FWI, ir.FWX, ir.OUT,
				ir.INP} { // order of insertion means nothing
				if rules, ok := tt.groups[g]; ok {
					p.Add(g, rules...)
				}
			}
			if got := fate(t, p, tcp4(nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEvalNAT(t *testing.T) {
	one := ir.AddrRange{From: addr("203.0.113.4"), To: addr("203.0.113.4")}
	many := ir.AddrRange{From: addr("203.0.113.4"), To: addr("203.0.113.10")}
	web := ir.PortRange{From: 80, To: 81}
	dnat := base(ir.Prerouting, ir.NATType, ir.PriorityDstNAT, rule(ir.DNAT{Addrs: one, Ports: web}))
	seen := func(m ...ir.Match) *ir.Chain { return base(ir.Forward, ir.FilterType, 0, rule(ir.Drop{}, m...)) }
	tests := []struct {
		name   string
		chains []*ir.Chain
		change func(*ir.Packet)
		want   string
	}{
		{"snat", []*ir.Chain{base(ir.Postrouting, ir.NATType, 100, rule(ir.SNAT{Addrs: many}))}, nil,
			"accepted, snat to 203.0.113.4-203.0.113.10"},
		{"dnat", []*ir.Chain{dnat}, nil, "accepted, dnat to 203.0.113.4 port 80-81"},
		{"dnat is seen later", []*ir.Chain{dnat, seen(ir.DAddr{Prefix: prefix("203.0.113.4/32")},
			ir.DPort{From: 80, To: 80})}, nil, "dropped"},
		{"the old destination is not", []*ir.Chain{dnat, seen(ir.DAddr{Prefix: prefix("198.51.100.7/32")})}, nil,
			"accepted, dnat to 203.0.113.4 port 80-81"},
		{"a port in the range stays", []*ir.Chain{dnat, seen(ir.DPort{From: 81, To: 81})},
			func(p *ir.Packet) { p.DPort = 81 }, "dropped"},
		{"nat ends the chain as accept", []*ir.Chain{base(ir.Postrouting, ir.NATType, 100, rule(ir.Masquerade{}),
			rule(ir.Drop{}))}, nil,
			"accepted, masquerade"},
		{"the first NAT verdict of a hook counts", []*ir.Chain{base(ir.Postrouting, ir.NATType, 101,
			rule(ir.SNAT{Addrs: one})),
			base(ir.Postrouting, ir.NATType, 100, rule(ir.Masquerade{}))}, nil, "accepted, masquerade"},
		{"dnat and snat", []*ir.Chain{dnat, base(ir.Postrouting, ir.NATType, 100, rule(ir.Masquerade{}))}, nil,
			"accepted, dnat to 203.0.113.4 port 80-81, masquerade"},
		{"established packets don't meet nat chains", []*ir.Chain{dnat},
			func(p *ir.Packet) { p.State = ir.StateEstablished }, "accepted"},
		{"nor do untracked ones", []*ir.Chain{dnat}, func(p *ir.Packet) { p.State = ir.StateUntracked }, "accepted"},
		{"redirect of what came in", []*ir.Chain{base(ir.Prerouting, ir.NATType, -100, rule(ir.Redirect{Ports: web})),
			base(ir.Input, ir.FilterType, 0, rule(ir.Drop{}, ir.DPort{From: 80, To: 80}))},
			func(p *ir.Packet) { p.Out = "" }, "dropped"},
		{"redirect of what the host sends", []*ir.Chain{base(ir.Output, ir.NATType, -100, rule(ir.Redirect{})),
			base(ir.Postrouting, ir.FilterType, 0, rule(ir.Drop{}, ir.DAddr{Prefix: prefix("127.0.0.1/32")}))},
			func(p *ir.Packet) { p.In = "" }, "dropped"},
		{"dnat is a status later", []*ir.Chain{dnat, seen(ir.CTStatus{Status: ir.StatusDNAT})}, nil, "dropped"},
		{"dnat to where it went anyhow is none", []*ir.Chain{dnat, seen(ir.CTStatus{Status: ir.StatusDNAT})},
			func(p *ir.Packet) { p.Dst, p.DPort = one.From, 81 }, "accepted, dnat to 203.0.113.4 port 80-81"},
		{"dnat of the port alone is one", []*ir.Chain{dnat, seen(ir.CTStatus{Status: ir.StatusDNAT})},
			func(p *ir.Packet) { p.Dst, p.DPort = one.From, 82 }, "dropped"},
		{"dropped, so no NAT", []*ir.Chain{dnat, seen()}, nil, "dropped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fate(t, &ir.Program{Chains: tt.chains}, tcp4(tt.change)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEvalUnknown(t *testing.T) {
	opaque := ir.Opaque{Text: "-m physdev --physdev-in vnet0"}
	tests := []struct {
		name  string
		rules []ir.Rule
		want  string // the fate; empty for *UnknownError
	}{
		{"a match decides", []ir.Rule{rule(ir.Drop{}, opaque)}, ""},
		{"a verdict decides", []ir.Rule{rule(opaque)}, ""},
		{"another match fails", []ir.Rule{rule(ir.Drop{}, opaque, ir.IIfName{Name: "virbr9"})}, "accepted"},
		{"it only counts", []ir.Rule{rule(ir.Counter{}, opaque)}, "accepted"},
		{"it comes too late", []ir.Rule{rule(ir.Accept{}), rule(ir.Drop{}, opaque)}, "accepted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ir.Eval(program(tt.rules), tcp4(nil))
			var unknown *ir.UnknownError
			switch {
			case tt.want == "" && !errors.As(err, &unknown):
				t.Errorf("got %s, %v; want an UnknownError", f, err)
			case tt.want == "" && unknown.Step.Rule != &program(tt.rules).Chains[0].Rules[0]:
				t.Errorf("the error names %v", unknown.Step)
			case tt.want != "" && (err != nil || f.String() != tt.want):
				t.Errorf("got %s, %v; want %s", f, err, tt.want)
			}
		})
	}
}

func TestEvalErrors(t *testing.T) {
	good := program(nil)
	tests := []struct {
		name string
		p    *ir.Program
		pkt  ir.Packet
		want string
	}{
		{"circle", program([]ir.Rule{rule(ir.Jump{Chain: "a"})}, sub("a", rule(ir.Goto{Chain: "a"}))), tcp4(nil),
			"in a circle"},
		{"no target", program([]ir.Rule{rule(ir.Jump{Chain: "a"})}), tcp4(nil), `leads to "a"`},
		{"no family", good, tcp4(func(p *ir.Packet) { p.Family = ir.Both }), "family must be"},
		{"source of the other family", good, tcp4(func(p *ir.Packet) { p.Src = addr("::1") }), "source address ::1"},
		{"no destination", good, tcp4(func(p *ir.Packet) { p.Dst = netip.Addr{} }), "destination address"},
		{"no interface", good, tcp4(func(p *ir.Packet) { p.In, p.Out = "", "" }), "without an interface"},
		{"no state", good, tcp4(func(p *ir.Packet) { p.State = 0 }), "exactly one"},
		{"two states", good, tcp4(func(p *ir.Packet) { p.State = ir.StateNew | ir.StateRelated }), "exactly one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ir.Eval(tt.p, tt.pkt); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestEvalTrace(t *testing.T) {
	p := program([]ir.Rule{rule(ir.Counter{}), rule(ir.Drop{}, ir.IIfName{Name: "virbr9"}), rule(ir.Jump{Chain: "a"})},
		sub("a", rule(ir.Return{})))
	f, err := ir.Eval(p, tcp4(nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range f.Trace {
		line := s.Chain.Name + " policy"
		if s.Rule != nil {
			line = s.Chain.Name + " " + s.Rule.String()
		}
		got = append(got, line)
	}
	want := []string{"forward inet counter", "forward inet jump a", "a inet return", "forward policy"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
}

func TestFateEqual(t *testing.T) {
	nat := func(n ir.NAT) *ir.NAT { return &n }
	fates := []ir.Fate{
		{Outcome: ir.Accepted}, {Outcome: ir.Dropped}, {Outcome: ir.Rejected, Reject: ir.PortUnreachable},
		{Outcome: ir.Rejected, Reject: ir.TCPReset}, {Outcome: ir.Accepted, Checksum: true},
		{Outcome: ir.Accepted, SNAT: nat(ir.NAT{Kind: ir.KindMasquerade})},
		{Outcome: ir.Accepted, SNAT: nat(ir.NAT{Kind: ir.KindMasquerade, Ports: ir.PortRange{From: 1, To: 2}})},
		{Outcome: ir.Accepted, DNAT: nat(ir.NAT{Kind: ir.KindRedirect})},
	}
	for i, a := range fates {
		for j, b := range fates {
			b.Trace = []ir.Step{{Index: 1}}
			if b.SNAT != nil {
				b.SNAT = nat(*b.SNAT)
			}
			if got := a.Equal(b); got != (i == j) {
				t.Errorf("(%s).Equal(%s) is %t", a, b, got)
			}
		}
	}
}
