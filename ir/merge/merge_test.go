package merge

import (
	"math/rand/v2"
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

// itemsOf takes rules of IPv4 apart.
func itemsOf(t *testing.T, v *values, text string) []item {
	t.Helper()
	shapes := newShaper(v)
	var items []item
	rules := rulesOf(t, text)
	for i := range rules {
		items = append(items, shapes.item(&rules[i], ir.IPv4))
	}
	return items
}

// TestShape has two rules each that are of one shape, or not.
func TestShape(t *testing.T) {
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"values differ", `ip iifname "a" saddr 10.0.0.0/24 accept`, `ip iifname "b" saddr 10.0.1.0/24 accept`, true},
		{"in another order", `ip iifname "a" saddr 10.0.0.0/24 accept`, `ip saddr 10.0.1.0/24 iifname "b" accept`,
			true},
		{"negated values differ", `ip saddr 10.0.0.0/24 daddr != 10.0.0.0/24 accept`,
			`ip saddr 10.0.1.0/24 daddr != 10.0.1.0/24 accept`, true},
		{"length of prefix", `ip saddr 10.0.0.0/24 accept`, `ip saddr 10.0.1.0/25 accept`, false},
		{"sense", `ip saddr 10.0.0.0/24 accept`, `ip saddr != 10.0.0.0/24 accept`, false},
		{"field", `ip iifname "a" accept`, `ip oifname "a" accept`, false},
		{"other matches", `ip iifname "a" ct state new accept`, `ip iifname "b" ct state established accept`, false},
		{"same other matches, in another order", `ip ct state new l4proto tcp accept`,
			`ip l4proto tcp ct state new accept`, true},
		{"wildcards", `ip iifname "a"* accept`, `ip iifname "b"* accept`, false},
		{"names turned around", `ip iifname != "a" accept`, `ip iifname != "b" accept`, false},
		{"all addresses", `ip saddr 0.0.0.0/0 accept`, `ip saddr 10.0.0.0/24 accept`, false},
		{"verdict", `ip iifname "a" accept`, `ip iifname "b" drop`, false},
		{"code of a reject", `ip iifname "a" reject with port-unreachable`,
			`ip iifname "b" reject with admin-prohibited`, false},
	}
	for _, tt := range tests {
		items := itemsOf(t, new(values), tt.a+"\n"+tt.b)
		if got := items[0].shape == items[1].shape; got != tt.same {
			t.Errorf("%s: one shape is %v, want %v", tt.name, got, tt.same)
		}
	}
}

// TestLevels has rules with the levels that they must have: what stands before something that it
// must not move over is higher.
func TestLevels(t *testing.T) {
	tests := []struct {
		name, rules string
		want        []int
	}{
		{"two networks", `ip oifname "a" daddr 10.0.0.0/24 accept
			ip oifname "a" reject with port-unreachable
			ip oifname "b" daddr 10.0.1.0/24 accept
			ip oifname "b" reject with port-unreachable`, []int{1, 0, 1, 0}},
		{"two networks on a bridge", `ip oifname "a" daddr 10.0.0.0/24 accept
			ip oifname "a" reject with port-unreachable
			ip oifname "a" daddr 10.0.1.0/24 accept
			ip oifname "a" reject with port-unreachable`, []int{3, 2, 1, 0}},
		{"overlapping subnets, one outcome", `ip saddr 10.0.0.0/16 accept
			ip saddr 10.0.1.0/24 accept`, []int{0, 0}},
		{"overlapping subnets, two outcomes", `ip saddr 10.0.0.0/16 accept
			ip saddr 10.0.1.0/24 drop
			ip saddr 10.1.0.0/16 drop`, []int{1, 0, 0}},
		{"the longer prefix first", `ip saddr 10.0.1.0/24 accept
			ip saddr 10.0.0.0/16 drop`, []int{1, 0}},
		{"a name and a beginning", `ip iifname "vnet0" accept
			ip iifname "vnet"* drop
			ip iifname "eth0" drop`, []int{1, 0, 0}},
		{"a figure is not to change", `ip iifname "a" counter
			ip iifname "a" accept
			ip iifname "b" counter`, []int{1, 0, 0}},
		{"the same jump twice", `ip iifname "a" jump x
			ip saddr 10.0.0.0/8 jump x`, []int{1, 0}},
		{"except its own subnet", `ip saddr 10.0.0.0/24 daddr != 10.0.0.0/24 drop
			ip daddr 10.0.0.0/25 accept`, []int{0, 0}},
		{"for all packets", `ip iifname "a" accept
			ip drop
			ip iifname "b" accept`, []int{2, 1, 0}},
	}
	for _, tt := range tests {
		var v values
		items := itemsOf(t, &v, tt.rules)
		levels(&v, items)
		var got []int
		for _, it := range items {
			got = append(got, int(it.level))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestDisjoint compares disjoint with the prover: rules that it calls disjoint match no packet
// both. It must see most of those that are.
func TestDisjoint(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var all []*ir.Rule
	for _, s := range backendtest.Random(60, 3) {
		for _, c := range s.Program.Chains {
			for i := range c.Rules {
				if c.Rules[i].Family&ir.IPv4 != 0 && len(ir.Verify(programOf(c.Rules[i].Matches))) == 0 {
					all = append(all, &c.Rules[i])
				}
			}
		}
	}
	seen, missed := 0, 0
	for range 3000 {
		a, b := all[r.IntN(len(all))], all[r.IntN(len(all))]
		x, y := item{rule: a, family: ir.IPv4}, item{rule: b, family: ir.IPv4}
		both := append(a.Matches[:len(a.Matches):len(a.Matches)], b.Matches...)
		none := prove.Equal(programOf(both), programOf(nil, ir.Counter{}), ir.IPv4).Answer == prove.Proved
		switch {
		case disjoint(&x, &y) != disjoint(&y, &x):
			t.Fatalf("it depends on the order of %s and %s", a, b)
		case disjoint(&x, &y) && !none:
			t.Fatalf("packets match both %s and %s", a, b)
		case disjoint(&x, &y):
			seen++
		case none:
			missed++
		}
	}
	if seen < 500 || missed > seen/2 {
		t.Errorf("%d pairs seen to be disjoint, %d missed", seen, missed)
	}
}

// programOf returns a program that drops, or does something else with, the forwarded packets of
// IPv4 that match.
func programOf(matches []ir.Match, verdict ...ir.Verdict) *ir.Program {
	p := &ir.Program{}
	verdict = append(verdict, ir.Drop{})
	p.Add(ir.FWI, ir.Rule{Family: ir.IPv4, Matches: matches, Verdict: verdict[0]})
	return p
}
