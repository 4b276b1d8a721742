// Package merge turns a program into one whose cost to a packet does not grow with the number of
// rules: rules that differ in values only become one that looks the packet up in a set. The program
// that comes out means what the one that went in means, for every packet: the prover shows it, in
// the tests and of what back ends emit. The pass knows rules and sets, and neither networks nor
// targets.
//
// The pass goes chain by chain and family by family, in four steps: take rules apart and find those
// of one shape (shape.go), put them on levels that say what may not move over what (order.go),
// merge the rules of one shape and level into one with sets (group.go), and guard the chain by one
// look-up (guard.go).
package merge

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// Options are what is to be merged for. The zero value of each but Families is the usual.
type Options struct {
	Families ir.Family // whose packets the merged program is for
	// Table is where the target has groups and chains without a table; they share sets with a chain
	// that names it.
	Table string
	// Chain returns what a chain is called in the names of sets; nil for its own name in lower
	// case.
	Chain func(*ir.Chain) string
	// Comment returns what the target says beside a rule or its element; nil for the rule's own
	// comment. Equal rules with other comments stay apart.
	Comment func(*ir.Rule) string
	// MaxKey is the most bytes that the key of a set can have, by [Field.Size]; 0 if there is no
	// limit.
	MaxKey int
	// Skip is true of rows of the groups' table whose rules the target leaves out, as the merged
	// program then does; nil for none.
	Skip func(*ir.GroupRow) bool
	// Linear is true if Merged.Linear is wanted.
	Linear bool
}

// Merged is a merged program.
type Merged struct {
	// Program has the chains and sets of the program that was merged, then the sets that were made
	// for rules. Each rule is for packets of one family where a chain is no table's.
	Program *ir.Program
	// Linear are the rules that stay by themselves.
	Linear []Linear

	from map[*ir.Chain][][]*ir.Rule
}

// From returns the rules that rule i of c, a chain of the merged program, stands for, in their
// order; none if it is a guard: the first rule of its family and place in the chain, by which
// packets leave that no other matches.
func (m *Merged) From(c *ir.Chain, i int) []*ir.Rule { return m.from[c][i] }

// Program merges the rules of p, which [ir.Verify] has passed. P is not changed.
func Program(p *ir.Program, o Options) *Merged {
	m := &merger{
		Options: o,
		out: &Merged{
			Program: &ir.Program{Sets: slices.Clone(p.Sets), Links: p.Links},
			from:    make(map[*ir.Chain][][]*ir.Rule),
		},
	}
	for _, s := range p.Sets {
		m.reserved = append(m.reserved, s.Name)
	}
	for _, c := range p.Chains {
		if c.Family&o.Families != 0 {
			m.chain(c)
		}
	}
	return m.out
}

// merger is the state of one Program.
type merger struct {
	Options
	values
	tables   []*table
	reserved []string // names of the program's own sets
	out      *Merged
}

// table has the sets that rules of one table, or of all chains without one, share.
type table struct {
	family ir.Family
	name   string
	open   bool // open is true if chains without a table are in it: its sets have none either.
	sets   []*shared
}

// table returns the table of a family and name, "" for that of chains without a table.
func (m *merger) table(family ir.Family, name string) *table {
	if name == "" {
		name = m.Table
	}
	for _, t := range m.tables {
		if t.family == family && t.name == name {
			return t
		}
	}
	t := &table{family: family, name: name, open: name == m.Table && family != ir.Both}
	m.tables = append(m.tables, t)
	return t
}

// chain adds c, merged. A chain without a table is merged for each family by itself, as sets of
// addresses have one, and rules of several families would not come together.
func (m *merger) chain(c *ir.Chain) {
	to := &ir.Chain{Group: c.Group, Family: c.Family, Table: c.Table, Name: c.Name, Base: c.Base}
	m.out.Program.Chains = append(m.out.Program.Chains, to)
	families := []ir.Family{ir.IPv4, ir.IPv6}
	if c.Group == 0 {
		to.Family &= m.Families
	}
	if c.Table != "" {
		families = []ir.Family{to.Family}
	}
	var from [][]*ir.Rule
	for _, f := range families {
		if f &= m.Families & c.Family; f == 0 {
			continue
		}
		for _, of := range m.places(c) {
			part := &part{merger: m, table: m.table(f, c.Table), label: m.label(c), of: of}
			part.merge(c)
			to.Rules, from = append(to.Rules, part.rules...), append(from, part.from...)
		}
	}
	m.out.from[to] = from
}

// places returns what selects the rules that are met at each of the places of c: a rule has no say
// in what packets meet at another.
func (m *merger) places(c *ir.Chain) []func(*ir.Rule) bool {
	if c.Group == 0 {
		return []func(*ir.Rule) bool{nil}
	}
	var all []func(*ir.Rule) bool
	for _, row := range c.Group.Rows() {
		if m.Skip == nil || !m.Skip(row) {
			all = append(all, row.Of)
		}
	}
	return all
}

func (m *merger) label(c *ir.Chain) string {
	if m.Chain != nil {
		return m.Chain(c)
	}
	return strings.ToLower(c.Name)
}

func (m *merger) comment(r *ir.Rule) string {
	if m.Comment != nil {
		return m.Comment(r)
	}
	return r.Comment
}

// part is a chain's rules for one table, of those that are met at one place.
type part struct {
	*merger
	table *table
	label string              // what the chain is called
	of    func(*ir.Rule) bool // selects the rules; nil for all
	rules []ir.Rule           // that come out
	from  [][]*ir.Rule        // what they stand for
	bare  int                 // how many of them match no packet; they stand first
}

// add adds a rule that stands for others.
func (p *part) add(r ir.Rule, from ...*ir.Rule) {
	p.rules, p.from = append(p.rules, r), append(p.from, from)
}

// keep adds r as it is, but for packets of the table alone.
func (p *part) keep(r *ir.Rule) {
	one := *r
	one.Family &= p.table.family
	p.add(one, r)
}

// takes is true if r is one of the part's rules.
func (p *part) takes(r *ir.Rule) bool {
	return r.Family&p.table.family != 0 && (p.of == nil || p.of(r))
}

// merge merges the rules of c that are for packets of the table. Where one of them alters packets,
// what other rules see depends on its place: the chain stays as it is.
func (p *part) merge(c *ir.Chain) {
	if slices.ContainsFunc(c.Rules, func(r ir.Rule) bool {
		return (len(r.Actions) > 0 || slices.ContainsFunc(r.Matches, isLimit)) && p.takes(&r)
	}) {
		for i := range c.Rules {
			if r := &c.Rules[i]; p.takes(r) {
				p.keep(r)
			}
		}
		return
	}
	items := make([]item, 0, len(c.Rules))
	shapes := newShaper(&p.values)
	for i := range c.Rules {
		r := &c.Rules[i]
		if !p.takes(r) {
			continue
		}
		family := p.table.family & r.Families() & ir.VerdictFamilies(r.Verdict)
		if family == 0 { // for no packet
			p.keep(r)
			p.bare++
			continue
		}
		items = append(items, shapes.item(r, family))
	}
	levels(&p.values, items)
	groups := groupsOf(items)
	p.rules, p.from = slices.Grow(p.rules, len(groups)), slices.Grow(p.from, len(groups))
	for _, g := range groups {
		p.group(g)
	}
	if p.Linear {
		p.noteLinear(items, groups)
	}
	p.guard(items)
}

// isLimit is true for a match of which each rule has one of its own: rules of the same words would
// share it once they were merged.
func isLimit(m ir.Match) bool {
	_, is := m.(ir.Limit)
	return is
}
