package nftables

import (
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Counter = Loader{}

// Tallies implements [backends.Counter] with the counters of rules; of rules that look packets up in a counted set, with
// those of its elements. Other rules that were merged share one tally.
func (Loader) Tallies(rules backends.Ruleset) ([]backends.Tally, error) {
	set := rules.(*Ruleset)
	want, have, err := set.inventories()
	if err != nil {
		return nil, err
	}
	var tallies []backends.Tally
	for _, t := range set.tables {
		number := familyNumber(t.family)
		if held := have.table(number, t.name); held != nil {
			tallies = t.tallies(tallies, want.table(number, t.name), held)
		}
	}
	return tallies, nil
}

// inventories returns what the ruleset makes, and what the kernel holds in its tables.
func (r *Ruleset) inventories() (want, have *inventory, err error) {
	if want, err = takeInventory(r.Batch().Bytes); err != nil {
		return nil, nil, err
	}
	stream, _, err := dumpTables(want.where())
	if err != nil {
		return nil, nil, explain(err)
	}
	have, err = takeInventory(stream)
	return want, have, err
}

// tallies appends what held has counted for the rules of t, which is want.
func (t *table) tallies(tallies []backends.Tally, want, held *heldTable) []backends.Tally {
	for _, c := range t.chains {
		there := held.chain(c.name)
		if there == nil {
			continue
		}
		for i, at := range keptRules(there.rules, want.chain(c.name).rules) {
			r := &c.rules[i]
			if at < 0 || r.origin == nil {
				continue
			}
			if s := r.countedSet(); s != nil {
				tallies = s.tallies(tallies, t.family, want.set(s.name), held.set(s.name))
				continue
			}
			behind := append([]*ir.Rule{r.origin}, r.merged...)
			tallies = append(tallies, backends.Tally{Family: t.family, Rules: behind, Count: there.rules[at].count()})
		}
	}
	return tallies
}

// countedSet returns the set whose elements count for the rule, nil if the rule does so itself.
func (r *rule) countedSet() *set {
	for _, s := range r.statements {
		if l, ok := s.(lookup); ok && l.set.counted && !l.not {
			return l.set
		}
	}
	return nil
}

// tallies appends what the elements of held, which may be nil, have counted. Those of want are those of s, in the same order.
func (s *set) tallies(tallies []backends.Tally, family ir.Family, want, held *heldSet) []backends.Tally {
	if held == nil {
		return tallies
	}
	for i, key := range want.order {
		if e, ok := held.elements[key]; ok {
			tallies = append(tallies, backends.Tally{Family: family, Rules: []*ir.Rule{s.origins[i]}, Count: e.count()})
		}
	}
	return tallies
}

// count returns what the rule's counter says, nothing if it has none.
func (r *heldRule) count() backends.Count {
	m, _, err := nextMessage(r.raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	list, _ := expressions(nil, m.attrs[unix.NFTA_RULE_EXPRESSIONS])
	return countOf(list)
}

// count returns what the element's counter says, nothing if it has none.
func (e element) count() backends.Count {
	a, _ := parseAttrs(e.raw)
	list, _ := actions(a[unix.NFTA_SET_ELEM_EXPR], a[nftaSetElemExpressions])
	return countOf(list)
}

// countOf returns what the counter among list says.
func countOf(list []expression) (c backends.Count) {
	for i := range list {
		if list[i].name == "counter" {
			c.Packets, c.Bytes = list[i].uint64(unix.NFTA_COUNTER_PACKETS), list[i].uint64(unix.NFTA_COUNTER_BYTES)
		}
	}
	return c
}
