package expect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// resolver finds what packet a request means on a host.
type resolver struct {
	host  *ir.Host
	links []*ir.Link
}

// documented are addresses of documentation (RFC 5737, RFC 3849), for a host outside that is not
// told.
var documented = map[ir.Family][]netip.Addr{
	ir.IPv4: {netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("192.0.2.7")},
	ir.IPv6: {netip.MustParseAddr("2001:db8::7")},
}

// packet returns the packet of a request, with the interface by which it leaves if nothing rewrites
// its destination.
func (r *resolver) packet(q ir.Request) (ir.Packet, error) {
	p := q.Packet
	if p.Family == 0 {
		p.Family = r.family(q)
	}
	if err := r.comes(&p, q); err != nil {
		return p, err
	}
	if err := r.goes(&p, q); err != nil {
		return p, err
	}
	if p.In == "" && p.Out == "" {
		return p, fmt.Errorf("a packet from the host to itself meets no other host, and is not traced")
	}
	if q.From.Kind == ir.EndHost {
		a, ok := r.own(p.Out, p.Family)
		if !ok {
			return p, fmt.Errorf("%s has no address of %s, from which the host would send", p.Out, familyWord(p.Family))
		}
		p.Src = a
	}
	return p, nil
}

// family returns that of a request without addresses: IPv6 if a network has nothing else.
func (r *resolver) family(q ir.Request) ir.Family {
	for _, e := range []ir.End{q.From, q.To} {
		if l := r.link(e.Network); l != nil && len(l.Addresses) > 0 && !slices.ContainsFunc(l.Addresses,
			func(a ir.Address) bool { return a.Prefix.Addr().Is4() }) {
			return ir.IPv6
		}
	}
	return ir.IPv4
}

// comes fills in where the packet comes from.
func (r *resolver) comes(p *ir.Packet, q ir.Request) error {
	switch q.From.Kind {
	case ir.EndHost:
		if p.In != "" {
			return fmt.Errorf("a packet from the host does not come in by %s", p.In)
		}
		return nil
	case ir.EndOutside:
		return r.outside(p)
	}
	if q.From.Network != "" {
		l, err := r.known(q.From.Network)
		if err != nil {
			return err
		}
		if p.In == "" {
			p.In = l.Bridge.Name
		}
		if q.From.Kind == ir.EndNetwork {
			p.Src, err = r.guest(l, p.Family, 0)
		}
		return err
	}
	if p.In != "" || r.local(p.Src) {
		return nil
	}
	device, ok := r.leaves(p.Src)
	if !ok {
		return fmt.Errorf("no route leads to %s: say on INTERFACE by which it comes", p.Src)
	}
	p.In = device
	return nil
}

// outside makes the packet one from behind the default route.
func (r *resolver) outside(p *ir.Packet) error {
	if p.In == "" {
		devices := r.host.Defaults(p.Family)
		if len(devices) == 0 {
			return fmt.Errorf("the host has no default route of %s, so nothing is outside: say from ADDRESS on INTERFACE",
				familyWord(p.Family))
		}
		p.In = devices[0]
	}
	p.Src = r.stranger(p.Family)
	return nil
}

// stranger returns an address outside that is no address of the host, and that a default route
// leads to if there is one.
func (r *resolver) stranger(f ir.Family) netip.Addr {
	for _, a := range documented[f] {
		if route, ok := r.host.Route(a); ok && route.Dest.Bits() <= 1 {
			return a
		}
	}
	return documented[f][0]
}

// defaultRoute returns the route by which packets go that no other route is for; ok is false if
// there is none.
func defaultRoute(h *ir.Host, f ir.Family) (route ir.HostRoute, ok bool) {
	for _, a := range documented[f] {
		if route, ok = h.Route(a); ok && route.Dest.Bits() <= 1 {
			return route, true
		}
	}
	return ir.HostRoute{}, false
}

// goes fills in where the packet goes.
func (r *resolver) goes(p *ir.Packet, q ir.Request) error {
	switch q.To.Kind {
	case ir.EndNetwork:
		l, err := r.known(q.To.Network)
		if err != nil {
			return err
		}
		nth := 0
		if p.In == l.Bridge.Name {
			nth = 1 // another guest than the one that sends
		}
		if p.Dst, err = r.guest(l, p.Family, nth); err != nil {
			return err
		}
	case ir.EndOutside:
		p.Dst = r.stranger(p.Family)
		if p.In != "" && p.Src == p.Dst {
			return fmt.Errorf("a packet from outside to outside is not this host's")
		}
	case ir.EndHost:
		a, ok := r.own(p.In, p.Family)
		if !ok {
			return fmt.Errorf("%s has no address of %s: write the host's address that the packet goes to", p.In, familyWord(p.Family))
		}
		p.Dst = a
	}
	if p.Out != "" {
		return nil
	}
	p.Out, _ = r.leaves(p.Dst)
	if p.In == "" && p.Out == "" && !r.local(p.Dst) {
		return fmt.Errorf("no route leads to %s", p.Dst)
	}
	return nil
}

// leaves returns the device by which packets to a leave, empty if they are for the host; ok is
// false if there is no route.
func (r *resolver) leaves(a netip.Addr) (device string, ok bool) {
	if r.local(a) || a.IsMulticast() || a == everybody.Addr() {
		return "", true
	}
	for _, d := range r.host.Devices { // a broadcast is for the host, too
		for _, p := range d.Addresses {
			if a.Is4() && p.Addr().Is4() && p.Bits() < 31 && p.Contains(a) && !p.Contains(a.Next()) {
				return "", true
			}
		}
	}
	if route, ok := r.host.Route(a); ok && (route.Dest.Bits() > 0 || r.linkOf(a) == nil) {
		return route.Device, true
	}
	if l := r.linkOf(a); l != nil { // whose bridge is not there: the rules are asked as if it were
		return l.Bridge.Name, true
	}
	return "", false
}

// local is true if a is an address of the host, or of a bridge that is to be there.
func (r *resolver) local(a netip.Addr) bool {
	l := r.linkOf(a)
	return r.host.Local(a) || l != nil && slices.ContainsFunc(l.Addresses,
		func(p ir.Address) bool { return p.Prefix.Addr() == a })
}

// linkOf returns the network in whose subnet a is, nil if there is none.
func (r *resolver) linkOf(a netip.Addr) *ir.Link {
	for _, l := range r.links {
		for _, p := range l.Addresses {
			if p.Prefix.Contains(a) && l.Mode.Managed() {
				return l
			}
		}
	}
	return nil
}

// own returns an address of a device.
func (r *resolver) own(device string, f ir.Family) (netip.Addr, bool) {
	var all []netip.Prefix
	if d := r.host.Device(device); d != nil {
		all = d.Addresses
	}
	for _, l := range r.links {
		for _, a := range l.Addresses {
			if l.Bridge.Name == device {
				all = append(all[:len(all):len(all)], a.Prefix)
			}
		}
	}
	for _, p := range all {
		if familyOf(p.Addr()) == f && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// link returns the network called name, nil if there is none.
func (r *resolver) link(name string) *ir.Link {
	for _, l := range r.links {
		if l.Name == name && name != "" {
			return l
		}
	}
	return nil
}

func (r *resolver) known(name string) (*ir.Link, error) {
	if l := r.link(name); l != nil {
		return l, nil
	}
	var names []string
	for _, l := range r.links {
		names = append(names, l.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no network %s: none is in force, and libvirt runs none", name)
	}
	return nil, fmt.Errorf("there is no network %s; the networks are %s", name, strings.Join(names, ", "))
}

// guest returns an address that a guest of l can have, or the one after that.
func (r *resolver) guest(l *ir.Link, f ir.Family, nth int) (netip.Addr, error) {
	for _, a := range l.Addresses {
		if familyOf(a.Prefix.Addr()) != f {
			continue
		}
		found := a.Prefix.Masked().Addr()
		if a.DHCP != nil && len(a.DHCP.Ranges) > 0 && a.DHCP.Ranges[0].From.IsValid() {
			found = a.DHCP.Ranges[0].From.Prev()
		}
		for n := 0; ; {
			if found = found.Next(); !a.Prefix.Contains(found) {
				break
			}
			if found == a.Prefix.Addr() {
				continue
			}
			if n == nth {
				return found, nil
			}
			n++
		}
	}
	return netip.Addr{}, fmt.Errorf("guests of network %s have no addresses of %s", l.Name, familyWord(f))
}

func familyWord(f ir.Family) string {
	if f == ir.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}
