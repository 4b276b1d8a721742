package main

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// lines are the lines of each back end that a rule of the program became, in one family.
type lines map[*ir.Rule][]targetLine

// targetLine is a line of one back end.
type targetLine struct {
	target string
	backends.Line
}

// add takes in what target made of its rules for family.
func (l lines) add(target string, rules backends.Ruleset, family ir.Family) {
	for _, line := range rules.Lines() {
		if line.Family&family != 0 {
			l[line.Rule] = append(l[line.Rule], targetLine{target, line})
		}
	}
}

// origins are the program's rules behind each rule that was read back from a back end: one, or, where the layout merges
// rules, several.
type origins map[*ir.Rule][]*ir.Rule

// originsOf finds the rules of the program behind those of read, which is what b read of rules. What was read is lowered
// once more: lines of equal text in one chain are the same rule.
func originsOf(b backends.Backend, o backends.Options, rules backends.Ruleset, read *ir.Program) origins {
	type place struct {
		family             ir.Family
		table, chain, text string
	}
	at := func(l backends.Line) place { return place{l.Family, l.Table, l.Chain, l.Text} }
	behind := make(map[place][]*ir.Rule)
	for _, l := range rules.Lines() {
		behind[at(l)] = append(behind[at(l)], l.Rule)
	}
	found := make(origins)
	o.Layout = backends.Chains // rule for rule as it was read
	again, said := b.Lower(read, o)
	if said.HasErrors() {
		return found
	}
	for _, l := range again.Lines() {
		found[l.Rule] = behind[at(l)]
	}
	return found
}
