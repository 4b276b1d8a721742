package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxExpansion is how many rules one line may stand for, through lists of addresses.
const maxExpansion = 1024

// ruleReader reads the options of one rule.
type ruleReader struct {
	*reader
	line string
	rest []token // what was not read yet

	not     bool   // a ! stood before the option
	module  string // the extension of the last -m; "" before the first
	sources []ir.Match
	dests   []ir.Match
	matches []ir.Match
	ways    [][]ir.Match // the rule stands for one with each of them; nil for itself
	verdict ir.Verdict
	comment string
	skip    bool // skip is true for a rule that is only for the other family: -4, -6
}

// rules reads one line's rule, or rules if it has lists of addresses or of states that are no one match, and appends them.
func (r *reader) rules(into []ir.Rule, line string, tokens []token) ([]ir.Rule, error) {
	s := r.rule
	*s = ruleReader{
		reader: r, line: line, rest: tokens,
		sources: s.sources[:0], dests: s.dests[:0], matches: s.matches[:0],
	}
	for len(s.rest) > 0 {
		if err := s.option(); err != nil {
			return into, err
		}
	}
	if s.skip {
		return into, nil
	}
	if s.verdict == nil {
		s.verdict = ir.Counter{}
	}
	rule := ir.Rule{Family: r.family, Verdict: s.verdict, Comment: s.comment, Origin: r.origin(line)}
	if s.ways == nil {
		return r.byAddress(into, rule)
	}
	before := s.matches
	for _, way := range s.ways {
		s.matches = slices.Concat(before, way)
		var err error
		if into, err = r.byAddress(into, rule); err != nil {
			return into, err
		}
	}
	return into, nil
}

// byAddress appends the rule, or rules if it has lists of addresses.
func (r *reader) byAddress(into []ir.Rule, rule ir.Rule) ([]ir.Rule, error) {
	s := r.rule
	if len(s.sources) <= 1 && len(s.dests) <= 1 {
		rule.Matches = r.keep(s.matches)
		return append(into, rule), nil
	}
	return r.expand(into, rule)
}

// keep returns a copy of matches that nothing else writes to.
func (r *reader) keep(matches []ir.Match) []ir.Match {
	if len(matches) == 0 {
		return nil
	}
	if cap(r.arena)-len(r.arena) < len(matches) {
		r.arena = make([]ir.Match, 0, max(1024, len(matches)))
	}
	from := len(r.arena)
	r.arena = append(r.arena, matches...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// expand appends a rule for each pair of addresses, as iptables makes them.
func (r *reader) expand(into []ir.Rule, rule ir.Rule) ([]ir.Rule, error) {
	s := r.rule
	if max(1, len(s.sources))*max(1, len(s.dests)) > maxExpansion {
		return into, fmt.Errorf("lists of addresses that stand for more than %d rules", maxExpansion)
	}
	for i := range max(1, len(s.sources)) {
		for j := range max(1, len(s.dests)) {
			for k, m := range s.matches {
				switch m.(type) {
				case ir.SAddr:
					s.matches[k] = s.sources[i]
				case ir.DAddr:
					s.matches[k] = s.dests[j]
				}
			}
			rule.Matches = r.keep(s.matches)
			into = append(into, rule)
		}
	}
	return into, nil
}

// option reads one option with its values.
func (s *ruleReader) option() error {
	t := s.rest[0]
	if t.is("!") {
		if s.not {
			return fmt.Errorf("two ! in a row")
		}
		s.not, s.rest = true, s.rest[1:]
		if len(s.rest) == 0 {
			return fmt.Errorf("a ! with no option behind it")
		}
		return nil
	}
	s.rest = s.rest[1:]
	err := s.read(t)
	s.not = false
	return err
}

// read reads the values of option t.
func (s *ruleReader) read(t token) error {
	if t.quoted || len(t.text) < 2 || t.text[0] != '-' {
		return fmt.Errorf("%q is no option", t.text)
	}
	switch t.text {
	case "-s", "--source", "--src":
		return s.addrs(t, true)
	case "-d", "--destination", "--dst":
		return s.addrs(t, false)
	case "-i", "--in-interface":
		return s.interfaceName(t, true)
	case "-o", "--out-interface":
		return s.interfaceName(t, false)
	case "-p", "--protocol", "--proto":
		return s.protocol(t)
	case "-m", "--match":
		return s.extension(t)
	case "-j", "--jump":
		return s.target(t, false)
	case "-g", "--goto":
		return s.target(t, true)
	case "-f", "--fragment":
		s.opaque(t)
		return nil
	case "-c", "--set-counters":
		return s.counters(t)
	case "-4", "--ipv4":
		s.skip = s.skip || s.family != ir.IPv4
		return nil
	case "-6", "--ipv6":
		s.skip = s.skip || s.family != ir.IPv6
		return nil
	}
	if len(t.text) < 3 || t.text[1] != '-' {
		return fmt.Errorf("option %s is not understood", t.text)
	}
	return s.extensionOption(t)
}

// general is true for the options that belong to no extension: one of them ends an extension's or a target's own options.
func (t token) general() bool {
	if !t.isOption() {
		return false
	}
	switch t.text {
	case "-s", "--source", "--src", "-d", "--destination", "--dst", "-i", "--in-interface", "-o", "--out-interface",
		"-p", "--protocol", "--proto", "-m", "--match", "-j", "--jump", "-g", "--goto", "-f", "--fragment", "-c", "--set-counters",
		"-4", "--ipv4", "-6", "--ipv6":
		return true
	}
	return false
}

// arg takes the value of option t; a ! before it negates, as old iptables had it.
func (s *ruleReader) arg(t token) (string, error) {
	if len(s.rest) > 1 && s.rest[0].is("!") {
		if s.not {
			return "", fmt.Errorf("option %s is negated twice", t.text)
		}
		s.not, s.rest = true, s.rest[1:]
	}
	if len(s.rest) == 0 {
		return "", fmt.Errorf("option %s needs a value", t.text)
	}
	a := s.rest[0].text
	s.rest = s.rest[1:]
	return a, nil
}

// one keeps a match.
func (s *ruleReader) one(m ir.Match) { s.matches = append(s.matches, m) }

// until returns how many of the words to come belong to an extension or target: all before the next general option, and
// the ! before that.
func (s *ruleReader) until() int {
	for i, t := range s.rest {
		if t.general() {
			if i > 0 && s.rest[i-1].is("!") {
				return i - 1
			}
			return i
		}
	}
	return len(s.rest)
}

// take takes n words, and returns the text of the line from word t to the last of them.
func (s *ruleReader) take(t token, n int) string {
	end := t.to
	if n > 0 {
		end = s.rest[n-1].to
	}
	s.rest = s.rest[n:]
	return s.line[t.from:end]
}

// opaque keeps option t, and the values that follow it, as they are written.
func (s *ruleReader) opaque(t token) {
	n := 0
	for n < len(s.rest) && !s.rest[n].isOption() && !s.rest[n].is("!") {
		n++
	}
	s.opaqueText(s.take(t, n))
}

// opaqueText keeps the text of an option that is not modelled; the module it belongs to goes with it.
func (s *ruleReader) opaqueText(text string) {
	if s.not {
		text = "! " + text
	}
	if s.module != "" && strings.Contains(text, "--") {
		text = "-m " + s.module + " " + text
	}
	s.one(ir.Opaque{Text: text})
}
