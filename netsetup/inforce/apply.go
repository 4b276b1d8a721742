package inforce

import (
	"errors"
	"slices"
	"time"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// ApplyOptions say what an Apply does beside loading rules.
type ApplyOptions struct {
	TakeOver *TakeOver     // nil if libvirt's rules stay
	Confirm  time.Duration // if it isn't 0, the change is undone after that time unless it is confirmed
}

// Applied is what an Apply did.
type Applied struct {
	firewall.Result
	Taken []Taken // of libvirt's rules, nil if they weren't to be taken over
}

// Apply puts the rules of the networks into the kernel, and nothing else of them on the host.
func (h *Host) Apply(w Wanted, o ApplyOptions) (Applied, error) {
	if err := h.staysCovered(w); err != nil {
		return Applied{}, err
	}
	if err := h.refuseUnknown(w.Names()); err != nil {
		return Applied{}, err
	}
	taking, err := h.planTakeOver(o.TakeOver, w)
	if err != nil {
		return Applied{}, err
	}
	if err := h.keep(w); err != nil {
		return Applied{}, err
	}
	var done Applied
	change := func() (err error) {
		if done.Result, err = h.load(w); err == nil {
			done.Taken, err = h.takeOver(taking, false)
		}
		return err
	}
	if o.Confirm > 0 {
		err = h.provisionally(o.Confirm, taking, change)
	} else {
		err = change()
	}
	return done, err
}

// load makes the networks of w, and no others, be in force with their rules. If it fails those from
// before are.
func (h *Host) load(w Wanted) (firewall.Result, error) {
	h.stamp(w.networks, w.policies)
	before, policies, loaded, ruled := h.networks, h.policies, false, h.ruledBefore(w.Program)
	var result firewall.Result
	err := h.change(w.networks, w.policies, func() (_ []state.Network, _ bool, err error) {
		var found diag.List
		result, found, err = firewall.Apply(h.whole(w.Program), h.target, h.others)
		if err == nil && found.HasErrors() {
			err = &InputError{w.Sources, found}
		}
		h.tellLeft(result.AdminLeft)
		var left *firewall.LeftError
		if errors.As(err, &left) {
			return h.networks, true, err // of both sides
		}
		if err != nil {
			return before, false, err
		}
		loaded = true
		return w.networks, true, nil
	})
	if err != nil && loaded {
		return result, failf("the rules are loaded, but %w", err)
	}
	if loaded {
		h.cutConnections(ruled, w.Program)
	}
	policies = slices.DeleteFunc(slices.Clone(policies), func(p state.Policy) bool {
		return hasPolicy(w.policies, p.Name)
	})
	if gone := without(before, w.Names()); err == nil && w.prune && len(gone)+len(h.pruned)+len(policies) > 0 {
		told := Pruned{Networks: namesOf(gone), Bridges: h.pruned}
		for _, p := range policies {
			told.Policies = append(told.Policies, p.Name)
		}
		h.tell(told)
	}
	return result, err
}

// staysCovered refuses networks that are up and whose rules would leave the bridge that stands: its
// guests would be open.
func (h *Host) staysCovered(w Wanted) error {
	known := byName(h.networks)
	for i, n := range w.networks {
		l, old := w.Program.Links[i], known[n.Name]
		if n.Up && old != nil && old.Bridge != "" && (l.Bridge.Name != old.Bridge || !l.Mode.Managed()) {
			return refuse(No, "take it down first: vnetc down "+diag.ShellWord(n.Name),
				"network %s is up on bridge %s, which this XML leaves without rules", n.Name, old.Bridge)
		}
	}
	return nil
}
