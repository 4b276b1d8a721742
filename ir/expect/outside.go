package expect

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// outsides knows which addresses are behind which device of a host: what its routes lead there, and
// what is neither the host's own nor a network's.
type outsides struct {
	host  *ir.Host
	links []*ir.Link
	known map[behind]*outside
}

type behind struct {
	device string
	family ir.Family
}

// outside is the addresses behind a device, as a set of those that are, or of those that are not.
type outside struct {
	source, dest *ir.Set
	not          bool
}

func (o *outside) from() ir.Match { return ir.Lookup{Set: o.source, Not: o.not} }
func (o *outside) to() ir.Match   { return ir.Lookup{Set: o.dest, Not: o.not} }

// maxDevices bounds by how many devices networks are asked about the outside.
const maxDevices = 3

// devices returns the devices by which guests of l get outside: the one that its document names,
// else those of the host's default routes, else those that have any route and are no network's
// bridge.
func (o *outsides) devices(l *ir.Link, f ir.Family) []string {
	if len(l.Uplink.Devices) > 0 {
		if o.host.Device(l.Uplink.Devices[0]) == nil {
			return nil
		}
		return l.Uplink.Devices[:1]
	}
	names := o.host.Defaults(f)
	if len(names) == 0 {
		for _, r := range o.host.Routes {
			inside := slices.ContainsFunc(o.links, func(l *ir.Link) bool { return l.Bridge.Name == r.Device })
			if familyOf(r.Dest.Addr()) == f && !inside && r.Device != "lo" && !r.Dest.Addr().IsMulticast() &&
				!r.Dest.Addr().IsLinkLocalUnicast() && !slices.Contains(names, r.Device) {
				names = append(names, r.Device)
			}
		}
	}
	return names[:min(len(names), maxDevices)]
}

// of returns the addresses behind the device; nil if there are none.
func (o *outsides) of(device string, f ir.Family) *outside {
	at := behind{device, f}
	if o.known == nil {
		o.known = make(map[behind]*outside)
	}
	out, ok := o.known[at]
	if !ok {
		out = o.find(device, f)
		o.known[at] = out
	}
	return out
}

func (o *outsides) find(device string, f ir.Family) *outside {
	var prefixes []netip.Prefix
	leads := slices.Contains(o.host.Defaults(f), device)
	for _, r := range o.host.Routes {
		if familyOf(r.Dest.Addr()) == f && r.Dest.Bits() > 1 && (r.Device == device) != leads {
			prefixes = append(prefixes, r.Dest)
		}
	}
	if leads {
		prefixes = append(prefixes, o.elsewhere(f)...)
	}
	if len(prefixes) == 0 {
		return nil
	}
	out := &outside{not: leads, source: &ir.Set{Family: f, Name: "outside"}, dest: &ir.Set{Family: f, Name: "outside"}}
	for _, p := range prefixes {
		out.source.Elements = append(out.source.Elements, []ir.Match{ir.SAddr{Prefix: p}})
		out.dest.Elements = append(out.dest.Elements, []ir.Match{ir.DAddr{Prefix: p}})
	}
	return out
}

// special are addresses of no host outside (RFC 6890): unspecified, loopback, link-local,
// multicast, reserved.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/127"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// elsewhere returns the addresses that a default route does not lead to, whatever its device.
func (o *outsides) elsewhere(f ir.Family) (all []netip.Prefix) {
	add := func(p netip.Prefix) {
		if familyOf(p.Addr()) == f {
			all = append(all, p)
		}
	}
	for _, p := range special {
		add(p)
	}
	for _, d := range o.host.Devices {
		for _, a := range d.Addresses {
			add(one(a.Addr()))
		}
	}
	for _, l := range o.links {
		for _, a := range l.Addresses {
			add(a.Prefix.Masked())
		}
	}
	return all
}
