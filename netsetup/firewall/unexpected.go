package firewall

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// unexpectedIn returns what only the back end can find.
func (t Target) unexpectedIn(rules backends.Ruleset) (backends.Unexpected, error) {
	if auditor, ok := t.Loader.(backends.Auditor); ok {
		return auditor.Unexpected(rules)
	}
	return backends.Unexpected{}, nil
}

// addUnexpected adds what only the back end can find.
func (a *Audit) addUnexpected(unexpected backends.Unexpected) {
	a.unexpected = unexpected
	a.driftOf = make([]int, len(a.unexpected.Items))
	for i, s := range a.unexpected.Items {
		d := backends.Drift{
			Kind: backends.Extra, Part: backends.DriftObject, Words: s.Text,
			Chain: &ir.Chain{Family: s.Family, Table: s.Table, Name: s.Chain},
		}
		switch s.Kind {
		case backends.ForeignAhead, backends.ForeignDrop:
			d.Kind, d.Closes = backends.Ahead, s.Kind == backends.ForeignDrop
		case backends.MisplacedJump:
			d.Kind = backends.Moved
			jump := a.jumpOf(s)
			if told := slices.IndexFunc(a.Drifts, func(o backends.Drift) bool {
				return jump != nil && o.Want == jump
			}); told >= 0 {
				a.Drifts[told].Words, a.driftOf[i] = s.Text, told
				continue
			}
			if jump != nil {
				d.Part, d.Chain, d.Want, d.Have = backends.DriftRule, find(a.meant, d.Chain), jump, jump
			}
		}
		a.driftOf[i] = len(a.Drifts)
		a.Drifts = append(a.Drifts, d)
	}
}

// jumpOf returns the jump, as it is meant, that an unexpected item is; nil if there is none.
func (a *Audit) jumpOf(s backends.UnexpectedItem) *ir.Rule {
	c := find(a.meant, &ir.Chain{Family: s.Family, Table: s.Table, Name: s.Chain})
	if c == nil {
		return nil
	}
	i := slices.IndexFunc(c.Rules, func(r ir.Rule) bool { return r.Verdict == ir.Jump{Chain: s.To} })
	if i < 0 {
		return nil
	}
	return &c.Rules[i]
}

// around looks at the rules in force among those of others, and finds what our jumps in the wrong
// places do to packets, and what the rules ahead of ours let through that ours refuse. If that is
// unknown, the rule does not count as harmless.
func (a *Audit) around(budget *prove.Budget) {
	var ahead []int // unexpected
	moved := false
	for i, s := range a.unexpected.Items {
		moved = moved || s.Kind == backends.MisplacedJump
		if s.Kind == backends.ForeignAhead {
			ahead = append(ahead, i)
		}
	}
	if len(ahead) == 0 && !moved {
		return
	}
	want, err := a.target.Loader.Read(a.unexpected.Want)
	if err != nil {
		return // others have what is not understood
	}
	want.Links = a.links
	if held, err := a.target.Loader.Read(a.unexpected.Loaded); moved && err == nil {
		held.Links = a.links
		changes := budget.Change(want, held, maxChanges)
		a.Changes = append(a.Changes, changes.All...)
		a.More, a.TooLarge = a.More || changes.More, a.TooLarge || changes.TooLarge
	}
	a.judgeAhead(budget, want, ahead)
}

// judgeAhead finds for each of the unexpected what it lets through, if it alone stood before ours
// in p.
func (a *Audit) judgeAhead(budget *prove.Budget, p *ir.Program, ahead []int) {
	lines := make(map[placeOfLine]bool)
	for _, i := range ahead {
		lines[lineOf(a.unexpected.Items[i])] = true
	}
	none := a.behind(p, lines)
	together, known := letsThrough(budget, none, a.behind(p, nil))
	if known && together == nil {
		for _, i := range ahead {
			a.Drifts[a.driftOf[i]].Harmless = true
		}
		return
	}
	blamed := false
	for _, i := range ahead {
		d, at := &a.Drifts[a.driftOf[i]], lineOf(a.unexpected.Items[i])
		delete(lines, at)
		change, known := letsThrough(budget, none, a.behind(p, lines))
		lines[at] = true
		d.Harmless = known && change == nil
		lets(d, change)
		blamed = blamed || !d.Harmless
	}
	for _, i := range ahead {
		if d := &a.Drifts[a.driftOf[i]]; !blamed { // only together, as one that sets a mark and one that matches it
			d.Harmless = false
			lets(d, together)
		}
	}
}

// placeOfLine is the line of a rule in the document of a family.
type placeOfLine struct {
	family ir.Family
	line   int
}

func lineOf(s backends.UnexpectedItem) placeOfLine { return placeOfLine{s.Family, s.Line} }

// behind returns p with the rules of lines behind all others of their chains that lead elsewhere:
// where they no longer decide before ours. Packets of connections that stand are accepted first:
// they follow a packet that was new, which is what counts.
func (a *Audit) behind(p *ir.Program, lines map[placeOfLine]bool) *ir.Program {
	out := *p
	out.Chains = slices.Clone(p.Chains)
	for i, c := range p.Chains {
		if c.Base == nil {
			continue
		}
		chain := *c
		var first, last []ir.Rule
		if c.Base.Type == ir.FilterType {
			standing := ir.CTState{States: ir.StateEstablished | ir.StateRelated}
			first = append(first, ir.Rule{Family: c.Family, Matches: []ir.Match{standing}, Verdict: ir.Accept{}})
		}
		end := a.lastJump(c) + 1
		for n, r := range c.Rules {
			if n == end {
				first = append(first, last...)
			}
			if n < end && lines[placeOfLine{c.Family, r.Origin.Span.Start.Line}] {
				last = append(last, r)
				continue
			}
			first = append(first, r)
		}
		if end == len(c.Rules) {
			first = append(first, last...)
		}
		chain.Rules = first
		out.Chains[i] = &chain
	}
	return &out
}

// letsThrough returns a change that lets through in after what is refused in before; nil if there
// is none. It is unknown if that is too large for the budget.
func letsThrough(budget *prove.Budget, before, after *ir.Program) (change *prove.Difference, known bool) {
	changes := budget.Change(before, after, maxChanges)
	for i := range changes.All {
		c := &changes.All[i]
		refused := strings.HasPrefix(c.Was, ir.Rejected.String()) || strings.HasPrefix(c.Was, ir.Dropped.String())
		opened := !strings.HasPrefix(c.Now, ir.Rejected.String()) && !strings.HasPrefix(c.Now, ir.Dropped.String())
		if refused && opened && (change == nil || change.Foreign) {
			change = c
		}
	}
	return change, change != nil || !changes.TooLarge
}

// lastJump returns which rule of c, a base chain, is the last that leads to ours; -1 if none does.
func (a *Audit) lastJump(c *ir.Chain) int {
	meant := find(a.meant, c)
	if meant == nil {
		return -1
	}
	for n := len(c.Rules) - 1; n >= 0; n-- {
		jump, is := c.Rules[n].Verdict.(ir.Jump)
		if is && slices.ContainsFunc(meant.Rules, func(r ir.Rule) bool { return r.Verdict == jump }) {
			return n
		}
	}
	return -1
}

// lets notes what d lets through, and whose packets these are.
func lets(d *backends.Drift, c *prove.Difference) {
	if c == nil {
		return
	}
	d.Lets = &backends.Let{Packet: c.Example, From: c.From.String(), To: c.To.String(), Should: c.Was, Is: c.Now}
	for _, e := range []prove.Endpoint{c.From, c.To} {
		if e.Kind == prove.Network && !slices.Contains(d.Networks, e.Name) {
			d.Networks = append(d.Networks, e.Name)
		}
	}
}
