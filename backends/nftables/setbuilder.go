package nftables

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/vnetc/vnetc/ir"
)

// setBuilder gathers the elements of a set, each once.
type setBuilder struct {
	set  *set
	seen keyTable
}

// newSetBuilder makes room for about n elements.
func newSetBuilder(fields []field, n int) *setBuilder {
	b := &setBuilder{set: &set{origins: make([]*ir.Rule, 0, n)}, seen: newKeyTable(n)}
	for _, f := range fields {
		b.set.types = append(b.set.types, f.dataType())
		b.set.stride += f.dataType().size()
	}
	b.set.keys = make([]byte, 0, n*b.set.stride)
	return b
}

// begin begins an element, whose values come next; it returns false if the element is there.
func (b *setBuilder) begin(id keyID, from *ir.Rule, note string) bool {
	if _, there := b.seen.place(id); there {
		return false
	}
	s := b.set
	s.origins = append(s.origins, from)
	if note != "" && s.notes == nil {
		s.notes = make([]string, len(s.origins)-1)
	}
	if s.notes != nil {
		s.notes = append(s.notes, note)
	}
	return true
}

// value adds the next value of the element, the one that m, a match of f, compares with.
func (b *setBuilder) value(f field, m ir.Match) { b.set.keys = f.appendKey(b.set.keys, m) }

// share returns the set of the table that has the types and elements of s, or adds s under the name, or under the name with a
// number behind it. A counted set is one rule's alone: its figures are.
func (l *lowerer) share(t *table, s *set, name, use string) *set {
	for _, old := range t.sets {
		if !s.counted && !old.counted && slices.Equal(old.types, s.types) && bytes.Equal(old.keys, s.keys) {
			old.use(use)
			return old
		}
	}
	s.name = l.freeName(t, name)
	s.use(use)
	t.sets = append(t.sets, s)
	return s
}

// freeName returns name, or name with the first number behind it that makes it one that no set of the table has.
func (l *lowerer) freeName(t *table, name string) string {
	taken := func(name string) bool {
		return slices.Contains(l.reserved, name) || slices.ContainsFunc(t.sets, func(s *set) bool { return s.name == name })
	}
	if !taken(name) {
		return name
	}
	for n := 2; ; n++ {
		if numbered := name + "_" + itoa(n); !taken(numbered) {
			return numbered
		}
	}
}

// valuesName returns the name of a set of values of one field, which are what they are, whoever looks them up.
func valuesName(f field) string {
	if f.isAddr() {
		return "subnets" + itoa(f.bits)
	}
	return "interfaces"
}

// keysName returns the name of a set of keys that belong to the rules of a chain with one verdict: fwi_accept_oif_daddr24.
func keysName(chain, verdict string, fields []field, except bool) string {
	name := chain + "_" + verdict
	for i, f := range fields {
		if except && i == len(fields)-1 {
			name += "_not"
		}
		name += "_" + f.name()
	}
	return name
}

// verdictName returns a verdict in a word.
func verdictName(v ir.Verdict) string {
	switch v.(type) {
	case ir.Accept:
		return "accept"
	case ir.Drop:
		return "drop"
	case ir.Return:
		return "return"
	case ir.Reject:
		return "reject"
	case ir.Goto:
		return "goto"
	case ir.Masquerade:
		return "masquerade"
	case ir.SNAT:
		return "snat"
	case ir.DNAT:
		return "dnat"
	case ir.Redirect:
		return "redirect"
	}
	panic(fmt.Sprintf("nftables: no set for verdict %T", v))
}

// use returns what the set of the group is for: the reason that its rules have in common, else where they stand.
func (g *group) use(to *chain) string {
	what := to.name + ": "
	reason := g.members[0].rule.Origin.Reason
	for _, it := range g.members {
		if it.rule.Origin.Reason != reason {
			reason = ""
		}
	}
	if reason == "" {
		return what + ir.VerdictText(g.members[0].rule.Verdict)
	}
	return what + reason
}

func itoa(n int) string { return strconv.Itoa(n) }
