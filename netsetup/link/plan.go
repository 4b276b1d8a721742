package link

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vnetc/vnetc/ir"
)

// PlanUp returns what is missing until the network's devices are as l says, or why they can't be.
// It is pure. l.Bridge.Name is the name to use; where the network leaves it open, it is chosen
// before. For modes whose devices others make, the plan is empty: [CheckDevices] looks whether they
// are there.
func PlanUp(l *ir.Link, f *Facts, o Options) (Plan, []Problem) {
	if !l.Mode.Managed() {
		return Plan{Notes: notesOf(l)}, outgrown(l, f)
	}
	if found := obstacles(l, f); len(found) > 0 {
		return Plan{}, found
	}
	u := upgrade{link: l, facts: f, bridge: bridge{l.Bridge.Name, l.Name}}
	u.now, u.exists = f.Device(l.Bridge.Name)
	u.plan.Notes = notesOf(l)
	u.remove()
	u.device(o.MAC)
	u.sysctls()
	u.addresses()
	if l.Bridge.LibvirtFDB && !(u.exists && u.now.Bridge.VLANFiltering) {
		u.after(filterVLANs{u.bridge})
	}
	if !u.now.Up {
		u.after(setUp{u.bridge})
	}
	u.routes()
	u.traffic(o.Checksum)
	u.ports()
	return u.plan, nil
}

// PlanDown returns the steps that take away the bridge of the network called name: the one with its
// mark, and one called bridge whose maker was killed before it could write the mark. Addresses,
// routes and traffic control go with it. Do of these steps takes the bridge out of service; their
// Wait, for a caller who takes several networks away to call when all is done, has the kernel
// delete them at once. They have no way back.
func PlanDown(name, bridgeName string, f *Facts) []WaitStep {
	var steps []WaitStep
	for _, d := range f.Devices {
		if d.Ours(name) && (d.Alias != "" || d.Name == bridgeName) {
			steps = append(steps, deleteBridge{bridge{d.Name, name}})
		}
	}
	return steps
}

// upgrade is a plan in the making.
type upgrade struct {
	bridge
	link   *ir.Link
	facts  *Facts
	now    Device // the bridge; zero if there is none
	exists bool
	plan   Plan

	doomed map[netip.Prefix]bool // addresses that go, though some may come again
	lost   map[Route]bool        // routes that go, likewise
}

func (u *upgrade) before(s Step) { u.plan.Before = append(u.plan.Before, s) }
func (u *upgrade) after(s Step)  { u.plan.After = append(u.plan.After, s) }

// remove takes addresses and routes of vnetc away that are not wanted any more. The kernel removes
// more than it is asked to: the secondary addresses of a primary one, and a device's IPv4 routes
// with its last IPv4 address. Those are listed here, too, so that they can be added again, and
// undone.
func (u *upgrade) remove() {
	u.doomed, u.lost = map[netip.Prefix]bool{}, map[Route]bool{}
	for _, a := range u.now.Addresses {
		if u.ours(a) && !u.wanted(a.Prefix) {
			u.doomed[a.Prefix] = true
		}
	}
	for _, a := range u.now.Addresses {
		if a.Secondary && u.ours(a) && slices.ContainsFunc(u.now.Addresses, func(p Address) bool {
			return !p.Secondary && u.doomed[p.Prefix] && p.Prefix.Masked() == a.Prefix.Masked()
		}) {
			u.doomed[a.Prefix] = true
		}
	}
	flushed := len(u.doomed) > 0 && !slices.ContainsFunc(u.now.Addresses, func(a Address) bool {
		return a.Prefix.Addr().Is4() && !u.doomed[a.Prefix]
	})
	for _, r := range u.facts.Routes {
		mine := u.exists && r.Device == u.now.Index && r.Protocol == Protocol
		if mine && (!u.wantedRoute(r) || flushed && r.Dest.Addr().Is4()) {
			u.lost[r] = true
			u.before(removeRoute{addRoute{u.bridge, r.Dest, r.Gateway, r.Metric, r.Protocol}})
		}
	}
	for _, a := range slices.Backward(u.now.Addresses) { // secondary ones are behind their primary one
		if u.doomed[a.Prefix] {
			u.before(removeAddress{addAddress{u.bridge, a.Prefix, a.Protocol}})
		}
	}
}

// ours is true if the address was added by vnetc, as far as the kernel can tell.
func (u *upgrade) ours(a Address) bool {
	return !a.LinkLocal && (a.Protocol == Protocol || !u.facts.AddressMarks)
}

func (u *upgrade) wanted(p netip.Prefix) bool {
	return slices.ContainsFunc(u.link.Addresses, func(a ir.Address) bool { return a.Prefix == p })
}

func (u *upgrade) wantedRoute(have Route) bool {
	return slices.ContainsFunc(u.link.Routes, func(r ir.Route) bool {
		return r.Dest.Masked() == have.Dest && r.Gateway == have.Gateway && metric(r) == have.Metric
	})
}

// metric is a route's, or the 1 that libvirt gives to one without.
func metric(r ir.Route) uint32 { return max(r.Metric, 1) }

// device adds the bridge, or changes what of it differs.
func (u *upgrade) device(chosen []byte) {
	mac := u.link.MAC
	if mac == nil {
		mac = chosen
	}
	want := BridgeInfo{STP: !u.link.Bridge.NoSTP, Delay: delayShown(u.link.Bridge)}
	if !u.exists {
		u.before(addBridge{u.bridge, mac, u.link.MTU, want.STP, want.Delay})
		return
	}
	if u.now.Alias == "" || u.now.Group == doomedGroup {
		u.before(setMark{u.bridge})
	}
	if mac != nil && !bytes.Equal(mac, u.now.MAC) {
		u.before(setMAC{u.bridge, u.now.MAC, mac})
	}
	if u.link.MTU != 0 && u.link.MTU != u.now.MTU {
		u.before(setMTU{u.bridge, u.now.MTU, u.link.MTU})
	}
	if have := *u.now.Bridge; have.STP != want.STP || have.Delay != want.Delay {
		u.before(setSTP{u.bridge, have, want})
	}
}

// delayShown is the forward delay as the kernel keeps it: with STP on it is 2 s to 30 s (802.1D,
// table 8-3), and what is less or more becomes that; it counts in hundredths of a second.
func delayShown(b ir.Bridge) time.Duration {
	if b.NoSTP {
		return b.Delay.Truncate(tick)
	}
	return min(max(b.Delay, 2*time.Second), 30*time.Second).Truncate(tick)
}

// sysctls sets what the kernel does at the bridge by itself.
func (u *upgrade) sysctls() {
	u.sysctls4()
	u.sysctls6()
}

// sysctls4 has the host answer ARP for the bridge's own addresses only, as IPv6's neighbour
// discovery does: Linux answers for all that the host has, so that a guest finds and tries those of
// other networks and of the uplink. What guests reach by way of their gateway stays the same. Value
// 2 looks at who asks as well, and is left. It has a bridge forward that the administrator's
// defaults keep from it while the host forwards.
func (u *upgrade) sysctls4() {
	have := u.now.IPv4
	if have == nil {
		have = &IPv4Info{Forwarding: -1, ARPIgnore: -1}
		if !u.exists && u.facts.Forwards && !u.facts.ForwardsNew {
			have.Forwarding = 0
		}
	}
	if have.ARPIgnore != 2 {
		u.sysctl("ipv4", "arp_ignore", have.ARPIgnore, 1)
	}
	if u.facts.Forwards && have.Forwarding == 0 && Forwards4(u.link) {
		u.sysctl("ipv4", "forwarding", have.Forwarding, 1)
	}
}

// Forwards4 is true if guests of the network reach others by IPv4 through the host.
func Forwards4(l *ir.Link) bool {
	return l.Mode.Managed() && l.Mode != ir.ModeNone &&
		slices.ContainsFunc(l.Addresses, func(a ir.Address) bool { return a.Prefix.Addr().Is4() })
}

// sysctls6 keeps the host's own IPv6 off a bridge that has no IPv6 address, and has the host
// believe no guest that plays the router.
func (u *upgrade) sysctls6() {
	mtu := u.link.MTU
	if mtu == 0 {
		mtu = u.now.MTU
	}
	if !u.facts.IPv6 || mtu != 0 && mtu < minIPv6MTU {
		return
	}
	disable := 1
	if has6(u.link) {
		disable = 0
	}
	have := u.now.IPv6
	if have == nil {
		have = &IPv6Info{-1, -1, -1}
	}
	u.sysctl("ipv6", "accept_ra", have.AcceptRA, 0)
	u.sysctl("ipv6", "autoconf", have.Autoconf, 0)
	u.sysctl("ipv6", "disable_ipv6", have.Disable, disable) // last: while it is 0, the others count
}

// sysctl sets a sysctl; have is below 0 where the bridge is new.
func (u *upgrade) sysctl(family, name string, have, want int) {
	if have == want {
		return
	}
	s := setSysctl{bridge: u.bridge, family: family, key: name, to: fmt.Sprint(want)}
	if u.exists && have >= 0 {
		s.from = fmt.Sprint(have)
	}
	u.before(s)
}

// minIPv6MTU is the least MTU of an IPv6 link (RFC 8200, section 5); below it the kernel takes IPv6
// off the device.
const minIPv6MTU = 1280

func has6(l *ir.Link) bool {
	return slices.ContainsFunc(l.Addresses, func(a ir.Address) bool { return a.Prefix.Addr().Is6() })
}

func (u *upgrade) addresses() {
	for _, a := range u.link.Addresses {
		there := slices.ContainsFunc(u.now.Addresses, func(have Address) bool { return have.Prefix == a.Prefix })
		if !there || u.doomed[a.Prefix] {
			u.after(addAddress{u.bridge, a.Prefix, Protocol})
		}
	}
}

func (u *upgrade) routes() {
	for _, r := range u.link.Routes {
		there := u.exists && slices.ContainsFunc(u.facts.Routes, func(have Route) bool {
			return have.Dest == r.Dest.Masked() && have.Gateway == r.Gateway && have.Metric == metric(r) &&
				have.Device == u.now.Index && !u.lost[have]
		})
		if !there {
			u.after(addRoute{u.bridge, r.Dest.Masked(), r.Gateway, metric(r), Protocol})
		}
	}
}

// ports sets the options of the ports that the bridge has. What the XML does not set stays as it
// was set when the port was attached.
func (u *upgrade) ports() {
	if !u.exists {
		return
	}
	for _, d := range u.facts.Devices {
		if d.Master != u.now.Index || d.Port == nil {
			continue
		}
		want := *d.Port
		want.Isolated = want.Isolated || u.link.Port.Isolated
		if u.link.Bridge.LibvirtFDB {
			want.Learning, want.Flood = false, false
		}
		if want != *d.Port {
			u.after(setPort{u.bridge, d.Name, *d.Port, want})
		}
	}
}
