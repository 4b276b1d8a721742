package iptables

import (
	"cmp"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// programKey names a chain of the program.
type programKey struct {
	family      ir.Family
	table, name string
}

// reaching finds where chains are met that are attached to no hook.
type reaching struct {
	byName map[programKey]*ir.Chain
	hooks  map[*ir.Chain]map[string]hooks
}

// reachable returns, for each chain that is attached to no hook, the tables in which it is reached
// and the hooks there. One that nothing leads to is in its home table, reached from no hook.
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
		case c.Group != 0:
			for _, row := range c.Group.Rows() {
				r.follow(c, row.Of, tableOf(&row.Base), 1<<row.Hook)
			}
		case c.Base != nil:
			r.follow(c, nil, tableOf(c.Base), 1<<c.Base.Hook)
		}
	}
	for _, c := range p.Chains {
		if c.Group == 0 && c.Base == nil && r.hooks[c] == nil {
			r.enter(c, cmp.Or(homes[programKey{family: c.Family, table: c.Table}], home(c.Table)), 0)
		}
	}
	return r.hooks
}

// home returns the table for an ir table without base chains.
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
	r.follow(c, nil, table, h)
}

// follow enters the chains that the rules of c lead to, those that of selects; nil selects all.
func (r *reaching) follow(c *ir.Chain, of func(*ir.Rule) bool, table string, h hooks) {
	for i := range c.Rules {
		name, ok := target(c.Rules[i].Verdict)
		if !ok || of != nil && !of(&c.Rules[i]) {
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
