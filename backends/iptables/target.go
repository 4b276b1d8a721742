package iptables

import (
	"math/bits"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// A target is the state that a table shall have: our chains as they are meant, and the built-in
// chains with the foreign rules as they stand.

// want returns what s becomes when it holds f.
func (s *state) want(f *family, lines []backends.Line) *state {
	out := &state{family: s.family, prefix: s.prefix}
	for _, name := range tableNames {
		i := slices.IndexFunc(f.tables, func(t table) bool { return t.name == name })
		if i < 0 {
			out.tables = append(out.tables, s.table(name).without())
			continue
		}
		out.tables = append(out.tables, s.table(name).want(&f.tables[i], lines))
	}
	return out
}

func (t *tableState) want(to *table, lines []backends.Line) *tableState {
	out := &tableState{name: t.name}
	byName := make(map[string]*chainState)
	for i := range to.chains {
		c := &chainState{name: to.chains[i].name, own: true}
		byName[c.name] = c
		out.chains = append(out.chains, c)
	}
	for i := to.from; i < to.to; i++ {
		c := byName[lines[i].Chain]
		c.rules = append(c.rules, rule{text: lines[i].Text, line: &lines[i]})
	}
	jumps := make(map[string][]string)
	for _, j := range to.jumps {
		jumps[j.from] = append([]string{j.to}, jumps[j.from]...) // the last that is inserted is met first
	}
	t.mendAll(out, jumps)
	t.keep(out)
	return out
}

// mendAll gives the built-in chains of t to the target, with the jumps that each shall have.
func (t *tableState) mendAll(to *tableState, jumps map[string][]string) {
	for _, name := range builtins {
		c := t.chain(name)
		if c == nil && jumps[name] == nil {
			continue
		}
		if c == nil {
			c = &chainState{name: name}
		}
		to.chains = append(to.chains, &chainState{name: name, rules: mend(name, c.rules, jumps[name])})
	}
}

// without returns s without our part, but with what is the administrator's.
func (s *state) without() *state {
	out := &state{family: s.family, prefix: s.prefix}
	for _, t := range s.tables {
		out.tables = append(out.tables, t.without())
	}
	return out
}

func (t *tableState) without() *tableState {
	out := &tableState{name: t.name}
	for _, c := range t.chains {
		if !c.own {
			out.chains = append(out.chains, &chainState{name: c.name, rules: strangers(c.rules)})
		}
	}
	t.keep(out)
	return out
}

// strangers returns the rules that are not our jumps.
func strangers(rules []rule) []rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return r.jump != "" })
}

// mend returns the rules of a built-in chain with each of jumps once and in that order. Those that
// stand in order stay where they are, behind what an administrator put before them; of doubled ones
// the first, behind which the others did nothing. Missing ones go beside the rest, or to the head
// of the chain if there is none. Libvirt's own chains have an effect on their places: see between.
func mend(chain string, rules []rule, jumps []string) []rule {
	at := make([]int, len(jumps)) // where a jump stands first, -1 if nowhere
	for i, name := range jumps {
		at[i] = slices.IndexFunc(rules, func(r rule) bool { return r.jump == name })
		if low, high := between(rules, name); at[i] < low || at[i] > high {
			at[i] = -1
		}
	}
	stay := inOrder(at)
	var out []rule
	for i, r := range rules {
		if r.jump == "" || slices.Contains(stay, i) {
			out = append(out, r)
		}
	}
	next := 0 // where the first that is missing goes: before the next that stands
	if i := slices.IndexFunc(out, func(r rule) bool { return r.jump != "" }); i >= 0 {
		next = i
	}
	for _, name := range jumps {
		i := slices.IndexFunc(out, func(r rule) bool { return r.jump == name })
		if i < 0 {
			low, high := between(out, name)
			i = max(low, min(next, high))
			moved := rule{text: "-A " + chain + " -j " + name, jump: name}
			if old := slices.IndexFunc(rules, func(r rule) bool { return r.jump == name }); old >= 0 {
				moved.counters = rules[old].counters
			}
			out = slices.Insert(out, i, moved)
		}
		next = i + 1
	}
	return out
}

// between returns the places at which the jump to one of our chains may be put among rules. Where
// libvirt's own chains stand in the same table, the groups keep their order over both: the first
// accept ends a packet's walk, and if what leaves a network were accepted before all rules about
// what enters one, our guests would get into libvirt's, or those into ours. In a group ours come
// first: so where ours stand doesn't depend on which of the two was started first.
func between(rules []rule, name string) (low, high int) {
	low, high = 0, len(rules)
	own := func(r ir.GroupRow) bool { return prefixOf(backends.VnetcNames)+r.Name == name && r.Hook == ir.Forward }
	at := slices.IndexFunc(ir.GroupTable[:], own)
	var group ir.GroupRow
	switch forward := ir.AdminAt(ir.Base{Hook: ir.Forward, Type: ir.FilterType, Priority: ir.PriorityFilter}); {
	case at >= 0:
		group = ir.GroupTable[at]
	case name == adminName(forward): // before all groups
		group.Base = forward.Base
	default:
		return low, high
	}
	for i := range ir.GroupTable {
		row := &ir.GroupTable[i]
		jump := "-A FORWARD -j " + prefixOf(backends.LibvirtNames) + row.Name
		there := slices.IndexFunc(rules, func(r rule) bool { return r.jump == "" && r.text == jump })
		switch {
		case there < 0 || row.Base != group.Base:
		case i >= at:
			high = min(high, there)
		case group.Accepts == ir.OutOf && row.Accepts == ir.Into,
			group.Accepts == ir.Into && row.Accepts == ir.OutOf:
			low = max(low, there+1)
		}
	}
	return low, high
}

// inOrder returns the largest part of at that ascends, without -1; of several as large the one that
// stands first.
func inOrder(at []int) []int {
	var best []int
	sum := 0
subsets:
	for mask := range 1 << len(at) {
		var part []int
		total := 0
		for i, p := range at {
			if mask&(1<<i) == 0 {
				continue
			}
			if p < 0 || len(part) > 0 && p < part[len(part)-1] {
				continue subsets
			}
			part = append(part, p)
			total += p
		}
		if n := bits.OnesCount(uint(mask)); n > len(best) || n == len(best) && total < sum {
			best, sum = part, total
		}
	}
	return best
}
