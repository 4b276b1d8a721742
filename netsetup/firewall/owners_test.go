package firewall

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// ownedLinks are networks a (bridge vbr0, 10.0.0.0/24), b (vbr1, 10.0.1.0/24 and fd01::/64) and c,
// which has no bridge.
func ownedLinks() []*ir.Link {
	address := func(text string) ir.Address { return ir.Address{Prefix: netip.MustParsePrefix(text)} }
	return []*ir.Link{
		{Name: "a", Bridge: ir.Bridge{Name: "vbr0"}, Addresses: []ir.Address{address("10.0.0.1/24")}},
		{Name: "b", Bridge: ir.Bridge{Name: "vbr1"}, Addresses: []ir.Address{address("10.0.1.1/24"),
			address("fd01::1/64")}},
		{Name: "c"},
	}
}

// TestConcerned is which networks a drift concerns: by the rule that asks for it, and by what a
// rule or an element names.
func TestConcerned(t *testing.T) {
	rule := func(m ...ir.Match) *ir.Rule { return &ir.Rule{Family: ir.Both, Matches: m, Verdict: ir.Accept{}} }
	of := func(network string) *ir.Rule { return &ir.Rule{Origin: ir.Origin{Network: network}} }
	net := netip.MustParsePrefix
	tests := []struct {
		name  string
		drift backends.Drift
		want  []string
	}{
		{"a rule that one network asks for", backends.Drift{Of: of("b"), Want: rule()}, []string{"b"}},
		{"a rule about the bridge of another", backends.Drift{
			Of: of("b"), Want: rule(ir.OIfName{Name: "vbr0"}),
		}, []string{"a", "b"}},
		{"a rule about its own bridge", backends.Drift{Of: of("b"), Want: rule(ir.IIfName{Name: "vbr1"})},
			[]string{"b"}},
		{"an extra rule about a source", backends.Drift{Have: rule(ir.SAddr{Prefix: net("10.0.1.0/24")})},
			[]string{"b"}},
		{"about a destination", backends.Drift{Have: rule(ir.DAddr{Prefix: net("fd01::/64")})}, []string{"b"}},
		{"about all but a subnet", backends.Drift{
			Have: rule(ir.DAddr{Prefix: net("10.0.0.0/24"), Not: true}),
		}, []string{"a"}},
		{"about two networks", backends.Drift{
			Have: rule(ir.OIfName{Name: "vbr1"}, ir.IIfName{Name: "vbr0"}),
		}, []string{"a", "b"}},
		{"an element", backends.Drift{Element: []ir.Match{ir.IIfName{Name: "vbr0"}}}, []string{"a"}},
		{"about a wider subnet", backends.Drift{Have: rule(ir.SAddr{Prefix: net("10.0.0.0/8")})}, nil},
		{"about names that begin like a bridge", backends.Drift{Have: rule(ir.IIfName{Name: "vbr0", Wildcard: true})},
			nil},
		{"about packets without an interface", backends.Drift{Have: rule(ir.IIfName{})}, nil},
		{"a comment that says a bridge's name", backends.Drift{Have: &ir.Rule{Verdict: ir.Accept{}, Comment: "vbr0"}},
			nil},
		{"about ports", backends.Drift{Have: rule(ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 22, To: 22})}, nil},
		{"an object", backends.Drift{Words: "set vbr0", Chain: &ir.Chain{}}, nil},
	}
	o := ownersOf(ownedLinks())
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, o.concerned(&tt.drift)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestDrifted: what concerns no network in particular concerns all of them, and foreign rules ahead
// of ours concern none.
func TestDrifted(t *testing.T) {
	tests := []struct {
		name   string
		drifts []backends.Drift
		want   []string
	}{
		{"in step", nil, nil},
		{"of two", []backends.Drift{
			{Kind: backends.Extra, Networks: []string{"b"}}, {Kind: backends.Moved, Networks: []string{"a"}},
		}, []string{"a", "b"}},
		{"of all", []backends.Drift{
			{Kind: backends.Extra, Networks: []string{"b"}}, {Kind: backends.Missing},
		}, []string{"a", "b", "c"}},
		{"of others", []backends.Drift{{Kind: backends.Ahead}, {Kind: backends.Ahead, Networks: []string{"a"}}}, nil},
	}
	for _, tt := range tests {
		got := slices.Sorted(maps.Keys(Audit{Drifts: tt.drifts}.Drifted(ownedLinks())))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
