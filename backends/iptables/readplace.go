package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// put puts the line's rule into c: -A, -I and -R.
func (r *reader) put(c *readChain, s *ruleReader) error {
	if err := s.stands(c); err != nil {
		return err
	}
	if s.command == 'A' {
		before := len(c.Rules)
		var err error
		if c.Rules, err = s.rules(c.Rules); err != nil {
			return err
		}
		c.join(c.Rules[before:], s)
		return nil
	}
	rules, err := s.rules(nil)
	if err != nil {
		return err
	}
	c.join(rules, s)
	if s.command == 'R' {
		if len(s.sources) > 1 || len(s.dests) > 1 {
			return fmt.Errorf("-R with a list of addresses")
		}
		return r.replace(c, s.rank, rules)
	}
	each := max(1, len(s.ways))
	if s.rank <= 1 && each == 1 { // of several the last comes first
		c.front = append(c.front, rules...)
		return nil
	}
	if err := r.spend(len(c.front) + len(c.Rules)); err != nil {
		return err
	}
	c.flatten()
	at, _, ok := c.line(max(1, s.rank), true)
	if !ok {
		return fmt.Errorf("chain %s has no rule %d to insert before", c.Name, s.rank)
	}
	for i := 0; i < len(rules); i += each {
		c.Rules = slices.Insert(c.Rules, at, rules[i:i+each]...)
		if err := r.spend(len(c.Rules)); err != nil {
			return err
		}
	}
	return nil
}

// stands reports whether the line's rule may stand in c, and notes where the kernel lets c be
// called from because of it.
func (s *ruleReader) stands(c *readChain) error {
	if err := s.lands(); err != nil {
		return err
	}
	if err := s.fits(c); err != nil {
		return err
	}
	if c.Base == nil {
		if s.hooks != 0 {
			if c.hooks == nil {
				c.hooks = make(map[int]hookMask)
			}
			c.hooks[s.reader.line] = s.hooks
		}
		return nil
	}
	switch c.Base.Hook {
	case ir.Prerouting, ir.Input:
		if s.given.has('o') {
			return fmt.Errorf("an out interface in chain %s", c.Name)
		}
	case ir.Output, ir.Postrouting:
		if s.given.has('i') {
			return fmt.Errorf("an in interface in chain %s", c.Name)
		}
	}
	return nil
}

// join notes which of the rules of one line go on with the one before.
func (c *readChain) join(rules []ir.Rule, s *ruleReader) {
	if len(s.ways) < 2 {
		return
	}
	if c.joined == nil {
		c.joined = make(map[*ir.Match]bool)
	}
	for i := range rules {
		if i%len(s.ways) > 0 && len(rules[i].Matches) > 0 {
			c.joined[&rules[i].Matches[0]] = true
		}
	}
}

// goesOn is true if rule i of c goes on with the one before.
func (c *readChain) goesOn(i int) bool {
	return c.joined != nil && len(c.Rules[i].Matches) > 0 && c.joined[&c.Rules[i].Matches[0]]
}

// lines counts the rules of c as iptables does.
func (c *readChain) lines() int { return len(c.front) + len(c.Rules) - len(c.joined) }

// line returns where the rule of a number begins and ends, of one behind the last too if end is
// true. c is flat.
func (c *readChain) line(number int, end bool) (from, to int, ok bool) {
	if c.joined == nil {
		return number - 1, number, number <= len(c.Rules) || end && number == len(c.Rules)+1
	}
	n := 0
	for i := range c.Rules {
		if c.goesOn(i) {
			continue
		}
		if n++; n == number {
			to := i + 1
			for to < len(c.Rules) && c.goesOn(to) {
				to++
			}
			return i, to, true
		}
	}
	return len(c.Rules), len(c.Rules), end && number == n+1
}

// replace puts rules in the place of the rule of a number.
func (r *reader) replace(c *readChain, number int, rules []ir.Rule) error {
	if err := r.spend(len(c.front) + len(c.Rules)); err != nil {
		return err
	}
	c.flatten()
	from, to, ok := c.line(number, false)
	if !ok {
		return fmt.Errorf("chain %s has no rule %d", c.Name, number)
	}
	c.cut(from, to)
	c.Rules = slices.Insert(c.Rules, from, rules...)
	return nil
}

// cut takes rules out of c, which is flat.
func (c *readChain) cut(from, to int) {
	for i := from; i < to; i++ {
		if c.goesOn(i) {
			delete(c.joined, &c.Rules[i].Matches[0])
		}
	}
	c.Rules = slices.Delete(c.Rules, from, to)
}

// look looks for the line's rules in c, and takes the first of each away if it shall: -D and -C.
func (r *reader) look(c *readChain, s *ruleReader, away bool) error {
	if err := s.lands(); err != nil {
		return err
	}
	rules, err := s.rules(nil)
	if err != nil {
		return err
	}
	c.flatten()
	each := max(1, len(s.ways))
	for i := 0; i < len(rules); i += each {
		if err := r.spend(len(c.Rules)); err != nil {
			return err
		}
		at := slices.IndexFunc(c.Rules, func(have ir.Rule) bool { return sameRule(&have, &rules[i], false) })
		if at < 0 { // what is not modelled may be spelled in two ways
			like := func(have ir.Rule) bool { return sameRule(&have, &rules[i], true) }
			at = slices.IndexFunc(c.Rules, like)
			if at >= 0 && slices.ContainsFunc(c.Rules[at+1:], like) {
				return fmt.Errorf("chain %s has several rules that may be this one", c.Name)
			}
		}
		if at < 0 {
			return fmt.Errorf("chain %s has no such rule", c.Name)
		}
		if away {
			c.cut(at, min(at+each, len(c.Rules)))
		}
	}
	return nil
}

// sameRule reports whether two rules are the same to iptables: its own options in any order,
// extensions in theirs. If loosely, what is not modelled is the same if it is of one extension.
func sameRule(a, b *ir.Rule, loosely bool) bool {
	ownA, othersA := split2(a, loosely)
	ownB, othersB := split2(b, loosely)
	for _, m := range ownA {
		if !slices.Contains(ownB, m) {
			return false
		}
	}
	return len(ownA) == len(ownB) && slices.Equal(othersA, othersB) && a.Comment == b.Comment &&
		plain(a.Verdict, loosely) == plain(b.Verdict, loosely) &&
		slices.EqualFunc(a.Actions, b.Actions, func(x, y ir.Action) bool {
			return plainAction(x, loosely) == plainAction(y, loosely)
		})
}

// plainAction is plain for an action.
func plainAction(a ir.Action, loosely bool) ir.Action {
	if e, ok := a.(ir.Effect); ok && loosely {
		return ir.Effect{Text: firstWords(e.Text)}
	}
	return a
}

// split2 parts the matches of r into iptables' own and those of extensions.
func split2(r *ir.Rule, loosely bool) (own, others []ir.Match) {
	for _, m := range r.Matches {
		switch o := m.(type) {
		case ir.SAddr, ir.DAddr, ir.IIfName, ir.OIfName, ir.L4Proto:
			own = append(own, m)
			continue
		case ir.Unknown:
			if loosely {
				m = ir.Opaque{Text: firstWords(o.Text)}
			}
		case ir.Opaque:
			if !strings.HasPrefix(o.Text, "-m") {
				own = append(own, m)
				continue
			}
			if loosely {
				m = ir.Opaque{Text: firstWords(o.Text)}
			}
		}
		others = append(others, m)
	}
	return own, others
}

// plain returns v, if loosely without the options of what is not modelled.
func plain(v ir.Verdict, loosely bool) ir.Verdict {
	if o, ok := v.(ir.Handed); ok && loosely {
		return ir.Handed{Text: firstWords(o.Text)}
	}
	if o, ok := v.(ir.Opaque); ok && loosely {
		return ir.Opaque{Text: firstWords(o.Text)}
	}
	return v
}

// firstWords returns "-m NAME" of "-m NAME ...".
func firstWords(text string) string {
	if words := strings.Fields(text); len(words) > 2 {
		return words[0] + " " + words[1]
	}
	return text
}

// commit ends a table. The kernel refuses one in which a walk comes back to where it was, or a
// chain is called from where one of its rules does not work.
func (r *reader) commit() error {
	w := walker{r: r}
	for _, c := range r.order {
		if c.Table == r.table && c.Base != nil {
			w.base, w.state = c, make(map[*readChain]bool)
			if err := w.walk(c); err != nil {
				return err
			}
		}
	}
	r.table = ""
	return nil
}

// walker follows the jumps of a table from a built-in chain.
type walker struct {
	r     *reader
	base  *readChain
	state map[*readChain]bool // true for a chain that the walk is in, false for one that it left
}

func (w *walker) walk(c *readChain) error {
	w.state[c] = true
	for _, rules := range [...][]ir.Rule{c.front, c.Rules} {
		for i := range rules {
			if c.hooks != nil {
				if m := c.hooks[rules[i].Origin.Span.Start.Line]; m != 0 && m&w.base.hook == 0 {
					return fmt.Errorf("chain %s of table %s is called from %s, where its rule of line %d does not work",
						c.Name, c.Table, w.base.Name, rules[i].Origin.Span.Start.Line)
				}
			}
			name := leadsTo(rules[i].Verdict)
			if name == "" {
				continue
			}
			to := w.r.chains[chainKey{c.Table, name}]
			switch in, seen := w.state[to]; {
			case in:
				return fmt.Errorf("chain %s of table %s leads back to itself", name, c.Table)
			case !seen:
				if err := w.walk(to); err != nil {
					return err
				}
			}
		}
	}
	w.state[c] = false
	return nil
}
