package inforce

import (
	"errors"
	"net"
	"slices"
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// Status is how the networks in force are doing.
type Status struct {
	InStep   bool              `json:"in_step"` // of all networks in force, and of what else stands under our names
	Networks []NetworkStatus   `json:"networks"`
	Together *firewall.Traffic `json:"together,omitempty"` // what all networks' rules have counted

	Differences int   `json:"-"` // between the host and what is meant, in how many places
	Damaged     error `json:"-"` // what could not be read of the networks' leases; the rest is told
}

// NetworkStatus is what there is to say of one network, a part for each thing that vnetc does for
// it.
type NetworkStatus struct {
	Name     string           `json:"name"`
	Mode     string           `json:"mode"`
	Bridge   string           `json:"bridge,omitempty"`
	File     string           `json:"file"`
	Applied  time.Time        `json:"applied"`
	Up       bool             `json:"up"`
	Firewall *RulesStatus     `json:"firewall"` // nil for a mode that has no rules
	Host     *netsetup.Status `json:"host"`     // nil unless it is up
	// what guests can't do for foreign rules, in words; filled in by who asks
	CutOff []string `json:"cut_off,omitempty"`
}

// Fine is true if nothing of the network is at fault.
func (n NetworkStatus) Fine() bool {
	return (n.Firewall == nil || n.Firewall.InStep) && (n.Host == nil || n.Host.Fine())
}

// RulesStatus is where a network's rules are, and what they have counted.
type RulesStatus struct {
	Backend string           `json:"backend"`
	Layout  string           `json:"layout"`
	Names   string           `json:"names"`
	Strict  bool             `json:"strict_isolation"`
	InStep  bool             `json:"in_step"`
	Traffic firewall.Traffic `json:"traffic"`
}

// Status asks the kernel and the host about the networks named, all that are in force without
// names.
func (h *Host) Status(names []string) (Status, error) {
	if err := h.needs(names); err != nil {
		return Status{}, err
	}
	all, err := h.status()
	if err == nil && len(names) > 0 {
		all.Networks = slices.DeleteFunc(all.Networks, func(n NetworkStatus) bool {
			return !slices.Contains(names, n.Name)
		})
	}
	return all, err
}

func (h *Host) status() (Status, error) {
	if len(h.networks) == 0 {
		h.TellUnexplained()
		faults := len(h.faults())
		return Status{InStep: faults == 0, Differences: faults, Networks: []NetworkStatus{}}, nil
	}
	if err := h.choose(); err != nil {
		return Status{}, err
	}
	w, err := h.compiled(h.networks)
	if err != nil {
		return Status{}, err
	}
	if err := h.findUnexplained(w); err != nil {
		return Status{}, err
	}
	h.tellUnexplained()
	audit, err := h.drift(w)
	if err != nil {
		return Status{}, err
	}
	figures, _, err := firewall.Count(h.whole(w.Program), h.target)
	if err != nil {
		return Status{}, failed(err)
	}
	all := Status{InStep: audit.InStep(), Together: &figures.All,
		Differences: backends.Mendable(audit.Drifts) + len(h.faults())}
	off := audit.Drifted(w.Program.Links)
	for i, link := range w.Program.Links {
		n := w.networks[i]
		one := NetworkStatus{
			Name: n.Name, Mode: string(link.Mode), Bridge: link.Bridge.Name,
			File: n.File, Applied: n.Applied, Up: n.Up,
		}
		if link.Mode.Filtered() {
			one.Firewall = &RulesStatus{
				Backend: n.Backend, Layout: n.Layout, Names: n.Names, Strict: n.Strict,
				InStep: !off[n.Name], Traffic: figures.Networks[n.Name],
			}
		}
		all.Networks = append(all.Networks, one)
	}
	return all, h.addLinks(&all, w)
}

// addLinks adds what the host has of the networks that are up.
func (h *Host) addLinks(all *Status, w Wanted) error {
	var up []string
	for _, n := range w.networks {
		if n.Up {
			up = append(up, n.Name)
		}
	}
	if len(up) == 0 {
		return nil
	}
	if err := h.read(); err != nil {
		return err
	}
	if err := h.links.FindServers(up); err != nil {
		return failed(err)
	}
	for i, n := range w.networks {
		if !n.Up {
			continue
		}
		mac, _ := net.ParseMAC(n.MAC)
		found, err := h.links.Status(w.Program.Links[i], mac, time.Now())
		all.Damaged = errors.Join(all.Damaged, err)
		all.Networks[i].Host = &found
		all.InStep = all.InStep && found.Fine()
		all.Differences += len(found.Missing) + len(found.Faults)
	}
	return nil
}
