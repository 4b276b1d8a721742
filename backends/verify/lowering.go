package verify

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Target is a back end with one of its layouts.
type Target struct {
	Backend backends.Backend
	Layout  backends.Layout
	Label   string // its name for people, with the layout where the back end has several
}

// Lowering is what a target makes of a program.
type Lowering struct {
	Target
	Options backends.Options
	Rules   backends.Ruleset
}

// Lower lowers p for t. With an Error in the list there are no rules.
func Lower(p *ir.Program, t Target, names backends.Names) (Lowering, diag.List) {
	l := Lowering{Target: t, Options: backends.Options{Families: ir.Both, Names: names, Layout: t.Layout}}
	rules, said := t.Backend.Lower(p, l.Options)
	l.Rules = rules
	return l, said
}

// Read reads the emitted rules back.
func (l Lowering) Read() (*ir.Program, error) {
	p, err := l.Backend.Read(l.Rules.Images())
	if err != nil {
		return nil, fmt.Errorf("read the rules of %s back: %w", l.Label, err)
	}
	return p, nil
}

// lines are the lines of each back end that a rule of the program became.
type lines map[*ir.Rule][]targetLine

// targetLine is a line of one back end.
type targetLine struct {
	target string
	backends.Line
}

// of returns the lines of target that r became for family.
func (l lines) of(r *ir.Rule, target string, family ir.Family) []backends.Line {
	var found []backends.Line
	for _, line := range l[r] {
		if line.target == target && line.Family&family != 0 {
			found = append(found, line.Line)
		}
	}
	return found
}

// add takes in what became of the rules.
func (l lines) add(low Lowering) {
	for _, line := range low.Rules.Lines() {
		l[line.Rule] = append(l[line.Rule], targetLine{low.Backend.Name(), line})
	}
}

// origins are the program's rules behind each rule that was read back from a back end: one, or,
// where the layout merges rules, several.
type origins map[*ir.Rule][]*ir.Rule

// originsOf finds the rules of the program behind those of read, which is what low says when it is
// read. What was read is lowered once more: lines of equal text in one chain are the same rule.
func originsOf(low Lowering, read *ir.Program) origins {
	type place struct {
		family             ir.Family
		table, chain, text string
	}
	at := func(l backends.Line) place { return place{l.Family, l.Table, l.Chain, l.Text} }
	behind := make(map[place][]*ir.Rule)
	for _, l := range low.Rules.Lines() {
		behind[at(l)] = append(behind[at(l)], l.Rule)
	}
	found := make(origins)
	o := low.Options
	o.Layout = backends.Chains // rule for rule as it was read
	again, said := low.Backend.Lower(read, o)
	if said.HasErrors() {
		return found
	}
	for _, l := range again.Lines() {
		found[l.Rule] = behind[at(l)]
	}
	return found
}
