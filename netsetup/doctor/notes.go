package doctor

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
)

// notes says what of the host guests may feel though no rule is in the way.
func notes(p Patient) (all []Note) {
	for _, l := range p.Meant.Links {
		if !l.Mode.Managed() || !chosen(p.Only, l.Name) {
			continue
		}
		add := func(format string, args ...any) { all = append(all, Note{l.Name, fmt.Sprintf(format, args...)}) }
		bridge := p.Host.Device(l.Bridge.Name)
		if bridge == nil {
			add("there is no device %s: the rules were asked as if it were", l.Bridge.Name)
		}
		if l.Mode == ir.ModeNone {
			continue
		}
		names := p.Host.Defaults(ir.IPv4)
		switch {
		case len(l.Uplink.Devices) > 0:
			names = l.Uplink.Devices[:1]
			if p.Host.Device(names[0]) == nil {
				add("there is no device %s, which is the only way out by <forward>", names[0])
			}
		case len(names) == 0:
			add("the host has no default route of IPv4")
		}
		for _, name := range names {
			d := p.Host.Device(name)
			if d != nil && bridge != nil && d.MTU > 0 && d.MTU < bridge.MTU {
				add("%s carries packets of %d bytes, and guests on %s send %d: large ones get through only if guests hear of it (path MTU discovery)",
					name, d.MTU, bridge.Name, bridge.MTU)
			}
		}
	}
	return all
}

func chosen(only []string, name string) bool {
	if only == nil {
		return true
	}
	for _, o := range only {
		if o == name {
			return true
		}
	}
	return false
}

// Forwards is true if the host forwards what comes in by the bridges and the devices outside of the
// networks that are asked about and need it.
func Forwards(p Patient) bool {
	for _, l := range p.Meant.Links {
		if !l.Mode.Managed() || l.Mode == ir.ModeNone || !chosen(p.Only, l.Name) {
			continue
		}
		for _, a := range l.Addresses {
			f := ir.IPv4
			if a.Prefix.Addr().Is6() {
				f = ir.IPv6
			}
			for _, name := range append(p.Host.Defaults(f), l.Bridge.Name) {
				if d := p.Host.Device(name); d != nil && d.Forwards&f == 0 {
					return false
				}
			}
		}
	}
	return true
}
