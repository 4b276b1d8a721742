package inforce

import (
	"errors"
	"slices"

	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
)

// Lease is an address that a network's DHCP server has given out.
type Lease struct {
	Network string
	dnsmasq.Lease
}

// Leases returns what the DHCP servers of the networks named have given out, of all that are up
// without names; those that have expired included. What is damaged is left out, and named in an
// error that comes with the rest.
func (h *Host) Leases(names []string) ([]Lease, error) {
	for _, name := range names {
		if n := find(h.networks, name); n == nil || !n.Up {
			return nil, refuse(Usage, "vnetc list shows those that are", "no network %q is up", name)
		}
	}
	all := []Lease{}
	var damaged error
	for _, n := range h.networks {
		if !n.Up || len(names) > 0 && !slices.Contains(names, n.Name) {
			continue
		}
		found, err := netsetup.Leases(h.dir.Path(), n.Name)
		damaged = errors.Join(damaged, err)
		for _, l := range found {
			all = append(all, Lease{n.Name, l})
		}
	}
	return all, failed(damaged)
}
