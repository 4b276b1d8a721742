package firewall

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Known is what networks explain of the rules that a host holds.
type Known struct {
	Bridges map[string]bool
	// Subnets returns the networks' subnets. It is called only if there are rules that Bridges does
	// not explain.
	Subnets func() map[netip.Prefix]bool
}

// Unexplained is rules under our names about bridges that no network is known to have. They may be
// all that protects the guests there: a state file can be lost, and a bridge can be away for a
// while. The zero value has none.
type Unexplained struct {
	rules []unexplained
}

// unexplained is one such rule, in the form in which it can be lowered again.
type unexplained struct {
	bridge string
	group  ir.Group
	rule   ir.Rule
	after  string // what the rule before it is about that a known network has; see about
}

// FindUnexplained returns the rules of the targets that k does not explain. Those of one bridge, in
// one group, are taken from the first target that has any: two targets hold the same rules while
// they are moved.
//
// A network's rules name its bridge where its packets enter or leave it, and its address
// translation names its subnets. What names neither was never made for a network, and is no matter
// of this function.
func FindUnexplained(targets []Target, k Known) (Unexplained, error) {
	var all Unexplained
	for _, t := range targets {
		held, err := t.Loaded()
		if err != nil && t.Loader.Available() != nil {
			continue // a back end that can't be used here holds none
		}
		if err != nil {
			return all, fmt.Errorf("read the rules in %s: %w", t, err)
		}
		found, err := t.unexplained(held, k)
		if err != nil {
			return all, err
		}
		all.add(found)
	}
	return all, nil
}

// unexplained returns the rules of held that k does not explain.
func (t Target) unexplained(held *ir.Program, k Known) ([]unexplained, error) {
	held = held.WithoutAdmin()
	search := search{held: held, known: k.Bridges}
	if !search.namesOther() {
		return nil, nil
	}
	groups, err := t.groups()
	if err != nil {
		return nil, err
	}
	// The rules that name bridges come first: they show whose the subnets are.
	search.subnets = make(map[netip.Prefix]string)
	for _, translate := range []bool{false, true} {
		for _, c := range held.Chains {
			group := groups[placeOf(c)]
			if c.Group != 0 {
				group = c.Group
			}
			if group != 0 && (group.Hook() == ir.Postrouting) == translate {
				search.chain(c, group)
			}
		}
		if !translate && k.Subnets != nil && len(search.subnets) > 0 {
			for known := range k.Subnets() {
				delete(search.subnets, known)
			}
		}
	}
	if len(held.Sets) > 0 {
		// A layout has put together what is alike, and left no order of bridges. Without one of our
		// own the rules would change places whenever they are loaded.
		for i := range search.found {
			search.found[i].after = ""
		}
		slices.SortStableFunc(search.found, func(a, b unexplained) int { return strings.Compare(a.bridge, b.bridge) })
	}
	return search.found, nil
}

// groups returns which group each chain of the target has the rules of. The back end itself shows
// it: by where it puts a rule of each.
func (t Target) groups() (map[chainAt]ir.Group, error) {
	probe := &ir.Program{}
	group := make(map[*ir.Rule]ir.Group)
	for i := range ir.GroupTable {
		row := &ir.GroupTable[i]
		for _, f := range []ir.Family{ir.IPv4, ir.IPv6} {
			probe.Add(row.Group, probeRule(row, f))
		}
	}
	for _, c := range probe.Chains {
		for i := range c.Rules {
			group[&c.Rules[i]] = c.Group
		}
	}
	o := t.Options
	o.Layout = backends.Chains
	rules, found := t.Loader.Lower(probe, o)
	if found.HasErrors() {
		return nil, fmt.Errorf("chains of %s: %w", t, found)
	}
	places := make(map[chainAt]ir.Group)
	for _, l := range rules.Lines() {
		for _, f := range []ir.Family{ir.IPv4, ir.IPv6, ir.Both} {
			if l.Family&f != 0 {
				places[chainAt{f, l.Table, l.Chain}] = group[l.Rule]
			}
		}
	}
	return places, nil
}

// probeRule returns a rule that belongs to the row.
func probeRule(row *ir.GroupRow, f ir.Family) ir.Rule {
	out := ir.OIfName{Name: "probe"}
	var verdicts []ir.Rule
	switch {
	case row.Hook == ir.Prerouting:
		verdicts = []ir.Rule{{Family: f, Matches: []ir.Match{ir.IIfName{Name: "probe"}}, Verdict: ir.Redirect{}}}
	case row.Hook == ir.Output && row.Type == ir.NATType:
		verdicts = []ir.Rule{{Family: f, Matches: []ir.Match{out}, Verdict: ir.Redirect{}}}
	case row.Hook == ir.Postrouting:
		verdicts = []ir.Rule{
			{Family: f, Matches: []ir.Match{out, ir.L4Proto{Proto: ir.UDP}}, Verdict: ir.ChecksumFill{}},
			{Family: f, Matches: []ir.Match{out}, Verdict: ir.Masquerade{}},
		}
	case row.Hook == ir.Input:
		verdicts = []ir.Rule{{Family: f, Matches: []ir.Match{ir.IIfName{Name: "probe"}},
			Verdict: ir.Reject{With: ir.PortUnreachable}}}
	case row.Priority != ir.PriorityFilter: // where nothing is rejected
		verdicts = []ir.Rule{{Family: f, Matches: []ir.Match{out}, Verdict: ir.Counter{}}}
	default:
		verdicts = []ir.Rule{{Family: f, Matches: []ir.Match{out}, Verdict: ir.Reject{With: ir.PortUnreachable}}}
	}
	for i := range verdicts {
		if row.Of == nil || row.Of(&verdicts[i]) {
			return verdicts[i]
		}
	}
	panic(fmt.Sprintf("firewall: no rule belongs to a row of group %s", row.Group))
}

// add adds rules of one more target.
func (u *Unexplained) add(found []unexplained) {
	type part struct {
		bridge string
		group  ir.Group
		family ir.Family
	}
	has := make(map[part]bool)
	for _, r := range u.rules {
		has[part{r.bridge, r.group, r.rule.Family}] = true
	}
	for _, r := range found {
		if !has[part{r.bridge, r.group, r.rule.Family}] {
			u.rules = append(u.rules, r)
		}
	}
}

// Bridges returns the bridges of the rules, sorted.
func (u Unexplained) Bridges() []string { return slices.Sorted(maps.Keys(u.count())) }

func (u Unexplained) count() map[string]int {
	n := make(map[string]int)
	for _, r := range u.rules {
		n[r.bridge]++
	}
	return n
}

// Drifts says for each bridge how many rules there are.
func (u Unexplained) Drifts() []backends.Drift {
	var all []backends.Drift
	rules := u.count()
	for _, bridge := range u.Bridges() {
		all = append(all, backends.Drift{
			Kind: backends.Unexplained, Part: backends.DriftBridge, Target: bridge, Rules: rules[bridge],
		})
	}
	return all
}

// Without returns the rules but those of some bridges.
func (u Unexplained) Without(bridges []string) Unexplained {
	left := slices.Clone(u.rules)
	return Unexplained{slices.DeleteFunc(left, func(r unexplained) bool { return slices.Contains(bridges, r.bridge) })}
}

// Join returns p with the rules, in each group. Rules of different bridges are about different
// packets, so their order has no meaning; they stand where they stood, so that nothing has to move.
func (u Unexplained) Join(p *ir.Program) *ir.Program {
	if len(u.rules) == 0 {
		return p
	}
	out := *p
	out.Chains = slices.Clone(p.Chains)
	for _, g := range ir.Groups {
		added := slices.DeleteFunc(slices.Clone(u.rules), func(r unexplained) bool { return r.group != g })
		if len(added) == 0 {
			continue
		}
		if out.Group(g) == nil {
			out.Add(g)
		}
		i := slices.IndexFunc(out.Chains, func(c *ir.Chain) bool { return c.Group == g })
		chain := *out.Chains[i]
		chain.Rules = insert(chain.Rules, added, g)
		out.Chains[i] = &chain
	}
	return &out
}

// insert returns rules, of group g, with those added behind what they come after.
func insert(rules []ir.Rule, added []unexplained, g ir.Group) []ir.Rule {
	last := make(map[position]int)
	for i := range rules {
		for _, f := range []ir.Family{ir.IPv4, ir.IPv6} {
			if rules[i].Family&f != 0 {
				last[position{f, rules[i].Mangles(), about(rules[i].Matches, g)}] = i
			}
		}
	}
	behind, place := make(map[int][]ir.Rule), make(map[position]int)
	for _, a := range added {
		whole := position{a.rule.Family, a.rule.Mangles(),
			a.bridge} // the rules of a bridge stay together, in their order
		at, known := place[whole]
		if !known {
			var ok bool
			if at, ok = last[position{a.rule.Family, a.rule.Mangles(), a.after}]; a.after == "" {
				at = -1
			} else if !ok {
				at = len(rules) - 1
			}
			place[whole] = at
		}
		behind[at] = append(behind[at], a.rule)
	}
	out := slices.Grow(slices.Clone(behind[-1]), len(rules)+len(added))
	for i := range rules {
		out = append(append(out, rules[i]), behind[i]...)
	}
	return out
}

// position is where rules are met one after the other: of one family, in one row of a group; and
// what they are about.
type position struct {
	family  ir.Family
	mangles bool
	about   string
}

// KeepError says that a rule can't be kept as it is.
type KeepError struct {
	Bridge, Rule string
	Err          error // why the target can't have it
}

func (e *KeepError) Error() string {
	return fmt.Sprintf("found a rule for %s with no state file, and cannot keep it (%s): %v", e.Bridge, e.Rule, e.Err)
}

// Unwrap returns why.
func (e *KeepError) Unwrap() error { return e.Err }

// FitsInto returns a [KeepError] if t can't have all of the rules.
func (u Unexplained) FitsInto(t Target) error {
	if _, found := t.Loader.Lower(u.Join(&ir.Program{}), t.Options); !found.HasErrors() {
		return nil
	}
	for _, r := range u.rules {
		one := Unexplained{[]unexplained{r}}
		if _, found := t.Loader.Lower(one.Join(&ir.Program{}), t.Options); found.HasErrors() {
			return &KeepError{r.bridge, r.rule.String(), found}
		}
	}
	return nil
}

// Foreign returns what the target holds under our names though it may be another's: as
// [FindUnexplained] tells, and rules that are not modelled, which one of our networks never has.
func (t Target) Foreign(k Known) (bridges []string, opaque int, err error) {
	found, err := FindUnexplained([]Target{t}, k)
	if err != nil {
		return nil, 0, err
	}
	held, err := t.Loaded()
	if err != nil && t.Loader.Available() != nil {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for _, c := range held.WithoutAdmin().Chains {
		for i := range c.Rules {
			if isOpaque(&c.Rules[i]) {
				opaque++
			}
		}
	}
	return found.Bridges(), opaque, nil
}

// HoldsAny is true if there is anything under the target's names, be it a table without rules.
func (t Target) HoldsAny() (bool, error) {
	images, err := t.Loader.Dump(t.Options.Names)
	if err != nil && t.Loader.Available() != nil {
		return false, nil
	}
	return len(images) > 0, err
}
