package iptables

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// adminName returns what a chain for the administrator's rules is called here.
func adminName(a *ir.AdminChain) string {
	return prefixOf(backends.VnetcNames) + strings.ToUpper(a.Name)
}

// isAdmin is true if a chain of a table is one for the administrator's rules.
func isAdmin(table, chain string) bool {
	return slices.ContainsFunc(ir.AdminChains[:], func(a ir.AdminChain) bool {
		return tableOf(&a.Base) == table && adminName(&a) == chain
	})
}

// admin places the chains for the administrator's rules, and the jumps to them before all of ours.
func (p *plan) admin() {
	for i := range ir.AdminChains {
		a := &ir.AdminChains[i]
		t := p.table(tableOf(&a.Base))
		name := adminName(a)
		t.chains = append(t.chains, tableChain{name: name, policy: "-", family: ir.Both, hooks: 1 << a.Hook,
			table: t.name, admin: true})
		t.jumps = append(t.jumps, jump{builtins[a.Hook], name})
	}
}

// filled returns the names of the administrator's chains that hold rules, and of the chains that
// these lead to, whoever made them.
func (t *tableState) filled() (filled, used []string) {
	for _, c := range t.chains {
		if c.own && len(c.rules) > 0 && isAdmin(t.name, c.name) {
			filled = append(filled, c.name)
		}
	}
	for queue := slices.Clone(filled); len(queue) > 0; queue = queue[1:] {
		c := t.chain(queue[0])
		if c == nil {
			c = named(t.users, queue[0])
		}
		if c == nil || slices.Contains(used, c.name) {
			continue
		}
		used = append(used, c.name)
		for _, r := range c.rules {
			if _, options, found := strings.Cut(strings.TrimPrefix(r.text, "-A "), " "); found {
				if to, _, err := leads(options); err == nil && to != "" {
					queue = append(queue, to)
				}
			}
		}
	}
	return filled, used
}

// his returns the chains of other names than ours that the administrator's rules lead to.
func (t *tableState) his() (chains []*chainState) {
	_, used := t.filled()
	for _, c := range t.users {
		if slices.Contains(used, c.name) {
			chains = append(chains, c)
		}
	}
	return chains
}

// keep gives to, which t is to become, what t has of the administrator: his chains as they are, the
// jumps to those that hold rules, and chains of our names that these rules lead to.
func (t *tableState) keep(to *tableState) {
	filled, used := t.filled()
	for _, c := range t.chains {
		stays := &chainState{name: c.name, own: c.own, rules: c.rules, kept: true}
		switch i := slices.IndexFunc(to.chains, func(o *chainState) bool { return o.name == c.name }); {
		case !c.own:
			t.keepJumps(to, c, filled)
		case i >= 0 && isAdmin(t.name, c.name):
			to.chains[i] = stays
		case i < 0 && slices.Contains(used, c.name):
			to.chains = append(to.chains, stays)
		}
	}
}

// keepJumps gives the built-in chain of to the jumps of c to those filled, where it lacks them:
// before all of our jumps or, without any, behind as many foreign rules as now.
func (t *tableState) keepJumps(to *tableState, c *chainState, filled []string) {
	for i, r := range c.rules {
		if !slices.Contains(filled, r.jump) {
			continue
		}
		base := to.chain(c.name)
		if base == nil {
			base = &chainState{name: c.name}
			to.chains = append(to.chains, base)
		}
		if slices.ContainsFunc(base.rules, func(o rule) bool { return o.jump == r.jump }) {
			continue
		}
		at := slices.IndexFunc(base.rules, func(o rule) bool { return o.jump != "" })
		if at < 0 {
			at = min(len(strangers(c.rules[:i])), len(base.rules))
		}
		base.rules = slices.Insert(slices.Clone(base.rules), at, r)
	}
}

// markAdmin marks the administrator's chains in p, which was read, and the chains that only his
// rules lead to.
func markAdmin(p *ir.Program) {
	filled := false
	for _, c := range p.Chains {
		c.Admin = c.Base == nil && isAdmin(c.Table, c.Name)
		filled = filled || c.Admin && len(c.Rules) > 0
	}
	if !filled {
		return
	}
	his, others := make(map[*ir.Chain]bool), make(map[*ir.Chain]bool)
	for _, c := range p.Chains {
		switch {
		case c.Admin:
			reachFrom(p, c, his)
		case c.Base != nil || hasGroupName(c.Name):
			reachFrom(p, c, others)
		}
	}
	for c := range his {
		c.Admin = c.Admin || !others[c]
	}
}

// hasGroupName is true if a chain has a group's name.
func hasGroupName(chain string) bool {
	return slices.ContainsFunc(ir.GroupTable[:], func(row ir.GroupRow) bool {
		return prefixOf(backends.VnetcNames)+row.Name == chain
	})
}

// reachFrom adds the chains that packets meet from c on, those of the administrator left out if c
// is none.
func reachFrom(p *ir.Program, c *ir.Chain, met map[*ir.Chain]bool) {
	for queue := []*ir.Chain{c}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if met[at] || at.Admin && !c.Admin {
			continue
		}
		met[at] = true
		for i := range at.Rules {
			if name, leads := target(at.Rules[i].Verdict); leads {
				if to := p.Target(at, name); to != nil {
					queue = append(queue, to)
				}
			}
		}
	}
}
