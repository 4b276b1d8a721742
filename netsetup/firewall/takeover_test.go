package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
)

// holding is a back end that holds a program, in a kernel that is none.
type holding struct {
	backends.Loader
	program *ir.Program
}

func (h holding) Prune(_ backends.Names, _ bool, choose backends.Choose) (backends.Pruned, error) {
	rules, frame := choose(h.program)
	done := backends.Pruned{Changed: len(rules), Gone: true}
	for _, c := range h.program.Chains {
		for i := range c.Rules {
			if r := &c.Rules[i]; !frame || !isJump(r) && !slices.Contains(rules, r) {
				done.Gone = false
			}
		}
	}
	return done, nil
}

// nat adds the rules of a NAT network, without those for services, as libvirt orders them
// (LIBVIRT_FWI's reject last).
func nat(p *ir.Program, bridge, subnet string) *ir.Program {
	n := netip.MustParsePrefix(subnet)
	in, out := ir.IIfName{Name: bridge}, ir.OIfName{Name: bridge}
	rule := func(v ir.Verdict, m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v} }
	p.Add(ir.FWX, rule(ir.Accept{}, in, out))
	p.Add(ir.FWI, rule(ir.Accept{}, out, ir.DAddr{Prefix: n},
		ir.CTState{States: ir.StateEstablished | ir.StateRelated}))
	p.Add(ir.FWI, rule(ir.Reject{With: ir.PortUnreachable}, out))
	p.Add(ir.FWO, rule(ir.Accept{}, ir.SAddr{Prefix: n}, in), rule(ir.Reject{With: ir.PortUnreachable}, in))
	p.Add(ir.PRT, rule(ir.Masquerade{}, ir.SAddr{Prefix: n}, ir.DAddr{Prefix: n, Not: true}))
	p.Links = append(p.Links, &ir.Link{Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: bridge}})
	return p
}

// TestTakeOver: which rules are a network's. Its own are those of bridge a.
func TestTakeOver(t *testing.T) {
	networks := func(of ...string) *ir.Program { // bridge, subnet, ...
		p := &ir.Program{}
		for i := 0; i < len(of); i += 2 {
			nat(p, of[i], of[i+1])
		}
		return p
	}
	mine := networks("a", "10.1.0.0/24")
	add := func(p *ir.Program, g ir.Group, r ir.Rule) *ir.Program {
		r.Family = ir.IPv4
		p.Add(g, r)
		return p
	}
	tests := []struct {
		name    string
		held    *ir.Program
		removed int
		left    []string // words of each rule that stays
		gone    bool
	}{
		{"alone", networks("a", "10.1.0.0/24"), 6, nil, true},
		{"twice", networks("a", "10.1.0.0/24", "a", "10.1.0.0/24"), 12, nil, true},
		{"nothing", networks(), 0, nil, true},
		{"another network", networks("b", "10.2.0.0/24"), 0, []string{`"b"`, `"b"`, `"b"`, `"b"`, `"b"`, "masquerade"},
			false},
		{"both", networks("a", "10.1.0.0/24", "b", "10.2.0.0/24"), 6,
			[]string{`"b"`, `"b"`, `"b"`, `"b"`, `"b"`, "10.2.0.0/24 "}, false},
		{"another network with its subnet", networks("b", "10.1.0.0/24"), 0,
			[]string{`"b"`, `"b"`, `"b"`, `"b"`, `"b"`, "masquerade"}, false},
		{"both with one subnet", networks("a", "10.1.0.0/24", "b", "10.1.0.0/24"), 6,
			[]string{`"b"`, `"b"`, `"b"`, `"b"`, `"b"`, "masquerade"}, false},
		{"another subnet", networks("a", "10.3.0.0/24"), 3, []string{"10.3.0.0", "10.3.0.0", "10.3.0.0"}, false},
		{"a published port", add(networks("a", "10.1.0.0/24"), ir.FWI,
			ir.Rule{Matches: []ir.Match{ir.OIfName{Name: "a"}, ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 22, To: 22}},
				Verdict: ir.Accept{}}),
			6, []string{"dport 22"}, false},
		{"a comment", add(networks("a", "10.1.0.0/24"), ir.FWX, ir.Rule{Matches: []ir.Match{ir.IIfName{Name: "a"},
			ir.OIfName{Name: "a"}}, Verdict: ir.Accept{}, Comment: "mine"}),
			6, []string{"mine"}, false},
		{"another verdict", add(networks("a", "10.1.0.0/24"), ir.FWO,
			ir.Rule{Matches: []ir.Match{ir.IIfName{Name: "a"}}, Verdict: ir.Drop{}}), 6, []string{"drop"}, false},
		{"another chain", add(networks("a", "10.1.0.0/24"), ir.FWO,
			ir.Rule{Matches: []ir.Match{ir.OIfName{Name: "a"}}, Verdict: ir.Reject{With: ir.PortUnreachable}}), 6,
			[]string{"oifname"}, false},
		{"matches in another order", add(networks(), ir.FWO, ir.Rule{Matches: []ir.Match{ir.IIfName{Name: "a"},
			ir.SAddr{Prefix: netip.MustParsePrefix("10.1.0.0/24")}}, Verdict: ir.Accept{}}), 1, nil, true},
	}
	options := backends.Options{Families: ir.Both, Names: backends.LibvirtNames, Layout: backends.Chains}
	for _, l := range []backends.Loader{nftables.Loader{}, iptables.Loader{}} {
		for _, test := range tests {
			t.Run(l.Name()+"/"+test.name, func(t *testing.T) {
				rules, found := l.Lower(test.held, options)
				if found.HasErrors() {
					t.Fatal(found)
				}
				held, err := l.Read(rules.Images())
				if err != nil {
					t.Fatal(err)
				}
				got, err := TakeOver(holding{l, held}, Claim{Program: mine, Frame: true})
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Removed) != test.removed || got.Gone != test.gone {
					t.Errorf("removed %v, gone %t", got.Removed, got.Gone)
				}
				stays := func(word string) bool {
					return slices.ContainsFunc(got.Left, func(h ChainRule) bool {
						return strings.Contains(h.Rule+" ", word)
					})
				}
				if len(got.Left) != len(test.left) || slices.ContainsFunc(test.left,
					func(word string) bool { return !stays(word) }) {
					t.Errorf("left %v, want rules with %v", got.Left, test.left)
				}
				dry, err := TakeOver(holding{l, held}, Claim{Program: mine, Frame: true, DryRun: true})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(got, dry); diff != "" {
					t.Errorf("--dry-run tells something else (-done +said):\n%s", diff)
				}
			})
		}
	}
}
