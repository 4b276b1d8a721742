package netsetup

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/bus"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Host is this host as it is, in the network namespace of the calling thread.
type Host struct {
	Facts *link.Facts
	Bus   *bus.Bus
	Dir   string                  // the state folder
	Lacks map[string][]state.Lack // what the kernel lacked before, by network
	// Checksum is true if no rule of the firewall fills in the checksums of DHCP answers.
	Checksum  bool
	listeners []link.Listener // read when they are needed first
	listened  bool
	servers   servers
	faults    map[string]string // of those that were examined
	sockets   []link.Listener   // at their ports, without processes
	user      *userFound
	starts    starting
	stops     stopping
	fresh     bool // fresh is true if the host is only thought of: nothing is asked of it.
}

// ReadHost reads what there is to know of the host; state files are below dir.
func ReadHost(dir string) (*Host, error) {
	h := &Host{Dir: dir}
	var err error
	if h.Facts, err = link.ReadFacts(); err != nil {
		return nil, err
	}
	if h.Bus, err = bus.Open(); err != nil {
		return nil, err
	}
	return h, nil
}

// Close ends the connection to the host's services.
func (h *Host) Close() error { return h.Bus.Close() }

// Devices returns the names of the host's devices.
func (h *Host) Devices() map[string]bool {
	names := make(map[string]bool, len(h.Facts.Devices))
	for _, d := range h.Facts.Devices {
		names[d.Name] = true
	}
	return names
}

// PlanUp returns what is missing until the network is up, or why it can't be. mac is that of its
// bridge where the network names none.
func (h *Host) PlanUp(l *ir.Link, mac net.HardwareAddr) (Plan, []link.Problem) {
	problems := link.CheckDevices(l, h.Facts, os.DirFS("/sys"))
	if l.Mode.Managed() {
		listeners, err := h.others(l)
		if err != nil {
			problems = append(problems, link.Problem{What: err.Error()})
		}
		problems = append(problems, link.Collisions(l, h.Facts, listeners, h.servers.pids()...)...)
	}
	p, more := h.plan(l, mac)
	if problems = append(problems, more...); len(problems) > 0 {
		return Plan{}, problems
	}
	p.Notes = append(p.Notes, link.Overlaps(l, h.Facts)...)
	p.Faults = append(p.Faults, link.Faults(l, h.Facts)...)
	p.Notes = append(p.Notes, p.Faults...)
	h.leave(&p)
	return p, nil
}

// PlanFresh returns what brings the network up on a host that has nothing of it, and nothing in its
// way: a Linux with all that it could want. It is pure. dir is the state folder that will be used,
// checksum is as in [Host].
func PlanFresh(l *ir.Link, dir string, checksum bool) (Plan, []link.Problem) {
	h := &Host{
		Facts: &link.Facts{IPv6: true}, Dir: dir, Checksum: checksum, fresh: true,
		Bus: &bus.Bus{Resolved: true, Firewalld: l.Bridge.Zone != "", Zones: []string{l.Bridge.Zone}},
	}
	return h.plan(l, nil)
}

// PrintFresh returns what brings the networks up on such a host as text: under a heading for each
// network its steps, and what of it no step does.
func PrintFresh(links []*ir.Link, dir string, checksum bool) ([]byte, error) {
	var text []byte
	for _, l := range links {
		p, problems := PlanFresh(l, dir, checksum)
		if len(problems) > 0 {
			return nil, problems[0]
		}
		rules := ""
		if l.Mode.Filtered() {
			rules = "load its rules, with those of all networks"
		}
		text = fmt.Appendf(text, "%s:\n", l.Name)
		var forwarding []string
		for _, name := range forwardingOf(l) {
			forwarding = append(forwarding, holding(name, "1"))
		}
		for _, line := range p.Lines(rules, forwarding) {
			text = fmt.Appendf(text, "  %s\n", line)
		}
		for _, note := range p.Notes {
			text = fmt.Appendf(text, "  note: %s\n", note)
		}
	}
	return text, nil
}

// plan compares what the network wants with what the host has.
func (h *Host) plan(l *ir.Link, mac net.HardwareAddr) (Plan, []link.Problem) {
	plan, problems := link.PlanUp(l, h.Facts, link.Options{MAC: mac, Checksum: h.Checksum && l.Mode.Filtered()})
	p := Plan{Name: l.Name, Notes: plan.Notes, Forwarding: ForwardingOf(l)}
	for _, s := range plan.Before {
		p.Before = append(p.Before, s)
	}
	for _, s := range plan.After {
		p.After = append(p.After, s)
	}
	if !l.Mode.Managed() {
		return p, problems
	}
	for _, add := range []func(*Plan, *ir.Link) error{h.zone, h.serve, h.register} {
		if err := add(&p, l); err != nil {
			problems = append(problems, link.Problem{What: err.Error()})
		}
	}
	return p, problems
}

// others returns who listens at the ports that the network's dnsmasq needs; none if it runs, and so
// has them. Looking for the processes behind sockets takes longer than all else that is read of the
// host.
func (h *Host) others(l *ir.Link) ([]link.Listener, error) {
	if !dnsmasq.Needed(l) || h.serves(l.Name) {
		return nil, nil
	}
	if h.listened {
		return h.listeners, nil
	}
	var err error
	h.listeners, err = link.ReadListeners(link.PortDNS, link.PortDHCP, link.PortDHCPv6)
	h.listened = err == nil
	return h.listeners, err
}

// serves is true if the dnsmasq of the network called name runs.
func (h *Host) serves(name string) bool {
	paths, err := dnsmasq.At(h.Dir, name)
	_, runs := h.servers[paths.Conf]
	return err == nil && runs
}

// zone adds the step that puts the bridge into its zone of firewalld. Without the zones that
// libvirt's packages bring the network comes up all the same, and says so: a refusal would not open
// firewalld, and would take away what works without DHCP. A zone that the network names must be
// there, unless it runs already: its guests are better off with what can be done.
func (h *Host) zone(p *Plan, l *ir.Link) error {
	zone, err := h.Bus.ZoneFor(l)
	_, runs := h.Facts.BridgeOf(l.Name)
	var none bus.NoZone
	if err != nil && (runs || errors.As(err, &none)) {
		p.Faults = append(p.Faults, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	now := ""
	if !h.fresh {
		now, err = h.Bus.ZoneOf(l.Bridge.Name)
	}
	if err == nil && zone != "" && zone != now {
		p.Before = append(p.Before, bus.SetZone{Bus: h.Bus, Link: l.Bridge.Name, From: now, To: zone})
	}
	return err
}

// register adds the step that registers the network's domain with the host's resolver, unless it is
// registered.
func (h *Host) register(p *Plan, l *ir.Link) error {
	if !l.Domain.Register || len(l.Addresses) == 0 {
		return nil
	}
	if !h.Bus.Resolved {
		return fmt.Errorf("domain %s is to be registered with systemd-resolved, which is not running; start it, or leave register='yes' out", l.Domain.Name)
	}
	if d, there := h.Facts.Device(l.Bridge.Name); there {
		if known, err := h.Bus.Registered(d.Index, l.Domain.Name); known || err != nil {
			return err
		}
	}
	p.After = append(p.After, bus.Register{
		Bus: h.Bus, Link: l.Bridge.Name, Domain: l.Domain.Name, Server: l.Addresses[0].Prefix.Addr(),
		Index: func() (int, error) { return indexOf(l.Bridge.Name) },
	})
	return nil
}

func indexOf(name string) (int, error) {
	facts, err := link.ReadFacts()
	if err != nil {
		return 0, err
	}
	d, ok := facts.Device(name)
	if !ok {
		return 0, fmt.Errorf("there is no link %s", name)
	}
	return d.Index, nil
}

// PlanDown returns what takes the network called name away, whatever of it is there: its dnsmasq,
// its bridge (by its mark, or called bridge if it was only half made), and its files.
func (h *Host) PlanDown(name, bridge string) (Plan, error) {
	p := Plan{Name: name}
	stop, files, err := h.stop(name, &h.stops)
	if err != nil {
		return p, err
	}
	p.Before = append(p.Before, stop...)
	if d, ok := h.Facts.BridgeOf(name); ok {
		if zone, err := h.Bus.ZoneOf(d.Name); err == nil && zone != "" {
			p.After = append(p.After, bus.SetZone{Bus: h.Bus, Link: d.Name, From: zone})
		}
	}
	for _, s := range link.PlanDown(name, bridge, h.Facts) {
		p.Before = append(p.Before, s) // no packet meets a bridge whose rules are gone
	}
	p.After = append(p.After, files...)
	return p, nil
}

// BridgeMAC returns the MAC of the bridge that stands for the network; ok is false if none does.
func (h *Host) BridgeMAC(network string) (mac net.HardwareAddr, ok bool) {
	d, ok := h.Facts.BridgeOf(network)
	return d.MAC, ok
}

// Bridge returns the name of the bridge that stands for the network; ok is false if none does.
func (h *Host) Bridge(network string) (name string, ok bool) {
	d, ok := h.Facts.BridgeOf(network)
	return d.Name, ok
}

// Marked returns the names of networks whose bridges stand on the host, by the marks on them.
func (h *Host) Marked() []string { return h.Facts.Marked() }
