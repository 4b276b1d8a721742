package inforce

import (
	"maps"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// tellLost tells, where there is not a single state file or one that can't be trusted, which
// interfaces our rules in the kernel are about that no network has that is or will be in force: the
// state folder was lost, a file was damaged, or another folder was named. Their networks can't be
// made anew from rules, which don't tell XML. What stands in other back ends isn't read for that:
// an Apply says when it takes rules away there.
func (h *Host) tellLost(w Wanted) error {
	if len(h.networks) > 0 && !h.untrusted {
		return nil
	}
	before, err := h.compiled(h.networks)
	if err != nil {
		return err
	}
	lost, err := lostInterfaces([]firewall.Target{h.target})
	if err != nil {
		return err
	}
	known := interfacesOf(before.Program)
	maps.Copy(known, interfacesOf(w.Program))
	maps.DeleteFunc(lost, func(name string, _ bool) bool { return known[name] })
	if len(lost) > 0 {
		h.tell(Lost{slices.Sorted(maps.Keys(lost))})
	}
	return nil
}

// TellUnlisted tells of rules that are in force though there is no state file. What can't be read,
// as without privilege, is not told.
func (h *Host) TellUnlisted() {
	if len(h.networks) > 0 || h.choose() != nil {
		return
	}
	if lost, err := lostInterfaces(append(h.others, h.target)); err == nil && len(lost) > 0 {
		h.tell(Unlisted{slices.Sorted(maps.Keys(lost))})
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
			return nil, failed(err)
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
