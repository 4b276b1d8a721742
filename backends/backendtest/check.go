package backendtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Check lowers p and returns each breach of the contract. Rules that b refuses, each with an Error
// at its origin, are taken out and the rest is lowered again: so what is refused hides nothing.
// Origins of p's rules must differ.
func Check(b backends.Backend, p *ir.Program, o backends.Options) []error {
	for {
		p = clone(p)
		before := clone(p)
		set, found := b.Lower(p, o)
		if !found.HasErrors() {
			return checkLowered(b, before, p, set, found, o)
		}
		if set != nil {
			return []error{errors.New("point 1: an Error, and a Ruleset all the same")}
		}
		if all := len(rules(p)); without(p, found) == all {
			return []error{fmt.Errorf("point 1: an Error at no rule's origin: %w", found.Err())}
		}
	}
}

// without takes the rules out of p that have an Error at their origin, and returns how many are
// left. A chain that loses its last rule so goes too, with what jumps to it: it may be the chain
// that was refused.
func without(p *ir.Program, found diag.List) int {
	refused := make(map[diag.Span]bool)
	for _, d := range found {
		if d.Severity == diag.Error {
			refused[d.Span] = true
		}
	}
	gone := make(map[*ir.Chain]bool)
	for _, c := range p.Chains {
		before := len(c.Rules)
		c.Rules = slices.DeleteFunc(c.Rules, func(r ir.Rule) bool { return refused[r.Origin.Span] })
		gone[c] = c.Group == 0 && before > 0 && len(c.Rules) == 0
	}
	for _, c := range p.Chains {
		c.Rules = slices.DeleteFunc(c.Rules, func(r ir.Rule) bool {
			name, leads := target(r.Verdict)
			return leads && gone[p.Target(c, name)]
		})
	}
	p.Chains = slices.DeleteFunc(p.Chains, func(c *ir.Chain) bool { return gone[c] })
	return len(rules(p))
}

// target returns the chain that v leads to.
func target(v ir.Verdict) (name string, leads bool) {
	switch v := v.(type) {
	case ir.Jump:
		return v.Chain, true
	case ir.Goto:
		return v.Chain, true
	}
	return "", false
}

// checkLowered checks what was lowered without an Error.
func checkLowered(b backends.Backend, before, p *ir.Program, set backends.Ruleset, found diag.List,
	o backends.Options) []error {
	if set == nil {
		return []error{errors.New("point 1: neither a Ruleset nor an Error")}
	}
	docs, images := set.Emit(), set.Images()
	all := answered(p, set.Lines(), found, o)
	if o.Layout == backends.Chains {
		all = append(all, ordered(p, set.Lines())...)
	}
	all = append(all, repeated(b, p, o, set, docs, images, found)...)
	read, err := b.Read(images)
	if err != nil {
		return append(all, fmt.Errorf("point 4: Read of what was emitted: %w", err))
	}
	if !reflect.DeepEqual(before, p) {
		diff := cmp.Diff(before, p, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}))
		all = append(all, fmt.Errorf("point 5: the program was changed (-before +after):\n%s", diff))
	}
	return append(all, sameMeaning(kept(p, set.Lines()), read, o)...)
}

// rules returns all rules of p.
func rules(p *ir.Program) []*ir.Rule {
	var all []*ir.Rule
	for _, c := range p.Chains {
		for i := range c.Rules {
			all = append(all, &c.Rules[i])
		}
	}
	return all
}

// meets returns the families of which packets can meet r in chain c.
func meets(c *ir.Chain, r *ir.Rule) ir.Family {
	if c.Group == 0 {
		return r.Families() & c.Family
	}
	return r.Families()
}

func familyOf(a netip.Addr) ir.Family {
	if a.Is4() {
		return ir.IPv4
	}
	return ir.IPv6
}

// answered checks point 1: each rule has a line in each family of which packets can meet it, or a
// Note at its origin. A rule has lines or it has a Note, and no line comes from elsewhere.
func answered(p *ir.Program, lines []backends.Line, found diag.List, o backends.Options) []error {
	noted := make(map[diag.Span]bool)
	for _, d := range found {
		if d.Severity == diag.Note {
			noted[d.Span] = true
		}
	}
	has := make(map[*ir.Rule]ir.Family)
	for _, l := range lines {
		has[l.Rule] |= l.Family
	}
	var all []error
	for _, c := range p.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			want := meets(c, r) & o.Families
			switch {
			case has[r] == 0 && noted[r.Origin.Span]:
			case want&^has[r] != 0:
				all = append(all, fmt.Errorf("point 1: no line and no note for packets of family %s: %s", want&^has[r],
					describe(c, i)))
			case has[r]&^o.Families != 0:
				all = append(all, fmt.Errorf("point 1: a line of a family that was not asked for: %s", describe(c, i)))
			}
			delete(has, r)
		}
	}
	if len(has) > 0 {
		all = append(all, fmt.Errorf("point 1: lines come from %d rules that the program does not have", len(has)))
	}
	return all
}

// describe prints a rule.
func describe(c *ir.Chain, i int) string {
	words := ""
	for _, m := range c.Rules[i].Matches {
		words += ir.MatchText(m) + " "
	}
	for _, a := range c.Rules[i].Actions {
		words += ir.ActionText(a) + " "
	}
	return fmt.Sprintf("rule %d of %s: %s %s%s", i+1, c.Label(), c.Rules[i].Family, words,
		ir.VerdictText(c.Rules[i].Verdict))
}

// ordered checks point 2: in each chain of the target, lines stand in the order of the rules they
// came from.
func ordered(p *ir.Program, lines []backends.Line) []error {
	type place struct {
		chain *ir.Chain
		index int
	}
	from := make(map[*ir.Rule]place)
	for _, c := range p.Chains {
		for i := range c.Rules {
			from[&c.Rules[i]] = place{c, i}
		}
	}
	type target struct {
		family       ir.Family
		table, chain string
		from         *ir.Chain
	}
	last := make(map[target]int)
	var all []error
	for _, l := range lines {
		at := from[l.Rule]
		t := target{l.Family, l.Table, l.Chain, at.chain}
		if i, ok := last[t]; ok && i > at.index {
			all = append(all, fmt.Errorf("point 2: in %s %s, rule %d of %s comes before rule %d", l.Table, l.Chain, i+1,
				at.chain.Label(), at.index+1))
		}
		last[t] = at.index
	}
	return all
}

// repeated checks point 3: lowered and emitted again, everything is the same.
func repeated(b backends.Backend, p *ir.Program, o backends.Options, set backends.Ruleset, docs,
	images []backends.Document, found diag.List) []error {
	var all []error
	same := func(what string, first, second []backends.Document) {
		equal := slices.EqualFunc(first, second, func(x, y backends.Document) bool {
			return x.File == y.File && x.Family == y.Family && x.Load == y.Load && bytes.Equal(x.Text, y.Text)
		})
		if !equal {
			all = append(all, fmt.Errorf("point 3: %s differs (-first +second):\n%s", what, cmp.Diff(first, second)))
		}
	}
	same("a second Emit", docs, set.Emit())
	again, foundAgain := b.Lower(p, o)
	if again == nil || !reflect.DeepEqual(found, foundAgain) {
		return append(all, errors.New("point 3: a second Lower finds something else"))
	}
	same("what a second Lower emits", docs, again.Emit())
	same("the images of a second Lower", images, again.Images())
	if !slices.Equal(set.Lines(), again.Lines()) {
		all = append(all, errors.New("point 3: lines of a second Lower differ"))
	}
	return all
}

// clone copies p as deep as it can be changed.
func clone(p *ir.Program) *ir.Program {
	q := &ir.Program{Links: p.Links, Sets: p.Sets}
	for _, c := range p.Chains {
		d := *c
		if c.Base != nil {
			base := *c.Base
			d.Base = &base
		}
		d.Rules = slices.Clone(c.Rules)
		for i := range d.Rules {
			d.Rules[i].Matches = slices.Clone(d.Rules[i].Matches)
			d.Rules[i].Actions = slices.Clone(d.Rules[i].Actions)
		}
		q.Chains = append(q.Chains, &d)
	}
	return q
}
