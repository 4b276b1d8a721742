package netsetup

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Status is what the host has of a network that is up.
type Status struct {
	Bridge string `json:"bridge"`
	// true if the bridge is there, and vnetc's if the network's mode has vnetc make it
	Exists bool `json:"exists"`
	LinkUp bool `json:"link_up"`
	// others' devices that guests reach the world through, as the network names them
	Devices   []Device       `json:"devices"`
	Addresses []netip.Prefix `json:"addresses"` // of the bridge, link-local ones left out
	Ports     []string       `json:"ports"`     // devices attached to the bridge
	DHCP      []Pool         `json:"dhcp"`
	// running, not serving (it is there, and guests get no answer), stopped, or not needed
	DNSMasq string       `json:"dnsmasq"`
	PID     int          `json:"dnsmasq_pid,omitempty"`
	Lacks   []state.Lack `json:"lacks"`   // what the kernel can't do, and the network works without
	Missing []string     `json:"missing"` // what vnetc up would do, in order; none if all is as it should be
	// what else keeps guests from what they should have, and vnetc up can't fix
	Faults   []string `json:"faults"`
	Overlaps []string `json:"overlaps"` // what of the host shares addresses with the network's subnets
}

// Fine is true if the network is as it should be, and nothing of the host keeps its guests from
// what they should have.
func (s Status) Fine() bool { return len(s.Missing)+len(s.Faults) == 0 && !s.Unserved() }

// Unserved is true if the network's guests should have a dnsmasq, and have none that serves them.
func (s Status) Unserved() bool { return s.DNSMasq == "stopped" || s.DNSMasq == "not serving" }

// Device is a device that a network takes as it is.
type Device struct {
	Name   string `json:"name"`
	Exists bool   `json:"exists"`
	LinkUp bool   `json:"link_up"`
}

// Pool is a range of addresses that DHCP gives out.
type Pool struct {
	From  netip.Addr `json:"from"`
	To    netip.Addr `json:"to"`
	InUse int        `json:"in_use"` // leases that have not expired
}

// Status returns what the host has of the network, at the time now. What can't be read of its
// leases is the error, and not counted; everything else is reported.
func (h *Host) Status(l *ir.Link, mac net.HardwareAddr, now time.Time) (Status, error) {
	s := Status{
		Bridge: l.Bridge.Name, Addresses: []netip.Prefix{}, Devices: h.devices(l), Ports: []string{}, DHCP: []Pool{},
		Missing: []string{}, Faults: append([]string{}, link.Faults(l, h.Facts)...),
		Overlaps: append([]string{}, link.Overlaps(l, h.Facts)...), Lacks: []state.Lack{}, DNSMasq: "not needed",
	}
	if d, ok := h.bridgeOf(l); ok {
		s.Exists, s.LinkUp, s.Bridge = true, d.Up, d.Name
		for _, a := range d.Addresses {
			if !a.LinkLocal {
				s.Addresses = append(s.Addresses, a.Prefix)
			}
		}
		for _, p := range h.Facts.Devices {
			if p.Master == d.Index {
				s.Ports = append(s.Ports, p.Name)
			}
		}
	}
	if dnsmasq.Needed(l) {
		s.DNSMasq = "stopped"
		paths, err := dnsmasq.At(h.Dir, l.Name)
		if err != nil {
			return s, err
		}
		if p, ok := h.servers[paths.Conf]; ok {
			s.DNSMasq, s.PID = "running", p.PID
			if h.health(l, paths) != "" { // the plan says what it is
				s.DNSMasq = "not serving"
			}
		}
	}
	leases, damaged := Leases(h.Dir, l.Name)
	for _, a := range l.Addresses {
		if a.DHCP == nil {
			continue
		}
		for _, r := range a.DHCP.Ranges {
			s.DHCP = append(s.DHCP, Pool{r.From, r.To, inUse(leases, r, now)})
		}
	}
	plan, problems := h.PlanUp(l, mac)
	s.Lacks = append(s.Lacks, plan.Lacks...)
	if len(problems) == 0 {
		s.Faults = append([]string{}, plan.Faults...)
	}
	for _, step := range append(plan.Before, plan.After...) {
		s.Missing = append(s.Missing, step.String())
	}
	s.Missing = append(s.Missing, (&Forwarding{}).Missing(plan.Forwarding)...)
	for _, p := range problems {
		s.Missing = append(s.Missing, p.Error())
	}
	return s, damaged
}

// bridgeOf returns the network's bridge: the one with its mark, or, of a mode that takes others',
// the one with the name.
func (h *Host) bridgeOf(l *ir.Link) (link.Device, bool) {
	if l.Mode.Managed() {
		return h.Facts.BridgeOf(l.Name)
	}
	if l.Bridge.Name == "" {
		return link.Device{}, false
	}
	return h.Facts.Device(l.Bridge.Name)
}

// devices returns the devices that the network takes as they are.
func (h *Host) devices(l *ir.Link) []Device {
	all := []Device{}
	if l.Mode.Managed() {
		return all
	}
	names := l.Uplink.Devices
	if l.Uplink.PF != "" {
		names = append(slices.Clone(names), l.Uplink.PF)
	}
	for _, name := range names {
		d, ok := h.Facts.Device(name)
		all = append(all, Device{name, ok, d.Up})
	}
	return all
}

// Leases returns what the dnsmasq of the network called name has given out, those that have expired
// included; dir is the state folder. Lines of its file that are no leases are left out and named in
// the error.
func Leases(dir, name string) ([]dnsmasq.Lease, error) {
	paths, err := dnsmasq.At(dir, name)
	if err != nil {
		return nil, err
	}
	return dnsmasq.ReadLeases(paths.Leases)
}

func inUse(leases []dnsmasq.Lease, r ir.DHCPRange, now time.Time) int {
	n := 0
	for _, l := range leases {
		gone := !l.Expires.IsZero() && !l.Expires.After(now)
		if !gone && l.Addr.Compare(r.From) >= 0 && l.Addr.Compare(r.To) <= 0 {
			n++
		}
	}
	return n
}
