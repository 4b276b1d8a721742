package merge

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// Linear is a rule that is not merged, so that every packet that reaches it is compared with it,
// although other rules match the same fields and have the same kind of verdict.
type Linear struct {
	Family ir.Family // of the table
	Rule   *ir.Rule
	Why    string   // in words
	Over   *ir.Rule // the rule that must keep its place; nil where order is not the reason
}

// noteLinear keeps what stays linear of a chain's groups: among those that match the same fields
// and have the same kind of verdict, all but the largest.
func (p *part) noteLinear(items []item, groups []*group) {
	largest := make(map[string]*group)
	for _, g := range groups {
		if now := largest[g.kind()]; now == nil || len(g.members) > len(now.members) {
			largest[g.kind()] = g
		}
	}
	for _, g := range groups {
		main := largest[g.kind()]
		if g == main {
			continue
		}
		for _, it := range g.members {
			n := Linear{Family: p.table.family, Rule: it.rule}
			n.Why, n.Over = stays(items, it, main.members[0])
			p.out.Linear = append(p.out.Linear, n)
		}
	}
}

// kind is what two groups have in common that might be one rule but for order, or for the values of
// their verdict.
func (g *group) kind() string {
	it := g.members[0]
	b := fmt.Appendf(nil, "%d %v", it.family, reflect.TypeOf(it.rule.Verdict))
	asks := make(map[int32]bool)
	for _, fields := range [...]*[slots]asked{&it.same, &it.except} {
		for _, a := range fields {
			bits := 0xff
			if a.value != 0 {
				asks[a.match] = true
				f, _, _ := FieldOf(it.match(a))
				bits = f.Bits
			}
			b = append(b, byte(bits))
		}
	}
	var rest []string
	for i, m := range it.rule.Matches {
		if !asks[int32(i)] {
			rest = append(rest, fmt.Sprintf("%T %v", m, m))
		}
	}
	slices.Sort(rest)
	return string(b) + strings.Join(slices.Compact(rest), ",")
}

// stays says why it is not in one rule with other, and which rule is in the way.
func stays(items []item, it, other *item) (why string, over *ir.Rule) {
	switch {
	case !mergeable(it.rule.Verdict):
		return "its verdict lets packets go on, and each rule counts or leads on by itself", nil
	case it.rule.Verdict != other.rule.Verdict:
		return "its verdict has values of its own, and one rule has one verdict", nil
	case it.level > other.level:
		return "it must stay before a rule that some packet of its own matches too", barrier(items, it)
	case it.level < other.level:
		return "the others like it must stay before a rule that some packet of theirs matches too",
			barrier(items, other)
	}
	return "another rule excepts other addresses for the same interface and address", nil
}

// barrier returns the first rule behind it that it may not move over, on the level below its own.
func barrier(items []item, it *item) *ir.Rule {
	behind := false
	for i := range items {
		next := &items[i]
		if next == it {
			behind = true
		} else if behind && next.level == it.level-1 && !agree(next.rule.Verdict, it.rule.Verdict) &&
			!disjoint(next, it) {
			return next.rule
		}
	}
	return nil
}
