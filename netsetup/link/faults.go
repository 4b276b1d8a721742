package link

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
)

// Faults returns what keeps guests of the network from the world at devices that vnetc didn't make,
// and so doesn't fix: those that the network names are missing, down, or don't forward. It is pure.
// What is missing of an unmanaged mode's devices is for [CheckDevices] to say. In the modes that
// give each guest a device for itself, one that nobody has is usually down.
func Faults(l *ir.Link, f *Facts) (faults []string) {
	names := l.Uplink.Devices
	switch {
	case l.Mode == ir.ModeNone || l.Mode == ir.ModePassthrough || l.Mode == ir.ModeHostdev:
		return nil
	case l.Mode == ir.ModeBridge && l.Bridge.Name != "":
		names = []string{l.Bridge.Name}
	case len(names) == 0 && Forwards4(l):
		names = f.wayOut()
	}
	for _, name := range names {
		d, there := f.Device(name)
		switch {
		case !there && l.Mode.Managed():
			faults = append(faults, fmt.Sprintf("guests reach the world by %s, and this host has no such device", name))
		case !there:
		case !d.Up:
			faults = append(faults, fmt.Sprintf("guests reach the world by %s, which is down; ip link set %s up",
				name, name))
		case Forwards4(l) && f.Forwards && d.IPv4 != nil && d.IPv4.Forwarding == 0:
			faults = append(faults, fmt.Sprintf("the host forwards no IPv4 packet that comes in by %s, "+
				"so guests get no answer from there; sysctl -w net.ipv4.conf.%s.forwarding=1", name, name))
		}
	}
	return faults
}

// wayOut returns the device of the IPv4 default route that the kernel takes; none if there is no
// such route.
func (f *Facts) wayOut() (names []string) {
	best := Route{Metric: ^uint32(0)}
	for _, r := range f.Routes {
		if r.Dest.Addr().Is4() && r.Dest.Bits() == 0 && r.Metric < best.Metric {
			best = r
		}
	}
	for _, d := range f.Devices {
		if best.Dest.IsValid() && d.Index == best.Device {
			names = append(names, d.Name)
		}
	}
	return names
}
