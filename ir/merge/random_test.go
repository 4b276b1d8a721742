package merge

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// check merges p and compares the outcome with it: by the prover, by the referee packet by packet,
// and by what each rule and element says that it stands for. It returns how many rules less there
// are.
func check(t *testing.T, name string, p *ir.Program, o Options) int {
	t.Helper()
	if found := ir.Verify(p); found.HasErrors() {
		t.Fatalf("%s: %v\n%s", name, found, p)
	}
	before := p.String()
	m := Program(p, o)
	fail := func(format string, a ...any) {
		t.Helper()
		t.Fatalf("%s: %s\nprogram:\n%s\nmerged:\n%s", name, fmt.Sprintf(format, a...), before, m.Program)
	}
	if p.String() != before {
		fail("the program was changed: %s", p)
	}
	if found := ir.Verify(m.Program); found.HasErrors() {
		fail("%v", found)
	}
	if r := prove.Equal(p, m.Program, o.Families); r.Answer != prove.Proved && !opaque(p) || r.Answer == prove.Refuted {
		fail("%s: %s is %s or %s", r.Answer, r.Packet, r.A, r.B)
	}
	for _, packet := range backendtest.Packets(p) {
		if packet.Family&o.Families == 0 {
			continue
		}
		a, errA := ir.Eval(p, packet)
		b, errB := ir.Eval(m.Program, packet)
		if errA != nil || errB != nil || !a.Equal(b) {
			fail("%s is %s (%v), merged %s (%v)", packet, a, errA, b, errB)
		}
	}
	if again, found := ir.Parse("merged", []byte(m.Program.String())); found.HasErrors() ||
		again.String() != m.Program.String() {
		fail("printed and parsed it is %s (%v)", again, found)
	}
	if why := standsFor(p, m, o); why != "" {
		fail("%s", why)
	}
	if why := elements(m.Program, o.MaxKey); why != "" {
		fail("%s", why)
	}
	return rules(p) - rules(m.Program)
}

func opaque(p *ir.Program) bool { return strings.Contains(p.String(), "opaque-") }

func rules(p *ir.Program) (n int) {
	for _, c := range p.Chains {
		n += len(c.Rules)
	}
	return n
}

// standsFor says what is wrong with what the merged rules stand for: each rule of p for one of its
// families has one that stands for it, of the same family and verdict, and no other.
func standsFor(p *ir.Program, m *Merged, o Options) string {
	type in struct {
		rule   *ir.Rule
		family ir.Family
	}
	seen := make(map[in]int)
	for _, c := range m.Program.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			from := m.From(c, i)
			if len(from) == 0 && (i > 0 && c.Rules[i-1].Family&r.Family != 0 && !c.Rules[i-1].Mangles() ||
				r.Verdict != ir.Verdict(ir.Return{})) {
				return "a guard that is not the first rule of its family: " + r.String()
			}
			for _, f := range from {
				if f.Verdict != r.Verdict || f.Family&r.Family != r.Family {
					return fmt.Sprintf("%s stands for %s", r, f)
				}
				for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
					seen[in{f, family & r.Family}]++
				}
			}
		}
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
				want := 1
				if c.Rules[i].Family&c.Family&o.Families&family == 0 {
					want = 0
				}
				if got := seen[in{&c.Rules[i], family}]; got != want {
					return fmt.Sprintf("%d rules stand for %s, of %s", got, &c.Rules[i], family)
				}
			}
		}
	}
	return ""
}

// elements says what is wrong with the sets that were made: an element's rule matches its values,
// or values within them; elements differ, and are no longer than maxKey; and a set that is the same
// as one before it, which is the same as no other, has its values.
func elements(p *ir.Program, maxKey int) string {
	for i, s := range p.Sets {
		if s.Same != nil && (s.Same.Same != nil || !slices.Contains(p.Sets[:i], s.Same)) {
			return fmt.Sprintf("%s is the same as %s", s.Label(), s.Same.Label())
		}
		if s.From == nil {
			continue // not made
		}
		if len(s.From) != len(s.Elements) || s.Comments != nil && len(s.Comments) != len(s.Elements) {
			return fmt.Sprintf("%s: %d elements of %d rules with %d comments", s.Label(), len(s.Elements), len(s.From),
				len(s.Comments))
		}
		seen := make(map[string]bool)
		for i, e := range s.Elements {
			if key := fmt.Sprint(e); seen[key] {
				return fmt.Sprintf("%s has %s twice", s.Label(), key)
			} else {
				seen[key] = true
			}
			length := 0
			for k, m := range e {
				f, _, _ := FieldOf(m)
				if length += f.Size(); maxKey > 0 && length > maxKey {
					return fmt.Sprintf("%s has keys of more than %d bytes", s.Label(), maxKey)
				}
				if !slices.ContainsFunc(s.From[i].Matches, func(of ir.Match) bool { return within(of, m) }) {
					return fmt.Sprintf("%s: %s stands for %s", s.Label(), ir.MatchText(m), s.From[i])
				}
				if s.Same != nil && value(m) != value(s.Same.Elements[i][k]) {
					return fmt.Sprintf("%s: %s is not %s of %s", s.Label(), ir.MatchText(m),
						ir.MatchText(s.Same.Elements[i][k]), s.Same.Label())
				}
			}
		}
	}
	return ""
}

// within is true if m is what of compares with, whichever way, or the beginning of it.
func within(of, m ir.Match) bool {
	f, _, ok := FieldOf(of)
	g, not, _ := FieldOf(m)
	return ok && !not && f.Slot == g.Slot && f.V6 == g.V6 && g.Bits <= f.Bits && g.is(of) == m
}

// value returns the name or address that m compares with.
func value(m ir.Match) any {
	switch m := m.(type) {
	case ir.IIfName:
		return m.Name
	case ir.OIfName:
		return m.Name
	}
	return prefixOfMatch(m).Addr()
}

// generator makes programs of few shapes and few values: most of their rules can be merged with
// some other, and many stand in the way of others.
type generator struct{ *rand.Rand }

func one[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

// similar returns a program of groups, and of a chain in a table of one family or both, with one
// that it jumps to.
func (g generator) similar() *ir.Program {
	p := &ir.Program{}
	for _, group := range []ir.Group{ir.FWX, ir.FWI, ir.FWO} {
		p.Add(group, g.rules(ir.Both, g.filter)...)
	}
	p.Add(ir.PRT, g.rules(ir.Both, func() ir.Verdict {
		return one[ir.Verdict](g, ir.Return{}, ir.Masquerade{}, ir.Accept{}, ir.ChecksumFill{})
	})...)
	f := one(g, ir.IPv4, ir.IPv6, ir.Both)
	table := one(g, "t", "vnetc")
	jumping := func() ir.Verdict {
		return one[ir.Verdict](g, ir.Jump{Chain: "next"}, ir.Goto{Chain: "next"}, g.filter())
	}
	p.Chains = append(p.Chains,
		&ir.Chain{Family: f, Table: table, Name: "base", Rules: g.rules(f, jumping),
			Base: &ir.Base{Hook: ir.Forward, Type: ir.FilterType, Priority: 10, Drop: g.IntN(3) == 0}},
		&ir.Chain{Family: f, Table: table, Name: "next", Rules: g.rules(f, g.filter)})
	return p
}

func (g generator) filter() ir.Verdict {
	return one[ir.Verdict](g, ir.Accept{}, ir.Accept{}, ir.Drop{}, ir.Reject{With: ir.PortUnreachable}, ir.Return{},
		ir.Counter{})
}

// rules returns rules of some shapes.
func (g generator) rules(within ir.Family, verdict func() ir.Verdict) (all []ir.Rule) {
	shapes := make([]func() ir.Rule, 1+g.IntN(4))
	for i := range shapes {
		shapes[i] = g.shape(within, verdict())
	}
	for range g.IntN(12) {
		r := one(g, shapes...)()
		r.Comment = one(g, "", "", "", "said")
		all = append(all, r)
	}
	return all
}

// shape returns a function that makes rules of one shape.
func (g generator) shape(within ir.Family, v ir.Verdict) func() ir.Rule {
	f := one(g, ir.IPv4, ir.IPv6, ir.Both)
	if f &= within; f == 0 {
		f = within
	}
	var parts []func() ir.Match
	some := func(m func() ir.Match) {
		if g.IntN(3) == 0 {
			parts = append(parts, m)
		}
	}
	name := func() string { return one(g, "a", "b", "c", "d") }
	wild, not := g.IntN(8) == 0, g.IntN(8) == 0
	some(func() ir.Match { return ir.IIfName{Name: name(), Wildcard: wild} })
	some(func() ir.Match { return ir.OIfName{Name: name(), Not: not} })
	if f != ir.Both {
		bits, bits2 := g.IntN(4), g.IntN(4)
		not, not2 := g.IntN(3) == 0, g.IntN(3) == 0
		some(func() ir.Match { return ir.SAddr{Prefix: g.prefix(f, bits), Not: not} })
		some(func() ir.Match { return ir.DAddr{Prefix: g.prefix(f, bits2), Not: not2} })
		some(func() ir.Match { return ir.SAddr{Prefix: g.prefix(f, bits2), Not: not2} })
	}
	some(func() ir.Match { return ir.CTState{States: ir.StateNew} })
	some(func() ir.Match { return ir.L4Proto{Proto: one[uint8](g, ir.TCP, ir.UDP)} })
	return func() ir.Rule {
		r := ir.Rule{Family: f, Verdict: v}
		if _, fills := v.(ir.ChecksumFill); fills {
			r.Matches = append(r.Matches, ir.OIfName{Name: name()}, ir.L4Proto{Proto: ir.UDP},
				ir.DPort{From: 68, To: 68})
			return r
		}
		for _, m := range parts {
			r.Matches = append(r.Matches, m())
		}
		g.Shuffle(len(r.Matches), func(i, j int) { r.Matches[i], r.Matches[j] = r.Matches[j], r.Matches[i] })
		return r
	}
}

// prefix returns a prefix of one of four lengths, which lie in each other.
func (g generator) prefix(f ir.Family, length int) netip.Prefix {
	a, bits := netip.AddrFrom4([4]byte{10, 0, one[byte](g, 0, 0, 1), one[byte](g, 0, 128)}),
		[]int{8, 24, 25, 32}[length]
	if f == ir.IPv6 {
		a, bits = netip.AddrFrom16([16]byte{0xfd, 7: one[byte](g, 0, 0, 1), 8: one[byte](g, 0, 128)}),
			[]int{8, 64, 65, 128}[length]
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// TestRandom merges random programs.
func TestRandom(t *testing.T) {
	less := 0
	for seed := range uint64(300) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		o := Options{Families: one(g, ir.Both, ir.Both, ir.IPv4, ir.IPv6), Table: one(g, "", "vnetc"),
			MaxKey: one(g, 0, 0, 36)}
		less += check(t, fmt.Sprintf("similar, seed %d", seed), g.similar(), o)
	}
	if less < 1500 {
		t.Errorf("%d rules were saved: the random programs are too odd to tell anything", less)
	}
	for seed := range uint64(4) {
		for _, s := range backendtest.Random(60, seed) {
			if !ir.Verify(s.Program).HasErrors() {
				check(t, s.Name, s.Program, Options{Families: ir.Both})
			}
		}
	}
}

// TestNetworks merges the rules of networks, and others of all kinds.
func TestNetworks(t *testing.T) {
	samples := slices.Concat(backendtest.NetworkSamples(), backendtest.Kinds(), []backendtest.Sample{
		{Name: "24 networks", Program: backendtest.Networks(backendtest.Many(24)...)},
	})
	for _, s := range samples {
		if !ir.Verify(s.Program).HasErrors() {
			check(t, s.Name, s.Program, Options{Families: ir.Both})
		}
	}
}

// FuzzProgram merges programs that the seed stands for.
func FuzzProgram(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		check(t, "similar", g.similar(), Options{Families: ir.Both, MaxKey: one(g, 0, 36)})
	})
}
