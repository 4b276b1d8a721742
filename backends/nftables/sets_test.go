package nftables

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// rulesOf parses rules in the text form of the IR.
func rulesOf(t *testing.T, text string) []ir.Rule {
	t.Helper()
	p, found := ir.Parse("rules", []byte("group FWI {\n"+text+"\n}"))
	if found.HasErrors() {
		t.Fatal(found)
	}
	return p.Chains[0].Rules
}

// setsText returns the chain of FWI and the sets of the table ip, without what is the same for all.
func setsText(t *testing.T, rules string) string {
	t.Helper()
	p := &ir.Program{}
	p.Add(ir.FWI, rulesOf(t, rules)...)
	r := lowered(t, p, setsOptions)
	back := read(t, r.Batch().Bytes)
	if answer := prove.Equal(p, back, ir.Both); answer.Answer != prove.Proved {
		t.Errorf("%s: %s is %s or %s", answer.Answer, answer.Packet, answer.A, answer.B)
	}
	var lines []string
	for _, s := range r.tables[0].sets {
		var elements []string
		for i := range s.len() {
			elements = append(elements, string(s.appendElement(nil, i)))
		}
		counter := ""
		if s.counted {
			counter = " counter"
		}
		lines = append(lines, s.name+counter+" { "+strings.Join(elements, ", ")+" }")
	}
	for _, c := range r.tables[0].chains {
		for i := range c.rules {
			if text := string(c.rules[i].appendText(nil, script)); c.name == "fwi" || strings.HasSuffix(text, "fwi") {
				lines = append(lines, text)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// TestMerge has lists of rules with what they become. The words were chosen by hand; that they mean
// the same is proved.
func TestMerge(t *testing.T) {
	tests := []struct{ name, rules, want string }{
		{"one rule", `ip iifname "a" accept`, `counter jump fwi
iifname "a" counter accept`},
		{"same rule twice", `ip iifname "a" accept ip iifname "a" accept`, `counter jump fwi
iifname "a" counter accept`},
		{"one field", `ip iifname "a" accept ip iifname "b" accept`, `fwi_accept_iif counter { "a", "b" }
counter jump fwi
iifname @fwi_accept_iif counter accept`},
		{"one field of what is not counted by element", `ip iifname "a" return ip iifname "b" return`,
			`interfaces { "a", "b" }
counter jump fwi
iifname @interfaces counter return`},
		{"what is common stays, before what counts",
			`ip iifname "a" oifname "eth0" ct state new accept ip iifname "b" oifname "eth0" ct state new accept`,
			`fwi_accept_iif counter { "a", "b" }
counter jump fwi
oifname "eth0" ct state new iifname @fwi_accept_iif counter accept`},
		{"an exception stands before what counts",
			`ip saddr 10.0.0.0/24 daddr != 10.0.0.0/24 accept ip saddr 10.0.1.0/24 daddr != 10.0.1.0/24 accept`,
			`fwi_accept_saddr24 counter { 10.0.0.0, 10.0.1.0 }
fwi_accept_saddr24_not_daddr24 { 10.0.0.0 . 10.0.0.0, 10.0.1.0 . 10.0.1.0 }
counter jump fwi
ip saddr & 255.255.255.0 . ip daddr & 255.255.255.0 != @fwi_accept_saddr24_not_daddr24 ip saddr & 255.255.255.0 == @fwi_accept_saddr24 counter accept`},
		{"subnets, and not back to them",
			`ip saddr 10.0.0.0/24 daddr != 10.0.0.0/24 drop ip saddr 10.0.1.0/24 daddr != 10.0.1.0/24 drop`,
			`subnets24 { 10.0.0.0, 10.0.1.0 }
fwi_drop_saddr24_not_daddr24 { 10.0.0.0 . 10.0.0.0, 10.0.1.0 . 10.0.1.0 }
counter jump fwi
ip saddr & 255.255.255.0 == @subnets24 ip saddr & 255.255.255.0 . ip daddr & 255.255.255.0 != @fwi_drop_saddr24_not_daddr24 counter drop`},
		{"one subnet, two that it may not reach: either rule drops",
			`ip saddr 10.0.0.0/24 daddr != 10.0.0.0/24 drop ip saddr 10.0.0.0/24 daddr != 10.0.1.0/24 drop`,
			`counter jump fwi
ip saddr 10.0.0.0/24 ip daddr != 10.0.0.0/24 counter drop
ip saddr 10.0.0.0/24 ip daddr != 10.0.1.0/24 counter drop`},
		{"nothing but what differs is turned around", `ip daddr != 10.0.0.0/24 drop ip daddr != 10.0.1.0/24 drop`,
			`counter jump fwi
ip daddr != 10.0.0.0/24 counter drop
ip daddr != 10.0.1.0/24 counter drop`},
		{"a lookup for each length",
			`ip saddr 10.0.0.0/24 accept ip saddr 10.1.0.0/25 accept ip saddr 10.0.1.0/24 accept ip saddr 10.1.0.128/25 accept`,
			`fwi_accept_saddr24 counter { 10.0.0.0, 10.0.1.0 }
fwi_accept_saddr25 counter { 10.1.0.0, 10.1.0.128 }
subnets24 { 10.0.0.0, 10.1.0.0, 10.0.1.0 }
ip saddr & 255.255.255.0 == @subnets24 counter jump fwi
ip saddr & 255.255.255.0 == @fwi_accept_saddr24 counter accept
ip saddr & 255.255.255.128 == @fwi_accept_saddr25 counter accept`},
		{"counters are not merged", `ip iifname "a" counter ip iifname "b" counter`, `interfaces { "a", "b" }
iifname @interfaces counter jump fwi
iifname "a" counter
iifname "b" counter`},
		{"guard", `ip oifname "a" daddr 10.0.0.0/24 accept
ip oifname "a" reject with port-unreachable
ip oifname "b" daddr 10.0.1.0/24 accept
ip oifname "b" reject with port-unreachable`, `fwi_accept_oif_daddr24 counter { "a" . 10.0.0.0, "b" . 10.0.1.0 }
interfaces { "a", "b" }
oifname @interfaces counter jump fwi
oifname . ip daddr & 255.255.255.0 @fwi_accept_oif_daddr24 counter accept
counter reject`},
		{"no guard for what all meet", `ip oifname "a" accept ip oifname "b" accept ip drop`,
			`fwi_accept_oif counter { "a", "b" }
counter jump fwi
oifname @fwi_accept_oif counter accept
counter drop`},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(setsText(t, tt.rules), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestRefusedAlike: of equal rules that can't be expressed, each is refused at its own place,
// whatever stands before them.
func TestRefusedAlike(t *testing.T) {
	p := &ir.Program{}
	p.Add(ir.FWI, rulesOf(t, `ip iifname "a" accept
		ip opaque-match "-m physdev" drop from "lab.xml" at 1:1-1:2
		ip opaque-match "-m physdev" drop from "lab.xml" at 2:1-2:2`)...)
	_, found := Backend{}.Lower(p, setsOptions)
	var lines []int
	for _, d := range found {
		lines = append(lines, d.Span.Start.Line)
	}
	if diff := cmp.Diff([]int{1, 2}, lines); diff != "" {
		t.Errorf("lines of what is refused (-want +got):\n%s", diff)
	}
}

// TestConstant: four thousand networks have as many rules as eight.
func TestConstant(t *testing.T) {
	count := func(n int) (rules int) {
		r := lowered(t, backendtest.Networks(backendtest.Many(n)...), setsOptions)
		for _, table := range r.tables {
			for _, c := range table.chains {
				rules += len(c.rules)
			}
		}
		return rules
	}
	if few, many := count(8), count(4000); few != many {
		t.Errorf("8 networks have %d rules, 4000 have %d", few, many)
	}
}

// TestElementMessages: no message of elements is longer than its length can say, and none is lost.
func TestElementMessages(t *testing.T) {
	const n = 4000
	p := &ir.Program{}
	for i := range n {
		a := netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)})
		comment := strings.Repeat("long ", 24)
		p.Add(ir.FWI, ir.Rule{Family: ir.IPv6, Comment: comment,
			Matches: []ir.Match{ir.OIfName{Name: fmt.Sprint("virbr", i)}, ir.DAddr{Prefix: netip.PrefixFrom(a, 128)}},
			Verdict: ir.Accept{}})
	}
	back := read(t, lowered(t, p, setsOptions).Batch().Bytes)
	if len(back.Sets) != 1 || len(back.Sets[0].Elements) != n {
		t.Errorf("%d sets, want one of %d elements", len(back.Sets), n)
	}
}
