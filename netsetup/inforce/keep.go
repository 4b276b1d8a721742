package inforce

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// findUnexplained looks for our rules about bridges of which no state file explains: it was lost or
// damaged, or another folder was named. They may be all that protects the guests there, so whatever
// is loaded is loaded together with them; see [Host.whole]. The networks of w, and those of
// bridges, are known as well. Where rules go must have been chosen.
func (h *Host) findUnexplained(w Wanted, bridges ...string) error {
	var err error
	h.unexplained, err = firewall.FindUnexplained(append([]firewall.Target{h.target}, h.others...), h.known(w, bridges))
	return failed(err)
}

// known returns what the networks in force, those of w and those of bridges explain.
func (h *Host) known(w Wanted, bridges []string) firewall.Known {
	known := firewall.Known{Bridges: make(map[string]bool)}
	for _, name := range append(bridgesIn(h.networks), append(bridgesIn(w.networks), bridges...)...) {
		known.Bridges[name] = true
	}
	known.Subnets = func() map[netip.Prefix]bool {
		all := make(map[netip.Prefix]bool)
		if w.Program != nil {
			all = subnetsOf(w.Program)
		}
		if before := h.recompile(h.networks); before.Program != nil {
			for s := range subnetsOf(before.Program) {
				all[s] = true
			}
		}
		return all
	}
	return known
}

// keep is findUnexplained before a change: it reports what stays, or what goes if prune is true,
// and refuses to go on if the rules can't stay as they are.
func (h *Host) keep(w Wanted, bridges ...string) error {
	if err := h.refuseForeign(h.known(w, bridges)); err != nil {
		return err
	}
	if err := h.findUnexplained(w, bridges...); err != nil {
		return err
	}
	if w.prune {
		h.pruned, h.unexplained = h.unexplained.Bridges(), firewall.Unexplained{}
		return nil
	}
	if err := h.unexplained.FitsInto(h.target); err != nil {
		return &Error{
			Kind: Failed, What: err.Error() + "; no rule was changed", Err: err,
			Why: "without this rule the bridge could be open",
			Fix: "apply the network's XML again, or remove all rules of the bridge: vnetc remove --bridge NAME",
		}
	}
	h.tellUnexplained()
	return nil
}

// tellUnexplained reports which rules stay though nothing explains them.
func (h *Host) tellUnexplained() {
	if bridges := h.unexplained.Bridges(); len(bridges) > 0 {
		h.tell(Unexplained{bridges})
	}
}

// whole returns p with the rules that nothing explains: what the host is to hold.
func (h *Host) whole(p *ir.Program) *ir.Program { return h.unexplained.Join(p) }

// TellUnexplained reports loaded rules that no state file explains, or that this is unknown, as
// without privilege.
func (h *Host) TellUnexplained() {
	err := h.choose()
	if err == nil {
		err = h.findUnexplained(Wanted{})
	}
	if err != nil {
		h.tell(Unread{err})
		return
	}
	h.tellUnexplained()
}

// faults returns what is wrong with the host though nothing can be fixed by loading rules: rules
// that nothing explains, and state files that can't be used. Those that an earlier boot has left
// are no fault.
func (h *Host) faults() []backends.Drift {
	all := h.unexplained.Drifts()
	for _, u := range h.unused {
		if !u.Stale {
			all = append(all, backends.Drift{
				Kind: backends.Unexplained, Part: backends.DriftStateFile, Target: u.Path,
				Words: u.Why + "; apply its network again, or delete the file",
			})
		}
	}
	return all
}

// forgetStale removes state files of an earlier boot once the kernel has no rules of their bridges:
// a container that was started again still has them. Where the kernel can't be read they stay.
func (h *Host) forgetStale() error {
	stale := slices.ContainsFunc(h.unused, func(u state.Unused) bool { return u.Stale })
	if !stale {
		return nil
	}
	var targets []firewall.Target
	for _, p := range h.o.Places {
		for _, names := range []backends.Names{backends.VnetcNames, backends.LibvirtNames} {
			targets = append(targets, firewall.Target{Loader: p.Loader, Options: backends.Options{
				Families: ir.Both, Names: names, Layout: p.Loader.Layouts()[0],
			}})
		}
	}
	found, err := firewall.FindUnexplained(targets, firewall.Known{})
	if err != nil {
		return nil // a later step that needs the rules reports it
	}
	there := found.Bridges()
	for _, u := range h.unused {
		if u.Stale && !slices.Contains(there, u.Bridge) && (u.Bridge != "" || len(there) == 0) {
			if err := h.writer.Forget(u); err != nil {
				return failed(err)
			}
		}
	}
	return nil
}

// bridgesIn returns the bridges of networks, as state files have them.
func bridgesIn(networks []state.Network) (names []string) {
	for _, n := range networks {
		if n.Bridge != "" {
			names = append(names, n.Bridge)
		}
	}
	return names
}

// subnetsOf returns the subnets of p's networks.
func subnetsOf(p *ir.Program) map[netip.Prefix]bool {
	all := make(map[netip.Prefix]bool)
	for _, l := range p.Links {
		for _, a := range l.Addresses {
			all[a.Prefix.Masked()] = true
		}
	}
	return all
}
