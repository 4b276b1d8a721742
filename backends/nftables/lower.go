// Package nftables lowers an ir.Program to nf_tables: a script for nft(8), and one netlink batch
// that the kernel applies whole or not at all. Both come from one lowered model, in which each
// statement holds its text and its expressions side by side. Below it, package wire has the bytes
// of netlink, decode turns batches and kernel dumps back into a program, and delta computes what
// must change in the kernel. Only a [Loader] touches the host.
//
// The groups are in the tables ip and ip6 of one name: FWX, FWI and FWO are chains that the base
// chain "forward" jumps to in this order, PRT is a base chain of type nat. Before them packets meet
// the chains that are kept for the administrator's rules ([ir.AdminChains]). INP, OUT and the
// checksum rules have no place in nf_tables: an accept in a table of our own opens nothing that
// another table closes, and nf_tables can't fill in checksums. They are left out, with a note.
//
// Layout chains has a line for each rule. Layout sets merges rules that differ only in values into
// one with a set, wherever they may be moved together, so that a packet's cost does not grow with
// the number of networks (package ir/merge).
package nftables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/merge"
)

// Backend is the target nftables. The zero value is ready.
type Backend struct{}

var _ backends.Backend = Backend{}

// Name returns the word for --backend.
func (Backend) Name() string { return "nftables" }

// Layouts implements [backends.Backend]: rules merged into sets, or a line for each.
func (Backend) Layouts() []backends.Layout { return []backends.Layout{backends.Sets, backends.Chains} }

// FillsChecksums is false: nf_tables has no statement for it.
func (Backend) FillsChecksums() bool { return false }

// Lower turns p into tables, chains and rules of nf_tables; see [backends.Backend]. The Ruleset is
// a *[Ruleset]. Both tables of the groups are there whenever p has a group or has no chain at all,
// with every chain, so that loading the rules of no network takes the last network's away. Chains
// that are no groups go into the table of their family and name.
func (b Backend) Lower(p *ir.Program, o backends.Options) (backends.Ruleset, diag.List) {
	o = o.Usual(b)
	l := b.lower(p, o, false)
	if l.diags.HasErrors() {
		return nil, l.diags
	}
	guards := refusesAt(ir.INP.Rows()[0].Base, p, o.Families) || refusesAt(ir.OUT.Rows()[0].Base, p, o.Families)
	return &Ruleset{families: o.Families, groups: l.hasGroups, guards: guards, tables: l.tables}, l.diags
}

// lower lowers p; linear asks for what stays linear, too.
func (Backend) lower(p *ir.Program, o backends.Options, linear bool) *lowerer {
	l := &lowerer{options: o, names: namesOf(o.Names),
		byName: map[chainID]*chain{}, refused: map[*ir.Rule]bool{}, places: map[*ir.Set]int{},
		notes: notes{last: make(map[string]int32, len(p.Links))}, diags: make(diag.List, 0, 2*len(p.Links))}
	if o.Layout != backends.Chains && o.Layout != backends.Sets {
		l.refuse(ir.Origin{}, fmt.Sprintf("the nftables back end has no layout %q", o.Layout),
			"it knows chains, a line per rule, and sets, a line for all rules of one shape", "choose --layout sets")
		return l
	}
	l.hasGroups = len(p.Chains) == 0 || slices.ContainsFunc(p.Chains, func(c *ir.Chain) bool { return c.Group != 0 })
	l.leaveOutOf(p)
	if o.Layout == backends.Sets {
		p = l.merge(p, linear)
	}
	for i, s := range p.Sets {
		l.places[s] = i
	}
	l.groups(p)
	l.chains(p)
	if o.Layout == backends.Sets { // else they stand as rules look them up
		for _, t := range l.tables {
			slices.SortFunc(t.sets, func(a, b *set) int { return a.place - b.place })
		}
	}
	return l
}

// lowerer is the state of one Lower.
type lowerer struct {
	options   backends.Options
	names     groupNames
	hasGroups bool
	merged    *merge.Merged // the program, if it was merged
	tables    []*table
	byName    map[chainID]*chain
	places    map[*ir.Set]int     // of the program's sets, in their list
	fields    map[*ir.Set][]field // of their keys, once they are known
	refused   map[*ir.Rule]bool
	notes     notes
	diags     diag.List
}

// groupNames are the names of the groups' tables and chains.
type groupNames struct {
	table  string
	chains map[ir.Group]string // those that are not the group's name in small letters
}

func namesOf(n backends.Names) groupNames {
	switch n {
	case backends.VnetcNames:
		return groupNames{table: "vnetc"}
	case backends.LibvirtNames:
		return groupNames{table: "libvirt_network", chains: map[ir.Group]string{
			ir.FWX: "guest_cross", ir.FWI: "guest_input", ir.FWO: "guest_output", ir.PRT: "guest_nat"}}
	}
	panic(fmt.Sprintf("nftables: unknown names %q", n))
}

// of returns the name of a row's chain.
func (n *groupNames) of(row *ir.GroupRow) string {
	if name := n.chains[row.Group]; name != "" {
		return name
	}
	return strings.ToLower(row.Name)
}

// adminAt returns the chain for the administrator's rules at a base, nil if there is none: libvirt
// has no such chains.
func (n *groupNames) adminAt(base ir.Base) *ir.AdminChain {
	if n.table != namesOf(backends.VnetcNames).table {
		return nil
	}
	return ir.AdminAt(base)
}

// groups makes the tables of the groups, unless the program is made of other chains only. Chains
// without a table are in these tables too: rules of the groups jump to them.
func (l *lowerer) groups(p *ir.Program) {
	if !l.hasGroups {
		return
	}
	for _, family := range [...]ir.Family{ir.IPv4, ir.IPv6} {
		if family&l.options.Families != 0 {
			l.groupTable(p, family)
		}
	}
}

// groupTable makes the table of the groups for one family: a base chain for each base of theirs and
// of the administrator's chains.
func (l *lowerer) groupTable(p *ir.Program, family ir.Family) {
	bases := ir.GroupBases()
	for i := range ir.AdminChains {
		base := ir.AdminChains[i].Base
		if !slices.ContainsFunc(bases, func(rows []ir.GroupRow) bool { return rows[0].Base == base }) {
			l.groupBase(p, family, base, nil)
		}
	}
	for _, rows := range bases {
		l.groupBase(p, family, rows[0].Base, rows)
	}
	if t := l.table(family, l.names.table); t.admin {
		t.absent = l.absent(t)
	}
}

// absent returns the chains of groups that t does not have, and that it has for other programs.
func (l *lowerer) absent(t *table) (chains []*chain) {
	for _, rows := range ir.GroupBases() {
		own := ownBase(rows, l.names.adminAt(rows[0].Base))
		for i := range rows {
			c := &chain{table: t, name: l.names.of(&rows[i])}
			if i == own {
				c.base = &rows[i].Base
			}
			if !slices.ContainsFunc(t.chains, func(o *chain) bool { return o.name == c.name }) {
				chains = append(chains, c)
			}
		}
	}
	return chains
}

// groupBase makes the base chain of some rows of the groups' table. It first jumps to the chain for
// the administrator's rules, if there is one. A group may have the base chain for its own; else it
// has its hook's name. To other groups it jumps. A jump and its chain are there even when no rule
// is, but for optional groups: a network that comes later then needs no new chain.
func (l *lowerer) groupBase(p *ir.Program, family ir.Family, base ir.Base, rows []ir.GroupRow) {
	admin := l.names.adminAt(base)
	own := ownBase(rows, admin)
	here := func(row *ir.GroupRow) bool {
		return (!row.Optional || !empty(p.Group(row.Group))) && leftOut(row, p, l.options.Families) == 0
	}
	if admin == nil && !slices.ContainsFunc(rows, func(row ir.GroupRow) bool { return here(&row) }) {
		return
	}
	name := base.Hook.String()
	if own >= 0 {
		name = l.names.of(&rows[own])
	}
	from := l.chain(chainID{family, l.names.table, name}, nil)
	from.base = &base
	if admin != nil {
		from.table.admin = true
		l.chain(chainID{family, l.names.table, admin.Name}, nil)
		from.rules = append(from.rules, rule{statements: jumpTo(admin.Name)})
	}
	for i := range rows {
		switch row := &rows[i]; {
		case !here(row):
		case i == own:
			l.rules(from, p.Group(row.Group), row.Of, nil)
		default:
			name := l.names.of(row)
			jump := rule{statements: jumpTo(name)}
			l.rules(l.chain(chainID{family, l.names.table, name}, nil), p.Group(row.Group), row.Of, &jump)
			from.rules = append(from.rules, jump)
		}
	}
}

// ownBase returns which of rows has the base chain for its own, -1 if none has: the one that is
// always there. So a base chain is the same whichever groups have rules, for to put another into
// its place leaves a gap (see [delta.Between]).
func ownBase(rows []ir.GroupRow, admin *ir.AdminChain) int {
	optional := func(row ir.GroupRow) bool { return row.Optional }
	always := slices.DeleteFunc(slices.Clone(rows), optional)
	switch {
	case len(always) == 1:
		return slices.IndexFunc(rows, func(row ir.GroupRow) bool { return !row.Optional })
	case len(rows) == 1 && admin == nil:
		return 0
	}
	return -1
}

func jumpTo(chain string) []statement {
	return []statement{counter{}, verdict{word: "jump", chain: chain}}
}

func empty(c *ir.Chain) bool { return c == nil || len(c.Rules) == 0 }

// chains lowers the chains that are no groups, each into the table of its family and name, or into
// the groups' tables if it has no table. A table that is for both families but wanted for one
// becomes a table of that one.
func (l *lowerer) chains(p *ir.Program) {
	for _, c := range p.Chains {
		family := c.Family & l.options.Families
		switch {
		case c.Group != 0 || family == 0:
		case c.Table != "":
			l.lowerChain(chainID{family, c.Table, c.Name}, c)
		default:
			for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
				if f&family != 0 {
					l.lowerChain(chainID{f, l.names.table, c.Name}, c)
				}
			}
		}
	}
}

func (l *lowerer) lowerChain(id chainID, c *ir.Chain) {
	to := l.chain(id, c)
	to.base = c.Base
	l.rules(to, c, nil, nil)
}

// chain adds a chain, and its table if that is new. From is the chain of the program that it is
// made for, nil for a group's.
func (l *lowerer) chain(id chainID, from *ir.Chain) *chain {
	c := &chain{name: id.chain}
	for _, word := range [...]string{id.table, id.chain} {
		if !isIdentifier(word) {
			l.refuse(firstOrigin(from), fmt.Sprintf("nftables can't name a table or chain %q", word),
				"a name begins with a letter or _, goes on with letters, digits and / _ . -, and is no keyword of nft(8)",
				"choose another name")
		}
	}
	if l.byName[id] != nil {
		l.refuse(firstOrigin(from), fmt.Sprintf("the chain %s %s %s is there twice", id.family, id.table, id.chain),
			"a chain's name is unique in its table", "rename one of the two")
	}
	l.byName[id] = c
	t := l.table(id.family, id.table)
	t.chains = append(t.chains, c)
	c.table = t
	return c
}

func (l *lowerer) table(family ir.Family, name string) *table {
	for _, t := range l.tables {
		if t.family == family && t.name == name {
			return t
		}
	}
	t := &table{family: family, name: name}
	l.tables = append(l.tables, t)
	return t
}

// firstOrigin returns the place to blame for a chain: its first rule.
func firstOrigin(c *ir.Chain) ir.Origin {
	if c == nil || len(c.Rules) == 0 {
		return ir.Origin{}
	}
	return c.Rules[0].Origin
}

// rules lowers the rules of from that are for to's table, those that of selects; nil selects all.
// Jump is the one rule that leads there, nil if there are others or none. Where rules have actions,
// none are merged: they may not move over one another.
func (l *lowerer) rules(to *chain, from *ir.Chain, of func(*ir.Rule) bool, jump *rule) {
	if from == nil {
		return
	}
	to.rules = slices.Grow(to.rules, len(from.Rules))
	for i := range from.Rules {
		r, behind := &from.Rules[i], l.behind(from, i)
		switch {
		case to.table.family&r.Family == 0 || of != nil && !of(r):
		case jump != nil && len(behind) == 0:
			l.guard(to, r, jump)
		default:
			l.rule(to, r, behind)
		}
	}
}

// lowering begins to lower r into chain to.
func (l *lowerer) lowering(to *chain, r *ir.Rule) ruleLowering {
	return ruleLowering{lowerer: l, chain: to, table: to.table.family, family: to.table.family & r.Family, rule: r}
}

// rule lowers one rule into chain to, or says why it can't be. It stands for those behind it.
func (l *lowerer) rule(to *chain, r *ir.Rule, behind []*ir.Rule) {
	s := l.lowering(to, r)
	if len(behind) > 0 {
		s.rule = behind[0]
	}
	s.matches(r.Matches)
	s.verdict(r.Verdict)
	if s.reason != nil {
		l.refuseAll(s.reason, r, behind)
		return
	}
	if s.family == 0 {
		return // for no packet of this table
	}
	out := rule{statements: s.statements, comment: l.comment(r)}
	if len(behind) > 0 {
		out.origin, out.merged = behind[0], behind[1:]
	}
	to.rules = append(to.rules, out)
}
