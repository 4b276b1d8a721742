package prove

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// DeadKind says in which way a rule does nothing.
type DeadKind uint8

const (
	Unreached DeadKind = iota + 1 // no packet comes to it and matches
	Idle                          // packets match, and without it their fate would be the same
)

// DeadRule is a rule that could be taken away. Counters count all the same, so "nothing" is about
// packets.
type DeadRule struct {
	Step     ir.Step
	Families ir.Family // in which it is dead; all of the rule's
	Kind     DeadKind
	// for Unreached: a rule before it that takes such packets; Rule is nil if no packet could match
	// at all
	Cover ir.Step
}

// Dead returns the rules of p's groups and base chains that do nothing, in the order of the chains.
// Rules in chains behind jumps are not judged, nor rules with a verdict that lets packets go on,
// nor those beside one that alters packets. Each rule is judged by itself: of two that do the same,
// taking one away may bring the other to life. It has no bound: [Budget.Dead] does.
func Dead(p *ir.Program) []DeadRule {
	all, _ := noBudget().Dead(p)
	return all
}

// Dead is the function Dead; whole is false if the answer would cost more than the budget has:
// nothing is known then, since a rule of both families is judged in both.
func (budget *Budget) Dead(p *ir.Program) (all []DeadRule, whole bool) {
	found := make(map[*ir.Rule]*DeadRule)
	alive := make(map[*ir.Rule]bool)
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		functions := bdd.New()
		if !budget.spend(functions, func() {
			m := newModel(newSpaceIn(functions, byField, family, p), p)
			for _, hook := range []ir.Hook{ir.Prerouting, ir.Input, ir.Forward, ir.Output, ir.Postrouting} {
				for _, b := range p.Bases(hook) {
					m.deadIn(hook, b, found, alive)
				}
			}
		}) {
			return nil, false
		}
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			if d := found[&c.Rules[i]]; d != nil && !alive[&c.Rules[i]] {
				all = append(all, *d)
			}
		}
	}
	return all, true
}

// branch is a rule, or a run of rules, in the tree that [model.fold] would build, with what it
// does.
type branch struct {
	part
	step        ir.Step // of a leaf
	left, right *branch
}

func (m *model) tree(leaves []*branch) *branch {
	if len(leaves) == 1 {
		return leaves[0]
	}
	half := len(leaves) / 2
	l, r := m.tree(leaves[:half]), m.tree(leaves[half:])
	return &branch{part: m.then(l.part, r.part), left: l, right: r}
}

// deadIn judges the rules of what is attached to a hook as one list: a return goes behind the end
// of its chain, so chains with returns to a following group are cut there by [model.chain]; here a
// group that returns is left alone.
func (m *model) deadIn(hook ir.Hook, b ir.BaseView, found map[*ir.Rule]*DeadRule, alive map[*ir.Rule]bool) {
	if !b.Meets(m.family) {
		return
	}
	var leaves []*branch
	for _, c := range b.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			if b.Of != nil && !b.Of(r) || r.Family&m.family == 0 {
				continue
			}
			step := ir.Step{Chain: c, Index: i, Rule: r}
			p := m.does(step, hook, m.meets(step, hook))
			if p.back != never && len(b.Chains) > 1 {
				return // a return that goes on with the next group; see above
			}
			if len(p.altered) > 0 || r.Alters() {
				return // what later rules do is stated for other packets
			}
			leaves = append(leaves, &branch{part: p, step: step})
		}
	}
	if len(leaves) == 0 {
		return
	}
	policy := end{kind: endAccept}
	if b.Drop {
		policy.kind = endDrop
	}
	within := never
	for _, w := range ways {
		if slices.Contains(w.hooks, hook) {
			within = m.Or(within, m.packets(w))
		}
	}
	if b.Type == ir.NATType {
		within = m.And(within, m.match(hook, ir.CTState{States: ir.StateNew}))
	}
	m.judge(m.tree(leaves), []node{within}, nil, policy, hook, found, alive)
}

// judge walks down to each rule with what stands before it (sets that a packet must pass) and
// behind it (runs it would go on to).
func (m *model) judge(r *branch, before []node, behind []*branch, policy end, hook ir.Hook,
	found map[*ir.Rule]*DeadRule, alive map[*ir.Rule]bool) {
	if r.left != nil {
		m.judge(r.left, before, append(behind[:len(behind):len(behind)], r.right), policy, hook, found, alive)
		m.judge(r.right, append(before[:len(before):len(before)], r.left.on), behind, policy, hook, found, alive)
		return
	}
	rule := r.step.Rule
	kind, dead := m.isDead(r, before, behind, policy, hook)
	if !dead {
		alive[rule] = true
		return
	}
	if d := found[rule]; d != nil {
		d.Families |= m.family
		d.Kind = max(d.Kind, kind)
		return
	}
	d := &DeadRule{Step: r.step, Families: m.family, Kind: kind}
	if set := m.And(m.meets(r.step, hook), before[0]); kind == Unreached && set != never {
		d.Cover = coverOf(m.program, m.pick(set), hook)
	}
	found[rule] = d
}

// isDead is true if the leaf does nothing.
func (m *model) isDead(r *branch, before []node, behind []*branch, policy end, hook ir.Hook) (DeadKind, bool) {
	set := m.meets(r.step, hook)
	what, one := m.oneEnd(r.part, policy)
	if one && m.shownAlive(m.And(set, before[0]), what, before, behind, policy) {
		return 0, false
	}
	for i := len(before) - 1; i >= 0 && set != never; i-- {
		set = m.And(set, before[i])
	}
	if set == never {
		return Unreached, true
	}
	if !one {
		return 0, false
	}
	for i := len(behind) - 1; i >= 0; i-- {
		next := behind[i]
		for _, e := range next.ends {
			if m.ends[e.end] != what && m.And(set, e.set) != never {
				return 0, false
			}
		}
		if what != policy && m.And(set, next.back) != never {
			return 0, false
		}
		set = m.And(set, next.on)
	}
	return Idle, set == never || what == policy
}

// oneEnd returns what a rule does with all packets that match; ok is false if it lets them go on,
// as a counter does, or does more than one thing.
func (s *space) oneEnd(p part, policy end) (what end, ok bool) {
	if len(p.ends) == 0 {
		return policy, p.back != never
	}
	return s.ends[p.ends[0].end], len(p.ends) == 1
}

// shownAlive is true if the first packet of set, or the last, shows that the rule is alive. For
// most rules this spares the sets, which have a part for each pair of networks: a packet is looked
// up in a set in no time. Where the first packet comes from a network whose own rules, met later,
// would do the same to it, the last comes by an interface that no rule names.
func (m *model) shownAlive(set node, what end, before []node, behind []*branch, policy end) bool {
	for _, last := range []bool{false, true} {
		if set != never && m.needsRule(m.Outermost(set, last, m.width), what, before, behind, policy) {
			return true
		}
	}
	return false
}

// needsRule is true if packet, which the rule matches, comes to it and has another fate without it.
func (m *model) needsRule(packet []bool, what end, before []node, behind []*branch, policy end) bool {
	for _, b := range before {
		if !m.Holds(b, packet) {
			return false
		}
	}
	for i := len(behind) - 1; i >= 0; i-- {
		next := behind[i]
		if m.Holds(next.on, packet) {
			continue
		}
		if m.Holds(next.back, packet) {
			return what != policy
		}
		return !m.Holds(next.of(m.number(what)), packet)
	}
	return what != policy
}

// coverOf returns the rule that decides about packet at hook.
func coverOf(p *ir.Program, packet ir.Packet, hook ir.Hook) ir.Step {
	fate, err := ir.Eval(p, packet)
	if err != nil {
		return ir.Step{}
	}
	for _, step := range fate.Trace {
		if step.Rule != nil && hookOf(step.Chain) == hook {
			return step
		}
	}
	return ir.Step{}
}
