package iptables

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
)

var _ backends.Auditor = Loader{}

// Unexpected implements [backends.Auditor]: our jumps that Load puts in another place, since
// libvirt's stand before them; and foreign rules that stand in a built-in chain before one of our
// jumps all the same. Load leaves them there, since the administrator may have meant it.
func (l Loader) Unexpected(rules backends.Ruleset) (backends.Unexpected, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return backends.Unexpected{}, err
	}
	var out backends.Unexpected
	for i := range set.families {
		tools, err := l.tools(set.families[i].family, 0)
		if err != nil {
			continue // a family that this host has not: Dump says nothing about it either
		}
		states, err := read(tools, set.prefix)
		if err != nil {
			return backends.Unexpected{}, err
		}
		s := states[0]
		to := s.want(&set.families[i], set.lines)
		out.Items = append(out.Items, s.misplaced(to)...)
		want, ahead := s.arranged(to)
		out.Items = append(out.Items, ahead...)
		w := wordsOf(s.family)
		out.Loaded = append(out.Loaded, backends.Document{File: w.file, Family: s.family, Text: []byte(s.saved)})
		out.Want = append(out.Want, backends.Document{File: w.file, Family: s.family, Text: []byte(want)})
	}
	return out, nil
}

// misplaced returns the jumps of s that stand elsewhere in to, which has the same foreign rules.
func (s *state) misplaced(to *state) []backends.UnexpectedItem {
	var unexpected []backends.UnexpectedItem
	for _, t := range to.tables {
		for _, c := range t.chains {
			have := s.table(t.name).chain(c.name)
			if c.own || have == nil {
				continue
			}
			moved := smallest(jumpsOf(have.rules, c.rules), have.rules, c.rules)
			for _, r := range c.rules {
				at := slices.IndexFunc(have.rules, func(h rule) bool { return h.jump == r.jump })
				if r.jump == "" || at < 0 || !slices.Contains(moved, r.jump) {
					continue
				}
				to := slices.IndexFunc(c.rules, func(w rule) bool { return w.jump == r.jump })
				text := misplacement(have.rules, at, c.rules, to)
				unexpected = append(unexpected, backends.UnexpectedItem{
					Kind: backends.MisplacedJump, Family: s.family, Table: t.name, Chain: c.name, Text: text,
					To: r.jump,
				})
			}
		}
	}
	return unexpected
}

// misplacement says why a jump goes from place at of have to another of want, which has the same
// foreign rules.
func misplacement(have []rule, at int, want []rule, to int) string {
	libvirts := func(rules, also []rule) string {
		for _, r := range rules {
			_, chain, found := strings.Cut(r.text, " -j "+prefixOf(backends.LibvirtNames))
			if found && slices.ContainsFunc(also, func(o rule) bool { return o.text == r.text }) {
				return "-j " + prefixOf(backends.LibvirtNames) + chain
			}
		}
		return ""
	}
	if jump := libvirts(have[:at], want[to+1:]); jump != "" {
		return "behind libvirt's " + jump + ", which must come later"
	}
	if jump := libvirts(want[:to], have[at+1:]); jump != "" {
		return "before libvirt's " + jump + ", which must come first"
	}
	return "not in its place among the others"
}

// arranged returns what iptables-save printed of s with the built-in chains as they are in to,
// which has the same foreign rules, and the foreign rules that stand before our last jump
// then. One of our chains that is not there yet is made, empty.
func (s *state) arranged(to *state) (text string, ahead []backends.UnexpectedItem) {
	var out strings.Builder
	line := 1
	put := func(text string) {
		out.WriteString(text + "\n")
		line += 1 + strings.Count(text, "\n")
	}
	var table *tableState
	done := make(map[string]bool) // built-in chains of the table
	chain := func(c *chainState) {
		last := len(c.rules) - 1
		for last >= 0 && c.rules[last].jump == "" {
			last--
		}
		for i, r := range c.rules {
			if i < last && r.jump == "" {
				ahead = append(ahead, backends.UnexpectedItem{
					Kind: backends.ForeignAhead, Family: s.family, Table: table.name, Chain: c.name, Line: line,
					Text: strings.TrimPrefix(r.text, "-A "+c.name+" "),
				})
			}
			put(r.text)
		}
		done[c.name] = true
	}
	lines := strings.Split(strings.TrimSuffix(s.saved, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		whole := lines[i]
		for cutOff(whole) && i+1 < len(lines) {
			i++
			whole += "\n" + lines[i]
		}
		switch {
		case strings.HasPrefix(whole, "*"):
			table, done = to.table(whole[1:]), make(map[string]bool)
			put(whole)
			for _, c := range table.chains {
				if c.own && s.table(table.name).chain(c.name) == nil {
					put(":" + c.name + " - [0:0]")
				}
			}
			continue
		case table == nil:
		case whole == "COMMIT":
			for _, c := range table.chains {
				if !c.own && !done[c.name] {
					chain(c)
				}
			}
		default:
			if c := table.chain(chainOf(whole)); c != nil && !c.own {
				if !done[c.name] {
					chain(c)
				}
				continue
			}
		}
		put(whole)
	}
	return out.String(), ahead
}

// chainOf returns the chain of a rule that iptables-save printed, with counters or without; "" for
// another line.
func chainOf(line string) string {
	if strings.HasPrefix(line, "[") {
		_, line, _ = strings.Cut(line, " ")
	}
	rest, found := strings.CutPrefix(line, "-A ")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")
	return name
}
