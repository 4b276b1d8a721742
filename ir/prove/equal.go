package prove

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// Answer is what a proof comes to. The zero value is invalid.
type Answer uint8

const (
	Proved   Answer = iota + 1 // it holds for every packet
	Refuted                    // there is a packet for which it does not hold
	Unknown                    // it depends on a rule that is not modelled
	TooLarge                   // the answer would cost more than the [Budget] has
)

// String returns the answer in words.
func (a Answer) String() string {
	switch a {
	case Proved:
		return "proved"
	case Refuted:
		return "refuted"
	case Unknown:
		return "can't prove"
	case TooLarge:
		return "too large to tell"
	}
	return fmt.Sprintf("answer(%d)", uint8(a))
}

// Result is the outcome of [Equal] and [EqualAmong].
type Result struct {
	Answer  Answer
	Packet  ir.Packet // for Refuted: one that shows the difference
	A, B    ir.Fate   // for Refuted: the fate of Packet by [ir.Eval], with traces
	Because ir.Step   // for Unknown: the rule that is not modelled
}

// Equal decides whether a and b, each alone on a host, do the same to every packet of the families:
// the same verdict with the same reject code, and the same NAT with the same ranges. Both must have
// passed [ir.Verify]. The checksum fill does not count: it changes no packet's fate.
//
// The packet of a refutation is one that [ir.Eval] treats differently; that is checked here, so
// that prover and referee can't drift apart unseen. It has the usual budget for one question;
// [Budget.Equal] has another.
func Equal(a, b *ir.Program, families ir.Family) Result {
	return (*Budget)(nil).Equal(a, b, families)
}

// equal is Equal among some packets of each space; with names the space has more interfaces than
// the programs name.
func (b *Budget) equal(p, q *ir.Program, families ir.Family, names *ir.Program, among func(*space) node) Result {
	functions := bdd.New()
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		if families&family == 0 {
			continue
		}
		functions.Clear()
		r := Result{Answer: Proved}
		whole := b.spend(functions, func() {
			s := newSpaceIn(functions, byField, family, p, q, names)
			mp, mq := newModel(s, p), newModel(s, q)
			some := among(s)
			for i := 0; i < len(ways) && r.Answer == Proved; i++ {
				r = s.compare(mp, mq, ways[i], some)
			}
		})
		switch {
		case !whole:
			return Result{Answer: TooLarge}
		case r.Answer != Proved:
			return r
		}
	}
	return Result{Answer: Proved}
}

// compare is equal for one family and one way.
func (s *space) compare(a, b *model, w way, among node) Result {
	within := s.And(s.packets(w), among)
	looked, ok := unlike(a, b, w)
	if ok {
		within = s.And(within, looked)
		looked = within
	}
	if within == never {
		return Result{Answer: Proved}
	}
	fa, fb := a.fates(w, looked), b.fates(w, looked)
	unmodelled := s.Or(unknowns(s, fa), unknowns(s, fb))
	perhaps, effect := s.otherWords(a, fa, b, fb)
	perhaps = s.And(perhaps, within)
	unmodelled = s.Or(unmodelled, perhaps)
	differ := s.And(s.Diff(within, unmodelled), s.differing(fa, fb))
	differ = s.And(differ, s.usual)
	certain := differ
	if len(s.opaque) > 0 {
		certain = s.Not(s.Without(s.Not(differ), s.freeCube()))
	}
	if certain != never {
		return s.refute(a.program, b.program, certain)
	}
	if differ != never {
		return Result{Answer: Unknown, Because: s.opaqueIn(differ)}
	}
	if doubt := s.And(s.And(within, s.usual), unmodelled); doubt != never {
		if s.And(doubt, perhaps) == doubt {
			return Result{Answer: Unknown, Because: effect}
		}
		return Result{Answer: Unknown, Because: unknownStep(a, fa, b, fb, within)}
	}
	return Result{Answer: Proved}
}

// otherWords returns packets of which a program says that what is done to them is not known, in
// words that the other doesn't have: it may be the same. The step is a rule that does such a thing.
func (s *space) otherWords(a *model, fa fates, b *model, fb fates) (set node, step ir.Step) {
	for f, packets := range fa {
		for g, others := range fb {
			alike := f
			alike.altered = g.altered
			none := f.altered == ir.Alteration{} || g.altered == ir.Alteration{}
			if none || f.altered.Unknown()|g.altered.Unknown() == 0 || alike != g || f == g {
				continue
			}
			if both := s.And(packets, others); both != never {
				set = s.Or(set, both)
			}
		}
	}
	if set == never {
		return set, step
	}
	for _, c := range slices.Concat(a.program.Chains, b.program.Chains) {
		for i := range c.Rules {
			if step.Rule == nil && c.Rules[i].Alteration(true).Unknown() != 0 {
				step = ir.Step{Chain: c, Index: i, Rule: &c.Rules[i]}
			}
		}
	}
	return set, step
}

// differing returns the packets whose fates are not the same.
func (s *space) differing(a, b fates) node {
	var sets []node
	for f, set := range a {
		sets = append(sets, s.Diff(set, b[f]))
	}
	return s.Union(sets)
}

func unknowns(s *space, f fates) node {
	set := never
	for fate, packets := range f {
		if fate.unknown != nil {
			set = s.Or(set, packets)
		}
	}
	return set
}

// certain returns the packets that are in set whatever the opaque matches would say.
func (s *space) certain(set node) node {
	return s.Not(s.Without(s.Diff(s.usual, set), s.opaqueCube()))
}

// opaqueIn returns the rule behind the first opaque match that set depends on.
func (s *space) opaqueIn(set node) ir.Step {
	seen := make(map[node]bool)
	first := s.width
	var look func(n node)
	look = func(n node) {
		if n <= always || seen[n] {
			return
		}
		seen[n] = true
		level := int(s.Level(n))
		if _, ok := s.unknown[level]; ok {
			first = min(first, level)
		}
		lo, hi := s.Halves(n)
		look(lo)
		look(hi)
	}
	look(set)
	return s.unknown[first]
}

// unknownStep returns the rule of an unmodelled verdict or action that packets of within meet.
func unknownStep(a *model, fa fates, b *model, fb fates, within node) ir.Step {
	for _, side := range []struct {
		*model
		fates
	}{{a, fa}, {b, fb}} {
		for _, c := range side.program.Chains {
			for i := range c.Rules {
				r := &c.Rules[i]
				if side.And(within, side.fates[fate{unknown: r}]) != never {
					return ir.Step{Chain: c, Index: i, Rule: r}
				}
			}
		}
	}
	panic("prove: a packet meets an unmodelled verdict or action that no rule has")
}

// refute returns a packet of set and its fate in a and b.
func (s *space) refute(a, b *ir.Program, set node) Result {
	r := Result{Answer: Refuted, Packet: s.pick(set)}
	var errA, errB error
	r.A, errA = ir.Eval(a, r.Packet)
	r.B, errB = ir.Eval(b, r.Packet)
	if errA == nil && errB == nil {
		fa, fb := r.A, r.B
		fa.Checksum, fb.Checksum = false, false
		if fa.Equal(fb) {
			panic(fmt.Sprintf("prove: Eval sees no difference for %s: %s", r.Packet, r.A))
		}
	}
	return r
}
