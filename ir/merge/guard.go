package merge

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// guard spares most packets a chain: if every rule in it matches a value of one field, packets with
// another value leave at once, by one look-up. It comes after the merging of groups. Rules that
// match nothing but what the guard has matched lose that look-up.
func (p *part) guard(items []item) {
	head := ir.Rule{Family: p.table.family, Verdict: ir.Return{}}
	if len(p.rules)-p.bare < 2 || p.of != nil && !p.of(&head) {
		return
	}
	f, ok := commonField(items)
	if !ok || f.IsAddr() && p.table.family == ir.Both { // it would need to be asked for its family first
		return
	}
	l := newList([]Field{f}, []int{int(f.Slot)}, len(items)/2)
	for i := range items {
		m := items[i].match(items[i].same[f.Slot])
		var id keyID
		if id[f.Slot] = items[i].same[f.Slot].value; f.IsAddr() && prefixOfMatch(m).Bits() != f.Bits {
			id[f.Slot] = p.shorter(m, f.Bits)
		}
		if l.begin(id, items[i].rule, "") {
			l.is(0, f.is(m))
		}
	}
	if len(l.set.Elements) < 2 {
		return
	}
	asked := ir.Lookup{Set: p.share(l, valuesName(f), p.label+": all rules")}
	for i := range p.rules {
		p.rules[i].Matches = slices.DeleteFunc(p.rules[i].Matches,
			func(m ir.Match) bool { return m == ir.Match(asked) })
	}
	asked.Not = true
	head.Matches = []ir.Match{asked}
	p.rules, p.from = slices.Insert(p.rules, 0, head), slices.Insert(p.from, 0, nil)
}

// commonField returns the field of which every item matches a value: an interface if there is one,
// else the first bits of an address, as many as the shortest prefix has.
func commonField(items []item) (Field, bool) {
	for _, slot := range [...]Slot{Out, In, Src, Dst} {
		var common Field
		for i := range items {
			if items[i].same[slot].value == 0 {
				common.Bits = -1
				break
			}
			f, _, _ := FieldOf(items[i].match(items[i].same[slot]))
			switch {
			case i == 0:
				common = f
			case f.V6 != common.V6:
				common.Bits = -1
			default:
				common.Bits = min(common.Bits, f.Bits)
			}
			if common.Bits < 0 {
				break
			}
		}
		if common.Bits >= 0 && len(items) > 0 {
			return common, true
		}
	}
	return Field{}, false
}
