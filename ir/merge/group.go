package merge

import (
	"cmp"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// group is items of one shape and level that become one rule: a packet that matches one of them has
// the verdict that all of them have. What all have in common stays in the rule; the values that
// differ become the keys of a set.
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

// takes is true if the item can join the group, and notes its values. A negated field becomes a
// look-up that carries the other values along: "from one of these subnets, and not to that same
// subnet". So with these values there must be only one value of the negated fields. Verdicts that
// don't end the walk are not merged.
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

// group adds the rules that g becomes.
func (p *part) group(g *group) {
	keys, excepts := g.fields(func(it *item) *[slots]asked { return &it.same }),
		g.fields(func(it *item) *[slots]asked { return &it.except })
	if len(keys) == 0 || p.MaxKey > 0 && keyLength(keys, excepts) > p.MaxKey {
		for i, it := range g.members {
			if i == 0 || len(keys) > 0 || !p.repeats(it.rule) {
				p.keep(it.rule)
			}
		}
		return
	}
	first := g.members[0]
	own := ir.Lookup{Set: p.keySet(g, keys, nil)}
	others := first.others(keys, excepts)
	matches := make([]ir.Match, 0, 1+len(others)+len(excepts))
	if !own.Set.Counted {
		matches = append(matches, own)
	}
	matches = append(matches, others...)
	for _, e := range excepts {
		matches = append(matches, ir.Lookup{Set: p.keySet(g, keys, &e), Not: true})
	}
	if own.Set.Counted { // an element counts each packet that it is found for, whatever conditions follow
		matches = append(matches, own)
	}
	from := make([]*ir.Rule, len(g.members))
	for i, it := range g.members {
		from[i] = it.rule
	}
	p.add(ir.Rule{Family: p.table.family & first.rule.Family, Matches: matches, Verdict: first.rule.Verdict}, from...)
}

// counts is true if the elements of the sets of rules with verdict v count for themselves. What is
// accepted is a network's own traffic; what is refused, or rewritten, is counted for all networks
// together, which costs less to load.
func counts(v ir.Verdict) bool { return v == ir.Verdict(ir.Accept{}) }

// repeats is true if r says the same as the rule that was added last, which then stands for both.
func (p *part) repeats(r *ir.Rule) bool {
	last := len(p.from) - 1
	if !mergeable(r.Verdict) || p.comment(p.from[last][0]) != p.comment(r) {
		return false
	}
	p.from[last] = append(p.from[last], r)
	return true
}

// fields returns the fields in which members of the group differ.
func (g *group) fields(of func(*item) *[slots]asked) []Field {
	var all []Field
	first := of(g.members[0])
	for k, a := range first {
		if a.value == 0 {
			continue
		}
		for _, it := range g.members[1:] {
			if of(it)[k].value != a.value {
				f, _, _ := FieldOf(g.members[0].match(a))
				all = append(all, f)
				break
			}
		}
	}
	return all
}

// keyLength returns the length of the longest key.
func keyLength(keys, excepts []Field) int {
	n, most := 0, 0
	for _, f := range keys {
		n += f.Size()
	}
	for _, f := range excepts {
		most = max(most, f.Size())
	}
	return n + most
}

// others returns the matches of it that do not become keys.
func (it *item) others(keys, excepts []Field) []ir.Match {
	var all []ir.Match
	for i, m := range it.rule.Matches {
		f, not, ok := FieldOf(m)
		switch {
		case ok && !not && int32(i) == it.same[f.Slot].match && slices.Contains(keys, f):
		case ok && not && int32(i) == it.except[f.Slot].match && slices.Contains(excepts, f):
		default:
			all = append(all, m)
		}
	}
	return all
}

// keySet returns the set of the members' values, with those of one negated field behind them if
// there is one.
func (p *part) keySet(g *group, keys []Field, except *Field) *ir.Set {
	fields, places := keys, make([]int, 0, len(keys)+1)
	for _, f := range keys {
		places = append(places, int(f.Slot))
	}
	if except != nil {
		fields, places = append(keys[:len(keys):len(keys)], *except), append(places, int(slots))
	}
	verdict := g.members[0].rule.Verdict
	counted := except == nil && counts(verdict)
	use := g.use(p.label)
	if old := p.table.made(g, keys, except); old != nil && !counted {
		if set := old.reading(fields); set != nil {
			addUse(old.set, use)
			return set
		}
	}
	l := newList(fields, places, len(g.members))
	for _, it := range g.members {
		if !l.begin(it.id(keys, except), it.rule, p.comment(it.rule)) {
			continue
		}
		for k, f := range keys {
			l.is(k, it.match(it.same[f.Slot]))
		}
		if except != nil {
			l.is(len(keys), except.is(it.match(it.except[except.Slot])))
		}
	}
	l.set.Counted = counted
	name := valuesName(fields[0])
	if len(fields) > 1 || counted {
		name = keysName(p.label, verdictName(verdict), fields, except != nil)
	}
	return p.share(l, name, use)
}

// id returns the numbers of the key's values.
func (it *item) id(keys []Field, except *Field) (id keyID) {
	for _, f := range keys {
		id[f.Slot] = it.same[f.Slot].value
	}
	if except != nil {
		id[slots] = it.except[except.Slot].value
	}
	return id
}

// made returns the set of the table that was made of just the keys that the group's members have,
// and that others may look up, too; nil if there is none. Rules of one network match the same
// values many times.
func (t *table) made(g *group, keys []Field, except *Field) *shared {
	for _, s := range t.sets {
		same := !s.set.Counted && len(s.ids) == len(g.members)
		for i := 0; same && i < len(s.ids); i++ {
			same = s.ids[i] == g.members[i].id(keys, except)
		}
		if same {
			return s
		}
	}
	return nil
}
