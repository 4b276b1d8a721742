package iptables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.CounterReader = Loader{}

// Counters implements [backends.CounterReader] with what iptables-save -c prints. A family that
// this host has not, has no counters.
func (l Loader) Counters(rules backends.Ruleset) ([]backends.Counted, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return nil, err
	}
	var families ir.Family
	for i := range set.families {
		families |= set.families[i].family
	}
	tools, err := l.tools(families, 0)
	if err != nil {
		return nil, err
	}
	states, err := read(tools, set.prefix)
	if err != nil {
		return nil, err
	}
	var counters []backends.Counted
	for _, s := range states {
		i := slices.IndexFunc(set.families, func(f family) bool { return f.family == s.family })
		counted, err := s.counters(s.want(&set.families[i], set.lines))
		if err != nil {
			return nil, err
		}
		counters = append(counters, counted...)
	}
	return counters, nil
}

// counters returns what s has counted for the rules of want that it has.
func (s *state) counters(want *state) ([]backends.Counted, error) {
	var counters []backends.Counted
	for _, t := range want.tables {
		for _, c := range t.chains {
			have := s.table(t.name).chain(c.name)
			if !c.own || c.kept || have == nil {
				continue
			}
			for i, at := range common(have.rules, c.rules) {
				if at < 0 {
					continue
				}
				count, err := parseCount(have.rules[at].counters)
				if err != nil {
					return nil, fmt.Errorf("rule %q of table %s: %w", have.rules[at].text, t.name, err)
				}
				counters = append(counters, backends.Counted{Family: s.family, Rules: []*ir.Rule{c.rules[i].line.Rule},
					Count: count})
			}
		}
	}
	return counters, nil
}

// parseCount reads [packets:bytes].
func parseCount(text string) (c backends.Count, err error) {
	if !isCounters(text) {
		return c, fmt.Errorf("%q is no pair of counters", text)
	}
	packets, bytes, _ := strings.Cut(text[1:len(text)-1], ":")
	if c.Packets, err = strconv.ParseUint(packets, 10, 64); err != nil {
		return c, err
	}
	c.Bytes, err = strconv.ParseUint(bytes, 10, 64)
	return c, err
}
