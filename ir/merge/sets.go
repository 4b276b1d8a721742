package merge

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/vnetc/vnetc/ir"
)

// shared is a set that was made, with what finds it again.
type shared struct {
	set    *ir.Set
	fields []Field
	ids    []keyID   // of the elements, the number of each field's value where places says
	places []int     // by field
	others []*shared // of the same values for other fields
}

// column returns the number of the value that element i has for field k.
func (s *shared) column(i, k int) uint32 { return s.ids[i][s.places[k]] }

// alike is true if the elements of both have the same values, whatever they are values of. Prefixes
// of two lengths are alike if the addresses are: who looks up looks at the length.
func (s *shared) alike(o *shared) bool {
	if len(s.ids) != len(o.ids) || len(s.fields) != len(o.fields) || s.set.Counted || o.set.Counted {
		return false
	}
	for k, f := range s.fields {
		if f.Family() != o.fields[k].Family() {
			return false
		}
	}
	for i := range s.ids {
		for k, f := range s.fields {
			if f.Bits == o.fields[k].Bits {
				if s.column(i, k) != o.column(i, k) {
					return false
				}
			} else if prefixOfMatch(s.set.Elements[i][k]).Addr() != prefixOfMatch(o.set.Elements[i][k]).Addr() {
				return false
			}
		}
	}
	return true
}

// list gathers the elements of a set, each once.
type list struct {
	shared
	seen keyTable
	room []ir.Match // for elements, in one piece
}

// newList makes room for about n elements of fields, whose values have their numbers at places in
// keys.
func newList(fields []Field, places []int, n int) *list {
	set := &ir.Set{Elements: make([][]ir.Match, 0, n), From: make([]*ir.Rule, 0, n)}
	return &list{
		shared: shared{set: set, fields: fields, places: places},
		seen:   newKeyTable(n),
		room:   make([]ir.Match, 0, n*len(fields)),
	}
}

// begin begins an element, whose matches come next; it returns false if the element is there.
func (l *list) begin(id keyID, from *ir.Rule, comment string) bool {
	if _, there := l.seen.place(id); there {
		return false
	}
	s := l.set
	s.From = append(s.From, from)
	if comment != "" && s.Comments == nil {
		s.Comments = make([]string, len(s.From)-1, cap(s.From))
	}
	if s.Comments != nil {
		s.Comments = append(s.Comments, comment)
	}
	if len(l.room)+len(l.fields) > cap(l.room) {
		l.room = make([]ir.Match, 0, max(cap(l.room), 8*len(l.fields)))
	}
	begin := len(l.room)
	l.room = l.room[:begin+len(l.fields)]
	s.Elements = append(s.Elements, l.room[begin:len(l.room):len(l.room)])
	return true
}

// is sets match k of the element that was begun last.
func (l *list) is(k int, m ir.Match) { l.set.Elements[len(l.set.Elements)-1][k] = m }

// share returns the set of the table that has the fields and elements of l, or adds l's under the
// name, or under the name with a number behind it. A counted set is one rule's alone: its figures
// are.
func (p *part) share(l *list, name, use string) *ir.Set {
	l.ids = l.seen.ids
	for _, old := range p.table.sets {
		if old.alike(&l.shared) {
			return p.reading(&l.shared, old, use)
		}
	}
	p.addSet(&l.shared, p.freeName(name))
	p.table.sets = append(p.table.sets, &l.shared)
	addUse(l.set, use)
	return l.set
}

// reading returns the set for the fields of s among old, which is alike, and the others like it; it
// adds s if there is none.
func (p *part) reading(s, old *shared, use string) *ir.Set {
	addUse(old.set, use)
	if found := old.reading(s.fields); found != nil {
		return found
	}
	s.set.Same = old.set
	p.addSet(s, p.freeName(old.set.Name+"."+s.fields[0].name()))
	old.others = append(old.others, s)
	return s.set
}

// reading returns the set of s's values for these fields, nil if there is none.
func (s *shared) reading(fields []Field) *ir.Set {
	if slices.Equal(s.fields, fields) {
		return s.set
	}
	for _, o := range s.others {
		if slices.Equal(o.fields, fields) {
			return o.set
		}
	}
	return nil
}

// addSet adds a set to the program.
func (p *part) addSet(s *shared, name string) {
	s.set.Family, s.set.Name = p.table.family, name
	if !p.table.open {
		s.set.Table = p.table.name
	}
	p.out.Program.Sets = append(p.out.Program.Sets, s.set)
}

// addUse notes what s is looked up for.
func addUse(s *ir.Set, use string) {
	if !slices.Contains(s.Uses, use) {
		s.Uses = append(s.Uses, use)
	}
}

// freeName returns name, or name with the first number behind it that makes it one that no set of
// the table has, nor any of the program's own.
func (p *part) freeName(name string) string {
	taken := func(name string) bool {
		return slices.Contains(p.reserved, name) || slices.ContainsFunc(p.table.sets,
			func(s *shared) bool { return s.has(name) })
	}
	if !taken(name) {
		return name
	}
	for n := 2; ; n++ {
		if numbered := name + "_" + strconv.Itoa(n); !taken(numbered) {
			return numbered
		}
	}
}

// has is true if s, or one alike, has the name.
func (s *shared) has(name string) bool {
	return s.set.Name == name || slices.ContainsFunc(s.others, func(o *shared) bool { return o.set.Name == name })
}

// valuesName returns the name of a set of values of one field; it does not depend on the rules that
// look it up.
func valuesName(f Field) string {
	if f.IsAddr() {
		return "subnets" + strconv.Itoa(f.Bits)
	}
	return "interfaces"
}

// keysName returns the name of a set of keys that belong to the rules of a chain with one verdict:
// fwi_accept_oif_daddr24.
func keysName(chain, verdict string, fields []Field, except bool) string {
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
	panic(fmt.Sprintf("merge: no set for verdict %T", v))
}

// use returns what the set of the group is for: the reason that its rules have in common, but for
// those that were read from a host and have none; else where they stand.
func (g *group) use(chain string) string {
	what := chain + ": "
	reason, differ := "", false
	for _, it := range g.members {
		if its := it.rule.Origin.Reason; its != "" {
			differ = differ || reason != "" && its != reason
			reason = its
		}
	}
	if reason == "" || differ {
		return what + ir.VerdictText(g.members[0].rule.Verdict)
	}
	return what + reason
}
