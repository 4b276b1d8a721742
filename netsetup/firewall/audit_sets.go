package firewall

import (
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// setDrift compares the elements of sets.
func setDrift(meant, held *ir.Program) []Drift {
	var drifts []Drift
	for _, s := range meant.Sets {
		there := elementsOf(findSet(held, s))
		for i, e := range s.Elements {
			if text := elementText(e); !there[text] {
				drifts = append(drifts, Drift{Missing, setLabel(s), text, nil, i})
			}
		}
	}
	for _, s := range held.Sets {
		wanted := elementsOf(findSet(meant, s))
		for i, e := range s.Elements {
			if text := elementText(e); !wanted[text] {
				drifts = append(drifts, Drift{Extra, setLabel(s), text, nil, i})
			}
		}
	}
	return drifts
}

func findSet(p *ir.Program, s *ir.Set) *ir.Set {
	for _, o := range p.Sets {
		if o.Family == s.Family && o.Table == s.Table && o.Name == s.Name {
			return o
		}
	}
	return nil
}

func setLabel(s *ir.Set) string {
	return strings.Join([]string{s.Family.String(), s.Table, "set", s.Name}, " ")
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
func baseDrift(meant, held *ir.Chain) []Drift {
	if held == nil || sameBase(meant.Base, held.Base) {
		return nil
	}
	return []Drift{
		{Missing, meant.Label(), "the chain's hook, priority or policy as meant", nil, 0},
		{Extra, meant.Label(), "another hook, priority or policy", nil, 0},
	}
}

func sameBase(a, b *ir.Base) bool { return a == b || a != nil && b != nil && *a == *b }

// strayDrift is what the back end alone can tell.
func (t Target) strayDrift(rules backends.Ruleset) ([]Drift, error) {
	auditor, ok := t.Loader.(backends.Auditor)
	if !ok {
		return nil, nil
	}
	strays, err := auditor.Strays(rules)
	if err != nil {
		return nil, err
	}
	var drifts []Drift
	for _, s := range strays {
		d := Drift{Kind: Extra, Chain: strings.TrimSpace(strings.Join([]string{s.Family.String(), s.Table, s.Chain}, " ")), Rule: s.Text}
		if s.Foreign {
			d.Kind = Ahead
		}
		drifts = append(drifts, d)
	}
	return drifts, nil
}
