package nftables

import (
	"cmp"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// group is items of one shape and level that become one rule: a packet that matches one of them has the verdict that all of
// them have. What all have in common stays in the rule; the values that differ become the keys of a set.
type group struct {
	level   int32
	members []*item
	same    keyTable // the values of the fields of members that have negated ones
	excepts []keyID  // those of the negated ones, by the number of these values
}

// groupsOf puts the items into groups, in the order in which these are to stand.
func groupsOf(items []item) []*group {
	type at struct{ level, shape int32 }
	open := make(map[at][]*group)
	var all []*group
	for i := range items {
		it := &items[i]
		key := at{it.level, it.shape}
		var to *group
		for _, g := range open[key] {
			if g.takes(it) {
				to = g
				break
			}
		}
		if to == nil {
			to = &group{level: it.level}
			all = append(all, to)
			open[key] = append(open[key], to)
			to.takes(it)
		}
		to.members = append(to.members, it)
	}
	slices.SortStableFunc(all, func(a, b *group) int { return cmp.Compare(b.level, a.level) })
	return all
}

// takes is true if the item can join the group, and notes its values. A negated field becomes a look-up that carries the
// other values along: "from one of these subnets, and not to that same subnet". So with these values there must be
// only one value of the negated fields. Verdicts that don't end the walk are not merged.
func (g *group) takes(it *item) bool {
	if !mergeable(it.rule.Verdict) {
		return len(g.members) == 0
	}
	except := idOf(&it.except)
	if except == (keyID{}) {
		return true
	}
	if g.same.slots == nil {
		g.same = newKeyTable(0)
	}
	at, there := g.same.place(idOf(&it.same))
	if !there {
		g.excepts = append(g.excepts, except)
	}
	return g.excepts[at] == except
}

// idOf returns the numbers of the values that are asked for.
func idOf(all *[slots]asked) (id keyID) {
	for k, a := range all {
		id[k] = a.value
	}
	return id
}

// merge returns the rules of the chain, in groups, for the table of to.
func (l *lowerer) merge(to *chain, g *group) {
	keys, excepts := g.fields(func(it *item) *[slots]asked { return &it.same }), g.fields(func(it *item) *[slots]asked { return &it.except })
	if len(keys) == 0 || keyLength(keys, excepts) > maxKey {
		for i, it := range g.members {
			if i > 0 && len(keys) == 0 && l.repeats(to, it.rule) {
				continue
			}
			l.rule(to, it.rule)
		}
		return
	}
	first := g.members[0]
	s := l.lowering(to, first.rule)
	own := lookup{set: l.keySet(to, g, keys, nil), fields: keys}
	if !own.set.counted {
		s.lookup(own)
	}
	s.matches(first.others(keys, excepts))
	for _, e := range excepts {
		fields := append(keys[:len(keys):len(keys)], e)
		s.lookup(lookup{set: l.keySet(to, g, keys, &e), fields: fields, not: true})
	}
	if own.set.counted {
		s.countedLookup(own)
	}
	s.verdict(first.rule.Verdict)
	if s.reason != nil || s.family == 0 {
		for _, it := range g.members {
			l.rule(to, it.rule) // says why not, at each one's origin
		}
		return
	}
	r := rule{statements: s.statements, origin: first.rule}
	r.merged = make([]*ir.Rule, 0, len(g.members)-1)
	for _, it := range g.members[1:] {
		r.merged = append(r.merged, it.rule)
	}
	to.rules = append(to.rules, r)
}

// counts is true if the elements of the sets of rules with verdict v count for themselves. What is accepted is a network's own
// traffic; what is refused, or rewritten, is counted for all networks together, which costs less to load.
func counts(v ir.Verdict) bool { return v == ir.Verdict(ir.Accept{}) }

// repeats is true if r says the same as the last rule of the chain, which then stands for both.
func (l *lowerer) repeats(to *chain, r *ir.Rule) bool {
	if len(to.rules) == 0 || !mergeable(r.Verdict) {
		return false
	}
	last := &to.rules[len(to.rules)-1]
	if last.origin == nil || last.comment != l.comment(r) {
		return false
	}
	last.merged = append(last.merged, r)
	return true
}

// fields returns the fields in which members of the group differ.
func (g *group) fields(of func(*item) *[slots]asked) []field {
	var all []field
	first := of(g.members[0])
	for k, a := range first {
		if a.value == 0 {
			continue
		}
		for _, it := range g.members[1:] {
			if of(it)[k].value != a.value {
				f, _, _ := fieldOf(g.members[0].match(a))
				all = append(all, f)
				break
			}
		}
	}
	return all
}

// keyLength returns the length of the longest key.
func keyLength(keys, excepts []field) int {
	n, most := 0, 0
	for _, f := range keys {
		n += f.dataType().size()
	}
	for _, f := range excepts {
		most = max(most, f.dataType().size())
	}
	return n + most
}

// others returns the matches of it that do not become keys.
func (it *item) others(keys, excepts []field) []ir.Match {
	var all []ir.Match
	for i, m := range it.rule.Matches {
		f, not, ok := fieldOf(m)
		switch {
		case ok && !not && int32(i) == it.same[f.slot].match && slices.Contains(keys, f):
		case ok && not && int32(i) == it.except[f.slot].match && slices.Contains(excepts, f):
		default:
			all = append(all, m)
		}
	}
	return all
}

// keySet returns the set of the members' values, with those of one negated field behind them if there is one.
func (l *lowerer) keySet(to *chain, g *group, keys []field, except *field) *set {
	fields := keys
	if except != nil {
		fields = append(keys[:len(keys):len(keys)], *except)
	}
	verdict := g.members[0].rule.Verdict
	counted := except == nil && counts(verdict)
	if old := to.table.madeOf(g, keys, except); old != nil && !counted {
		old.use(g.use(to))
		return old
	}
	b := newSetBuilder(fields, len(g.members))
	for _, it := range g.members {
		if !b.begin(it.id(keys, except), it.rule, l.comment(it.rule)) {
			continue
		}
		for _, f := range keys {
			b.value(f, it.match(it.same[f.slot]))
		}
		if except != nil {
			b.value(*except, it.match(it.except[except.slot]))
		}
	}
	b.set.counted, b.set.ids = counted, b.seen.ids
	name := valuesName(fields[0])
	if len(fields) > 1 || b.set.counted {
		name = keysName(to.name, verdictName(verdict), fields, except != nil)
	}
	return l.share(to.table, b.set, name, g.use(to))
}

// id returns the numbers of the key's values.
func (it *item) id(keys []field, except *field) (id keyID) {
	for _, f := range keys {
		id[f.slot] = it.same[f.slot].value
	}
	if except != nil {
		id[slots] = it.except[except.slot].value
	}
	return id
}

// madeOf returns the set of the table that was made of just the keys that the group's members have, and that others may look
// up, too; nil if there is none. Rules of one network ask for the same values again and again.
func (t *table) madeOf(g *group, keys []field, except *field) *set {
	for _, s := range t.sets {
		same := !s.counted && len(s.ids) == len(g.members)
		for i := 0; same && i < len(s.ids); i++ {
			same = s.ids[i] == g.members[i].id(keys, except)
		}
		if same {
			return s
		}
	}
	return nil
}
