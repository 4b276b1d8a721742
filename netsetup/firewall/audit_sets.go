package firewall

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// setDrift compares the elements of sets.
func setDrift(meant, held *ir.Program, behind origins) []backends.Drift {
	var drifts []backends.Drift
	for _, s := range meant.Sets {
		there := elementsOf(findSet(held, s))
		var askers asking
		for _, e := range s.Elements {
			if text := elementText(e); !there[text] {
				if askers == nil {
					askers = askersOf(meant, s, behind)
				}
				drifts = append(drifts, backends.Drift{
					Kind: backends.Missing, Part: backends.DriftElement, Set: s, Element: e, Of: askers.of(e),
				})
			}
		}
	}
	for _, s := range held.Sets {
		wanted := elementsOf(findSet(meant, s))
		for _, e := range s.Elements {
			if text := elementText(e); !wanted[text] {
				drifts = append(drifts, backends.Drift{Kind: backends.Extra, Part: backends.DriftElement, Set: s, Element: e})
			}
		}
	}
	return drifts
}

// asking is the program's rules behind the rules that look packets up in a set, by the words of each of their matches.
type asking map[string][]*ir.Rule

func askersOf(p *ir.Program, s *ir.Set, behind origins) asking {
	a := make(asking)
	for _, c := range p.Chains {
		for i := range c.Rules {
			looks := slices.ContainsFunc(c.Rules[i].Matches, func(m ir.Match) bool {
				l, is := m.(ir.Lookup)
				return is && l.Set == s
			})
			if !looks {
				continue
			}
			for _, r := range behind[&c.Rules[i]] {
				for _, m := range r.Matches {
					text := plain(m)
					a[text] = append(a[text], r)
				}
			}
		}
	}
	return a
}

// of returns the rule that asked for element e: one that has all its matches. It is nil if none has.
func (a asking) of(e []ir.Match) *ir.Rule {
	var few []*ir.Rule
	for i, m := range e {
		if rules := a[plain(m)]; i == 0 || len(rules) < len(few) {
			few = rules
		}
	}
	for _, r := range few {
		if !slices.ContainsFunc(e, func(m ir.Match) bool { return !slices.Contains(a[plain(m)], r) }) {
			return r
		}
	}
	return nil
}

// plain returns the words of a match without its sense: a set holds the values of those that are turned around, too.
func plain(m ir.Match) string { return strings.Replace(ir.MatchText(m), "!= ", "", 1) }

func findSet(p *ir.Program, s *ir.Set) *ir.Set {
	for _, o := range p.Sets {
		if o.Family == s.Family && o.Table == s.Table && o.Name == s.Name {
			return o
		}
	}
	return nil
}

func elementsOf(s *ir.Set) map[string]bool {
	all := make(map[string]bool)
	if s != nil {
		for _, e := range s.Elements {
			all[elementText(e)] = true
		}
	}
	return all
}

func elementText(e []ir.Match) string {
	words := make([]string, len(e))
	for i, m := range e {
		words[i] = ir.MatchText(m)
	}
	return strings.Join(words, " ")
}

// baseDrift says that a chain hangs elsewhere than meant, or has another policy.
func baseDrift(meant, held *ir.Chain) []backends.Drift {
	if held == nil || sameBase(meant.Base, held.Base) {
		return nil
	}
	return []backends.Drift{
		{Kind: backends.Missing, Part: backends.DriftBase, Chain: meant},
		{Kind: backends.Extra, Part: backends.DriftBase, Chain: held},
	}
}

func sameBase(a, b *ir.Base) bool { return a == b || a != nil && b != nil && *a == *b }
