package firewall

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// someNetworks returns networks of all modes with one or two subnets, devices and address
// translation as chance has it.
func someNetworks(r *rand.Rand, n int) []backendtest.Network {
	all := backendtest.Many(n)
	for i := range all {
		n := &all[i]
		n.Mode = []ir.Mode{ir.ModeNAT, ir.ModeRoute, ir.ModeNone}[r.IntN(3)]
		if r.IntN(3) == 0 {
			n.Dev = []string{"eth0", "eth1", "virbr0"}[r.IntN(3)]
		}
		if r.IntN(3) == 0 {
			n.Subnets = n.Subnets[:1]
		}
		if r.IntN(3) == 0 {
			n.Subnets = append(n.Subnets, netip.MustParsePrefix(fmt.Sprintf("172.16.%d.64/26", i)))
		}
		n.NAT6 = r.IntN(2) == 0
		n.TFTP = r.IntN(4) == 0
		if r.IntN(3) == 0 {
			n.Ports = ir.PortRange{From: 5000, To: 6000}
		}
		if r.IntN(4) == 0 {
			n.SNAT = ir.AddrRange{From: netip.MustParseAddr("203.0.113.4"), To: netip.MustParseAddr("203.0.113.9")}
		}
	}
	return all
}

// confined is the program of networks of which those whose strict is true let guests out by their
// own rules only.
func confined(networks []backendtest.Network, strict map[string]bool) *ir.Program {
	p := backendtest.Networks(networks...)
	fwx := p.Group(ir.FWX)
	for _, n := range networks {
		if !strict[n.Name] {
			continue
		}
		in := ir.IIfName{Name: n.Bridge}
		confine := []ir.Rule{{Family: ir.IPv4, Matches: []ir.Match{in}, Verdict: ir.Reject{With: ir.PortUnreachable}}}
		if n.Mode != ir.ModeNone {
			lets := ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.SAddr{Prefix: n.Subnets[0]}, in},
				Verdict: ir.Return{}}
			confine = append([]ir.Rule{lets}, confine...)
		}
		last := 0
		for i := range fwx.Rules {
			if slices.Contains(fwx.Rules[i].Matches, ir.Match(in)) {
				last = i
			}
		}
		fwx.Rules = slices.Insert(fwx.Rules, last+1, confine...)
	}
	return p
}

// knownOf is what the networks explain.
func knownOf(networks []backendtest.Network) Known {
	k := Known{Bridges: make(map[string]bool)}
	subnets := make(map[netip.Prefix]bool)
	for _, n := range networks {
		k.Bridges[n.Bridge] = true
		for _, s := range n.Subnets {
			subnets[s.Masked()] = true
		}
	}
	k.Subnets = func() map[netip.Prefix]bool { return subnets }
	return k
}

// lowered returns what t would hold of p.
func lowered(t *testing.T, target Target, p *ir.Program) (*ir.Program, string) {
	t.Helper()
	rules, found := target.Loader.Lower(p, target.Options)
	if found.HasErrors() {
		t.Fatal(found)
	}
	held, err := target.Loader.Read(rules.Images())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, d := range rules.Emit() {
		text.Write(d.Text)
	}
	return held, text.String()
}

// TestUnexplainedStay: whichever networks are known, their rules and those that nothing explains
// are together what there was, for every packet, in the same places; and found again they are the
// same.
func TestUnexplainedStay(t *testing.T) {
	for name, target := range targets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 7))
				all := someNetworks(r, 2+r.IntN(7))
				strict := make(map[string]bool)
				var known, lost []backendtest.Network
				for _, n := range all {
					strict[n.Name] = r.IntN(3) == 0
					if r.IntN(2) == 0 {
						known = append(known, n)
					} else {
						lost = append(lost, n)
					}
				}
				before := confined(all, strict)
				held, _ := lowered(t, target, before)
				found, err := target.unexplained(held, knownOf(known))
				if err != nil {
					t.Fatal(err)
				}
				kept := Unexplained{found}
				var bridges []string
				for _, n := range lost {
					bridges = append(bridges, n.Bridge)
				}
				slices.Sort(bridges)
				if got := kept.Bridges(); !slices.Equal(got, bridges) {
					t.Errorf("seed %d: found rules of %v, want %v", seed, got, bridges)
				}
				joined := kept.Join(confined(known, strict))
				now, text := lowered(t, target, joined)
				if e := prove.Equal(before, now, ir.Both); e.Answer != prove.Proved {
					t.Errorf("seed %d: %s was %s and is %s\n%s", seed, e.Packet, e.A, e.B, text)
				}
				diff := cmp.Diff(ruleWords(held), ruleWords(now))
				if diff != "" && target.Options.Layout == backends.Chains {
					t.Errorf("seed %d: an untouched host has drift (-held +meant):\n%s", seed, diff)
				}
				again, err := target.unexplained(now, knownOf(known))
				if err != nil {
					t.Fatal(err)
				}
				second, _ := lowered(t, target, Unexplained{again}.Join(confined(known, strict)))
				if diff := cmp.Diff(inOrder(now, now).String(), inOrder(second, second).String()); diff != "" {
					t.Errorf("seed %d: found once more they are others (-first +then):\n%s", seed, diff)
				}
			}
		})
	}
}

// ruleWords returns the rules of p, a line each, without where they were read.
func ruleWords(p *ir.Program) (words []string) {
	for _, c := range p.Chains {
		for i := range c.Rules {
			words = append(words, c.Label()+": "+c.Rules[i].String())
		}
	}
	return words
}

// TestUnexplainedIsNoDrift: what an administrator put into one of our chains that names a known
// bridge or none is not kept, and a rule that can't be put back is refused and not lost.
func TestUnexplainedIsNoDrift(t *testing.T) {
	lab := backendtest.Many(1)
	tests := []struct {
		name    string
		rule    ir.Rule
		want    []string // bridges
		refused bool
	}{
		{"no interface", ir.Rule{Matches: []ir.Match{ir.CTStatus{Status: ir.StatusDNAT}}, Verdict: ir.Accept{}}, nil,
			false},
		{"a known bridge", ir.Rule{Matches: []ir.Match{ir.OIfName{Name: "virbr0"}}, Verdict: ir.Accept{}}, nil, false},
		{"where packets come from", ir.Rule{Matches: []ir.Match{ir.IIfName{Name: "eth0"}}, Verdict: ir.Accept{}}, nil,
			false},
		{"all but one", ir.Rule{Matches: []ir.Match{ir.OIfName{Name: "vbi", Not: true}}, Verdict: ir.Drop{}}, nil,
			false},
		{"another bridge", ir.Rule{Matches: []ir.Match{ir.OIfName{Name: "vbi"}}, Verdict: ir.Drop{}}, []string{"vbi"},
			false},
		{"what nobody models", ir.Rule{Matches: []ir.Match{ir.OIfName{Name: "vbi"}, ir.Opaque{Text: "x"}},
			Verdict: ir.Drop{}}, []string{"vbi"}, true},
	}
	for name, target := range targets() {
		for _, tt := range tests {
			held, _ := lowered(t, target, backendtest.Networks(lab...))
			groups, err := target.groups()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range held.Chains {
				if c.Family == ir.IPv4 && groups[placeOf(c)] == ir.FWI {
					tt.rule.Family = ir.IPv4
					c.Rules = append(c.Rules, tt.rule)
				}
			}
			found, err := target.unexplained(held, knownOf(lab))
			kept := Unexplained{found}
			if err != nil || !slices.Equal(kept.Bridges(), tt.want) {
				t.Errorf("%s, %s: kept are rules of %v (%v), want %v", name, tt.name, kept.Bridges(), err, tt.want)
			}
			if err := kept.FitsInto(target); (err != nil) != tt.refused {
				t.Errorf("%s, %s: fits into it: %v", name, tt.name, err)
			}
		}
	}
}

// TestUnexplainedOfTwo: rules that two targets hold, as in the middle of a move, are kept once, and
// go to where the others go.
func TestUnexplainedOfTwo(t *testing.T) {
	all := backendtest.Many(3)
	var kernel backendtest.Kernel
	first := Target{Loader: kernel.Loader("first"), Options: backends.Options{Names: backends.VnetcNames}}
	second := Target{Loader: kernel.Loader("second"), Options: backends.Options{Names: backends.VnetcNames}}
	for _, target := range []Target{first, second} {
		rules, _ := target.Loader.Lower(backendtest.Networks(all...), target.Options)
		if _, err := target.Loader.Load(rules); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := FindUnexplained([]Target{first, second}, knownOf(all[:1]))
	if err != nil {
		t.Fatal(err)
	}
	count := func(p *ir.Program) (n int) {
		for _, c := range p.Chains {
			n += len(c.Rules)
		}
		return n
	}
	if got, want := count(kept.Join(backendtest.Networks(all[0]))), count(backendtest.Networks(all...)); got != want {
		t.Errorf("%d rules, want %d", got, want)
	}
	if without := kept.Without([]string{"virbr1", "virbr2"}); len(without.Bridges()) > 0 {
		t.Errorf("without them: %v", without.Bridges())
	}
}
