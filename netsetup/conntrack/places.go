package conntrack

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// places says where addresses are, on a host with the networks of one program.
type places struct {
	own     map[netip.Addr]bool // the host's
	special []netip.Addr        // broadcast addresses of its subnets
	nets    []subnet            // of the networks' bridges, longest first
	routes  []subnet            // of the host, longest first
	bridges []string            // of the networks
	others  []string            // all other devices, those that rules name, and one that none names
}

// subnet is addresses behind a device.
type subnet struct {
	prefix netip.Prefix
	device string
}

// unknownDevice stands for one that no rule names, which no device can be called.
const unknownDevice = "?/?"

func newPlaces(p *ir.Program, h *ir.Host) *places {
	at := &places{own: make(map[netip.Addr]bool)}
	for _, l := range p.Links {
		if !l.Mode.Managed() {
			continue
		}
		at.bridges = append(at.bridges, l.Bridge.Name)
		for _, a := range l.Addresses {
			at.address(a.Prefix)
			at.nets = append(at.nets, subnet{a.Prefix.Masked(), l.Bridge.Name})
		}
	}
	for _, d := range h.Devices {
		if !slices.Contains(at.bridges, d.Name) {
			at.others = append(at.others, d.Name)
		}
		for _, a := range d.Addresses {
			at.address(a)
		}
	}
	for name := range namedDevices(p) {
		if !slices.Contains(at.bridges, name) && !slices.Contains(at.others, name) {
			at.others = append(at.others, name)
		}
	}
	at.others = append(at.others, unknownDevice)
	for _, r := range h.Routes {
		at.routes = append(at.routes, subnet{r.Dest, r.Device})
	}
	longest := func(a, b subnet) int { return b.prefix.Bits() - a.prefix.Bits() }
	slices.SortStableFunc(at.nets, longest)
	slices.SortStableFunc(at.routes, longest)
	return at
}

// namedDevices yields the names of interfaces that rules of p match.
func namedDevices(p *ir.Program) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, c := range p.Chains {
			for i := range c.Rules {
				for _, m := range c.Rules[i].Matches {
					if name := deviceOf(m); name != "" && !yield(name) {
						return
					}
				}
			}
		}
	}
}

// deviceOf returns the interface that m matches, empty for none.
func deviceOf(m ir.Match) string {
	switch m := m.(type) {
	case ir.IIfName:
		return m.Name
	case ir.OIfName:
		return m.Name
	}
	return ""
}

// address adds one of the host's.
func (at *places) address(p netip.Prefix) {
	at.own[p.Addr()] = true
	if p.Addr().Is4() && p.Bits() < 31 {
		raw := p.Masked().Addr().As4()
		for i := p.Bits(); i < 32; i++ {
			raw[i/8] |= 1 << (7 - i%8)
		}
		at.special = append(at.special, netip.AddrFrom4(raw))
	}
}

var (
	limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	here             = []string{""}
)

// isHost is true if packets to a are for the host itself: its own addresses, and those of all or of
// groups, which no rule of ours sees forwarded.
func (at *places) isHost(a netip.Addr) bool {
	return at.own[a] || a.IsLoopback() || a.IsMulticast() || a == limitedBroadcast || slices.Contains(at.special, a)
}

// from returns the devices by which a packet from a may come in, "" for one that the host itself
// sends. What is routed by several ways may come by each of them.
func (at *places) from(a netip.Addr) []string {
	if at.isHost(a) {
		return here
	}
	return at.devices(a, true)
}

// to returns the devices by which a packet to a may leave, "" for one that is for the host.
func (at *places) to(a netip.Addr) []string {
	if at.isHost(a) {
		return here
	}
	return at.devices(a, false)
}

// devices returns the devices behind which a may be: the bridge that has its subnet; else those of
// the longest routes, or of all routes that cover it; else any but the bridges, and for an address
// that every link has any.
func (at *places) devices(a netip.Addr, all bool) (names []string) {
	for _, n := range at.nets {
		if n.prefix.Contains(a) {
			return []string{n.device}
		}
	}
	if a.IsLinkLocalUnicast() || a.IsUnspecified() {
		return slices.Concat(at.bridges, at.others)
	}
	longest := -1
	for _, r := range at.routes {
		if !r.prefix.Contains(a) || !all && r.prefix.Bits() < longest {
			continue
		}
		if slices.Contains(at.bridges, r.device) && longest < 0 {
			return []string{r.device} // behind a guest
		}
		if longest = max(longest, r.prefix.Bits()); !slices.Contains(names, r.device) &&
			!slices.Contains(at.bridges, r.device) {
			names = append(names, r.device)
		}
	}
	if names == nil {
		return at.others
	}
	return names
}
