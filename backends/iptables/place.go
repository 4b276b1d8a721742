package iptables

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// place is a chain in a table. A chain of the program may stand in several tables, when it is reached from several.
type place struct {
	name   string // in iptables
	policy string // ACCEPT or DROP for a built-in chain, "-" for another
	family ir.Family
	hooks  hooks               // at which its rules may be met; 0 if nothing leads to it
	chain  *ir.Chain           // nil for a group without rules
	rules  func(*ir.Rule) bool // which rules of chain stand here; nil for all
	table  string
}

// builtin is true for chains that the kernel has.
func (p *place) builtin() bool { return p.policy != "-" }

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
	chains []place
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
func (t *tablePlan) inFamily(f ir.Family) []place {
	return slices.DeleteFunc(slices.Clone(t.chains), func(p place) bool { return p.family&f == 0 })
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
	out := plan{beside: base < 0}
	if out.beside {
		out.groups(p, l.prefix())
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
func (l *lowering) prefix() string {
	if l.options.Names == backends.LibvirtNames {
		return "LIBVIRT_"
	}
	return "VNETC_"
}

// groups places the six groups, PRT in two tables, and the jumps to them, which are inserted at the head: the last is met
// first. libvirt has the same chains in the same tables.
func (p *plan) groups(program *ir.Program, prefix string) {
	add := func(table string, g ir.Group, rules func(*ir.Rule) bool) {
		t := p.table(table)
		t.chains = append(t.chains, place{
			name: prefix + g.String(), policy: "-", family: ir.Both, hooks: 1 << g.Hook(), chain: program.Group(g), rules: rules, table: table,
		})
		t.jumps = append(t.jumps, jump{builtins[g.Hook()], prefix + g.String()})
	}
	for _, g := range [...]ir.Group{ir.INP, ir.OUT, ir.FWX, ir.FWI, ir.FWO} {
		add("filter", g, nil)
	}
	slices.Reverse(p.table("filter").jumps)
	add("nat", ir.PRT, func(r *ir.Rule) bool { return !r.Mangles() })
	add("mangle", ir.PRT, (*ir.Rule).Mangles)
}

// builtins names the built-in chains.
var builtins = [...]string{
	ir.Prerouting: "PREROUTING", ir.Input: "INPUT", ir.Forward: "FORWARD", ir.Output: "OUTPUT", ir.Postrouting: "POSTROUTING",
}

// tableOf returns the table that hangs where b does, by include/uapi/linux/netfilter_ipv4.h; "" if none does.
// Table mangle may choose another route for a packet at the output hook, which nft(8) calls type route.
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
		l.refuseChain(c, fmt.Sprintf("chain %s of type %s, hook %s, priority %d", c.Label(), c.Base.Type, c.Base.Hook, c.Base.Priority),
			"its chains hang at fixed places, those of the tables raw, mangle, nat, filter and security", nftablesCan)
		return
	}
	policy := "ACCEPT"
	if c.Base.Drop {
		policy = "DROP"
	}
	t := out.table(name)
	t.chains = append(t.chains, place{
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
			t.chains = append(t.chains, place{name: name, policy: "-", family: c.Family, hooks: h, chain: c, table: table})
		}
	}
}

// programKey names a chain of the program.
type programKey struct {
	family      ir.Family
	table, name string
}

// reaching finds where chains are met that hang at no hook.
type reaching struct {
	byName map[programKey]*ir.Chain
	hooks  map[*ir.Chain]map[string]hooks
}

// reachable returns, for each chain that hangs at no hook, the tables in which it is reached and the hooks there. One that
// nothing leads to is in its home table, reached from no hook.
func reachable(p *ir.Program) map[*ir.Chain]map[string]hooks {
	r := reaching{byName: make(map[programKey]*ir.Chain, len(p.Chains)), hooks: make(map[*ir.Chain]map[string]hooks)}
	homes := make(map[programKey]string) // the first table that an ir table's base chains belong to
	for _, c := range p.Chains {
		if c.Group != 0 {
			continue
		}
		r.byName[programKey{c.Family, c.Table, c.Name}] = c
		if home := (programKey{family: c.Family, table: c.Table}); c.Base != nil && homes[home] == "" {
			homes[home] = tableOf(c.Base)
		}
	}
	for _, c := range p.Chains {
		switch {
		case c.Group == ir.PRT:
			r.follow(c, "nat", 1<<ir.Postrouting)
		case c.Group != 0:
			r.follow(c, "filter", 1<<c.Group.Hook())
		case c.Base != nil:
			r.follow(c, tableOf(c.Base), 1<<c.Base.Hook)
		}
	}
	for _, c := range p.Chains {
		if c.Group == 0 && c.Base == nil && r.hooks[c] == nil {
			r.enter(c, cmp.Or(homes[programKey{family: c.Family, table: c.Table}], home(c.Table)), 0)
		}
	}
	return r.hooks
}

// home returns the table for an ir table that no base chain tells of.
func home(table string) string {
	if slices.Contains(tableNames[:], table) {
		return table
	}
	return "filter"
}

// enter notes that c is reached in table from hooks h, and follows its jumps if that is news.
func (r *reaching) enter(c *ir.Chain, table string, h hooks) {
	known, ok := r.hooks[c][table]
	if ok && known&h == h {
		return
	}
	if r.hooks[c] == nil {
		r.hooks[c] = make(map[string]hooks)
	}
	r.hooks[c][table] = known | h
	r.follow(c, table, h)
}

// follow enters the chains that the rules of c lead to.
func (r *reaching) follow(c *ir.Chain, table string, h hooks) {
	for i := range c.Rules {
		name, ok := target(c.Rules[i].Verdict)
		if !ok {
			continue
		}
		key := programKey{c.Family, c.Table, name}
		if c.Group != 0 {
			key.family, key.table = ir.Both, ""
		}
		if to := r.byName[key]; to != nil && to.Base == nil {
			r.enter(to, table, h)
		}
	}
}

// target returns the chain that v leads to.
func target(v ir.Verdict) (name string, ok bool) {
	switch v := v.(type) {
	case ir.Jump:
		return v.Chain, true
	case ir.Goto:
		return v.Chain, true
	}
	return "", false
}

// maxChainName is the longest name of a chain in bytes, XT_EXTENSION_MAXNAMELEN without its NUL.
const maxChainName = 28

// checkNames refuses chains of one name in one table, and names that iptables takes for something else.
func (l *lowering) checkNames(out *plan) {
	type key struct {
		family ir.Family
		name   string
	}
	for _, t := range out.tables {
		seen := make(map[key]*ir.Chain, len(t.chains))
		for i := range t.chains {
			p := &t.chains[i]
			for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
				if p.family&f == 0 {
					continue
				}
				if other, twice := seen[key{f, p.name}]; twice {
					l.refuseChain(p.chain, fmt.Sprintf("two chains %s in its table %s: %s and %s", p.name, t.name, label(other, p.name), label(p.chain, p.name)),
						"a table has one chain of each name, and one at each hook", "put the rules into one chain, or "+nftablesCan)
					break
				}
				seen[key{f, p.name}] = p.chain
			}
			if why := badName(p); why != "" {
				l.refuseChain(p.chain, fmt.Sprintf("chain name %q", p.name), why, "give the chain another name")
			}
		}
	}
}

func label(c *ir.Chain, name string) string {
	if c == nil {
		return name
	}
	return c.Label()
}

// badName returns why p can't have its name, "" if it can. iptables(8) looks for targets first when it reads -j NAME.
func badName(p *place) string {
	switch {
	case p.builtin():
		return ""
	case p.name == "" || len(p.name) > maxChainName:
		return fmt.Sprintf("a chain's name has 1 to %d bytes", maxChainName)
	case p.name[0] == '-' || p.name[0] == '!':
		return "a chain's name can't begin with - or !"
	case !plainWord(p.name):
		return "a chain's name is one word of printable ASCII characters without quotes and backslashes"
	case slices.Contains(builtins[:], p.name):
		return "it is the name of a built-in chain"
	case slices.Contains(strings.Fields(targets), p.name):
		return "it is the name of a target"
	}
	return ""
}

// targets are the names that -j takes for no chain: iptables(8) and iptables-extensions(8).
const targets = `ACCEPT DROP QUEUE RETURN AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL HMARK
IDLETIMER LED LOG MARK MASQUERADE NETMAP NFLOG NFQUEUE NOTRACK RATEEST REDIRECT REJECT SECMARK SET SNAT SNPT SYNPROXY
TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG`

// plainWord is true if iptables-restore takes s for one word and iptables-save prints it unchanged.
func plainWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// refuseChain reports that a chain can't be lowered, at the origin of its first rule.
func (l *lowering) refuseChain(c *ir.Chain, what, why, fix string) {
	d := diag.Diagnostic{Severity: diag.Error, Code: Unsupported, What: "iptables can't say " + what, Why: why, Fix: fix}
	if c != nil && len(c.Rules) > 0 {
		d.Span = c.Rules[0].Origin.Span
	}
	l.found = append(l.found, d)
}
