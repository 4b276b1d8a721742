package nftables

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// lookup adds a look-up of the lowered model.
func (s *ruleLowering) lookup(st lookup) {
	for _, f := range st.fields {
		if f.IsAddr() {
			s.family &= f.Family()
			s.needFamily(f.Family(), nowhere)
		}
	}
	s.add(st)
}

// countedLookup adds a look-up whose elements count. It is a rule's last condition: an element
// counts each packet that it is found for, whatever conditions follow. So the rule's own counter
// says the sum of them.
func (s *ruleLowering) countedLookup(st lookup) {
	if !slices.ContainsFunc(st.fields, func(f field) bool { return f.IsAddr() }) {
		s.endMatches()
	}
	s.lookup(st)
}

// inSet lowers a look-up of the program: its set becomes one of the rule's table.
func (s *ruleLowering) inSet(m ir.Lookup) {
	fields, why := s.lowerer.fieldsOf(m.Set)
	if why != "" {
		s.refuse(fmt.Sprintf("the set %s can't be expressed in nftables", m.Set.Label()), why,
			"write a rule for each element")
		return
	}
	if m.Set.From == nil && !isIdentifier(m.Set.Name) { // others are named after chains
		s.refuse(fmt.Sprintf("nftables can't name a set %q", m.Set.Name),
			"a name begins with a letter or _, goes on with letters, digits and / _ . -, and is no keyword of nft(8)",
			"choose another name")
		return
	}
	st := lookup{set: s.lowerer.set(s.chain.table, m.Set, fields, s.rule), fields: fields, not: m.Not}
	if m.Set.Counted {
		s.countedLookup(st)
	} else {
		s.lookup(st)
	}
}

// fieldsOf returns the fields of the keys of s; why is the reason if it has none. A set is looked
// up again and again, and may have thousands of elements.
func (l *lowerer) fieldsOf(s *ir.Set) (fields []field, why string) {
	fields, ok := l.fields[s]
	if !ok {
		if fields, why = fieldsOf(s); why != "" {
			return nil, why
		}
		if l.fields == nil {
			l.fields = make(map[*ir.Set][]field)
		}
		l.fields[s] = fields
	}
	return fields, ""
}

// fieldsOf returns the fields that all elements of s give a value for, in their order in the first;
// why is the reason if they don't.
func fieldsOf(s *ir.Set) (fields []field, why string) {
	const uneven = "each element of a set has one value for each of the same fields: names of interfaces, or prefixes of one length"
	if len(s.Elements) == 0 {
		return nil, "without elements, the type of its keys is not known"
	}
	length := 0
	for _, m := range s.Elements[0] {
		f, not, ok := fieldOf(m)
		if !ok || not || slices.Contains(fields, f) {
			return nil, uneven
		}
		fields = append(fields, f)
		length += f.Size()
	}
	if len(fields) == 0 || length > maxKey {
		return nil, uneven
	}
	for _, e := range s.Elements {
		if len(e) != len(fields) {
			return nil, uneven
		}
		for k := range fields {
			if valueOf(e, fields, k) == nil {
				return nil, uneven
			}
		}
	}
	return fields, ""
}

// valueOf returns the match of element e that has the value of field k, nil if there is none. In
// most sets all elements have the fields in the same order.
func valueOf(e []ir.Match, fields []field, k int) ir.Match {
	is := func(m ir.Match) bool {
		f, not, ok := fieldOf(m)
		return ok && !not && f == fields[k]
	}
	if is(e[k]) {
		return e[k]
	}
	if i := slices.IndexFunc(e, is); i >= 0 {
		return e[i]
	}
	return nil
}
