package iptables

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// back returns now with everything of ours as it was in s, and our jumps where they were among the
// foreign rules.
func (s *state) back(now *state) *state {
	out := now.without()
	for _, t := range s.tables {
		to := out.table(t.name)
		if !slices.Contains(out.tables, to) {
			out.tables = append(out.tables, to)
		}
		for _, c := range t.chains {
			if c.own {
				if to.chain(c.name) == nil { // else the administrator's rules use it
					to.chains = append(to.chains, c)
				}
				continue
			}
			var have []rule
			if old := now.table(t.name).chain(c.name); old != nil {
				have = old.rules
			}
			base := to.chain(c.name)
			if base == nil {
				base = &chainState{name: c.name}
				to.chains = append(to.chains, base)
			}
			base.rules = withJumps(have, c.rules)
		}
		now.table(t.name).keep(to)
	}
	return out
}

// withJumps returns the rules of a built-in chain, which are now, with the jumps of then. Each jump
// stands behind the foreign rules that it stood behind, as far as these are there still; of the
// places that leaves, where it stands now, or else the first.
func withJumps(now, then []rule) []rule {
	others, before := strangers(now), strangers(then)
	origin := common(others, before) // of each rule of then, its place now
	at, passed := 0, 0               // the place of the jump before, and the foreign rules before that
	var jumps []rule
	var places []int // how many foreign rules stand before each jump
	for _, r := range then {
		if r.jump == "" {
			if origin[passed] >= 0 {
				at = max(at, origin[passed]+1)
			}
			passed++
			continue
		}
		high := len(others)
		if next := slices.IndexFunc(origin[passed:], func(o int) bool { return o >= 0 }); next >= 0 {
			high = origin[passed+next]
		}
		if i := slices.IndexFunc(now, func(n rule) bool { return n.jump == r.jump }); i >= 0 {
			if stands := len(strangers(now[:i])); stands >= at && stands <= high {
				at = stands
			}
		}
		jumps, places = append(jumps, r), append(places, at)
	}
	out := others
	for i := len(jumps) - 1; i >= 0; i-- {
		out = slices.Insert(out, places[i], jumps[i])
	}
	return out
}

// strangerMark begins a line of a Dump that tells which foreign rule stands before one of our
// jumps: a comment, since the rule is not ours.
const strangerMark = "# before ours: "

// writeBuiltin writes those rules of a built-in chain that lead to ours, and what stands before our
// jumps.
func (c *chainState) writeBuiltin(b *bytes.Buffer, prefix string, places bool) {
	last := len(c.rules) - 1
	for last >= 0 && c.rules[last].jump == "" {
		last--
	}
	for i, r := range c.rules {
		switch {
		case r.jump != "" || r.leadsTo(prefix):
			b.WriteString(r.text + "\n")
		case places && i < last:
			b.WriteString(strangerMark + strconv.Quote(r.text) + "\n")
		}
	}
}

// stranger returns the foreign rule that a line of a Dump names.
func stranger(line string) (text string, ok bool) {
	quoted, ok := strings.CutPrefix(line, strangerMark)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(quoted)
	return text, err == nil
}
