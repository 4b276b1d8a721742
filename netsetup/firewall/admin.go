package firewall

import (
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// adminIn returns the rules of the administrator that held has, which t holds: of each of his
// chains, in the order in which packets meet them.
func (t Target) adminIn(held *ir.Program) (all []backends.AdminRules) {
	flusher, _ := t.Loader.(backends.Flusher)
	for _, c := range held.Chains {
		if !c.Admin || len(c.Rules) == 0 {
			continue
		}
		r := backends.AdminRules{Target: t.String(), Rules: written(c),
			Chain: &ir.Chain{Family: c.Family, Table: c.Table, Name: c.Name, Admin: true}}
		if flusher != nil {
			r.Flush = flusher.FlushCommand(c)
		}
		all = append(all, r)
	}
	return all
}

// ours returns what of held is vnetc's own: his chains are there, but have no rules. It has no
// chains if nothing but those, and what leads there, is left.
func ours(held *ir.Program) *ir.Program {
	leadsToAdmin := func(c *ir.Chain) bool {
		return c.Base != nil && !slices.ContainsFunc(c.Rules, func(r ir.Rule) bool {
			jump, is := r.Verdict.(ir.Jump)
			if !is {
				return true
			}
			to := held.Target(c, jump.Chain)
			return to == nil || !to.Admin
		})
	}
	own := func(c *ir.Chain) bool { return !c.Admin && !leadsToAdmin(c) }
	if held.AdminRules() > 0 && !slices.ContainsFunc(held.Chains, own) {
		return &ir.Program{}
	}
	return held.WithoutAdmin()
}

// visible returns held without those chains and sets of the administrator that meant does not have.
func visible(held, meant *ir.Program) *ir.Program {
	out := *held
	out.Chains = slices.DeleteFunc(slices.Clone(held.Chains), func(c *ir.Chain) bool {
		return c.Admin && find(meant, c) == nil
	})
	out.Sets = slices.DeleteFunc(slices.Clone(held.Sets), func(s *ir.Set) bool {
		return s.Admin && findSet(meant, s) == nil
	})
	return &out
}

// written returns how many rules c has as they were written.
func written(c *ir.Chain) (n int) {
	for i := range c.Rules {
		if !c.Rules[i].Continues() {
			n++
		}
	}
	return n
}
