package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// unset returns p without look-ups, as far as chains can say the same: iptables-restore loads no
// sets. A rule that looks packets up becomes a jump to a chain that has the elements, each with the
// rule's verdict:
//
//	oifname @a accept     -> jump A;  A: oifname "x" accept, oifname "y" accept
//	oifname != @a accept  -> jump A;  A: oifname "x" return, oifname "y" return, accept
//
// That takes a verdict that ends the packet's walk: behind any other, an element that matches and
// one that does not would both come back. A return is said inline, an element a line. What can't be
// said stays as it is, and is refused where it is lowered.
func (l *lowering) unset(p *ir.Program) *ir.Program {
	if !slices.ContainsFunc(p.Chains, func(c *ir.Chain) bool { return slices.ContainsFunc(c.Rules, looksUp) }) {
		return p
	}
	u := &unsetting{lowering: l, chains: make(map[string]string)}
	l.origin = make(map[*ir.Rule]*ir.Rule)
	out := *p
	out.Chains = nil
	for _, c := range p.Chains {
		if !slices.ContainsFunc(c.Rules, looksUp) {
			out.Chains = append(out.Chains, c)
			continue
		}
		one := *c
		one.Rules, u.from = nil, nil
		u.chain = &one
		for i := range c.Rules {
			u.rule(&c.Rules[i])
		}
		out.Chains = append(out.Chains, &one)
		for i, r := range u.from {
			l.origin[&one.Rules[i]] = r
		}
	}
	out.Chains = append(out.Chains, u.made...)
	return &out
}

func looksUp(r ir.Rule) bool { return lookupOf(&r) >= 0 }

// lookupOf returns the number of the first look-up among the matches of r, -1 if there is none.
func lookupOf(r *ir.Rule) int {
	return slices.IndexFunc(r.Matches, func(m ir.Match) bool { _, is := m.(ir.Lookup); return is })
}

// unsetting is the state of one unset.
type unsetting struct {
	*lowering
	chain  *ir.Chain         // that rules go to
	from   []*ir.Rule        // what they stand for
	made   []*ir.Chain       // for elements
	chains map[string]string // their names, by what they say
}

func (u *unsetting) add(r ir.Rule, from *ir.Rule) {
	u.chain.Rules, u.from = append(u.chain.Rules, r), append(u.from, from)
}

// rule adds r, or what says the same without sets.
func (u *unsetting) rule(r *ir.Rule) {
	at := lookupOf(r)
	if at < 0 {
		u.add(*r, r)
		return
	}
	asked := r.Matches[at].(ir.Lookup)
	_, returns := r.Verdict.(ir.Return)
	switch rest := slices.Concat(r.Matches[:at], r.Matches[at+1:]); {
	case len(r.Actions) > 0 || lookupOf(&ir.Rule{Matches: rest}) >= 0:
		u.add(*r, r)
	case returns && !asked.Not:
		for _, e := range asked.Set.Elements {
			one := *r
			one.Matches = slices.Concat(rest, e)
			u.add(one, r)
		}
	case !returns && endsWalk(r.Verdict):
		one := *r
		one.Matches, one.Verdict = rest, ir.Jump{Chain: u.elements(asked, r)}
		u.add(one, r)
	default:
		u.add(*r, r)
	}
}

// endsWalk is true for verdicts behind which the packet meets no more rules of the base chain.
func endsWalk(v ir.Verdict) bool {
	switch v.(type) {
	case ir.Accept, ir.Drop, ir.Reject, ir.Masquerade, ir.SNAT, ir.DNAT, ir.Redirect:
		return true
	}
	return false
}

// elements returns the name of the chain that has the elements of asked with the verdict of r. A
// chain serves all rules that want the same of it.
func (u *unsetting) elements(asked ir.Lookup, r *ir.Rule) string {
	var rules []ir.Rule
	one := ir.Rule{Family: r.Family, Verdict: r.Verdict, Origin: r.Origin}
	for _, e := range asked.Set.Elements {
		of := one
		of.Matches = e
		if asked.Not {
			of.Verdict = ir.Return{}
		}
		rules = append(rules, of)
	}
	if asked.Not {
		rules = append(rules, one)
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%s %s\n", u.chain.Family, u.chain.Table)
	for i := range rules {
		fmt.Fprintln(&key, &rules[i])
	}
	name := u.chains[key.String()]
	if name == "" {
		name = fmt.Sprintf("%s_%d", strings.ToUpper(u.chain.Name), len(u.made)+1)
		u.chains[key.String()] = name
		u.made = append(u.made, &ir.Chain{Family: u.chain.Family, Table: u.chain.Table, Name: name, Rules: rules})
		for i := range rules {
			u.origin[&rules[i]] = r
		}
	}
	return name
}
