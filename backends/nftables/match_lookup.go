package nftables

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// lookup adds a look-up of the lowered model.
func (s *ruleLowering) lookup(st lookup) {
	for _, f := range st.fields {
		if f.isAddr() {
			s.family &= f.family()
			s.needFamily(f.family(), nowhere)
		}
	}
	s.add(st)
}

// countedLookup adds a look-up whose elements count. It is a rule's last condition: an element counts each packet that it is
// found for, whatever conditions follow. So the rule's own counter says the sum of them.
func (s *ruleLowering) countedLookup(st lookup) {
	if !slices.ContainsFunc(st.fields, field.isAddr) {
		s.endMatches()
	}
	s.lookup(st)
}

// inSet lowers a look-up of the program: its set becomes one of the rule's table.
func (s *ruleLowering) inSet(m ir.Lookup) {
	fields, why := fieldsOf(m.Set)
	if why != "" {
		s.refuse(fmt.Sprintf("the set %s can't be said in nftables", m.Set.Label()), why, "write a rule for each element")
		return
	}
	if !isIdentifier(m.Set.Name) {
		s.refuse(fmt.Sprintf("nftables can't name a set %q", m.Set.Name),
			"a name begins with a letter or _, goes on with letters, digits and / _ . -, and is no keyword of nft(8)", "choose another name")
		return
	}
	s.lookup(lookup{set: s.lowerer.programSet(s.chain.table, m.Set, fields, s.rule), fields: fields, not: m.Not})
}

// fieldsOf returns the fields that all elements of s give a value for; why is the reason if they don't.
func fieldsOf(s *ir.Set) (fields []field, why string) {
	const uneven = "each element of a set has one value for each of the same fields: names of interfaces, or prefixes of one length"
	if len(s.Elements) == 0 {
		return nil, "without elements, the type of its keys is not known"
	}
	for i, e := range s.Elements {
		mine := make([]field, 0, len(e))
		for _, m := range e {
			f, not, ok := fieldOf(m)
			if !ok || not || slices.ContainsFunc(mine, func(o field) bool { return o.slot == f.slot }) {
				return nil, uneven
			}
			mine = append(mine, f)
		}
		slices.SortFunc(mine, func(a, b field) int { return int(a.slot) - int(b.slot) })
		if i > 0 && !slices.Equal(mine, fields) || len(mine) == 0 || keyLength(mine, nil) > maxKey {
			return nil, uneven
		}
		fields = mine
	}
	return fields, ""
}

// programSet returns the set of table t that s, a set of the program, becomes.
func (l *lowerer) programSet(t *table, s *ir.Set, fields []field, from *ir.Rule) *set {
	if t.fromProgram[s] == nil {
		b := newSetBuilder(fields, len(s.Elements))
		for _, e := range s.Elements {
			var id keyID
			for _, m := range e {
				f, _, _ := fieldOf(m)
				id[f.slot] = l.values.number(m)
			}
			if !b.begin(id, from, "") {
				continue
			}
			for _, f := range fields {
				b.value(f, e[slices.IndexFunc(e, func(m ir.Match) bool { g, _, _ := fieldOf(m); return g == f })])
			}
		}
		b.set.name = s.Name
		if t.fromProgram == nil {
			t.fromProgram = make(map[*ir.Set]*set)
		}
		t.fromProgram[s] = b.set
		t.sets = append(t.sets, b.set)
	}
	return t.fromProgram[s]
}
