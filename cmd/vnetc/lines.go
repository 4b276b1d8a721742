package main

import (
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// lowering is what a back end makes of a program.
type lowering struct {
	backend backends.Backend
	options backends.Options
	rules   backends.Ruleset
}

// lowerFor lowers p with layout, where b has it.
func lowerFor(p *ir.Program, b backends.Backend, layout backends.Layout, names backends.Names) (lowering, diag.List) {
	if !slices.Contains(layoutsOf(b), layout) {
		layout = backends.Chains
	}
	l := lowering{backend: b, options: backends.Options{Families: ir.Both, Names: names, Layout: layout}}
	rules, said := b.Lower(p, l.options)
	l.rules = rules
	return l, said
}

// label names the back end, with the layout where it has several.
func (l lowering) label() string {
	if len(layoutsOf(l.backend)) > 1 {
		return l.backend.Name() + " " + string(l.options.Layout)
	}
	return l.backend.Name()
}

// read reads the emitted rules back.
func (l lowering) read() (*ir.Program, error) {
	p, err := l.backend.Read(l.rules.Images())
	if err != nil {
		return nil, hostf("read the rules of %s back: %v", l.label(), err)
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
func (l lines) add(low lowering) {
	for _, line := range low.rules.Lines() {
		l[line.Rule] = append(l[line.Rule], targetLine{low.backend.Name(), line})
	}
}

// origins are the program's rules behind each rule that was read back from a back end: one, or, where the layout merges
// rules, several.
type origins map[*ir.Rule][]*ir.Rule

// originsOf finds the rules of the program behind those of read, which is what low says when it is read. What was read is
// lowered once more: lines of equal text in one chain are the same rule.
func originsOf(low lowering, read *ir.Program) origins {
	type place struct {
		family             ir.Family
		table, chain, text string
	}
	at := func(l backends.Line) place { return place{l.Family, l.Table, l.Chain, l.Text} }
	behind := make(map[place][]*ir.Rule)
	for _, l := range low.rules.Lines() {
		behind[at(l)] = append(behind[at(l)], l.Rule)
	}
	found := make(origins)
	o := low.options
	o.Layout = backends.Chains // rule for rule as it was read
	again, said := low.backend.Lower(read, o)
	if said.HasErrors() {
		return found
	}
	for _, l := range again.Lines() {
		found[l.Rule] = behind[at(l)]
	}
	return found
}
