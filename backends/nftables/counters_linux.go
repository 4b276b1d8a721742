package nftables

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Counter = Loader{}

// Tallies implements [backends.Counter] with the counters of rules; of rules that look packets up
// in a counted set, with those of its elements. Other rules that were merged share one tally.
func (Loader) Tallies(rules backends.Ruleset) ([]backends.Tally, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return nil, err
	}
	want, have, err := set.inventories()
	if err != nil {
		return nil, err
	}
	var tallies []backends.Tally
	for _, t := range set.tables {
		number := familyNumber(t.family)
		if held := have.Table(number, t.name); held != nil {
			tallies = t.tallies(tallies, want.Table(number, t.name), held)
		}
	}
	return tallies, nil
}

// inventories returns what the ruleset makes, and what the kernel holds in its tables.
func (r *Ruleset) inventories() (want, have *delta.Inventory, err error) {
	if want, err = delta.Take(r.Batch().Bytes); err != nil {
		return nil, nil, err
	}
	stream, _, err := wire.Dump(want.Where())
	if err != nil {
		return nil, nil, explain(err)
	}
	have, err = delta.Take(stream)
	return want, have, err
}

// tallies appends what held has counted for the rules of t, which is want.
func (t *table) tallies(tallies []backends.Tally, want, held *delta.Table) []backends.Tally {
	for _, c := range t.chains {
		there := held.Chain(c.name)
		if there == nil {
			continue
		}
		for i, at := range delta.Kept(there.Rules, want.Chain(c.name).Rules) {
			r := &c.rules[i]
			if at < 0 || r.origin == nil {
				continue
			}
			if s := r.countedSet(); s != nil {
				tallies = s.tallies(tallies, t.family, want.Set(s.name), held.Set(s.name))
				continue
			}
			behind := append([]*ir.Rule{r.origin}, r.merged...)
			tallies = append(tallies, backends.Tally{Family: t.family, Rules: behind, Count: there.Rules[at].Count()})
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

// tallies appends what the elements of held, which may be nil, have counted. Those of want are
// those of s, in the same order.
func (s *set) tallies(tallies []backends.Tally, family ir.Family, want, held *delta.Set) []backends.Tally {
	if held == nil {
		return tallies
	}
	for i, key := range want.Order {
		if e, ok := held.Elements[key]; ok {
			tallies = append(tallies, backends.Tally{Family: family, Rules: []*ir.Rule{s.origins[i]}, Count: e.Count()})
		}
	}
	return tallies
}
