package nftables

import (
	"slices"
	"sort"
)

// tablePlan is how one table becomes another: what of the old one stays and what goes. All else comes.
type tablePlan struct {
	chains     map[string]*chainPlan // that stay, by name
	sets       map[string]*setPlan
	goneChains []*heldChain
	goneSets   []*heldSet
}

// chainPlan is how a chain's rules become others.
type chainPlan struct {
	old, new *heldChain
	stays    []int // for each rule of new its place in old, or -1
}

// setPlan is how a set's elements become others.
type setPlan struct {
	old, new   *heldSet
	gone, come []string // keys
}

// planOf plans how old becomes t. What bears a wanted name and can't be changed into what is wanted goes and comes anew, and
// so do the rules that use it.
func planOf(old, t *heldTable) *tablePlan {
	p := &tablePlan{chains: make(map[string]*chainPlan), sets: make(map[string]*setPlan)}
	for _, c := range old.chains {
		if new := t.chain(c.name); new != nil && new.place == c.place {
			p.chains[c.name] = &chainPlan{old: c, new: new, stays: keptRules(c.rules, new.rules)}
		} else {
			p.goneChains = append(p.goneChains, c)
		}
	}
	for _, s := range old.sets {
		if new := t.set(s.name); new != nil && s.fits(new) {
			p.sets[s.name] = &setPlan{old: s, new: new, gone: s.without(new), come: new.without(s)}
		}
	}
	p.tear()
	for _, s := range old.sets {
		if p.sets[s.name] == nil && !s.unnamed { // an unnamed one goes with its rule
			p.goneSets = append(p.goneSets, s)
		}
	}
	p.sever()
	return p
}

// fits is true if the elements of want can be put into s.
func (s *heldSet) fits(want *heldSet) bool {
	return s.kind == want.kind && (s.size == 0 || len(want.order) <= int(s.size))
}

// without returns the keys of s that o has not, in order.
func (s *heldSet) without(o *heldSet) (keys []string) {
	for _, key := range s.order {
		if _, ok := o.elements[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// tear takes from what stays the sets that must come anew although only their elements differ. The kernel hands out a chain's
// rules as of one instant, but asks at each look-up anew which elements hold. So a packet that is among the old rules when
// the change comes finds old elements in one set and new ones in the next, and that must not make a verdict which neither the
// old state nor the new one has. So nothing changes in a set that a rule which goes looks up, as what comes under the
// name may be meant for another rule; and where elements go from one refusing set and others come in another, both are made anew, as
// a packet that both are meant for could find neither.
func (p *tablePlan) tear() {
	var less, more []string
	changed := make(map[string]bool)
	for name, s := range p.sets {
		if len(s.gone)+len(s.come) > 0 {
			changed[name] = true
		}
		if len(s.gone) > 0 && !s.old.counted { // what accepts is counted
			less = append(less, name)
		}
		if len(s.come) > 0 && !s.old.counted {
			more = append(more, name)
		}
	}
	if len(changed) == 0 {
		return // and no chain need be searched for the rules of many networks
	}
	for _, c := range p.chains {
		for _, r := range c.gone() {
			if slices.ContainsFunc(c.new.rules, func(n heldRule) bool { return n.key == r.key }) {
				continue // it moves
			}
			for _, name := range r.uses().sets {
				if changed[name] {
					delete(p.sets, name)
				}
			}
		}
	}
	for _, a := range less {
		for _, b := range more {
			if a != b {
				delete(p.sets, a)
				delete(p.sets, b)
			}
		}
	}
}

// sever takes from what stays the rules that use a chain or a set that goes.
func (p *tablePlan) sever() {
	if len(p.goneChains)+len(p.goneSets) == 0 {
		return
	}
	for _, c := range p.chains {
		for i, at := range c.stays {
			if at >= 0 && !p.has(c.old.rules[at].uses()) {
				c.stays[i] = -1
			}
		}
	}
}

// has is true if all that is used stays.
func (p *tablePlan) has(u uses) bool {
	lacks := func(name string) bool { return p.chains[name] == nil }
	unset := func(name string) bool { return p.sets[name] == nil }
	return !slices.ContainsFunc(u.chains, lacks) && !slices.ContainsFunc(u.sets, unset)
}

// gone returns the old rules that don't stay.
func (p *chainPlan) gone() (rules []heldRule) {
	kept := make([]bool, len(p.old.rules))
	for _, at := range p.stays {
		if at >= 0 {
			kept[at] = true
		}
	}
	for i, r := range p.old.rules {
		if !kept[i] {
			rules = append(rules, r)
		}
	}
	return rules
}

// keptRules chooses the rules that stay: for each of want the place in have of an equal rule, or -1, the places rising.
// It is a longest such choice if no rule occurs twice; of equal rules the first is paired with the first.
func keptRules(have, want []heldRule) []int {
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
	return rising(out)
}

// rising keeps a longest rising run of the places in list, in their order, and sets the others to -1.
func rising(list []int) []int {
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
