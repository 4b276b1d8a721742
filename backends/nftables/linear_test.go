package nftables

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// TestLinear: a rule is reported as linear if only the order, or the values of its verdict, keep it
// from being merged; the rule in the way is named.
func TestLinear(t *testing.T) {
	tests := []struct {
		name, rules string
		want        []string // the rule, and the one that keeps its place
	}{
		{"nothing", `ip iifname "a" accept
			ip iifname "b" accept
			ip iifname "c" drop`, nil},
		{"one behind a drop for all", `ip iifname "a" accept
			ip iifname "b" accept
			ip drop
			ip iifname "c" accept`, []string{`ip iifname "c" accept`, `ip drop`}},
		{"one before a drop of its own subnet", `ip iifname "a" accept
			ip iifname "a" saddr 10.0.0.0/24 drop
			ip iifname "b" accept
			ip iifname "c" accept`, []string{`ip iifname "a" accept`, `ip iifname "a" saddr 10.0.0.0/24 drop`}},
		{"another code", `ip iifname "a" reject with port-unreachable
			ip iifname "b" reject with port-unreachable
			ip iifname "c" reject with host-prohibited`, []string{`ip iifname "c" reject with host-prohibited`, ""}},
		{"figures", `ip iifname "a" counter
			ip iifname "b" counter`, []string{`ip iifname "b" counter`, ""}},
		{"other conditions", `ip iifname "a" ct state new accept
			ip iifname "b" ct state established accept`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &ir.Program{}
			p.Add(ir.FWI, rulesOf(t, tt.rules)...)
			var got []string
			for _, l := range (Backend{}).Linear(p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
				Layout: backends.Sets}) {
				over := ""
				if l.Over != nil {
					over = l.Over.String()
				}
				got = append(got, l.Rule.String(), over)
				if l.Why == "" || l.Family != ir.IPv4 {
					t.Errorf("%+v", l)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
