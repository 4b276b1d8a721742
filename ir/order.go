package ir

import "slices"

// AssumedOrder returns the base chains of which the order among each other is not known but taken
// to be that of p, hook by hook and priority by priority: those of different tables that meet
// packets of one family. (Chains of one table are listed by the kernel in the order in which they
// were made. It does not say which of two tables had its chain first.)
func (p *Program) AssumedOrder() (all [][]*Chain) {
	type place struct {
		hook     Hook
		priority int
	}
	var places []place
	at := make(map[place][]*Chain)
	for _, h := range []Hook{Prerouting, Input, Forward, Output, Postrouting} {
		for _, b := range p.Bases(h) {
			if b.Chains[0].Group != 0 {
				continue
			}
			here := place{h, b.Priority}
			if at[here] == nil {
				places = append(places, here)
			}
			at[here] = append(at[here], b.Chains[0])
		}
	}
	for _, here := range places {
		chains := at[here]
		rivals := slices.DeleteFunc(slices.Clone(chains), func(c *Chain) bool {
			return !slices.ContainsFunc(chains, func(o *Chain) bool {
				return o.Family&c.Family != 0 && (o.Table != c.Table || o.Family != c.Family)
			})
		})
		if len(rivals) > 0 {
			all = append(all, rivals)
		}
	}
	return all
}
