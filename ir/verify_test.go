package ir_test

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// parse returns the program that text describes.
func parse(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, list := ir.Parse("test", []byte(text))
	if len(list) > 0 {
		t.Fatalf("%v\n%s", list, text)
	}
	return p
}

// TestVerify has one failing case at least for each number in the list at the top of verify.go.
func TestVerify(t *testing.T) {
	const (
		nat     = "chain ip t nat hook postrouting type nat priority 100 policy accept "
		forward = "chain ip t forward hook forward type filter priority 0 policy accept "
	)
	tests := []struct {
		number int
		name   string
		text   string
		want   string // code and beginning of what is said
	}{
		{1, "group twice", `group FWI {} group FWI {}`, `ir-group group FWI is given twice`},
		{2, "chain twice", `chain ip t a {} chain ip t a {}`, `ir-chain chain ip t a is given twice`},
		{2, "chain without a name", `chain ip t "" {}`, `ir-chain chain "" of ip has no name`},
		{3, "nat at forward", `chain ip t a hook forward type nat priority 0 policy accept {}`,
			`ir-base chain ip t a is of type nat at hook forward`},
		{3, "route at input", `chain ip t a hook input type route priority 0 policy accept {}`,
			`ir-base chain ip t a is of type route`},
		{4, "nat before conntrack", `chain ip t a hook prerouting type nat priority -200 policy accept {}`,
			`ir-base nat chain ip t a has priority -200`},
		{5, "rule of the other family", `chain ip t a { ip6 accept }`, `ir-family rule for ip6 in chain ip t a`},
		{5, "rule of more families", `chain ip t a { inet accept }`, `ir-family rule for inet in chain ip t a`},
		{6, "address of the other family", `group FWI { ip saddr fd00::/64 accept }`,
			`ir-family address fd00:: in a rule for ip`},
		{6, "address in a rule for both", `group FWI { inet daddr != 10.0.0.0/8 accept }`,
			`ir-family address 10.0.0.0 in a rule for inet`},
		{6, "range of the other family", `group FWI { ip6 daddr 10.0.0.1-10.0.0.2 accept }`,
			`ir-family address 10.0.0.1 in a rule for ip6`},
		{6, "snat to the other family", nat + `{ ip snat to fd00::1 }`, `ir-family address fd00::1 in a rule for ip`},
		{7, "host bits", `group FWI { ip saddr 10.0.0.1/8 accept }`, `ir-address prefix 10.0.0.1/8`},
		{7, "range reversed", `group FWI { ip saddr 10.0.0.2-10.0.0.1 accept }`,
			`ir-address address range 10.0.0.2-10.0.0.1`},
		{7, "range of two families", `group FWI { ip daddr 10.0.0.2-fd00::1 accept }`,
			`ir-address address range 10.0.0.2-fd00::1`},
		{7, "nat range reversed", nat + `{ ip snat to 10.0.0.2-10.0.0.1 }`, `ir-address address range`},
		{8, "no name", `group FWI { ip iifname "" accept }`, `ir-interface interface name ""`},
		{8, "long name", `group FWI { ip iifname "abcdefghijklmnop" accept }`, `ir-interface`},
		{8, "long beginning", `group FWI { ip oifname "abcdefghijklmno"* accept }`, `ir-interface`},
		{8, "blank", `group FWI { ip iifname "a b" accept }`, `ir-interface`},
		{8, "line end", `group FWI { ip iifname "a\nb" accept }`, `ir-interface`},
		{8, "slash", `group FWI { ip iifname "a/b" accept }`, `ir-interface`},
		{8, "quote", `group FWI { ip iifname "a\"b" accept }`, `ir-interface`},
		{8, "wildcard of iptables", `group FWI { ip iifname "eth+" accept }`, `ir-interface`},
		{8, "wildcard of nft", `group FWI { ip oifname "eth*" accept }`, `ir-interface`},
		{8, "dots", `group FWI { ip oifname ".." accept }`, `ir-interface`},
		{9, "ports reversed", `group FWI { ip l4proto tcp dport 2-1 accept }`, `ir-port ports 2-1`},
		{9, "nat to port 0", nat + `{ ip l4proto tcp masquerade port 0-5 }`, `ir-port masquerade to ports 0-5`},
		{10, "ports of any protocol", `group FWI { ip sport 53 accept }`,
			`ir-port ports 53 in a rule for any protocol`},
		{10, "ports of another protocol", `group FWI { ip l4proto icmp dport 53 accept }`, `ir-port ports 53`},
		{10, "ports of all but one protocol", `group FWI { ip l4proto != tcp dport 53 accept }`, `ir-port ports 53`},
		{10, "nat ports of any protocol", nat + `{ ip masquerade port 1-5 }`, `ir-port ports 1-5`},
		{11, "icmp type of any protocol", `group FWI { ip icmp type 8 accept }`, `ir-icmp`},
		{11, "icmp type of no protocol", `group FWI { ip6 icmp type 8 accept }`, `ir-icmp`},
		{11, "icmp type of another protocol", `group FWI { inet l4proto tcp icmp type 8 accept }`, `ir-icmp`},
		{13, "field outside its mask", `group FWI { ip ctmark 0x11/0xf0 accept }`, `ir-match ctmark 0x11/0xf0`},
		{13, "field without bits", `group FWI { ip tos 0x0/0x0 accept }`, `ir-match tos 0x0/0x0`},
		{13, "field that ends before it begins", `group FWI { ip ttl 5-4 accept }`, `ir-match ttl 5-4`},
		{28, "nothing copied", `group FWI { ip save mark 0x0/0x0 accept }`, `ir-action no bit of a mark copied`},
		{28, "segment size without TCP", `group FWI { ip clamp mss route accept }`, `ir-action a segment size`},
		{28, "log to a group with a level", `group FWI { ip log level info group 1 threshold 0 snaplen 0 accept }`,
			`ir-action log level info group 1`},
		{13, "mark outside its mask", `group FWI { ip mark 0x11/0xf0 accept }`, `ir-match mark 0x11 under mask 0xf0`},
		{13, "no mask", `group FWI { ip mark 0x0/0x0 accept }`, `ir-match mark 0x0 under mask 0x0`},
		{16, "IPv6 code in IPv4", `group FWI { ip reject with no-route }`,
			`ir-verdict reject with "no-route" in a rule for ip`},
		{16, "IPv4 code in both", `group FWI { inet reject with host-prohibited }`,
			`ir-verdict reject with "host-prohibited"`},
		{16, "reset of any protocol", `group FWI { ip reject with tcp-reset }`, `ir-verdict reject with tcp-reset`},
		{17, "reject in PRT", `group PRT { ip reject with port-unreachable }`,
			`ir-verdict a reject in PRT, which is met in nat chains at postrouting`},
		{17, "reject behind a jump from a nat chain",
			nat + `{ ip jump a } chain ip t a { ip reject with port-unreachable }`, `ir-verdict a reject in ip t a`},
		{18, "jump to nothing", forward + `{ ip jump a }`, `ir-jump "jump a" leads to no chain`},
		{18, "jump to another table", forward + `{ ip goto a } chain ip u a {}`, `ir-jump "goto a" leads to no chain`},
		{18, "jump to a base chain", forward +
			`{ ip jump b } chain ip t b hook input type filter priority 0 policy accept {}`, `ir-jump "jump b" leads`},
		{18, "jump to a group", forward + `{ ip jump FWI } group FWI {}`, `ir-jump "jump FWI" leads`},
		{19, "circle", `chain ip t a { ip jump b } chain ip t b { ip goto a }`,
			`ir-jump "goto a" in ip t b leads in a circle`},
		{19, "circle of one", `chain ip t a { ip jump a }`, `ir-jump "jump a" in ip t a leads in a circle`},
		{20, "masquerade in a filter chain", forward + `{ ip masquerade }`, `ir-nat a masquerade in ip t forward`},
		{20, "masquerade in FWO", `group FWO { ip masquerade }`, `ir-nat a masquerade in FWO`},
		{20, "dnat at postrouting", nat + `{ ip dnat to 10.0.0.1 }`, `ir-nat a dnat in ip t nat`},
		{20, "redirect in PRT", `group PRT { ip redirect }`, `ir-nat a redirect in PRT`},
		{20, "snat at prerouting",
			`chain ip t a hook prerouting type nat priority -100 policy accept { ip snat to 10.0.0.1 }`,
			`ir-nat a snat in ip t a`},
		{20, "one of two callers is wrong", nat + `{ ip jump a } ` + forward +
			`{ ip jump a } chain ip t a { ip masquerade }`,
			`ir-nat a masquerade in ip t a, which is met in filter chains at forward priority 0`},
		{21, "snat to nothing", nat + `{ ip l4proto tcp snat port 1-2 }`, `ir-nat snat to no address`},
		{22, "checksum in FWO", `group FWO { ip checksum fill }`, `ir-checksum a checksum fill in FWO`},
		{22, "checksum behind a jump from PRT", `group PRT { ip jump a } chain inet "" a { ip checksum fill }`,
			`ir-checksum a checksum fill in inet`},
		{23, "line end in a comment", `group FWO { ip accept comment "a\nb" }`,
			`ir-text comment "a\nb" holds the character '\n'`},
		{23, "escape in a reason", `group FWO { ip accept from "f" reason "\x1b[2J" }`, `ir-text reason "\x1b[2J"`},
		{23, "line end in a file name", `group FWO { ip accept from "f\n" }`, `ir-text file name "f\n"`},
		{23, "line end in a network", `group FWO { ip accept from "f" network "\u2028" }`, `ir-text network "\u2028"`},
		{23, "line end in an element", `group FWO { ip accept from "f" element "\r" }`, `ir-text element "\r"`},
		{23, "line end in a match", `group FWO { ip opaque-match "\n" accept }`, `ir-text opaque match`},
		{23, "line end in a verdict", `group FWO { ip opaque-verdict "\n" }`, `ir-text opaque verdict`},
		{24, "link twice", `link a { mode nat } link a { mode nat }`,
			`ir-link link "a" has no name, or that of another`},
		{24, "mode", `link a { mode bridged }`, `ir-link link "a" has mode "bridged"`},
		{24, "line end in an option", `link a { mode nat options "a" options "b\nc" }`,
			`ir-link link "a": text "b\nc"`},
		{24, "line end far inside", `link a { mode nat addresses { dhcp { hosts { name "a\nb" } } } }`,
			`ir-link link "a": text "a\nb"`},
		{25, "set twice", `set ip t a {} set ip t a {}`, `ir-set set ip t a is given twice`},
		{25, "set without a name", `set ip t "" {}`, `ir-set a set without a name`},
		{26, "opaque element", `set ip t a { element opaque-match "x" }`, `ir-set set ip t a has an element with`},
		{26, "two families", `set inet t a { element saddr 10.0.0.0/8 element saddr fd00::/8 }`,
			`ir-set a set with addresses of both families`},
		{26, "host bits in an element", `set ip t a { element saddr 10.0.0.1/8 }`, `ir-address prefix 10.0.0.1/8`},
		{6, "set of the other family", `set inet "" a { element saddr fd00::/8 } group FWI { ip lookup a accept }`,
			`ir-family addresses of ip6 in set inet a`},
		{10, "set of ports", `set inet "" a { element dport 22 } group FWI { ip lookup a accept }`,
			`ir-port ports in set inet a`},
		{23, "line end in an action", `group FWO { ip opaque-action "\n" accept }`, `ir-text opaque action`},
		{23, "line end in what is unseen", `unseen "a\nb"`, `ir-text what was not looked at, "a\nb"`},
		{23, "line end in a prefix", `group FWO { ip log prefix "\n" accept }`, `ir-text prefix`},
		{28, "no bits set", `group FWI { ip set mark 0x0/0x0 accept }`, `ir-action a mark set to what it is`},
		{29, "notrack at forward", `group FWI { ip notrack accept }`,
			`ir-action a notrack in FWI, which is met in filter chains at forward priority 0`},
		{29, "notrack too late",
			`chain ip t a hook prerouting type filter priority -200 policy accept { ip notrack accept }`,
			`ir-action a notrack in ip t a`},
		{11, "set of ICMP types", `set inet "" a { element icmp type 8 } group FWI { ip lookup a accept }`,
			`ir-icmp ICMP type in a rule for any protocol`},
	}
	numbers := map[int]bool{27: true, 12: true, 14: true, 15: true} // in TestVerifyBuilt: the text form can't say them
	for _, tt := range tests {
		numbers[tt.number] = true
		t.Run(tt.name, func(t *testing.T) { wantOne(t, ir.Verify(parse(t, tt.text)), tt.want) })
	}
	for n := 1; n <= 29; n++ {
		if !numbers[n] {
			t.Errorf("invariant %d has no failing case", n)
		}
	}
}

// wantOne fails unless list is one error that begins as want does.
func wantOne(t *testing.T, list diag.List, want string) {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d diagnostics, want one, %s:\n%v", len(list), want, list)
	}
	d := list[0]
	if got := string(d.Code) + " " + d.What; !strings.HasPrefix(got, want) || d.Severity != diag.Error {
		t.Errorf("got  %s\nwant %s...", got, want)
	}
	if d.Why == "" || d.Fix == "" {
		t.Errorf("no why or no fix: %+v", d)
	}
}

// TestVerifyBuilt has the faults that the text form can't say.
func TestVerifyBuilt(t *testing.T) {
	group := func(r ir.Rule) *ir.Program {
		p := &ir.Program{}
		p.Add(ir.FWI, r)
		return p
	}
	tests := []struct {
		name string
		p    *ir.Program
		want string
	}{
		{"12 no state", group(rule(ir.Accept{}, ir.CTState{})), "ir-match match on connection states 0x0"},
		{"12 no status", group(rule(ir.Accept{}, ir.CTStatus{})), "ir-match match on connection status 0x0"},
		{"12 unknown status", group(rule(ir.Accept{}, ir.CTStatus{Status: 1 << 2})),
			"ir-match match on connection status 0x4"},
		{"12 unknown state", group(rule(ir.Accept{}, ir.CTState{States: 1 << 5})),
			"ir-match match on connection states 0x20"},
		{"14 empty match", group(rule(ir.Accept{}, nil)), "ir-match rule in FWI with an empty match"},
		{"15 no verdict", group(rule(nil)), "ir-verdict rule in FWI without a verdict"},
		{"16 unknown code", group(rule(ir.Reject{With: "no"})), `ir-verdict reject with "no"`},
		{"5 no family", group(ir.Rule{Verdict: ir.Accept{}}), "ir-family rule for family(0)"},
		{"7 zero prefix", group(rule(ir.Accept{}, ir.SAddr{})), "ir-address prefix invalid Prefix"},
		{"7 zone", group(rule(ir.Accept{}, ir.SAddrRange{From: addr("fe80::1%a"), To: addr("fe80::2%a")})),
			"ir-address address range"},
		{"7 half a range", group(rule(ir.Accept{}, ir.SAddrRange{From: addr("fe80::1")})), "ir-address address range"},
		{"1 group with a table", &ir.Program{Chains: []*ir.Chain{{Group: ir.FWI, Family: ir.Both, Name: "FWI",
			Table: "t"}}}, "ir-group"},
		{"1 group with another name", &ir.Program{Chains: []*ir.Chain{{Group: ir.FWI, Family: ir.Both, Name: "x"}}},
			"ir-group"},
		{"2 chain without a family", &ir.Program{Chains: []*ir.Chain{{Name: "x"}}}, "ir-chain"},
		{"3 no hook", &ir.Program{Chains: []*ir.Chain{{Name: "x", Family: ir.IPv4,
			Base: &ir.Base{Type: ir.FilterType}}}}, "ir-base"},
		{"26 empty match in an element", &ir.Program{Sets: []*ir.Set{{Family: ir.Both, Name: "s",
			Elements: [][]ir.Match{{nil}}}}}, "ir-set set inet s has an element with"},
		{"27 no set", group(rule(ir.Accept{}, ir.Lookup{})), `ir-set a look-up in set ""`},
		{"27 set not listed", group(rule(ir.Accept{}, ir.Lookup{Set: &ir.Set{Family: ir.Both, Name: "s"}})),
			`ir-set a look-up in set "inet s"`},
		{"28 empty action", group(ir.Rule{Family: ir.IPv4, Actions: []ir.Action{nil}, Verdict: ir.Accept{}}),
			"ir-action rule in FWI with an empty action"},
		{"28 unknown field", group(ir.Rule{Family: ir.IPv4, Actions: []ir.Action{ir.OpaqueAction{Text: "x",
			Touches: ir.AllFields + 1}}, Verdict: ir.Accept{}}),
			`ir-action opaque action "x" touches unknown fields`},
		{"24 link without a name", &ir.Program{Links: []*ir.Link{{Mode: ir.ModeNAT}}}, "ir-link"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantOne(t, ir.Verify(tt.p), tt.want) })
	}
}

// TestVerifyOrigin: a diagnostic stands where the rule was asked for.
func TestVerifyOrigin(t *testing.T) {
	p := parse(t, `group FWI { ip accept ip mark 0x1/0x2 accept from "lab.xml" at 3:4-3:9 bytes 20-25 }`)
	list := ir.Verify(p)
	if len(list) != 1 || list[0].Span != p.Chains[0].Rules[1].Origin.Span {
		t.Errorf("got %v", list)
	}
}

func TestVerifyPasses(t *testing.T) {
	p := grouped(natA, natB, natDev, routedA, routedB, routeDev, alone, aloneB)
	for _, c := range p.Chains {
		for i := range c.Rules {
			c.Rules[i].Family = ir.IPv4
		}
	}
	if list := ir.Verify(p); len(list) > 0 {
		t.Errorf("networks: %v", list)
	}
	sound := parse(t, `
group PRT {
    ip oifname "virbr0" l4proto udp dport 68 checksum fill
    ip saddr 10.0.0.0/8 l4proto udp masquerade port 1024-65535
    ip6 saddr fd00::/64 masquerade
}
chain ip nat PREROUTING hook prerouting type nat priority -100 policy accept { ip l4proto tcp dport 80 dnat to 10.0.0.1 port 8080 ip redirect }
chain ip nat INPUT hook input type nat priority 100 policy accept { ip snat to 10.0.0.1-10.0.0.9 }
chain ip6 filter FORWARD hook forward type filter priority 0 policy drop { ip6 jump a ip6 goto b }
chain ip6 filter a { ip6 goto b ip6 l4proto tcp reject with tcp-reset ip6 l4proto icmpv6 icmp type 128 reject with no-route }
chain ip6 filter b { ip6 iifname "vnet"* return ip6 opaque-match "x" opaque-verdict "y" }
chain inet mangle POSTROUTING hook postrouting type filter priority -150 policy accept { inet checksum fill }
chain ip other a { ip masquerade }
chain ip raw PREROUTING hook prerouting type filter priority -300 policy accept { ip notrack set mark 0x1 counter }
set ip filter own { element iifname "virbr0" saddr 10.0.0.0/24 element iifname "virbr1" dport 22 }
set inet "" any { element l4proto tcp dport 22 element saddr fd00::/8 }
chain ip filter c { ip lookup own l4proto tcp accept }
chain ip6 other b { ip6 lookup != any drop }
link lab { mode nat }`)
	if list := ir.Verify(sound); len(list) > 0 {
		t.Errorf("sound program: %v", list)
	}
}

// TestVerifyKnowsEveryKind fails when Verify does not know a kind of match, action or verdict: it
// panics then.
func TestVerifyKnowsEveryKind(t *testing.T) {
	for _, m := range ir.SampleMatches() {
		ir.Verify(program([]ir.Rule{rule(ir.Accept{}, m)}))
	}
	for _, a := range ir.SampleActions() {
		ir.Verify(program([]ir.Rule{{Family: ir.Both, Actions: []ir.Action{a}, Verdict: ir.Accept{}}}))
	}
	for _, v := range ir.SampleVerdicts() {
		ir.Verify(program([]ir.Rule{rule(v)}, sub("other")))
	}
}
