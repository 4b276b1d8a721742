package inforce

import (
	"errors"
	"slices"
	"time"

	"github.com/vnetc/vnetc/netsetup/state"
)

// change takes the host from the networks in force to those of to. It is the one place that orders
// state files, rules and links:
//
//  1. state files of all networks that come, and of all that go
//  2. work: rules and links. Rules stand before a link comes up, and stay until it is gone
//     ([netsetup.Up], [netsetup.Down]); new rules are in the kernel and proved before old ones go
//     from elsewhere ([firewall.Apply])
//  3. state files of those that work says are in force then
//
// So whatever ends this process, and wherever: each network of which the kernel may hold anything
// has a state file, a link that is up has its rules, and the same verb, or the one back, can be
// given again. If work fails it returns the networks that are in force all the same. Loaded is true
// if it has put rules into the kernel.
//
// The policies that are to be in force are written before all networks, and those from before again
// if no rules were loaded.
//
// Only [Undo] has another order, since the file of the change that it undoes has both sides until
// it is over.
func (h *Host) change(to []state.Network, policies []state.Policy,
	work func() (inForce []state.Network, loaded bool, err error)) error {
	if err := h.knowsPolicies(policies); err != nil {
		return err
	}
	before, ruled := h.networks, h.policies
	err := h.writer.Begin() // the kernel may change though no state file does
	if err == nil {
		err = h.writePolicies(policies)
	}
	if err == nil {
		err = h.write(during(before, to))
	}
	if err != nil {
		return failf("%w; no rule was changed", errors.Join(err, h.writePolicies(ruled), h.write(before)))
	}
	inForce, loaded, err := work()
	if !loaded {
		err = errors.Join(err, h.writePolicies(ruled))
	}
	err = errors.Join(err, h.write(inForce))
	return failed(errors.Join(err, h.takeBack(namesOf(without(before, namesOf(inForce))))))
}

// during returns what the kernel may hold while a change goes on: the networks of to, then those of
// before that go. They note names that their rules may have, too.
func during(before, to []state.Network) []state.Network {
	all, stays := slices.Clone(to), byName(to)
	for _, n := range before {
		if stays[n.Name] == nil {
			all = append(all, n)
		}
	}
	if len(to) > 0 {
		left := leaving(before, to[0].Names)
		for i := range all {
			all[i].Leaving = left
		}
	}
	return all
}

// leaving returns the other names, if any, that rules of known may have when they move to names.
func leaving(known []state.Network, names string) string {
	for _, n := range known {
		for _, old := range []string{n.Names, n.Leaving} {
			if old != "" && old != names {
				return old
			}
		}
	}
	return ""
}

// write makes the state files be those of to; files that are right are left alone. If it fails some
// are, and h takes all for them.
func (h *Host) write(to []state.Network) error {
	from := h.networks
	h.networks = to
	old, stays := byName(from), byName(to)
	for _, n := range to {
		if o := old[n.Name]; o != nil && *o == n {
			continue
		}
		if err := h.files.Save(n); err != nil {
			return err
		}
	}
	for _, n := range from {
		if stays[n.Name] != nil {
			continue
		}
		if err := h.files.Remove(n.Name); err != nil {
			return err
		}
	}
	return nil
}

// writePolicies makes the state file of policies be that of these.
func (h *Host) writePolicies(to []state.Policy) error {
	if slices.Equal(h.policies, to) && len(h.lostPolicies) == 0 {
		return nil
	}
	h.policies, h.lostPolicies = to, nil
	return h.files.SavePolicies(to)
}

// stamp notes where the networks' rules go; those that have no time yet are applied now.
func (h *Host) stamp(networks []state.Network, policies []state.Policy) {
	now := time.Now().UTC().Truncate(time.Second)
	for i := range networks {
		n := &networks[i]
		n.Backend, n.Layout, n.Names = h.Backend(), string(h.Layout()), string(h.target.Options.Names)
		n.Leaving, n.Policies = "", policyNames(policies)
		if n.Applied.IsZero() {
			n.Applied = now
		}
	}
}

// byName returns the networks by their names.
func byName(networks []state.Network) map[string]*state.Network {
	all := make(map[string]*state.Network, len(networks))
	for i := range networks {
		all[networks[i].Name] = &networks[i]
	}
	return all
}

// find returns the network called name, nil if there is none.
func find(networks []state.Network, name string) *state.Network {
	i := slices.IndexFunc(networks, func(n state.Network) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &networks[i]
}

// without returns the networks that don't go by any of names.
func without(networks []state.Network, names []string) []state.Network {
	goes := func(n state.Network) bool { return slices.Contains(names, n.Name) }
	return slices.DeleteFunc(slices.Clone(networks), goes)
}

// namesOf returns the networks' names.
func namesOf(networks []state.Network) []string {
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.Name
	}
	return names
}

// needs returns an error for a name that no network in force has.
func (h *Host) needs(names []string) error {
	for _, name := range names {
		if find(h.networks, name) == nil {
			return refuse(Usage, "vnetc list shows those that are", "no network %q is in force", name)
		}
	}
	return nil
}
