package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// set is a named list of addresses.
type set struct {
	addrs []netip.Prefix
	bad   bool // bad is true if an error was reported for it: who uses it keeps quiet.
	span  diag.Span
}

// setName is what sets may be called: nothing that is an address, a list or a number.
var setName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// let reads a set.
func (r *reader) let(l line) {
	last := l.tree.Let[len(l.tree.Let)-1]
	from, to := l.tree.Let[0].Pos.Offset, last.Pos.Offset+len(last.Text)
	text, values, ok := strings.Cut(l.text[from:to], "=")
	name, rest := bareWord(text, from), bareWord(values, from+len(text)+1)
	if !ok {
		r.errorf("policy-syntax", to, to, "the line has no =", forms["let"].form, "write such as: "+forms["let"].example)
		return
	}
	if first, ok := r.sets[name.Text]; ok {
		r.list = append(r.list, diag.Diagnostic{Severity: diag.Error, Code: "policy-set-twice", Span: r.spanOf(name),
			What: fmt.Sprintf("there are two sets %s", name.Text), Why: "a statement that names it can mean one only",
			Fix: "rename one of them, or join them", Related: []diag.Related{{Span: first.span, Text: "the first"}}})
		return
	}
	s := set{span: r.spanOf(name)}
	before := len(r.list)
	if !setName.MatchString(name.Text) || slices.Contains(keywords, name.Text) {
		r.wrong("policy-value", name, fmt.Sprintf("%s is not the name of a set", shown(name.Text)),
			"a set has a name of letters, digits, _, - and ., that begins with a letter and is no word of the language",
			"write a name such as web")
	}
	if rest.Text == "" {
		r.errorf("policy-syntax", to, to, "the line ends too early", forms["let"].form, "write the rest, such as: "+forms["let"].example)
	} else if items, ok := r.items([]textWord{rest}); ok {
		for _, w := range items {
			if p, ok := r.prefix(w); ok {
				s.addrs = append(s.addrs, p)
			}
		}
		if len(s.addrs) == len(items) {
			r.distinct(items, s.addrs)
		}
	}
	s.bad = len(r.list) > before
	r.sets[name.Text] = s
}

// end reads one end, [Anywhere] if there is none.
func (r *reader) end(t *textEnd) End {
	if t == nil {
		return End{}
	}
	var e End
	switch {
	case t.Network != nil:
		e = r.network1(*t.Network)
	case t.Plain.Text == "host":
		e = End{Kind: Host, Span: r.span(t.Plain.Pos.Offset, t.Plain.Pos.Offset+len(t.Plain.Text))}
	default:
		e = End{Kind: Outside, Span: r.span(t.Plain.Pos.Offset, t.Plain.Pos.Offset+len(t.Plain.Text))}
	}
	if t.Addrs != nil {
		e.Addrs = r.addrs(t.Addrs)
	}
	if t.By != nil {
		if e.Kind != Outside {
			r.unfit([]textWord{*t.By}, "an interface of what is not outside",
				"guests of a network come and go by its bridge, and the host itself has none",
				"remove by and the name, or name outside")
		}
		e.By = r.iface(*t.By)
	}
	return e
}

// addrs reads a list of addresses, prefixes and sets. What one of its sets has that is in another
// is left out.
func (r *reader) addrs(words []textWord) (all []netip.Prefix) {
	items, ok := r.items(words)
	if !ok {
		return nil
	}
	var from []textWord // of each of all
	sets := 0
	for _, w := range items {
		if word := r.text(w); setName.MatchString(word) {
			sets++
			for _, p := range r.set(w, word) {
				all, from = append(all, p), append(from, w)
			}
		} else if p, ok := r.prefix(w); ok {
			all, from = append(all, p), append(from, w)
		}
		if len(all) > MaxList || r.values+len(all) > MaxValues {
			r.wrong("policy-limit", w, fmt.Sprintf("too many addresses, up to %s", shown(w.Text)),
				fmt.Sprintf("an end has %d at most, and all ends of a policy have %d", MaxList, MaxValues),
				"write prefixes in place of addresses")
			return nil
		}
	}
	r.values += len(all)
	if sets == 0 {
		r.distinct(from, all)
		return all
	}
	if sets == 1 && len(items) == 1 {
		return all
	}
	by := nested(all)
	kept := all[:0:0]
	for i, p := range all {
		if by[i] < 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// distinct reports the first address of a list, written as words, that another one covers.
func (r *reader) distinct(words []textWord, all []netip.Prefix) {
	if len(words) != len(all) {
		return // one of them was wrong
	}
	first, other := -1, -1
	for i, by := range nested(all) {
		if by >= 0 && (first < 0 || max(i, by) < first) {
			first, other = max(i, by), min(i, by)
		}
	}
	if first >= 0 {
		r.repeated(words[first], addrWord(all[other]))
	}
}

// nested returns for each of all which other has its addresses too, -1 if none has. Of two that are
// equal it is the first.
func nested(all []netip.Prefix) []int {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(all[i].Addr().Compare(all[j].Addr()), all[i].Bits()-all[j].Bits(), i-j)
	})
	by := make([]int, len(all))
	cover := -1
	for _, i := range order {
		by[i] = -1
		if cover >= 0 && all[cover].Overlaps(all[i]) {
			by[i] = cover
		} else {
			cover = i
		}
	}
	return by
}

// set returns the addresses of a set.
func (r *reader) set(w textWord, name string) []netip.Prefix {
	s, ok := r.sets[name]
	if !ok {
		fix := fmt.Sprintf("write an address such as 10.0.0.5, or a prefix such as 10.0.0.0/28, or add a line: let %s = 10.0.0.5", name)
		var names []string
		for n := range r.sets {
			names = append(names, n)
		}
		slices.Sort(names)
		if near, ok := diag.Near(name, names); ok {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		r.wrong("policy-set", w, fmt.Sprintf("there is no set %s here", name),
			"a set is known in the file or the document that has its line with let", fix)
	}
	return s.addrs
}

// prefix reads an address or a prefix; an address is a prefix of one.
func (r *reader) prefix(w textWord) (p netip.Prefix, ok bool) {
	text := r.text(w)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() {
		fix := "write an address such as 10.0.0.5, or a prefix such as 10.0.0.0/28"
		if err == nil {
			fix = "write " + p.Masked().String()
		}
		r.value(w, "an address or a prefix", fix)
		return p, false
	}
	return p, true
}

// families returns those of the end's addresses, both if it has none.
func (e End) families() (all ir.Family) {
	if len(e.Addrs) == 0 {
		return ir.Both
	}
	for _, p := range e.Addrs {
		all |= familyOf(p.Addr())
	}
	return all
}

func familyOf(a netip.Addr) ir.Family {
	if a.Is4() {
		return ir.IPv4
	}
	return ir.IPv6
}
