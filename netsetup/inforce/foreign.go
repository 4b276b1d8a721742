package inforce

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// refuseForeign returns an error if this change would touch rules under libvirt's names that no
// state file explains: they may be libvirt's, whose networks would be open without them. Tables and
// chains count, too: libvirt makes them once.
func (h *Host) refuseForeign(known firewall.Known) error {
	ours := slices.ContainsFunc(h.networks, func(n state.Network) bool {
		return n.Names == string(backends.LibvirtNames) || n.Leaving == string(backends.LibvirtNames)
	})
	for _, t := range append([]firewall.Target{h.target}, h.others...) {
		if t.Options.Names != backends.LibvirtNames {
			continue
		}
		what, err := foreign(t, known, ours)
		if err != nil {
			return failed(err)
		}
		if what != "" {
			return &Error{
				Kind: No,
				What: fmt.Sprintf("found %s under libvirt's names in %s with no state file; no rule was changed", what,
					t.Loader.Name()),
				Why: "they may belong to libvirt, and this change would remove them",
				Fix: "use vnetc's own names (--names vnetc), and --take-over if libvirt no longer runs these networks; " +
					"or stop libvirt's networks first (virsh net-destroy NAME)",
			}
		}
	}
	return nil
}

// foreign says what t holds that may be libvirt's, empty if there is nothing. If none of our
// networks is there everything may be.
func foreign(t firewall.Target, known firewall.Known, ours bool) (string, error) {
	bridges, opaque, err := t.Foreign(known)
	if err != nil {
		return "", err
	}
	if len(bridges) > 0 {
		return "rules for " + strings.Join(bridges, ", "), nil
	}
	if opaque > 0 {
		return "rules that vnetc does not make", nil
	}
	if any, err := t.HoldsAny(); ours || !any || err != nil {
		return "", err
	}
	return "tables or chains", nil
}
