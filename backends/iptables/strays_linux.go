package iptables

import (
	"strings"

	"github.com/vnetc/vnetc/backends"
)

var _ backends.Auditor = Loader{}

// Strays implements [backends.Auditor]: rules of others that stand in a built-in chain before a jump of ours. Load leaves
// them there, since the administrator may have meant it.
func (l Loader) Strays(rules backends.Ruleset) ([]backends.Stray, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return nil, err
	}
	var strays []backends.Stray
	for i := range set.families {
		tools, err := l.tools(set.families[i].family, 0)
		if err != nil {
			continue // a family that this host has not: Dump says nothing about it either
		}
		states, err := read(tools, set.prefix)
		if err != nil {
			return nil, err
		}
		strays = append(strays, states[0].before()...)
	}
	return strays, nil
}

// before returns the rules of others that stand before the last jump of ours.
func (s *state) before() []backends.Stray {
	var strays []backends.Stray
	for _, t := range s.tables {
		for _, c := range t.chains {
			last := len(c.rules) - 1
			for last >= 0 && c.rules[last].jump == "" {
				last--
			}
			if c.own || last < 0 {
				continue
			}
			for _, r := range strangers(c.rules[:last]) {
				text := strings.TrimPrefix(r.text, "-A "+c.name+" ")
				strays = append(strays, backends.Stray{Family: s.family, Table: t.name, Chain: c.name, Text: text, Foreign: true})
			}
		}
	}
	return strays
}
