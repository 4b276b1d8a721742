package iptables

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// tableChain is a chain in a table. A chain of the program may stand in several tables, when it is
// reached from several.
type tableChain struct {
	name   string // in iptables
	policy string // ACCEPT or DROP for a built-in chain, "-" for another
	family ir.Family
	hooks  hooks               // at which its rules may be met; 0 if nothing leads to it
	chain  *ir.Chain           // nil for a group without rules
	rules  func(*ir.Rule) bool // which rules of chain stand here; nil for all
	table  string
	admin  bool // admin is true for a chain of the administrator's rules
}

// builtin is true for chains that the kernel has.
func (p *tableChain) builtin() bool { return p.policy != "-" }

// hooks is a set of hooks, bit 1<<[ir.Hook] for each.
type hooks uint8

func (h hooks) has(hook ir.Hook) bool { return h&(1<<hook) != 0 }

// within is true if all of h are among list.
func (h hooks) within(list ...ir.Hook) bool {
	for _, hook := range list {
		h &^= 1 << hook
	}
	return h == 0
}

// plan is where everything goes, before any rule is looked at.
type plan struct {
	beside bool
	tables []*tablePlan
}

type tablePlan struct {
	name   string
	chains []tableChain
	jumps  []jump
}

func (p *plan) table(name string) *tablePlan {
	for _, t := range p.tables {
		if t.name == name {
			return t
		}
	}
	t := &tablePlan{name: name}
	p.tables = append(p.tables, t)
	return t
}

// inFamily returns the places for packets of family f.
func (t *tablePlan) inFamily(f ir.Family) []tableChain {
	return slices.DeleteFunc(slices.Clone(t.chains), func(p tableChain) bool { return p.family&f == 0 })
}

// plan finds the tables and names of all chains.
func (l *lowering) plan(p *ir.Program) plan {
	base := slices.IndexFunc(p.Chains, func(c *ir.Chain) bool { return c.Group == 0 && c.Base != nil })
	group := slices.IndexFunc(p.Chains, func(c *ir.Chain) bool { return c.Group != 0 })
	if base >= 0 && group >= 0 {
		l.refuseChain(p.Chains[base], "groups and base chains in one program",
			"groups are loaded beside what a host has, base chains in its place", "compile them apart, or "+nftablesCan)
		return plan{}
	}
	out := plan{beside: group >= 0 || len(p.Chains) == 0}
	if out.beside {
		out.groups(p, l.prefix())
		if l.options.Names == backends.VnetcNames {
			out.admin()
		}
	}
	reached := reachable(p)
	for _, c := range p.Chains {
		switch {
		case c.Group != 0:
		case c.Base != nil:
			l.placeBase(&out, c)
		default:
			l.placeChain(&out, c, reached[c])
		}
	}
	l.checkNames(&out)
	return out
}

// prefix is what the names of our own chains begin with.
func (l *lowering) prefix() string { return prefixOf(l.options.Names) }

// groups places the groups, each row of their table in the iptables table at that hook and
// priority, and the jumps to them, which are inserted at the head: the last is met first. libvirt
// has the same chains in the same tables.
func (p *plan) groups(program *ir.Program, prefix string) {
	for _, name := range groupTables {
		for i := range ir.GroupTable {
			row := &ir.GroupTable[i]
			chain := program.Group(row.Group)
			if tableOf(&row.Base) != name || row.Optional && (chain == nil || len(chain.Rules) == 0) {
				continue
			}
			t := p.table(name)
			t.chains = append(t.chains, tableChain{
				name: prefix + row.Name, policy: "-", family: ir.Both, hooks: 1 << row.Hook,
				chain: chain, rules: row.Of, table: name,
			})
			t.jumps = append([]jump{{builtins[row.Hook], prefix + row.Name}}, t.jumps...)
		}
	}
}

// groupTables lists the tables with chains of groups, in the order in which a document has them.
var groupTables = [...]string{"filter", "nat", "mangle"}

// builtins names the built-in chains.
var builtins = [...]string{
	ir.Prerouting: "PREROUTING", ir.Input: "INPUT", ir.Forward: "FORWARD", ir.Output: "OUTPUT",
	ir.Postrouting: "POSTROUTING",
}

// tableOf returns the table at b's hook and priority, by include/uapi/linux/netfilter_ipv4.h; "" if
// none does. Table mangle may choose another route for a packet at the output hook, which nft(8)
// calls type route.
func tableOf(b *ir.Base) string {
	type where struct {
		chainType ir.ChainType
		priority  int
	}
	at := where{b.Type, b.Priority}
	if b.Type == ir.RouteType && b.Hook == ir.Output {
		at.chainType = ir.FilterType
	}
	switch at {
	case where{ir.FilterType, ir.PriorityRaw}:
		return within("raw", b.Hook, ir.Prerouting, ir.Output)
	case where{ir.FilterType, ir.PriorityMangle}:
		return "mangle"
	case where{ir.FilterType, ir.PriorityFilter}:
		return within("filter", b.Hook, ir.Input, ir.Forward, ir.Output)
	case where{ir.FilterType, ir.PrioritySecurity}:
		return within("security", b.Hook, ir.Input, ir.Forward, ir.Output)
	case where{ir.NATType, ir.PriorityDstNAT}:
		return within("nat", b.Hook, ir.Prerouting, ir.Output)
	case where{ir.NATType, ir.PrioritySrcNAT}:
		return within("nat", b.Hook, ir.Input, ir.Postrouting)
	}
	return ""
}

// within returns table if hook is among list.
func within(table string, hook ir.Hook, list ...ir.Hook) string {
	if slices.Contains(list, hook) {
		return table
	}
	return ""
}

// placeBase makes a base chain the built-in chain of its hook.
func (l *lowering) placeBase(out *plan, c *ir.Chain) {
	name := tableOf(c.Base)
	if name == "" {
		l.refuseChain(c, fmt.Sprintf("chain %s of type %s, hook %s, priority %d", c.Label(), c.Base.Type, c.Base.Hook,
			c.Base.Priority),
			"its chains have fixed hooks and priorities, those of the tables raw, mangle, nat, filter and security",
			nftablesCan)
		return
	}
	policy := "ACCEPT"
	if c.Base.Drop {
		policy = "DROP"
	}
	t := out.table(name)
	t.chains = append(t.chains, tableChain{
		name: builtins[c.Base.Hook], policy: policy, family: c.Family, hooks: 1 << c.Base.Hook, chain: c, table: name,
	})
}

// tableNames lists the tables in the order in which a forwarded packet meets them.
var tableNames = [...]string{"raw", "mangle", "nat", "filter", "security"}

// placeChain puts a chain into each table that leads to it.
func (l *lowering) placeChain(out *plan, c *ir.Chain, reached map[string]hooks) {
	name := c.Name
	if out.beside {
		name = l.prefix() + name // not to flush a host's own chain of the same name
	}
	for _, table := range tableNames {
		if h, ok := reached[table]; ok {
			t := out.table(table)
			t.chains = append(t.chains, tableChain{name: name, policy: "-", family: c.Family, hooks: h, chain: c,
				table: table})
		}
	}
}

// refuseChain reports that a chain can't be lowered, at the origin of its first rule.
func (l *lowering) refuseChain(c *ir.Chain, what, why, fix string) {
	d := diag.Diagnostic{Severity: diag.Error, Code: Unsupported, What: "iptables can't express " + what, Why: why,
		Fix: fix}
	if c != nil && len(c.Rules) > 0 {
		d.Span = c.Rules[0].Origin.Span
	}
	l.found = append(l.found, d)
}
