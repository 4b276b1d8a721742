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
	wants, haves := elementsOf(meant.Sets), elementsOf(held.Sets)
	for _, s := range meant.Sets {
		there := haves.in(findSet(held, s))
		var askers asking
		for i, text := range wants.text[s] {
			if there[text] {
				continue
			}
			if askers == nil {
				askers = askersOf(meant, s, behind)
			}
			e := s.Elements[i]
			drifts = append(drifts, backends.Drift{
				Kind: backends.Missing, Part: backends.DriftElement, Set: s, Element: e, Of: askers.of(e),
			})
		}
	}
	for _, s := range held.Sets {
		wanted := wants.in(findSet(meant, s))
		for i, text := range haves.text[s] {
			if !wanted[text] {
				drifts = append(drifts, backends.Drift{
					Kind: backends.Extra, Part: backends.DriftElement, Set: s, Element: s.Elements[i],
				})
			}
		}
	}
	return drifts
}

// asking is the program's rules behind the rules that look packets up in a set, by the words of
// each of their matches.
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

// of returns the rule that asked for element e: one that has all its matches. It is nil if none
// has.
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

// plain returns the words of a match without its sense: a set holds the values of those that are
// negated, too.
func plain(m ir.Match) string { return strings.Replace(ir.MatchText(m), "!= ", "", 1) }

func findSet(p *ir.Program, s *ir.Set) *ir.Set {
	for _, o := range p.Sets {
		if o.Family == s.Family && o.Table == s.Table && o.Name == s.Name {
			return o
		}
	}
	return nil
}

// elements are the elements of sets in words, by which those of two programs can be compared.
type elements struct {
	text map[*ir.Set][]string // in the order of the set's elements
}

func elementsOf(sets []*ir.Set) elements {
	all := elements{make(map[*ir.Set][]string, len(sets))}
	for _, s := range sets {
		words := make([]string, len(s.Elements))
		for i, e := range s.Elements {
			words[i] = elementText(e)
		}
		all.text[s] = words
	}
	return all
}

// in returns the elements of s, which may be nil.
func (e elements) in(s *ir.Set) map[string]bool {
	all := make(map[string]bool, len(e.text[s]))
	for _, text := range e.text[s] {
		all[text] = true
	}
	return all
}

func elementText(e []ir.Match) string {
	if len(e) == 1 {
		return ir.MatchText(e[0])
	}
	words := make([]string, len(e))
	for i, m := range e {
		words[i] = ir.MatchText(m)
	}
	return strings.Join(words, " ")
}

// baseDrift reports a chain with another hook, priority or policy than intended.
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
