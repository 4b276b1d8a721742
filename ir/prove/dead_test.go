package prove

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

func TestDead(t *testing.T) {
	parse := func(text string) *ir.Program {
		p, found := ir.Parse("test", []byte(text))
		if found.HasErrors() {
			t.Fatal(found)
		}
		return p
	}
	tests := []struct {
		name, text string
		want       []DeadKind // by rule of the first chain; 0 for a live one
		cover      int        // of the first dead rule; -1 for none
	}{
		{"all live", `group FWX { ip iifname "a" accept
			ip iifname "b" reject with port-unreachable }`, []DeadKind{Idle, 0}, -1},
		{"covered by one", `group FWX { ip iifname "a" drop
			ip iifname "a" oifname "b" accept
			ip iifname "c" drop }`, []DeadKind{0, Unreached, 0}, 0},
		{"covered by two together", `group FWX { ip saddr 10.0.0.0/25 drop
			ip saddr 10.0.0.128/25 drop
			ip saddr 10.0.0.0/24 accept }`, []DeadKind{0, 0, Unreached}, 0},
		{"the same said below", `group FWX { ip iifname "a" saddr 10.0.0.0/24 drop
			ip iifname "a" drop }`, []DeadKind{Idle, 0}, -1},
		{"no packet can match", `group FWX { ip iifname "a" iifname "b" drop
			ip iifname "c" drop }`, []DeadKind{Unreached, 0}, -1},
		{"the same said below of some", `group FWX { ip oifname "a" drop
			ip iifname "a" drop }`, []DeadKind{0, 0}, -1},
		{"accept before the policy", `group INP { ip iifname "a" accept }`, []DeadKind{Idle}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := parse(tt.text)
			got := make([]DeadKind, len(p.Chains[0].Rules))
			cover := -1
			for i, d := range Dead(p) {
				got[d.Step.Index] = d.Kind
				if i == 0 && d.Cover.Rule != nil {
					cover = d.Cover.Index
				}
			}
			if !slices.Equal(got, tt.want) || cover != tt.cover {
				t.Errorf("got %v covered by %d, want %v by %d", got, cover, tt.want, tt.cover)
			}
		})
	}
}

// TestDeadCanGo takes each rule away that is called dead, from random programs: nothing changes.
func TestDeadCanGo(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	gone := 0
	for round := range 120 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		seed := r.Uint64()
		p := randomProgram(rand.New(rand.NewPCG(seed, 0)), f)
		if touches(p) {
			continue // nothing is proved of programs with an unknown fate
		}
		for _, d := range Dead(p) {
			q := randomProgram(rand.New(rand.NewPCG(seed, 0)), f)
			c := q.Chains[slices.Index(p.Chains, d.Step.Chain)]
			c.Rules = slices.Delete(c.Rules, d.Step.Index, d.Step.Index+1)
			gone++
			res := Equal(p, q, ir.Both)
			if res.Answer == Unknown {
				continue // without the rule other unknown matches agree
			}
			if res.Answer != Proved {
				t.Fatalf("round %d: %s of %s is called dead (%d); without it %s is %s and not %s\n%s",
					round, d.Step.Rule, d.Step.Chain.Label(), d.Kind, res.Packet, res.B, res.A, text(t, p))
			}
		}
	}
	if gone < 100 {
		t.Errorf("only %d dead rules in all", gone)
	}
}

// TestDeadIsWhatCanGo takes each rule away from random lists of rules: nothing changes if it is
// called dead, and something if not.
func TestDeadIsWhatCanGo(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var dead, alive int
	for round := range 60 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		p := &ir.Program{}
		for range 8 {
			one := randomRule(r, f, oneOf(r, []ir.Verdict{ir.Accept{}, ir.Drop{}, ir.Reject{With: ir.PortUnreachable}}))
			one.Actions = nil // rules beside one that alters packets are not judged
			p.Add(ir.FWX, one)
		}
		rules := p.Chains[0].Rules
		called := make([]bool, len(rules))
		for _, d := range Dead(p) {
			called[d.Step.Index] = true
		}
		for i, is := range called {
			q := &ir.Program{}
			q.Add(ir.FWX, slices.Delete(slices.Clone(rules), i, i+1)...)
			if can := Equal(p, q, ir.Both).Answer == Proved; can != is {
				t.Fatalf("round %d: %s is called dead: %v; can go: %v\n%s", round, &rules[i], is, can, text(t, p))
			}
			if is {
				dead++
			} else {
				alive++
			}
		}
	}
	if dead < 100 || alive < 100 {
		t.Errorf("only %d dead rules and %d live ones", dead, alive)
	}
}

// touches is true if an action of p makes something unknown.
func touches(p *ir.Program) bool {
	for _, c := range p.Chains {
		for i := range c.Rules {
			if c.Rules[i].Alteration(true).Unknown() != 0 {
				return true
			}
		}
	}
	return false
}
