package nftables

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.CounterReader = Loader{}

// Counters implements [backends.CounterReader] with the counters of rules; of rules that look
// packets up in a counted set, with those of its elements. Other rules that were merged share one
// tally.
func (Loader) Counters(rules backends.Ruleset) ([]backends.Counted, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return nil, err
	}
	want, have, err := set.inventories()
	if err != nil {
		return nil, err
	}
	var counters []backends.Counted
	for _, t := range set.tables {
		number := familyNumber(t.family)
		if held := have.Table(number, t.name); held != nil {
			counters = t.counters(counters, want.Table(number, t.name), held)
		}
	}
	return counters, nil
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
	if have, err = delta.Take(stream); err == nil {
		administer(have)
	}
	return want, have, err
}

// counters appends what held has counted for the rules of t, which is want.
func (t *table) counters(counters []backends.Counted, want, held *delta.Table) []backends.Counted {
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
				counters = s.counters(counters, t.family, want.Set(s.name), held.Set(s.name))
				continue
			}
			behind := append([]*ir.Rule{r.origin}, r.merged...)
			counters = append(counters, backends.Counted{Family: t.family, Rules: behind,
				Count: there.Rules[at].Count()})
		}
	}
	return counters
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

// counters appends what the elements of held, which may be nil, have counted. Those of want are
// those of s, in the same order.
func (s *set) counters(counters []backends.Counted, family ir.Family, want, held *delta.Set) []backends.Counted {
	if held == nil {
		return counters
	}
	for i, key := range want.Order {
		if e, ok := held.Elements[key]; ok {
			counters = append(counters, backends.Counted{Family: family, Rules: []*ir.Rule{s.origins[i]},
				Count: e.Count()})
		}
	}
	return counters
}
