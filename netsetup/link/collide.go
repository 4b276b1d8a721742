package link

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Collisions returns what of the host stands in the network's way: addresses and routes that
// overlap with its subnets (see [Overlaps] for those that don't), routes that the host would lose
// by forwarding IPv6, and services at the ports that its DHCP and DNS need. It is pure. What the
// network's own bridge has doesn't count. Listeners come from [ReadListeners] and may be left out;
// those of the processes in own don't count either. That the bridge's name is free is for [PlanUp]
// to say; if it isn't, what goes by that device is the same fault, and not said again.
func Collisions(l *ir.Link, f *Facts, listeners []Listener, own ...int) (found []Problem) {
	if !l.Mode.Managed() {
		return nil
	}
	c := newCollider(l, f)
	for _, o := range c.overlaps() {
		if !o.wider() && !c.runs(o.subnet) {
			found = append(found, o.problem(l.Name))
		}
	}
	for _, r := range l.Routes {
		found = append(found, c.sameRoute(r.Dest.Masked())...)
	}
	found = append(found, c.lostRoutes()...)
	return append(found, c.busy(listeners, own)...)
}

type collider struct {
	link  *ir.Link
	facts *Facts
	own   map[int]bool // by index of device
	taken *Device      // another's device of the bridge's name; whatever goes by it is not for Collisions to say
}

func newCollider(l *ir.Link, f *Facts) collider {
	c := collider{link: l, facts: f, own: map[int]bool{}}
	for _, d := range f.Devices {
		c.own[d.Index] = d.Ours(l.Name) && (d.Alias != "" || d.Name == l.Bridge.Name)
		if d.Name == l.Bridge.Name && !c.own[d.Index] {
			c.own[d.Index], c.taken = true, &d
		}
	}
	return c
}

// overlap is an address of the host, or a route that doesn't come from one, that shares an address
// with a subnet of the network.
type overlap struct {
	subnet netip.Prefix
	with   netip.Prefix // of the address, or the route's destination
	device string       // whose address it is; empty for a route
	route  string       // the route in words
}

func (c collider) overlaps() (found []overlap) {
	for _, address := range c.link.Addresses {
		subnet := address.Prefix.Masked()
		for _, d := range c.facts.Devices {
			for _, a := range d.Addresses {
				if !c.own[d.Index] && !a.LinkLocal && a.Prefix.Masked().Overlaps(subnet) {
					found = append(found, overlap{subnet: subnet, with: a.Prefix, device: d.Name})
				}
			}
		}
		for _, r := range c.facts.Routes {
			if !c.own[r.Device] && r.Dest.Overlaps(subnet) && !everywhere(r.Dest) &&
				!r.Dest.Addr().IsLinkLocalUnicast() && !c.connected(r) {
				found = append(found, overlap{subnet: subnet, with: r.Dest, route: c.describe(r)})
			}
		}
	}
	return found
}

// wider is true for a route to more than the subnet: the kernel takes the longest prefix, so the
// network has what is its own, and the route the rest. A company's or a VPN's 10.0.0.0/8 is such.
func (o overlap) wider() bool { return o.route != "" && o.with.Bits() < o.subnet.Bits() }

// runs is true if the network's bridge has that subnet already: what came later stands in the way
// of packets, not of the network.
func (c collider) runs(subnet netip.Prefix) bool {
	d, ok := c.facts.BridgeOf(c.link.Name)
	return ok && slices.ContainsFunc(d.Addresses, func(a Address) bool { return a.Prefix.Masked() == subnet })
}

// routes is true if the network's bridge has a route there already.
func (c collider) routes(dest netip.Prefix) bool {
	return slices.ContainsFunc(c.facts.Routes, func(r Route) bool { return c.own[r.Device] && r.Dest == dest })
}

// problem is why the network can't come up.
func (o overlap) problem(network string) Problem {
	p := Problem{Why: "the host would not know behind which of the two an address in both is"}
	if o.route != "" {
		p.What = fmt.Sprintf("subnet %s of network %s overlaps with the host's %s", o.subnet, network, o.route)
		p.Fix = "choose another subnet in the network's <ip>, or remove the route"
		return p
	}
	p.What = fmt.Sprintf("subnet %s of network %s overlaps with %s of %s", o.subnet, network, o.with, o.device)
	p.Fix = fmt.Sprintf("choose another subnet in the network's <ip>, or remove the address from %s", o.device)
	return p
}

// note is the fate of packets beside a network that is up, or can be.
func (o overlap) note() string {
	switch {
	case o.wider():
		return fmt.Sprintf("subnet %s overlaps with the host's %s, and hides a part of it: the host reaches no "+
			"other machine in that part while the network is up",
			o.subnet, o.route)
	case o.route != "":
		return fmt.Sprintf("subnet %s overlaps with the host's %s, which leads away from guests; choose another subnet, or remove the route", o.subnet, o.route)
	}
	return fmt.Sprintf("subnet %s overlaps with %s of %s, so the host may look for guests there; choose another subnet, or remove the address from %s",
		o.subnet, o.with, o.device, o.device)
}

// Overlaps returns what of the host shares addresses with the network's subnets and is no reason
// not to bring it up: routes to more than a subnet, and whatever came when the network was up
// already.
func Overlaps(l *ir.Link, f *Facts) (notes []string) {
	if !l.Mode.Managed() {
		return nil
	}
	c := newCollider(l, f)
	for _, o := range c.overlaps() {
		if o.wider() || c.runs(o.subnet) {
			notes = append(notes, o.note())
		}
	}
	for _, route := range l.Routes {
		dest := route.Dest.Masked()
		for _, r := range f.Routes {
			if !c.own[r.Device] && r.Dest == dest && c.routes(dest) {
				notes = append(notes,
					fmt.Sprintf("the <route> to %s goes where the host's %s does, and one of the two is never used",
						dest, c.describe(r)))
			}
		}
	}
	return notes
}

// sameRoute returns the host's routes to just the same destination.
func (c collider) sameRoute(dest netip.Prefix) (found []Problem) {
	for _, r := range c.facts.Routes {
		if !c.own[r.Device] && r.Dest == dest && !c.routes(dest) {
			found = append(found, Problem{
				What: fmt.Sprintf("the <route> to %s of network %s goes where the host's %s does", dest, c.link.Name,
					c.describe(r)),
				Why: "one of the two would never be used",
				Fix: "remove the <route> from the network, or the route from the host",
			})
		}
	}
	return found
}

// lostRoutes returns the devices that would lose their way out, which libvirt refuses as well.
func (c collider) lostRoutes() (found []Problem) {
	if c.link.Mode == ir.ModeNone || !has6(c.link) {
		return nil
	}
	for _, name := range c.facts.LosesRoutes() {
		found = append(found, Problem{
			What: fmt.Sprintf("network %s has the host forward IPv6, and %s has its IPv6 routes by router advertisement", c.link.Name, name),
			Why:  "a host that forwards drops such routes, and would be cut off",
			Fix:  fmt.Sprintf("sysctl -w net.ipv6.conf.%s.accept_ra=2 keeps them", name),
		})
	}
	return found
}

// everywhere is true for a destination that stands for the rest of the world: default routes, the
// halves that VPN clients lay over them, and all of IPv6's global unicast addresses.
func everywhere(dest netip.Prefix) bool {
	return dest.Bits() <= 1 || dest == netip.MustParsePrefix("2000::/3")
}

// connected is true for the route that comes with an address.
func (c collider) connected(r Route) bool {
	return slices.ContainsFunc(c.facts.Devices, func(d Device) bool {
		return d.Index == r.Device && slices.ContainsFunc(d.Addresses,
			func(a Address) bool { return a.Prefix.Masked() == r.Dest })
	})
}

func (c collider) describe(r Route) string {
	text := fmt.Sprintf("route to %s", r.Dest)
	if r.Gateway.IsValid() {
		text += fmt.Sprintf(" via %s", r.Gateway)
	}
	for _, d := range c.facts.Devices {
		if d.Index == r.Device {
			text += " on " + d.Name
		}
	}
	return text
}
