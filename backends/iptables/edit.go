package iptables

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// script is a document for iptables-restore --noflush that turns one state into another, by no more
// commands than that takes: rules that stay are not touched, so their counters and places in the
// kernel live on. Rules of others are never named: what is deleted by its number stands in one of
// our chains, jumps are deleted by what they say.
type script struct {
	text     bytes.Buffer
	at       []entry // of each line
	counters bool    // counters is true if lines bring counters along.
	kept     int     // rules that were right
	changed  int     // rules added, moved and deleted, and chains
}

// entry is what one line of a script is about.
type entry struct {
	table string
	rule  *rule // that is added; nil for other commands
}

// edit returns the script from one state to another.
func edit(from, to *state) *script {
	s := &script{}
	for _, name := range tableNames {
		s.table(from.table(name), to.table(name))
	}
	return s
}

// table appends the commands for one table, nothing if there are none.
func (s *script) table(from, to *tableState) {
	size, lines := s.text.Len(), len(s.at)
	s.line(from.name, nil, "*"+from.name)
	head := len(s.at)
	for _, c := range to.chains {
		if c.own && from.chain(c.name) == nil {
			s.line(from.name, nil, ":"+c.name+" - [0:0]")
			s.changed++
		}
	}
	for _, c := range to.chains {
		have := from.chain(c.name)
		if have == nil {
			have = &chainState{name: c.name}
		}
		switch {
		case c.kept:
		case c.own:
			s.rules(from.name, have, c)
		default:
			s.jumps(from.name, have, c)
		}
	}
	s.remove(from, to)
	if len(s.at) == head {
		s.text.Truncate(size)
		s.at = s.at[:lines]
		return
	}
	s.line(from.name, nil, "COMMIT")
}

func (s *script) line(table string, r *rule, text string) {
	if r != nil && r.counters != "" {
		text = r.counters + " " + text
		s.counters = true
	}
	s.text.WriteString(text)
	s.text.WriteByte('\n')
	s.at = append(s.at, entry{table, r})
}

// remove appends what takes chains away that to has not; all are emptied first, since they may lead
// to one another.
func (s *script) remove(from, to *tableState) {
	for _, word := range [...]string{"-F ", "-X "} {
		for _, c := range from.chains {
			if !c.own || to.chain(c.name) != nil {
				continue
			}
			s.line(from.name, nil, word+c.name)
			if word == "-F " {
				s.changed += len(c.rules) + 1
			}
		}
	}
}

// rules appends the commands for one of our chains: rules that go from the last to the first, so
// that numbers hold; then those that come from the first to the last, for the same reason.
func (s *script) rules(table string, from, to *chainState) {
	origin := common(from.rules, to.rules)
	stays := make([]bool, len(from.rules))
	kept := 0
	for _, i := range origin {
		if i >= 0 {
			stays[i] = true
			kept++
		}
	}
	s.kept += kept
	s.changed += len(from.rules) - kept + len(to.rules) - kept
	if kept == 0 && len(from.rules) > 0 {
		s.line(table, nil, "-F "+from.name)
	} else {
		for i := len(stays) - 1; i >= 0; i-- {
			if !stays[i] {
				s.line(table, nil, fmt.Sprintf("-D %s %d", from.name, i+1))
			}
		}
	}
	length := kept
	for i := range to.rules {
		if origin[i] >= 0 {
			continue
		}
		r := &to.rules[i]
		if i == length {
			s.line(table, r, r.text)
		} else {
			s.line(table, r, fmt.Sprintf("-I %s %d%s", to.name, i+1, strings.TrimPrefix(r.text, "-A "+to.name)))
		}
		length++
	}
}

// common returns for each rule of to which rule of from it is, -1 for one that is new: rules of the
// same text, in the same order in both. The n-th rule of a text is the n-th of the other; of those
// as many stay as can.
func common(from, to []rule) []int {
	where := make(map[string][]int, len(from))
	for i, r := range from {
		where[r.text] = append(where[r.text], i)
	}
	origin := make([]int, len(to))
	var tails []int // by length, the rule of to at the end of the ascending run whose end is least
	before := make([]int, len(to))
	for i, r := range to {
		origin[i] = -1
		same := where[r.text]
		if len(same) == 0 {
			continue
		}
		origin[i], where[r.text] = same[0], same[1:]
		n, _ := slices.BinarySearchFunc(tails, origin[i], func(t, o int) int { return origin[t] - o })
		before[i] = -1
		if n > 0 {
			before[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, i)
		} else {
			tails[n] = i
		}
	}
	run := make([]bool, len(to))
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			run[i] = true
		}
	}
	for i := range origin {
		if !run[i] {
			origin[i] = -1
		}
	}
	return origin
}

// maxMoved is how many jumps of one chain are looked at one by one; of more, all move.
const maxMoved = 8

// jumps appends the commands for a built-in chain, of which from and to differ in our jumps only:
// those that must move are deleted and inserted at their places.
func (s *script) jumps(table string, from, to *chainState) {
	moved := smallest(jumpsOf(from.rules, to.rules), from.rules, to.rules)
	for _, r := range from.rules {
		switch {
		case slices.Contains(moved, r.jump):
			s.line(table, nil, "-D "+from.name+" -j "+r.jump)
			s.changed++
		case r.jump != "":
			s.kept++
		}
	}
	for i := range to.rules {
		if r := &to.rules[i]; slices.Contains(moved, r.jump) {
			s.line(table, r, fmt.Sprintf("-I %s %d -j %s", to.name, i+1, r.jump))
			s.changed++
		}
	}
}

// jumpsOf returns our chains to which jumps in from and to lead.
func jumpsOf(from, to []rule) (names []string) {
	for _, r := range slices.Concat(from, to) {
		if r.jump != "" && !slices.Contains(names, r.jump) {
			names = append(names, r.jump)
		}
	}
	return names
}

// smallest returns the smallest part of names without which from and to are the same.
func smallest(names []string, from, to []rule) []string {
	if len(names) > maxMoved {
		return names
	}
	best := names
	for mask := range 1 << len(names) {
		if bits.OnesCount(uint(mask)) >= len(best) && mask != 0 {
			continue
		}
		var part []string
		for i, name := range names {
			if mask&(1<<i) != 0 {
				part = append(part, name)
			}
		}
		other := func(r rule) bool { return slices.Contains(part, r.jump) }
		a := slices.DeleteFunc(slices.Clone(from), other)
		b := slices.DeleteFunc(slices.Clone(to), other)
		if slices.EqualFunc(a, b, func(a, b rule) bool { return a.text == b.text }) {
			best = part
		}
	}
	return best
}
