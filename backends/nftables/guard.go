package nftables

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// guard spares most packets a chain: when every rule in it asks for a value of one field, packets with another value leave at
// once, by one look-up. Chains of the groups that are jumped to have the look-up before the jump; others begin with a return.
// It comes after merge. Rules that ask for nothing but what the guard has asked lose that look-up.
func (l *lowerer) guard(to *chain, items []item, jump *rule) {
	if len(to.rules) < 2 {
		return
	}
	f, ok := commonField(items)
	if !ok || f.isAddr() && to.table.family == ir.Both { // it would need to be asked for its family first
		return
	}
	b := newSetBuilder([]field{f}, len(items)/2)
	for i := range items {
		m := items[i].match(items[i].same[f.slot])
		id := keyID{items[i].same[f.slot].value}
		if f.isAddr() && prefixOfMatch(m).Bits() != f.bits {
			id[0] = l.shorter(m, f.bits)
		}
		if b.begin(id, items[i].rule, "") {
			b.value(f, m)
		}
	}
	if b.set.len() < 2 {
		return
	}
	s := l.share(to.table, b.set, valuesName(f), to.name+": all rules")
	asked := lookup{set: s, fields: []field{f}}
	for i := range to.rules {
		to.rules[i].statements = slices.DeleteFunc(to.rules[i].statements, func(st statement) bool {
			other, ok := st.(lookup)
			return ok && !other.not && other.set == s && slices.Equal(other.fields, asked.fields)
		})
	}
	if jump != nil {
		jump.statements = append([]statement{asked}, jump.statements...)
		return
	}
	asked.not = true
	head := rule{statements: []statement{asked, counter{}, verdict{word: "return"}}}
	to.rules = append([]rule{head}, to.rules...)
}

// commonField returns the field of which every item asks for a value: an interface if there is one, else the first bits of an
// address, as many as the shortest prefix has.
func commonField(items []item) (field, bool) {
	for _, slot := range [...]slot{slotOut, slotIn, slotSrc, slotDst} {
		var common field
		for i := range items {
			if items[i].same[slot].value == 0 {
				common.bits = -1
				break
			}
			f, _, _ := fieldOf(items[i].match(items[i].same[slot]))
			switch {
			case i == 0:
				common = f
			case f.v6 != common.v6:
				common.bits = -1
			default:
				common.bits = min(common.bits, f.bits)
			}
			if common.bits < 0 {
				break
			}
		}
		if common.bits >= 0 && len(items) > 0 {
			return common, true
		}
	}
	return field{}, false
}
