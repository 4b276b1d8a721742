package firewall

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// DriftKind tells how a rule differs from what is meant.
type DriftKind string

const (
	Missing DriftKind = "missing" // it should be there
	Extra   DriftKind = "extra"   // it should not
	Moved   DriftKind = "moved"   // it is there, in another place among the others
	Ahead   DriftKind = "ahead"   // it is of others, and packets meet it before ours or have to pass it too; Apply leaves it there
)

// Drift is one difference between what a target holds and what is meant.
type Drift struct {
	Kind  DriftKind
	Chain string
	Rule  string   // in the words of the IR; a set's element as set and element; what the IR has not in those of the target
	Of    *ir.Rule // the rule of the program that asked for it; nil for an extra one, and for jumps
	Index int      // of the rule in its chain: as meant, or as held for an extra one
}

// Audit is the answer to whether a target holds what is meant.
type Audit struct {
	Drifts  []Drift
	Changes []prove.Difference // what the drift does to packets, Was being as meant and Now as held
	More    bool               // More is true if there are other changes of the same kinds, between other networks.

	target      Target
	meant, held *ir.Program
}

// maxChanges is how many changes of each kind are told: one rule may change what happens between every two networks.
const maxChanges = 10

// InStep is true if there is nothing to mend. Rules of others that stand ahead of ours are not ours to mend.
func (a Audit) InStep() bool {
	return !slices.ContainsFunc(a.Drifts, func(d Drift) bool { return d.Kind != Ahead })
}

// Compare says how what the target holds differs from p, and what that does to packets. It changes nothing.
func Compare(p *ir.Program, t Target) (Audit, diag.List, error) {
	a, found, err := Drifts(p, t)
	if err == nil && !a.InStep() {
		a.meant.Links = p.Links
		a.Changes, a.More = prove.ChangeUpTo(a.meant, a.held, maxChanges)
	}
	return a, found, err
}

// Drifts is Compare without Changes, which take longest.
func Drifts(p *ir.Program, t Target) (Audit, diag.List, error) {
	rules, found := t.Loader.Lower(p, t.Options)
	if found.HasErrors() {
		return Audit{}, found, nil
	}
	meant, err := t.Loader.Read(rules.Images())
	if err != nil {
		return Audit{}, found, err
	}
	held, err := t.Held()
	if err != nil {
		return Audit{}, found, err
	}
	if wantsNothing(p) && len(held.Chains) == 0 {
		return Audit{}, found, nil // the frame of tables and chains goes with the last network
	}
	behind := originsOf(meant, rules.Lines())
	a := Audit{target: t, meant: meant, held: held}
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
	strays, err := t.strayDrift(rules)
	if err != nil {
		return Audit{}, found, err
	}
	a.Drifts = append(a.Drifts, strays...)
	return a, found, nil
}

// Leftovers says which of the others hold rules of ours, too, as they do when an Apply that went from there to another was
// cut short. Packets meet both; the next Apply takes them away. A back end that can't be used here holds none.
func Leftovers(others []Target) ([]Drift, error) {
	var drifts []Drift
	for _, o := range others {
		held, err := o.Held()
		if err != nil && o.Loader.Available() != nil {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the rules in %s: %w", o, err)
		}
		n := 0
		for _, c := range held.Chains {
			n += len(c.Rules)
		}
		if len(held.Chains) > 0 {
			drifts = append(drifts, Drift{Kind: Extra, Chain: o.String(), Rule: fmt.Sprintf("%d chains of ours with %d rules, which packets meet, too", len(held.Chains), n)})
		}
	}
	return drifts, nil
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

// origins are the program's rules behind each rule that was read back from an image: several where a layout merges rules.
type origins map[*ir.Rule][]*ir.Rule

// of returns the one rule behind r; nil if there are several, or none, as behind jumps.
func (o origins) of(r *ir.Rule) *ir.Rule {
	if all := o[r]; len(all) == 1 {
		return all[0]
	}
	return nil
}

// originsOf pairs the rules that were read back from an image with the program's rules: both are in the order of emission,
// and a back end's own rules, which have no line, are the jumps.
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
func chainDrift(meant, held *ir.Chain, behind origins) []Drift {
	var there []ir.Rule
	if held != nil {
		there = held.Rules
	}
	pairs := pair(meant.Rules, there)
	used := make([]bool, len(there))
	var drifts []Drift
	last := -1
	for i := range meant.Rules {
		r := &meant.Rules[i]
		at := pairs[i]
		switch {
		case at < 0:
			drifts = append(drifts, Drift{Missing, meant.Label(), r.String(), behind.of(r), i})
			continue
		case at < last:
			drifts = append(drifts, Drift{Moved, meant.Label(), r.String(), behind.of(r), i})
		default:
			last = at
		}
		used[at] = true
	}
	for i := range there {
		if !used[i] {
			drifts = append(drifts, Drift{Extra, meant.Label(), there[i].String(), nil, i})
		}
	}
	if held == nil && len(meant.Rules) == 0 {
		drifts = append(drifts, Drift{Missing, meant.Label(), "the chain itself", nil, 0})
	}
	return drifts
}

// surplus is the drift of a chain that should not be there.
func surplus(c *ir.Chain) []Drift {
	if len(c.Rules) == 0 {
		return []Drift{{Extra, c.Label(), "the chain itself", nil, 0}}
	}
	return chainDrift(&ir.Chain{Family: c.Family, Table: c.Table, Name: c.Name}, c, nil)
}

// pair returns for each of meant the place of an equal rule in there, or -1; the first goes with the first.
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
