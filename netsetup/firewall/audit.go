package firewall

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// Audit is the answer to whether a target holds what is meant.
type Audit struct {
	Drifts  []backends.Drift
	Changes []prove.Difference // what the drift does to packets: Was as intended, Now as loaded
	More    bool               // More is true if there are other changes of the same kinds, between other networks.

	// TooLarge is true if there may be other changes of any kind: to find them would cost more than
	// the budget has.
	TooLarge bool

	// Admin is the administrator's own rules there. They are no drift, and Changes says nothing of
	// them.
	Admin []backends.AdminRules
	// AdminChanges is what these rules do to packets, besides: Was without them, Now with them.
	AdminChanges []prove.Difference
	AdminMore    bool // AdminMore is true if there are other such changes, or may be.
	// AdminElsewhere is such rules in other targets: see [Leftovers].
	AdminElsewhere []backends.AdminRules

	target      Target
	meant, held *ir.Program // held without the administrator's rules
	whole       *ir.Program // held with them
	links       []*ir.Link
	unexpected  backends.Unexpected
	driftOf     []int // the drift of each of unexpected.Items
}

// maxChanges is how many changes of each kind are reported: one rule may change what happens
// between every two networks.
const maxChanges = 10

// InStep is true if the target has the intended rules and no unexplained ones. Foreign rules ahead
// of ours do not count.
func (a Audit) InStep() bool { return backends.InStep(a.Drifts) }

// Compare says how what the target holds differs from p, and what that does to packets. It changes
// nothing.
func Compare(p *ir.Program, t Target) (Audit, diag.List, error) {
	a, found, err := Drifts(p, t)
	if err == nil {
		a.Explain(nil)
	}
	return a, found, err
}

// Explain finds what the drift does to packets, and what foreign rules let through before ours can
// refuse it, as far as the budget allows; nil is the usual one. It looks at no host, and takes
// longest: a caller that holds a lock releases it before.
func (a *Audit) Explain(budget *prove.Budget) {
	a.admin(budget)
	if a.meant == nil {
		return
	}
	a.meant.Links = a.links
	if backends.Mendable(a.Drifts) > 0 {
		changes := budget.Change(a.meant, a.held, maxChanges)
		a.Changes, a.More, a.TooLarge = changes.All, changes.More, changes.TooLarge
	}
	a.around(budget)
}

// admin finds what the administrator's rules do to packets.
func (a *Audit) admin(budget *prove.Budget) {
	if len(a.Admin) == 0 {
		return
	}
	without, with := *a.whole.WithoutAdmin(), *a.whole
	without.Links, with.Links = a.links, a.links
	changes := budget.Change(&without, &with, maxChanges)
	a.AdminChanges, a.AdminMore = changes.All, changes.More || changes.TooLarge
}

// ForgetOrder drops what differs between the rules if it makes no difference to any packet. A
// layout that merges rules does so in an order, and comments sets by reasons, that rules read from
// a host no longer show.
func (a *Audit) ForgetOrder() {
	if backends.Mendable(a.Drifts) == 0 || a.target.Options.Layout != backends.Sets {
		return
	}
	if prove.Equal(a.meant, a.held, ir.Both).Answer == prove.Proved {
		a.Drifts = slices.DeleteFunc(a.Drifts, func(d backends.Drift) bool {
			return d.Part == backends.DriftRule || d.Part == backends.DriftElement || d.Part == backends.DriftObject &&
				d.Kind == backends.Extra
		})
	}
}

// Drifts is Compare without [Audit.Explain].
func Drifts(p *ir.Program, t Target) (Audit, diag.List, error) {
	rules, found := t.Loader.Lower(p, t.Options)
	if found.HasErrors() {
		return Audit{}, found, nil
	}
	held, err := t.Loaded()
	if err != nil {
		return Audit{}, found, err
	}
	var unexpected backends.Unexpected
	if !wantsNothing(p) || len(ours(held).Chains) > 0 {
		if unexpected, err = t.unexpectedIn(rules); err != nil {
			return Audit{}, found, err
		}
	}
	a, err := t.compare(p, rules, held, unexpected)
	return a, found, err
}

// compare says how what the target holds differs from p, which was lowered to rules.
func (t Target) compare(p *ir.Program, rules backends.Ruleset, held *ir.Program, unexpected backends.Unexpected) (Audit,
	error) {
	whole := held
	if held = ours(held); wantsNothing(p) && len(held.Chains) == 0 {
		// the frame of tables and chains goes with the last network
		return Audit{target: t, Admin: t.adminIn(whole), whole: whole}, nil
	}
	meant, err := t.Loader.Read(rules.Images())
	if err != nil {
		return Audit{}, err
	}
	behind := originsOf(meant, rules.Lines())
	held = visible(held, meant)
	a := Audit{target: t, meant: meant, held: held, links: p.Links, whole: whole, Admin: t.adminIn(whole)}
	for _, c := range meant.Chains {
		there := find(held, c)
		a.Drifts = append(append(a.Drifts, baseDrift(c, there)...), chainDrift(c, there, behind)...)
	}
	for _, c := range held.Chains {
		if find(meant, c) == nil {
			a.Drifts = append(a.Drifts, surplus(c)...)
		}
	}
	a.Drifts = append(a.Drifts, setDrift(meant, held, behind)...)
	a.addUnexpected(unexpected)
	owners := ownersOf(p.Links)
	for i := range a.Drifts {
		a.Drifts[i].Networks = owners.concerned(&a.Drifts[i])
	}
	return a, nil
}

// Leftovers says which of the others hold our rules, too, as they do when an Apply that went from
// there to another was interrupted. Packets meet both; the next Apply takes them away. A back end
// that can't be used here holds none.
//
// The administrator's own rules there are returned apart: they stay.
func Leftovers(others []Target) (drifts []backends.Drift, admin []backends.AdminRules, err error) {
	for _, o := range others {
		held, err := o.Loaded()
		if err != nil && o.Loader.Available() != nil {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the rules in %s: %w", o, err)
		}
		drifts, admin = append(drifts, o.leftover(held)...), append(admin, o.adminIn(held)...)
	}
	return drifts, admin, nil
}

// leftover says that the target holds our rules, if it does.
func (t Target) leftover(held *ir.Program) []backends.Drift {
	if held = ours(held); len(held.Chains) == 0 {
		return nil
	}
	d := backends.Drift{Kind: backends.Extra, Part: backends.DriftTarget, Target: t.String(), Chains: len(held.Chains)}
	for _, c := range held.Chains {
		d.Rules += len(c.Rules)
	}
	return []backends.Drift{d}
}

// wantsNothing is true for a program without rules: of no network, or of such that have none.
func wantsNothing(p *ir.Program) bool {
	for _, c := range p.Chains {
		if len(c.Rules) > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(p.Links, func(l *ir.Link) bool { return l.Mode.Filtered() })
}

// find returns the chain of p that has the place of c, nil if there is none.
func find(p *ir.Program, c *ir.Chain) *ir.Chain {
	for _, o := range p.Chains {
		if o.Family == c.Family && o.Table == c.Table && o.Name == c.Name {
			return o
		}
	}
	return nil
}

// origins are the program's rules behind each rule that was read back from an image: several where
// a layout merges rules.
type origins map[*ir.Rule][]*ir.Rule

// of returns the one rule behind r; nil if there are several, or none, as behind jumps.
func (o origins) of(r *ir.Rule) *ir.Rule {
	if all := o[r]; len(all) == 1 {
		return all[0]
	}
	return nil
}

// originsOf pairs the rules that were read back from an image with the program's rules: both are in
// the order of emission, and a back end's own rules, which have no line, are the jumps.
func originsOf(meant *ir.Program, lines []backends.Line) origins {
	type place struct {
		family       ir.Family
		table, chain string
	}
	byChain := make(map[place][]backends.Line)
	for _, l := range lines {
		at := place{l.Family, l.Table, l.Chain}
		byChain[at] = append(byChain[at], l)
	}
	found := make(origins)
	for _, c := range meant.Chains {
		lines := byChain[place{c.Family, c.Table, c.Name}]
		groups := merged(lines)
		if len(lines) == len(c.Rules) {
			groups = nil
			for _, l := range lines {
				groups = append(groups, []*ir.Rule{l.Rule})
			}
		}
		if len(groups) != len(c.Rules) {
			continue // a chain of jumps
		}
		for i := range c.Rules {
			found[&c.Rules[i]] = groups[i]
		}
	}
	return found
}

// merged puts the rules together of which one line was made: neighbours of the same text.
func merged(lines []backends.Line) (groups [][]*ir.Rule) {
	for i, l := range lines {
		if i == 0 || lines[i-1].Text != l.Text {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], l.Rule)
	}
	return groups
}

// chainDrift compares one chain, of which held may be nil.
func chainDrift(meant, held *ir.Chain, behind origins) []backends.Drift {
	var there []ir.Rule
	if held != nil {
		there = held.Rules
	}
	pairs := pair(meant.Rules, there)
	used := make([]bool, len(there))
	var drifts []backends.Drift
	add := func(kind backends.DriftKind, want, have *ir.Rule) {
		drifts = append(drifts, backends.Drift{
			Kind: kind, Part: backends.DriftRule, Chain: meant, Want: want, Have: have, Of: behind.of(want),
		})
	}
	last := -1
	for i := range meant.Rules {
		r := &meant.Rules[i]
		at := pairs[i]
		switch {
		case at < 0:
			add(backends.Missing, r, nil)
			continue
		case at < last:
			add(backends.Moved, r, &there[at])
		default:
			last = at
		}
		used[at] = true
	}
	for i := range there {
		if !used[i] {
			add(backends.Extra, nil, &there[i])
		}
	}
	if held == nil && len(meant.Rules) == 0 {
		drifts = append(drifts, backends.Drift{Kind: backends.Missing, Part: backends.DriftChain, Chain: meant})
	}
	return drifts
}

// surplus is the drift of a chain that should not be there.
func surplus(c *ir.Chain) []backends.Drift {
	if len(c.Rules) == 0 {
		return []backends.Drift{{Kind: backends.Extra, Part: backends.DriftChain, Chain: c}}
	}
	return chainDrift(&ir.Chain{Family: c.Family, Table: c.Table, Name: c.Name}, c, nil)
}

// pair returns for each of meant the place of an equal rule in there, or -1; the first goes with
// the first.
func pair(meant, there []ir.Rule) []int {
	places := make(map[string][]int)
	for i := range there {
		key := there[i].String()
		places[key] = append(places[key], i)
	}
	out := make([]int, len(meant))
	for i := range meant {
		out[i] = -1
		key := meant[i].String()
		if p := places[key]; len(p) > 0 {
			out[i], places[key] = p[0], p[1:]
		}
	}
	return out
}
