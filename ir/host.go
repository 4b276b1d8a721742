package ir

import (
	"net/netip"
	"slices"
)

// Host is what a host's own setup decides about packets beside its rules: where they go, which
// addresses are its own, and whether it forwards them at all. The zero value is a host without
// devices.
type Host struct {
	Devices []HostDevice
	Routes  []HostRoute // unicast, of the main table
	// Bridged are the families of which packets between two ports of any bridge meet the hooks of
	// IP (br_netfilter). [HostDevice.Bridged] adds to it for one bridge.
	Bridged Family
}

// HostDevice is a network device of a host.
type HostDevice struct {
	Name      string
	Master    string // the bridge that it is a port of; empty for none
	Up        bool
	MTU       int // bytes
	Addresses []netip.Prefix
	Forwards  Family // families of packets that come in by it and may be forwarded
	RPFilter  int    // of IPv4: 0 none, 1 strict, 2 loose
	Bridged   Family
}

// HostRoute is a route.
type HostRoute struct {
	Dest   netip.Prefix
	Device string
	MTU    int // bytes; 0 for that of the device
}

// Device returns the device called name, nil if there is none.
func (h *Host) Device(name string) *HostDevice {
	i := slices.IndexFunc(h.Devices, func(d HostDevice) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &h.Devices[i]
}

// Route returns the most specific route to a; ok is false if there is none.
func (h *Host) Route(a netip.Addr) (route HostRoute, ok bool) {
	for _, r := range h.Routes {
		if r.Dest.Contains(a) && (!ok || r.Dest.Bits() > route.Dest.Bits()) {
			route, ok = r, true
		}
	}
	return route, ok
}

// Local is true if a is an address of the host.
func (h *Host) Local(a netip.Addr) bool {
	return a.IsLoopback() || slices.ContainsFunc(h.Devices, func(d HostDevice) bool {
		return slices.ContainsFunc(d.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
	})
}

// Filters is true if packets of family f between two ports of the bridge meet the hooks of IP.
func (h *Host) Filters(bridge string, f Family) bool {
	d := h.Device(bridge)
	return (h.Bridged|d.bridged())&f != 0
}

func (d *HostDevice) bridged() Family {
	if d == nil {
		return 0
	}
	return d.Bridged
}

// Defaults returns the devices by which the host's default routes of family f lead, each once. The
// two halves that VPN clients lay over a default route count for one.
func (h *Host) Defaults(f Family) (names []string) {
	for _, r := range h.Routes {
		if addrFamily(r.Dest.Addr()) == f && r.Dest.Bits() <= 1 && !slices.Contains(names, r.Device) {
			names = append(names, r.Device)
		}
	}
	return names
}
