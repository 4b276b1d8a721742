package nftables

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/merge"
)

// merge returns p as layout sets has it. Linear also records what stays linear.
func (l *lowerer) merge(p *ir.Program, linear bool) *ir.Program {
	l.merged = merge.Program(p, merge.Options{
		Families: l.options.Families, Table: l.names.table, Chain: l.chainName, Comment: l.comment,
		MaxKey: maxKey, Linear: linear,
		Skip: func(row *ir.GroupRow) bool { return leftOut(row, p, l.options.Families) != 0 },
	})
	return l.merged.Program
}

// chainName returns what the chain c is called here.
func (l *lowerer) chainName(c *ir.Chain) string {
	if c.Group != 0 {
		return l.names.of(c.Group.Rows()[0])
	}
	return c.Name
}

// behind returns the rules of the program that rule i of c stands for: itself, unless it was
// merged.
func (l *lowerer) behind(c *ir.Chain, i int) []*ir.Rule {
	if l.merged == nil {
		return []*ir.Rule{&c.Rules[i]}
	}
	return l.merged.From(c, i)
}

// guard gives the jump to a chain the matches of r, the guard of the chain: most packets are spared
// the jump as well.
func (l *lowerer) guard(to *chain, r *ir.Rule, jump *rule) {
	asked, ok := r.Matches[0].(ir.Lookup)
	if !ok || len(r.Matches) > 1 || !asked.Not || r.Verdict != ir.Verdict(ir.Return{}) {
		panic(fmt.Sprintf("nftables: %s is no guard", r))
	}
	asked.Not = false
	s := l.lowering(to, r)
	s.matches([]ir.Match{asked})
	if s.reason != nil {
		l.refuseAll(s.reason, r, nil)
	}
	jump.statements = append(s.statements, jump.statements...)
}

var _ backends.Merger = Backend{}

// Linear implements [backends.Merger]. Layout chains merges nothing, and has nothing to say.
func (b Backend) Linear(p *ir.Program, o backends.Options) []backends.Linear {
	if o = o.Usual(b); o.Layout != backends.Sets {
		return nil
	}
	l := b.lower(p, o, true)
	if l.merged == nil || l.diags.HasErrors() {
		return nil
	}
	var all []backends.Linear
	for _, n := range l.merged.Linear {
		all = append(all, backends.Linear(n))
	}
	return all
}
