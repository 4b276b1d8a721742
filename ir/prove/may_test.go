package prove

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// unsure gives some rules of p a match that is not modelled, and leaves of the actions that are not
// modelled those that touch the mark, which a test can set to each value.
func unsure(r *rand.Rand, p *ir.Program) {
	for _, c := range p.Chains {
		for i := range c.Rules {
			c.Rules[i].Actions = slices.DeleteFunc(c.Rules[i].Actions,
				func(a ir.Action) bool {
					_, opaque := a.(ir.OpaqueAction)
					return opaque && ir.Touches(a)&^ir.FieldMark != 0
				})
			switch r.IntN(20) {
			case 18:
				c.Rules[i].Actions = []ir.Action{ir.OpaqueAction{Text: "mark", Touches: ir.FieldMark}}
			case 19:
				c.Rules[i].Matches = []ir.Match{ir.Mark{Value: uint32(r.IntN(2)), Mask: 1}}
			case 0, 1, 2, 3, 4:
				c.Rules[i].Matches = append(c.Rules[i].Matches, ir.Opaque{Text: fmt.Sprint("time ", r.IntN(3))})
			case 5, 6, 7, 8, 9:
				c.Rules[i].Matches = append([]ir.Match{ir.Limit{Rate: 1, Per: 1e9, Burst: 5}}, c.Rules[i].Matches...)
			}
		}
	}
}

// everyMark returns p with each action that makes a mark unknown replaced by one that sets its last
// bit, to either value.
func everyMark(p *ir.Program) []*ir.Program {
	for ci, c := range p.Chains {
		for i := range c.Rules {
			for j, a := range c.Rules[i].Actions {
				if o, is := a.(ir.OpaqueAction); !is || o.Touches == 0 {
					continue
				}
				var all []*ir.Program
				for value := range uint32(2) {
					out, chain := *p, *c
					out.Chains, chain.Rules = slices.Clone(p.Chains), slices.Clone(c.Rules)
					chain.Rules[i].Actions = slices.Clone(c.Rules[i].Actions)
					chain.Rules[i].Actions[j] = ir.SetMark{Value: value, Mask: 1}
					out.Chains[ci] = &chain
					all = append(all, everyMark(&out)...)
				}
				return all
			}
		}
	}
	return []*ir.Program{p}
}

// modelled returns p without what a model of what may happen takes for unknown though a packet may
// say it: marks of connections, and other keys.
func modelled(p *ir.Program) *ir.Program {
	for _, c := range p.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			r.Matches = slices.DeleteFunc(r.Matches, func(m ir.Match) bool {
				switch m.(type) {
				case ir.Field, ir.AddrType, ir.Unknown:
					return true
				}
				return false
			})
			r.Actions = slices.DeleteFunc(r.Actions, func(a ir.Action) bool {
				switch a := a.(type) {
				case ir.CopyMark, ir.Effect:
					return true
				case ir.SetMark:
					return a.CT || a.Value&^a.Mask != 0
				}
				return false
			})
		}
	}
	return p
}

// TestMayIsSound: what is certain in a model of what may happen is what Eval says of packets that
// say all that rules ask, with the kinds that the model takes for unknown.
func TestMayIsSound(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	certain, doubtful := 0, 0
	for round := range 60 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		p := randomProgram(r, f)
		s := newOrderedSpace(byEnd, f, p)
		m := newMayModel(s, p)
		whole := make(map[string]crossing)
		for _, w := range ways {
			whole[w.name] = m.crossing(w, always)
		}
		for _, pkt := range randomPackets(r, f, 100) {
			fate, err := ir.Eval(p, pkt)
			if err != nil {
				continue
			}
			c := whole[wayOf(pkt).name]
			accepted, closed := s.contains(c.accepted, pkt), s.contains(c.closed, pkt)
			if passes := fate.Outcome == ir.Accepted; passes && closed || !passes && accepted {
				t.Fatalf("round %d: %s is %s; accepted %t, closed %t\n%s", round, pkt, fate, accepted, closed,
					text(t, p))
			}
			if accepted || closed {
				certain++
			} else {
				doubtful++
			}
		}
	}
	if certain < 500 || doubtful < 50 {
		t.Errorf("the test is one-sided: %d certain, %d not", certain, doubtful)
	}
}

// maxQuestions is how many rules a packet may meet of which it is not known if they match, for all
// their answers to be tried.
const maxQuestions = 7

// everyWay walks the packet through each program with every answer to each question. Ok is false if
// there are too many.
func everyWay(t *testing.T, programs []*ir.Program, pkt ir.Packet) (passes, stops, ok bool) {
	for _, p := range programs {
		for answers := range 1 << maxQuestions {
			asked := 0
			fate, err := ir.EvalIf(p, pkt, func(at, cause ir.Step) bool {
				asked++
				return asked <= maxQuestions && answers>>(asked-1)&1 == 1
			})
			if err != nil {
				t.Fatal(err)
			}
			if asked > maxQuestions {
				return false, false, false
			}
			passes, stops = passes || fate.Outcome == ir.Accepted, stops || fate.Outcome != ir.Accepted
			if answers == 0 && asked == 0 {
				break
			}
		}
	}
	return passes, stops, true
}

// TestMayIsEveryWay: a packet passes for certain if it does whatever the matches say that are not
// modelled, and depends if that makes a difference; the same if only packets like it are looked at.
func TestMayIsEveryWay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	told := make(map[string]int)
	for round := range 120 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		p := modelled(randomProgram(r, f))
		unsure(r, p)
		variants := everyMark(p)
		s := newOrderedSpace(round%4 < 2, f, p)
		m := newMayModel(s, p)
		whole := make(map[string]crossing)
		for _, w := range ways {
			whole[w.name] = m.crossing(w, always)
		}
		for _, pkt := range randomPackets(r, f, 40) {
			passes, stops, ok := everyWay(t, variants, pkt)
			if !ok {
				continue
			}
			want := map[[2]bool]string{{true, false}: "accepted", {false, true}: "closed", {true, true}: "depends"}[[2]bool{passes, stops}]
			told[want]++
			w := wayOf(pkt)
			pkt.Mark = 0
			crossings := map[string]crossing{"all": whole[w.name]}
			if passes2, stops2, _ := everyWay(t, variants, pkt); passes2 == passes && stops2 == stops {
				like := Traffic{Family: f, In: pkt.In, Out: pkt.Out, State: pkt.State, Status: pkt.Status}
				if r.IntN(2) == 0 {
					like.Matches = []ir.Match{ir.SAddr{Prefix: netip.PrefixFrom(pkt.Src, pkt.Src.BitLen())}}
				}
				crossings["those like it"] = m.crossing(w, s.union([]Traffic{like}))
			} else {
				continue
			}
			for among, c := range crossings {
				for _, part := range []struct {
					word string
					set  node
				}{{"accepted", c.accepted}, {"closed", c.closed}, {"depends", c.depends}} {
					if s.contains(part.set, pkt) != (part.word == want) {
						t.Fatalf("round %d, among %s: %s %s, and its being in %s is %v\n%s", round, among, pkt, want,
							part.word,
							part.word != want, text(t, p))
					}
				}
			}
			if want == "depends" {
				step, ok := deciding(p, pkt)
				unknown := slices.ContainsFunc(step.Rule.Matches, ir.Undecided)
				if !ok || !unknown && !step.Rule.Alters() {
					t.Fatalf("round %d: %s depends on %+v\n%s", round, pkt, step, text(t, p))
				}
			}
		}
	}
	if told["accepted"] < 1000 || told["closed"] < 1000 || told["depends"] < 300 {
		t.Errorf("the test is one-sided: %v", told)
	}
	t.Log(told)
}

// TestDecidingMakesADifference: the rule that is named is one that decides by itself where there is
// such a rule.
func TestDecidingMakesADifference(t *testing.T) {
	for rules, want := range map[string]string{
		`{ ip opaque-match "a" counter ip opaque-match "b" drop }`:                               "forward 2",
		`{ ip opaque-match "a" log accept ip opaque-match "b" drop }`:                            "forward 2",
		`{ ip opaque-match "a" jump one ip drop } chain ip t one { ip accept }`:                  "forward 1",
		`{ ip opaque-match "a" jump one ip drop } chain ip t one { ip opaque-match "b" accept }`: "one 1",
		`{ ip opaque-match "a" set mark 0x1 counter ip mark 0x1 drop }`:                          "forward 1",
		`{ ip opaque-match "a" counter ip opaque-verdict "x" }`:                                  "forward 2",
	} {
		p := oneNetwork(t, forwardChain+rules)
		got := NewReacher(p).Passage(outOfLab)
		if got.Depends == nil || fmt.Sprint(got.Because.Chain.Name, " ", got.Because.Index+1) != want {
			t.Errorf("%s: depends on %+v, want rule %s", rules, got.Because, want)
		}
	}
}
