package nftables

import "github.com/vnetc/vnetc/ir"

// pass is layout sets for the rules of one chain. It has four steps: take rules apart and find those of one shape (shape.go), put
// them on levels that say what may not move over what (order.go), merge the rules of one shape and level into one with sets
// (merge.go), and guard the chain by one look-up (guard.go). It knows nothing about networks. That what comes out means what
// went in is proved in the tests, for every program that they have, from what is emitted.
func (l *lowerer) pass(to *chain, rules []*ir.Rule, jump *rule) {
	items := make([]item, 0, len(rules))
	shapes := newShaper(&l.values)
	for _, r := range rules {
		family := to.table.family & r.Family & familyOfVerdict(r.Verdict)
		for _, m := range r.Matches {
			family &= familyOfMatch(m)
		}
		if family == 0 {
			l.rule(to, r) // for no packet, if it can be said at all
			continue
		}
		items = append(items, shapes.item(r, family))
	}
	levels(&l.values, items)
	groups := groupsOf(items)
	for _, g := range groups {
		l.merge(to, g)
	}
	if l.asksLinear {
		l.noteLinear(to, items, groups)
	}
	l.guard(to, items, jump)
}
