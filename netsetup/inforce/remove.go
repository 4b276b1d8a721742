package inforce

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Remove takes the rules of the networks named out of the kernel, and those of bridges that no
// state file explains; of all networks without either. With the last network whatever else stands
// under our names goes as well, but for rules that no state file explains: these go by bridge only.
// Networks that are up are refused.
func (h *Host) Remove(names, bridges []string) error {
	all := len(names)+len(bridges) == 0
	rest, err := h.removing(names, all)
	if err != nil {
		return err
	}
	if err := h.refuseUnknown(nil); err != nil {
		return err
	}
	if err := h.choose(); err != nil {
		return err
	}
	w, err := h.compiled(rest)
	if err != nil {
		return err
	}
	if err := h.hasUnexplained(w, bridges); err != nil {
		return err
	}
	if err := h.keep(w, bridges...); err != nil {
		return err
	}
	if len(rest)+len(h.unexplained.Bridges()) == 0 {
		policies := h.policies
		if all {
			policies, h.dropPolicies = nil, h.lostPolicies
		}
		return h.removeAll(policies)
	}
	_, err = h.load(w)
	return err
}

// removing returns the networks that stay when those named go, or all.
func (h *Host) removing(names []string, all bool) (rest []state.Network, err error) {
	if err := h.needs(names); err != nil {
		return nil, err
	}
	for _, n := range h.networks {
		switch goes := all || slices.Contains(names, n.Name); {
		case !goes:
			rest = append(rest, n)
		case n.Up:
			return nil, refuse(Usage, "take it down with: vnetc down "+diag.ShellWord(n.Name),
				"network %s is up, and a bridge without its rules is open", n.Name)
		}
	}
	return rest, nil
}

// hasUnexplained returns an error for a bridge of which there are no rules that nothing explains.
func (h *Host) hasUnexplained(w Wanted, bridges []string) error {
	for _, b := range bridges {
		if i := slices.IndexFunc(h.networks, func(n state.Network) bool { return n.Bridge == b }); i >= 0 {
			name := h.networks[i].Name
			return refuse(Usage, "to remove its rules: vnetc remove "+diag.ShellWord(name), "bridge %s is network %s's",
				b, name)
		}
	}
	if len(bridges) == 0 {
		return nil
	}
	if err := h.findUnexplained(w); err != nil {
		return err
	}
	there := h.unexplained.Bridges()
	for _, b := range bridges {
		if slices.Contains(there, b) {
			continue
		}
		fix := ""
		if len(there) > 0 {
			fix = "there are such rules for " + strings.Join(there, ", ")
		}
		return refuse(Usage, fix, "found no rules for %s without a state file", b)
	}
	return nil
}

// tellLeft tells of the administrator's rules that stay where ours are gone.
func (h *Host) tellLeft(left []backends.AdminRules) {
	if len(left) > 0 {
		h.tell(Left{Rules: left})
	}
}

// removeAll takes the rules of all networks away, wherever they stand, with what frames them. The
// policies stay, for networks that come.
func (h *Host) removeAll(policies []state.Policy) error {
	before := h.networks
	return h.change(nil, policies, func() ([]state.Network, bool, error) {
		for _, t := range append([]firewall.Target{h.target}, h.others...) {
			left, err := firewall.Remove(t)
			if err != nil {
				return before, false, err
			}
			h.tellLeft(left)
		}
		return nil, true, nil
	})
}
