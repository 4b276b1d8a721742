package delta

import (
	"slices"
	"sort"
)

// tablePlan is how one table becomes another: what of the old one stays and what goes. All else
// comes.
type tablePlan struct {
	chains     map[string]*chainPlan // that stay, by name
	sets       map[string]*setPlan
	goneChains []*Chain
	goneSets   []*Set
}

// chainPlan is how a chain's rules become others.
type chainPlan struct {
	old, new *Chain
	equal    []int // for each rule of new the place of an equal one in old, or -1
	stays    []int // the same, of those that stay
}

// setPlan is how a set's elements become others.
type setPlan struct {
	old, new   *Set
	gone, come []string // keys
}

// planOf plans how old becomes t. An object that has a wanted name but cannot be changed into the
// wanted object is deleted and added again, and so are the rules that use it.
func planOf(old, t *Table) *tablePlan {
	p := &tablePlan{chains: make(map[string]*chainPlan), sets: make(map[string]*setPlan)}
	for _, c := range old.Chains {
		if new := t.Chain(c.Name); new != nil && new.place == c.place {
			equal := Kept(c.Rules, new.Rules)
			p.chains[c.Name] = &chainPlan{old: c, new: new, equal: equal, stays: slices.Clone(equal)}
		} else {
			p.goneChains = append(p.goneChains, c)
		}
	}
	for _, s := range old.Sets {
		if new := t.Set(s.Name); new != nil && s.fits(new) {
			p.sets[s.Name] = &setPlan{old: s, new: new, gone: s.without(new), come: new.without(s)}
		}
	}
	if len(p.sets) > 0 {
		if goes, comes := p.difference(old, t); goes && comes {
			p.replaceSets()
		}
	}
	for _, s := range old.Sets {
		if p.sets[s.Name] == nil && !s.unnamed { // an unnamed one goes with its rule
			p.goneSets = append(p.goneSets, s)
		}
	}
	p.dropUsers()
	return p
}

// fits is true if s becomes want by other elements alone: the kernel changes nothing else about a
// set that is there. More room than wanted does as well.
func (s *Set) fits(want *Set) bool {
	return s.Alike(want) && (s.size == 0 || len(want.Order) <= int(s.size))
}

// Alike is true if elements of s could be elements of o, and nft would list both sets alike but for
// these.
func (s *Set) Alike(o *Set) bool { return s.kind == o.kind && s.userdata == o.userdata }

// without returns the keys of s that o has not, in order.
func (s *Set) without(o *Set) (keys []string) {
	for _, key := range s.Order {
		if _, ok := o.Elements[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// countingOn returns s with what the elements of old, which it follows and which may be nil, have
// counted. Those of another kind do other things than count, and can't be taken over.
func (s *Set) countingOn(old *Set) *Set {
	if old == nil || old.kind != s.kind {
		return s
	}
	on := *s
	on.Elements = make(map[string]Element, len(s.Elements))
	for key, e := range s.Elements {
		if was, ok := old.Elements[key]; ok {
			e.raw = was.raw
		}
		on.Elements[key] = e
	}
	return &on
}

// difference reports whether there is anything that is not there any more, a rule, an element, or
// what holds them, and whether there is anything new.
func (p *tablePlan) difference(old, t *Table) (goes, comes bool) {
	both := func(gone, come bool) { goes, comes = goes || gone, comes || come }
	both(len(p.chains) < len(old.Chains), len(p.chains) < len(t.Chains))
	for _, c := range p.chains {
		both(c.difference())
	}
	for _, s := range old.Sets {
		switch new := t.Set(s.Name); {
		case p.sets[s.Name] != nil:
			both(len(p.sets[s.Name].gone) > 0, len(p.sets[s.Name].come) > 0)
		case new != nil:
			both(len(s.without(new)) > 0, len(new.without(s)) > 0)
		default:
			both(true, false)
		}
	}
	both(false, slices.ContainsFunc(t.Sets, func(s *Set) bool { return old.Set(s.Name) == nil }))
	return goes, comes
}

// replaceSets takes from what stays the sets whose elements differ. The kernel hands out a chain's
// rules as of one instant, but asks at each look-up anew which elements hold. So a packet that is
// among the old rules when the change comes finds old elements before and new ones behind, and what
// goes from one place and comes in another it finds nowhere. A set that is recreated instead keeps
// its elements for the old rules, which are the last to ask it. Where nothing goes, or nothing
// comes, only packets of networks that come or go themselves could miss anything, and sets stay.
func (p *tablePlan) replaceSets() {
	for name, s := range p.sets {
		if len(s.gone)+len(s.come) > 0 {
			delete(p.sets, name)
		}
	}
}

// dropUsers takes from what stays the rules that use a chain or a set that goes.
func (p *tablePlan) dropUsers() {
	if len(p.goneChains)+len(p.goneSets) == 0 {
		return
	}
	for _, c := range p.chains {
		for i, at := range c.stays {
			if at >= 0 && !p.has(c.old.Rules[at].uses()) {
				c.stays[i] = -1
			}
		}
	}
}

// difference reports whether there are old rules that the new chain has nowhere, and new ones that
// the old chain had nowhere.
func (p *chainPlan) difference() (gone, come bool) {
	count := make(map[string]int)
	for _, r := range p.old.Rules {
		count[r.key]++
	}
	for _, r := range p.new.Rules {
		count[r.key]--
	}
	for _, n := range count {
		gone, come = gone || n > 0, come || n < 0
	}
	return gone, come
}

// has is true if all that is used stays.
func (p *tablePlan) has(u uses) bool {
	lacks := func(name string) bool { return p.chains[name] == nil }
	unset := func(name string) bool { return p.sets[name] == nil }
	return !slices.ContainsFunc(u.chains, lacks) && !slices.ContainsFunc(u.sets, unset)
}

// comes returns the rule of new at a place; one that was there before counts on.
func (p *chainPlan) comes(at int) Rule {
	r := p.new.Rules[at]
	if p.equal[at] >= 0 {
		r.raw = p.old.Rules[p.equal[at]].raw
	}
	return r
}

// gone returns the old rules that don't stay.
func (p *chainPlan) gone() (rules []Rule) {
	kept := make([]bool, len(p.old.Rules))
	for _, at := range p.stays {
		if at >= 0 {
			kept[at] = true
		}
	}
	for i, r := range p.old.Rules {
		if !kept[i] {
			rules = append(rules, r)
		}
	}
	return rules
}

// Kept chooses the rules that stay: for each of want the place in have of an equal rule, or -1, the
// places rising. It is a longest such choice if no rule occurs twice; of equal rules the first is
// paired with the first.
func Kept(have, want []Rule) []int {
	places := make(map[string][]int)
	for i, r := range have {
		places[r.key] = append(places[r.key], i)
	}
	out := make([]int, len(want))
	for i, r := range want {
		out[i] = -1
		if p := places[r.key]; len(p) > 0 {
			out[i], places[r.key] = p[0], p[1:]
		}
	}
	return longestIncreasing(out)
}

// longestIncreasing keeps a longest rising run of the places in list, in their order, and sets the
// others to -1.
func longestIncreasing(list []int) []int {
	var tops []int // index in list of the smallest end of a rising run of each length
	before := make([]int, len(list))
	for i, v := range list {
		if v < 0 {
			continue
		}
		n := sort.Search(len(tops), func(k int) bool { return list[tops[k]] >= v })
		before[i] = -1
		if n > 0 {
			before[i] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, i)
		} else {
			tops[n] = i
		}
	}
	out := make([]int, len(list))
	for i := range out {
		out[i] = -1
	}
	if len(tops) > 0 {
		for i := tops[len(tops)-1]; i >= 0; i = before[i] {
			out[i] = list[i]
		}
	}
	return out
}
