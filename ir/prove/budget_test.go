package prove

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// bomb returns networks with subnets and NAT ranges of their own: the sets of what NAT does grow
// with the product of networks and ranges as soon as something sets them apart.
func bomb(n int, seed uint64) *ir.Program {
	r := rand.New(rand.NewPCG(seed, seed))
	p := &ir.Program{}
	for i := range n {
		bridge := fmt.Sprintf("b%d", i)
		addr := func() netip.Addr {
			x := r.Uint32N(115<<24) + 11<<24
			return netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)})
		}
		to := addr()
		link := &ir.Link{Name: fmt.Sprintf("n%d", i), Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: bridge}}
		for range 6 {
			prefix := netip.PrefixFrom(addr(), 28).Masked()
			link.Addresses = append(link.Addresses, ir.Address{Prefix: netip.PrefixFrom(prefix.Addr().Next(), 28)})
			p.Add(ir.FWO, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.SAddr{Prefix: prefix},
				ir.IIfName{Name: bridge}}, Verdict: ir.Accept{}})
			p.Add(ir.PRT, ir.Rule{
				Family: ir.IPv4, Matches: []ir.Match{ir.SAddr{Prefix: prefix}, ir.DAddr{Prefix: prefix, Not: true}},
				Verdict: ir.SNAT{Addrs: ir.AddrRange{From: to, To: to}},
			})
		}
		p.Links = append(p.Links, link)
	}
	return p
}

// TestBudgetEndsQuestions: each kind of question about programs that are made to be large ends
// within its budget, says that it did, and says the same again.
func TestBudgetEndsQuestions(t *testing.T) {
	small := func() *Budget { return &Budget{left: 60_000, each: 20_000, nodes: 10_000} }
	p, q := bomb(60, 1), bomb(60, 2)
	assertion := Assertion{Kind: Deny, From: Endpoint{Network, "n0"}, To: Endpoint{Network, "n1"}}
	questions := []struct {
		name string
		ask  func(b *Budget) (answer any, tooLarge bool)
	}{
		{"equal", func(b *Budget) (any, bool) { r := b.Equal(p, q, ir.Both); return r, r.Answer == TooLarge }},
		{"change", func(b *Budget) (any, bool) { c := b.Change(p, q, 10); return c, c.TooLarge }},
		{"dead", func(b *Budget) (any, bool) { d, whole := b.Dead(p); return d, !whole }},
		{"leaks", func(b *Budget) (any, bool) { l, whole := b.Reacher(p).Leaks(); return l, !whole }},
		{"check", func(b *Budget) (any, bool) { a, _ := b.Reacher(p).Check(assertion); return a, a == TooLarge }},
		{"matrix", func(b *Budget) (any, bool) {
			cells := b.Reacher(p).Matrix()
			for _, c := range cells {
				if c.Access == CantTell {
					return cells, true
				}
			}
			return cells, false
		}},
	}
	for _, question := range questions {
		t.Run(question.name, func(t *testing.T) {
			first, tooLarge := question.ask(small())
			if !tooLarge {
				t.Errorf("answered within the budget: make the bomb larger, or the budget smaller; %v", first)
			}
			again, _ := question.ask(small())
			if diff := cmp.Diff(fmt.Sprint(first), fmt.Sprint(again)); diff != "" {
				t.Errorf("the second time another answer (-first +second):\n%s", diff)
			}
		})
	}
}

// TestBudgetIsShared: what one question takes the next one lacks, and none begins when nothing is
// left.
func TestBudgetIsShared(t *testing.T) {
	p := bomb(10, 1)
	b := NewBudget()
	if r := b.Equal(p, p, ir.Both); r.Answer != Proved {
		t.Fatalf("%v", r.Answer)
	}
	if b.left >= budgetSteps {
		t.Error("the proof cost nothing")
	}
	b.left = 1
	if r := b.Equal(p, bomb(10, 2), ir.Both); r.Answer != TooLarge {
		t.Errorf("with one step left: %v", r.Answer)
	}
	if b.left > 1 {
		t.Errorf("%d steps are left", b.left)
	}
	if r := TimedBudget(-1).Equal(bomb(60, 1), bomb(60, 2), ir.Both); r.Answer != TooLarge {
		t.Errorf("when its time is over: %v", r.Answer)
	}
}

// TestCheckTidies: thousands of assertions that fail need no more memory than one, and get the
// answers they get alone.
func TestCheckTidies(t *testing.T) {
	n := 40
	p := linked(networks(n), n)
	r := NewReacher(p)
	r.sides[0].made, r.sides[1].made = r.sides[0].Mark(), r.sides[1].Mark()
	largest := 0
	for i := range 600 {
		from, to := Endpoint{Network, p.Links[i%n].Name}, Endpoint{Network, p.Links[(7*i+1)%n].Name}
		a := Assertion{Kind: Allow, From: from, To: to, Query: Query{Proto: ir.TCP,
			Ports: []ir.PortRange{{From: uint16(i + 1), To: uint16(3*i + 1)}}}}
		if i%50 == 0 { // as if much had been asked
			for _, s := range r.sides {
				s.Release(s.made)
				s.forget()
			}
		}
		got, packet := r.Check(a)
		want, alone := NewReacher(p).Check(a)
		if got != want || packet != alone {
			t.Fatalf("%+v: %v %s, and alone %v %s", a, got, packet, want, alone)
		}
		largest = max(largest, r.sides[0].Size())
	}
	if limit := int(r.sides[0].made) + garbage + garbage/2; largest > limit {
		t.Errorf("%d vertices, want at most %d", largest, limit)
	}
}
