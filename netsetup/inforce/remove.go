package inforce

import (
	"slices"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Remove takes the rules of the networks named out of the kernel, of all without names: then
// whatever else stands under our names goes as well. Networks that are up are refused.
func (h *Host) Remove(names []string) error {
	if err := h.needs(names); err != nil {
		return err
	}
	var rest []state.Network
	for _, n := range h.networks {
		switch goes := len(names) == 0 || slices.Contains(names, n.Name); {
		case !goes:
			rest = append(rest, n)
		case n.Up:
			return refuse(Usage, "take it down with: vnetc down "+diag.ShellWord(n.Name),
				"network %s is up, and a bridge without its rules is open", n.Name)
		}
	}
	if err := h.refuseUnknown(nil); err != nil {
		return err
	}
	if err := h.choose(); err != nil {
		return err
	}
	if len(rest) == 0 {
		return h.removeAll()
	}
	w, err := h.compiled(rest)
	if err != nil {
		return err
	}
	_, err = h.load(w)
	return err
}

// removeAll takes the rules of all networks away, wherever they stand, with what frames them.
func (h *Host) removeAll() error {
	before := h.networks
	return h.change(nil, func() ([]state.Network, error) {
		for _, t := range append([]firewall.Target{h.target}, h.others...) {
			if err := firewall.Remove(t); err != nil {
				return before, err
			}
		}
		return nil, nil
	})
}
