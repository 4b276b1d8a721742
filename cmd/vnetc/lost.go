package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// sayLost says, where there is not a single note or one that can't be trusted, which interfaces the kernel's rules of ours are
// about that no network of known or w has: the state folder was lost, a note was damaged, or another folder was named. Their
// networks can't be made anew from rules, which don't tell XML. What stands in other back ends isn't read for that: apply says
// when it takes rules away there.
func (f *hostFlags) sayLost(s streams, known []state.Network, w wanted, target firewall.Target) error {
	if len(known) > 0 && !f.unused {
		return nil
	}
	before, err := again(known)
	if err != nil {
		return err
	}
	lost, err := lostInterfaces([]firewall.Target{target})
	if err != nil {
		return err
	}
	noted := interfacesOf(before.program)
	maps.Copy(noted, interfacesOf(w.program))
	maps.DeleteFunc(lost, func(name string, _ bool) bool { return noted[name] })
	if names := slices.Sorted(maps.Keys(lost)); len(names) > 0 {
		fmt.Fprintf(s.err, "vnetc: the kernel holds rules of ours about %s, and no note says of which networks; they go. To have them in force, apply their XML\n",
			strings.Join(names, ", "))
	}
	return nil
}

// sayUnlisted says that rules are in force though there is no note. What can't be read, as without privilege, is not told.
func (f *hostFlags) sayUnlisted(s streams) {
	chosen, others, err := f.target()
	if err != nil {
		return
	}
	if lost, err := lostInterfaces(append(others, chosen)); err == nil && len(lost) > 0 {
		fmt.Fprintf(s.err, "vnetc: there is no note, and the kernel holds rules of ours about %s; vnetc audit shows them\n",
			strings.Join(slices.Sorted(maps.Keys(lost)), ", "))
	}
}

// lostInterfaces returns the interfaces that rules of ours name, wherever they stand.
func lostInterfaces(targets []firewall.Target) (map[string]bool, error) {
	all := make(map[string]bool)
	for _, t := range targets {
		held, err := t.Held()
		if err != nil && t.Loader.Available() != nil {
			continue // a back end that can't be used here holds none
		}
		if err != nil {
			return nil, hostf("%v", err)
		}
		maps.Copy(all, interfacesOf(held))
	}
	return all, nil
}

// interfacesOf returns the interfaces that p names.
func interfacesOf(p *ir.Program) map[string]bool {
	all := make(map[string]bool)
	add := func(matches []ir.Match) {
		for _, m := range matches {
			switch m := m.(type) {
			case ir.IIfName:
				all[m.Name] = true
			case ir.OIfName:
				all[m.Name] = true
			}
		}
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			add(c.Rules[i].Matches)
		}
	}
	for _, set := range p.Sets {
		for _, e := range set.Elements {
			add(e)
		}
	}
	return all
}

// sayUnused says which notes aren't trusted, once for each reason: after a boot it is all of them.
func sayUnused(s streams, unused []state.Unused) {
	count := make(map[string]int)
	for _, u := range unused {
		count[u.Why]++
	}
	for _, u := range unused {
		switch n := count[u.Why]; n {
		case 0: // told
		case 1:
			fmt.Fprintf(s.err, "vnetc: %s %s and not trusted; apply the network again\n", u.Path, u.Why)
		default:
			fmt.Fprintf(s.err, "vnetc: %s %s and not trusted, and so are the notes about %s; apply these networks again\n", u.Path, u.Why, plural(n-1, "other network"))
		}
		count[u.Why] = 0
	}
}
