package link

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Collisions returns what of the host stands in the network's way: addresses and routes that overlap with its subnets,
// routes that the host would lose by forwarding IPv6, and services at the ports that its DHCP and DNS need. It is pure. What the network's own bridge has doesn't count. Listeners
// come from [ReadListeners] and may be left out; those of the processes in own don't count either. That the bridge's name
// is free is for [PlanUp] to say.
func Collisions(l *ir.Link, f *Facts, listeners []Listener, own ...int) (found []Problem) {
	if !l.Mode.Managed() {
		return nil
	}
	c := collider{link: l, facts: f, own: map[int]bool{}}
	for _, d := range f.Devices {
		c.own[d.Index] = d.Ours(l.Name) && (d.Alias != "" || d.Name == l.Bridge.Name)
	}
	for _, a := range l.Addresses {
		found = append(found, c.overlaps(a.Prefix.Masked())...)
	}
	for _, r := range l.Routes {
		found = append(found, c.sameRoute(r.Dest.Masked())...)
	}
	found = append(found, c.lostRoutes()...)
	for _, s := range listeners {
		if slices.Contains(own, s.PID) {
			continue
		}
		service := blocks(l, s)
		if p := busy(l, s, service); service != "" && !slices.Contains(found, p) { // a server may have a socket per processor
			found = append(found, p)
		}
	}
	return found
}

type collider struct {
	link  *ir.Link
	facts *Facts
	own   map[int]bool // by index of device
}

// overlaps returns the host's addresses, and its routes that don't come from those, which share an address with subnet.
func (c collider) overlaps(subnet netip.Prefix) (found []Problem) {
	why := "the host could not tell which of the two an address in both is behind"
	for _, d := range c.facts.Devices {
		for _, a := range d.Addresses {
			if !c.own[d.Index] && !a.LinkLocal && a.Prefix.Masked().Overlaps(subnet) {
				found = append(found, Problem{
					What: fmt.Sprintf("subnet %s of network %s overlaps with %s of %s", subnet, c.link.Name, a.Prefix, d.Name),
					Why:  why,
					Fix:  fmt.Sprintf("choose another subnet in the network's <ip>, or remove the address from %s", d.Name),
				})
			}
		}
	}
	for _, r := range c.facts.Routes {
		if !c.own[r.Device] && r.Dest.Overlaps(subnet) && !everywhere(r.Dest) && !r.Dest.Addr().IsLinkLocalUnicast() && !c.connected(r) {
			found = append(found, Problem{
				What: fmt.Sprintf("subnet %s of network %s overlaps with the host's %s", subnet, c.link.Name, c.describe(r)),
				Why:  why,
				Fix:  "choose another subnet in the network's <ip>, or remove the route",
			})
		}
	}
	return found
}

// sameRoute returns the host's routes to just the same destination.
func (c collider) sameRoute(dest netip.Prefix) (found []Problem) {
	for _, r := range c.facts.Routes {
		if !c.own[r.Device] && r.Dest == dest {
			found = append(found, Problem{
				What: fmt.Sprintf("the <route> to %s of network %s goes where the host's %s does", dest, c.link.Name, c.describe(r)),
				Why:  "one of the two would never be used",
				Fix:  "remove the <route> from the network, or the route from the host",
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

// everywhere is true for a destination that stands for the rest of the world: default routes, the halves that VPN clients
// lay over them, and all of IPv6's global unicast addresses.
func everywhere(dest netip.Prefix) bool {
	return dest.Bits() <= 1 || dest == netip.MustParsePrefix("2000::/3")
}

// connected is true for the route that comes with an address.
func (c collider) connected(r Route) bool {
	return slices.ContainsFunc(c.facts.Devices, func(d Device) bool {
		return d.Index == r.Device && slices.ContainsFunc(d.Addresses, func(a Address) bool { return a.Prefix.Masked() == r.Dest })
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
