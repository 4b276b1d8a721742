package iptables_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

var here = diag.Span{File: "lab.xml", Start: diag.Pos{Offset: 40, Line: 3, Col: 5},
	End: diag.Pos{Offset: 50, Line: 3, Col: 15}}

// at returns a rule with the origin here.
func at(f ir.Family, v ir.Verdict, m ...ir.Match) ir.Rule {
	return ir.Rule{Family: f, Verdict: v, Matches: m, Origin: ir.Origin{Span: here}}
}

func inGroup(g ir.Group, rules ...ir.Rule) *ir.Program {
	p := &ir.Program{}
	p.Add(g, rules...)
	return p
}

func inBase(base ir.Base, rules ...ir.Rule) *ir.Program {
	return &ir.Program{Chains: []*ir.Chain{{Family: ir.IPv4, Table: "t", Name: "base", Base: &base, Rules: rules}}}
}

// TestRefuse lists what iptables can't say. Each was tried with iptables-restore 1.8.9 where that
// has an opinion.
func TestRefuse(t *testing.T) {
	prefix := netip.MustParsePrefix
	tcp := ir.L4Proto{Proto: ir.TCP}
	addr4 := ir.AddrRange{From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddr("192.0.2.1")}
	nat := ir.Base{Hook: ir.Postrouting, Type: ir.NATType, Priority: ir.PrioritySrcNAT}
	filter := ir.Base{Hook: ir.Input, Type: ir.FilterType}
	tests := []struct {
		name string
		p    *ir.Program
		want string // in What
	}{
		{"interface too long", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.IIfName{Name: "sixteen-bytes-xx"})),
			`interface name "sixteen-bytes-xx"`},
		{"wildcard too long", inGroup(ir.FWX, at(ir.Both, ir.Accept{},
			ir.IIfName{Name: "fifteen-bytes-x", Wildcard: true})), `interface name "fifteen-bytes-x"`},
		{"name that would be a wildcard", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.OIfName{Name: "virbr+"})),
			`interface name "virbr+"`},
		{"name of two words", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.OIfName{Name: "a -j DROP"})),
			`interface name "a -j DROP"`},
		{"name with a newline", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.OIfName{Name: "a\n-F"})),
			`interface name "a\n-F"`},
		{"name with a quote", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.OIfName{Name: `a"b`})), `interface name`},
		{"name that negates", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.OIfName{Name: "!"})), `interface name`},
		{"no name", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.IIfName{})), "interface without a name"},
		{"not any name", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.IIfName{Wildcard: true, Not: true})),
			"interface without a name"},
		{"ports of no protocol", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.DPort{From: 1, To: 2})),
			"ports in a rule without such a protocol"},
		{"ports of other protocols", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.L4Proto{Proto: ir.UDP, Not: true},
			ir.DPort{From: 1, To: 2})), "ports in a rule without"},
		{"no port at all", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, tcp, ir.SPort{From: 0, To: 65535, Not: true})),
			"no port at all"},
		{"protocol 0", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.L4Proto{})), "protocol 0"},
		{"no address at all", inGroup(ir.FWX, at(ir.IPv4, ir.Accept{},
			ir.SAddr{Prefix: prefix("0.0.0.0/0"), Not: true})), "no address at all"},
		{"two sources", inGroup(ir.FWX, at(ir.IPv4, ir.Accept{}, ir.SAddr{Prefix: prefix("10.0.0.0/8")},
			ir.SAddr{Prefix: prefix("10.1.0.0/16")})), "two conditions on the same field"},
		{"two families", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.SAddr{Prefix: prefix("10.0.0.0/8")},
			ir.DAddr{Prefix: prefix("fd00::/8")})), "packets of no family"},
		{"ICMP type of IPv4 for IPv6", inGroup(ir.FWX, at(ir.IPv6, ir.Accept{}, ir.L4Proto{Proto: ir.ICMP},
			ir.ICMPType{Type: 8})), "ICMP type in a rule without its protocol"},
		{"ICMP type 255", inGroup(ir.FWX, at(ir.IPv4, ir.Accept{}, ir.L4Proto{Proto: ir.ICMP}, ir.ICMPType{Type: 255})),
			"ICMP type 255"},
		{"no state", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.CTState{})), "no connection state"},
		{"opaque match", inGroup(ir.FWX, at(ir.Both, ir.Accept{}, ir.Opaque{Text: "-m u32"})), `"-m u32"`},
		{"opaque verdict", inGroup(ir.FWX, at(ir.Both, ir.Opaque{Text: "-j TEE"})), `"-j TEE"`},
		{"drop in nat", inGroup(ir.PRT, at(ir.Both, ir.Drop{})), "drop in table nat"},
		{"reject in nat", inGroup(ir.PRT, at(ir.Both, ir.Reject{With: ir.PortUnreachable})), "reject in table nat"},
		{"masquerade in filter", inGroup(ir.FWO, at(ir.Both, ir.Masquerade{})), "MASQUERADE in table filter"},
		{"DNAT behind routing", inGroup(ir.PRT, at(ir.IPv4, ir.DNAT{Addrs: addr4})), "DNAT in chain VNETC_PRT"},
		{"checksum in filter", inGroup(ir.INP, at(ir.Both, ir.ChecksumFill{})), "checksum fill in table filter"},
		{"code of another family", inGroup(ir.FWI, at(ir.Both, ir.Reject{With: ir.NoRoute})),
			"reject with no-route for ip packets"},
		{"reset of no TCP", inGroup(ir.FWI, at(ir.Both, ir.Reject{With: ir.TCPReset})),
			"tcp-reset in a rule for other protocols"},
		{"NAT ports of no protocol", inGroup(ir.PRT, at(ir.Both, ir.Masquerade{Ports: ir.PortRange{From: 1, To: 2}})),
			"MASQUERADE to ports"},
		{"NAT address of another family", inGroup(ir.PRT, at(ir.IPv6, ir.SNAT{Addrs: addr4})),
			"SNAT to 192.0.2.1 for ip6 packets"},
		{"SNAT to nothing", inGroup(ir.PRT, at(ir.IPv4, ir.SNAT{})), "SNAT to nothing"},
		{"foreign priority", inBase(ir.Base{Hook: ir.Input, Type: ir.FilterType, Priority: -10},
			at(ir.IPv4, ir.Accept{})), "priority -10"},
		{"filter behind routing", inBase(ir.Base{Hook: ir.Postrouting, Type: ir.FilterType}, at(ir.IPv4, ir.Accept{})),
			"hook postrouting"},
		{"out interface of input", inBase(filter, at(ir.IPv4, ir.Accept{}, ir.OIfName{Name: "eth0"})),
			"out interface in chain INPUT"},
		{"in interface of postrouting", inBase(nat, at(ir.IPv4, ir.Accept{}, ir.IIfName{Name: "eth0"})),
			"in interface in chain POSTROUTING"},
		{"two chains at one place", &ir.Program{Chains: []*ir.Chain{
			{Family: ir.IPv4, Table: "a", Name: "x", Base: &filter, Rules: []ir.Rule{at(ir.IPv4, ir.Accept{})}},
			{Family: ir.Both, Table: "b", Name: "y", Base: &filter, Rules: []ir.Rule{at(ir.IPv4, ir.Accept{})}},
		}}, "two chains INPUT in its table filter: ip a x and inet b y"},
		{"groups and a base chain", &ir.Program{Chains: []*ir.Chain{
			{Group: ir.INP, Family: ir.Both, Name: "INP"},
			{Family: ir.IPv4, Table: "a", Name: "x", Base: &filter, Rules: []ir.Rule{at(ir.IPv4, ir.Accept{})}},
		}}, "groups and base chains in one program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, found := iptables.Backend{}.Lower(tt.p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
				Layout: backends.Chains})
			if set != nil {
				t.Errorf("lowered to\n%s", set.Emit()[0].Text)
			}
			if len(found) != 1 {
				t.Fatalf("got %d diagnostics, want 1:\n%v", len(found), found)
			}
			d := found[0]
			if d.Severity != diag.Error || d.Code != iptables.Unsupported || d.Span != here || d.Why == "" ||
				d.Fix == "" {
				t.Errorf("not an Error %s at %s with why and fix: %+v", iptables.Unsupported, here, d)
			}
			if !strings.Contains(d.What, tt.want) {
				t.Errorf("got %q, want %q in it", d.What, tt.want)
			}
		})
	}
}

// TestRefuseChainNames tries names of chains that iptables takes for something else.
func TestRefuseChainNames(t *testing.T) {
	for _, name := range []string{"", "-x", "!x", "two words", `quo"te`, "ACCEPT", "LOG", "INPUT",
		"a-name-of-twenty-nine-bytes-x"} {
		p := inBase(ir.Base{Hook: ir.Input, Type: ir.FilterType}, at(ir.IPv4, ir.Jump{Chain: name}))
		p.Chains = append(p.Chains, &ir.Chain{Family: ir.IPv4, Table: "t", Name: name,
			Rules: []ir.Rule{at(ir.IPv4, ir.Accept{})}})
		_, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
			Layout: backends.Chains})
		if !found.HasErrors() {
			t.Errorf("chain name %q was taken", name)
		}
	}
}

// TestEveryKindIsSaid checks that each sample that is modelled is lowered in some place.
func TestEveryKindIsSaid(t *testing.T) {
	said := make(map[string]bool)
	for _, p := range []*ir.Program{groupSamples(), baseSamples()} {
		for _, c := range p.Chains {
			for _, r := range c.Rules {
				said[ir.VerdictText(r.Verdict)] = true
				for _, a := range r.Actions {
					said[ir.ActionText(a)] = true
				}
				for _, m := range r.Matches {
					said[ir.MatchText(m)] = true
				}
			}
		}
	}
	for _, m := range ir.SampleMatches() {
		_, lookup := m.(ir.Lookup) // sets are not in what iptables-restore loads
		if l, limit := m.(ir.Limit); limit && l.Over {
			continue // --limit has no negation
		}
		switch f := m.(type) {
		case ir.Unknown:
			continue
		case ir.Field: // -f is for offsets only, and a negated owner for packets without one too
			if f.Key == ir.KeyFragment || f.Key == ir.KeyGID && f.Not {
				continue
			}
		}
		if _, opaque := m.(ir.Opaque); !opaque && !lookup && !said[ir.MatchText(m)] {
			t.Errorf("match %s is refused everywhere", ir.MatchText(m))
		}
	}
	for _, a := range ir.SampleActions() {
		if _, effect := a.(ir.Effect); effect {
			continue
		}
		if _, opaque := a.(ir.OpaqueAction); !opaque && !said[ir.ActionText(a)] {
			t.Errorf("action %s is refused everywhere", ir.ActionText(a))
		}
	}
	for _, v := range ir.SampleVerdicts() {
		if _, handed := v.(ir.Handed); handed {
			continue
		}
		if _, opaque := v.(ir.Opaque); !opaque && !said[ir.VerdictText(v)] {
			t.Errorf("verdict %s is refused everywhere", ir.VerdictText(v))
		}
	}
}

// lines returns the text of p's rules for one family.
func lines(t *testing.T, p *ir.Program, o backends.Options) []string {
	t.Helper()
	set, found := iptables.Backend{}.Lower(p, o)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range set.Lines() {
		all = append(all, l.Text)
	}
	return all
}

// TestRuleText compares with what iptables-save and ip6tables-save 1.8.9 print for rules given by
// hand.
func TestRuleText(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	tcp := ir.L4Proto{Proto: ir.TCP}
	tests := []struct {
		name string
		rule ir.Rule
		want []string
	}{
		{"no condition", at(ir.IPv4, ir.Counter{}), []string{"-A VNETC_FWX"}},
		{"order of options", at(ir.IPv4, ir.Accept{}, ir.DPort{From: 22, To: 22}, tcp, ir.OIfName{Name: "virbr0"},
			ir.IIfName{Name: "vnet", Wildcard: true, Not: true},
			ir.DAddr{Prefix: prefix("10.0.0.0/8"), Not: true}, ir.SAddr{Prefix: prefix("192.0.2.1/32")}),
			[]string{"-A VNETC_FWX -s 192.0.2.1/32 ! -d 10.0.0.0/8 ! -i vnet+ -o virbr0 -p tcp -m tcp --dport 22 -j ACCEPT"}},
		{"order of extensions is the rule's", at(ir.IPv4, ir.Accept{}, tcp, ir.CTState{States: ir.StateNew},
			ir.SPort{From: 1024, To: 65535}, ir.DPort{From: 0, To: 1023}),
			[]string{"-A VNETC_FWX -p tcp -m conntrack --ctstate NEW -m tcp --sport 1024:65535 --dport 0:1023 -j ACCEPT"}},
		{"states", at(ir.IPv4, ir.Accept{}, ir.CTState{States: 31}),
			[]string{"-A VNETC_FWX -m conntrack --ctstate INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED -j ACCEPT"}},
		{"not a state", at(ir.IPv4, ir.Drop{}, ir.CTState{States: ir.StateInvalid, Not: true}),
			[]string{"-A VNETC_FWX -m conntrack ! --ctstate INVALID -j DROP"}},
		{"any interface", at(ir.IPv4, ir.Accept{}, ir.IIfName{Wildcard: true}), []string{"-A VNETC_FWX -j ACCEPT"}},
		{"all ports", at(ir.IPv4, ir.Accept{}, tcp, ir.SPort{From: 0, To: 65535}),
			[]string{"-A VNETC_FWX -p tcp -j ACCEPT"}},
		{"not low ports", at(ir.IPv4, ir.Accept{}, tcp, ir.SPort{From: 0, To: 1023, Not: true}),
			[]string{"-A VNETC_FWX -p tcp -m tcp --sport 1024:65535 -j ACCEPT"}},
		{"not high ports", at(ir.IPv4, ir.Accept{}, tcp, ir.SPort{From: 1024, To: 65535, Not: true}),
			[]string{"-A VNETC_FWX -p tcp -m tcp --sport 0:1023 -j ACCEPT"}},
		{"ranges together", at(ir.IPv4, ir.Accept{}, ir.DAddrRange{From: addr("192.0.2.9"), To: addr("192.0.2.9"),
			Not: true}, ir.SAddrRange{From: addr("10.0.0.1"), To: addr("10.0.0.9")}),
			[]string{"-A VNETC_FWX -m iprange --src-range 10.0.0.1-10.0.0.9 ! --dst-range 192.0.2.9-192.0.2.9 -j ACCEPT"}},
		{"marks", at(ir.IPv4, ir.Accept{}, ir.Mark{Value: 16, Mask: 240, Not: true},
			ir.Mark{Value: 1, Mask: 0xffffffff}),
			[]string{"-A VNETC_FWX -m mark ! --mark 0x10/0xf0 -m mark --mark 0x1 -j ACCEPT"}},
		{"ICMP", at(ir.IPv4, ir.Accept{}, ir.L4Proto{Proto: ir.ICMP},
			ir.ICMPType{Type: 3, Code: 4, HasCode: true, Not: true}),
			[]string{"-A VNETC_FWX -p icmp -m icmp ! --icmp-type 3/4 -j ACCEPT"}},
		{"ICMPv6", at(ir.IPv6, ir.Accept{}, ir.L4Proto{Proto: ir.ICMPv6}, ir.ICMPType{Type: 128}),
			[]string{"-A VNETC_FWX -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT"}},
		{"IPv4-compatible address", at(ir.IPv6, ir.Accept{}, ir.SAddr{Prefix: prefix("::1.2.3.4/128")},
			ir.DAddr{Prefix: prefix("::1/128")}),
			[]string{"-A VNETC_FWX -s ::1.2.3.4/128 -d ::1/128 -j ACCEPT"}},
		{"IPv4-mapped address", at(ir.IPv6, ir.Accept{}, ir.SAddr{Prefix: prefix("::ffff:1.2.3.4/128")}),
			[]string{"-A VNETC_FWX -s ::ffff:1.2.3.4/128 -j ACCEPT"}},
		{"both families", at(ir.Both, ir.Reject{With: ir.PortUnreachable}, ir.OIfName{Name: "virbr0"}),
			[]string{"-A VNETC_FWX -o virbr0 -j REJECT --reject-with icmp-port-unreachable",
				"-A VNETC_FWX -o virbr0 -j REJECT --reject-with icmp6-port-unreachable"}},
		{"an IPv4 address is for IPv4 packets", at(ir.Both, ir.Accept{}, ir.SAddr{Prefix: prefix("10.0.0.0/8")}),
			[]string{"-A VNETC_FWX -s 10.0.0.0/8 -j ACCEPT"}},
		{"admin-prohibited", at(ir.Both, ir.Reject{With: ir.AdminProhibited}),
			[]string{"-A VNETC_FWX -j REJECT --reject-with icmp-admin-prohibited",
				"-A VNETC_FWX -j REJECT --reject-with icmp6-adm-prohibited"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := lines(t, inGroup(ir.FWX, tt.rule), backends.Options{Families: ir.Both, Names: backends.VnetcNames,
				Layout: backends.Chains})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestComments checks the text of comments, and that iptables-save would print it the same.
func TestComments(t *testing.T) {
	origin := ir.Origin{Network: "lab", Span: here, Reason: "guests may open connections"}
	tests := []struct {
		name     string
		rule     ir.Rule
		comments bool
		want     string
	}{
		{"origin", ir.Rule{Origin: origin}, true,
			`-m comment --comment "network lab, lab.xml:3:5: guests may open connections"`},
		{"not asked for", ir.Rule{Origin: origin}, false, ""},
		{"own comment", ir.Rule{Comment: "mine", Origin: origin}, false, "-m comment --comment mine"},
		{"both", ir.Rule{Comment: "mine", Origin: ir.Origin{Network: "a"}}, true,
			`-m comment --comment "mine; network a"`},
		{"quotes", ir.Rule{Comment: `it's "x" \ y`}, false, `-m comment --comment "it\'s \"x\" \\ y"`},
		{"lines", ir.Rule{Comment: "a\nCOMMIT\r\x00b"}, false, `-m comment --comment "a COMMIT  b"`},
		{"not UTF-8", ir.Rule{Comment: "a\xffb"}, false, `-m comment --comment "a?b"`},
		{"nothing but blanks", ir.Rule{Comment: "\n\t"}, false, ""},
		{"too long", ir.Rule{Comment: strings.Repeat("ä", 200)}, false,
			`-m comment --comment "` + strings.Repeat("ä", 127) + `"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Family, tt.rule.Verdict = ir.IPv4, ir.Accept{}
			got := lines(t, inGroup(ir.FWX, tt.rule), backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
				Layout: backends.Chains, Comments: tt.comments})
			want := strings.Join(strings.Fields("-A VNETC_FWX "+"@ -j ACCEPT"), " ")
			if want = strings.Replace(want, "@", tt.want, 1); tt.want == "" {
				want = "-A VNETC_FWX -j ACCEPT"
			}
			if got[0] != want {
				t.Errorf("got  %s\nwant %s", got[0], want)
			}
		})
	}
}
