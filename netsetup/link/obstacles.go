package link

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// outgrown returns why a network can't take others' devices: it has a bridge of its own, on which
// guests would be left without rules.
func outgrown(l *ir.Link, f *Facts) []Problem {
	d, ok := f.BridgeOf(l.Name)
	if !ok {
		return nil
	}
	return []Problem{{
		What: fmt.Sprintf("network %s runs on bridge %s, which vnetc made, and its mode should now be %s", l.Name,
			d.Name, l.Mode),
		Why: "that mode has no such bridge, and guests attached to it would be cut off",
		Fix: fmt.Sprintf("vnetc down %s, then bring it up again", l.Name),
	}}
}

// obstacles returns why the bridge of a network can't be made or changed as wanted.
func obstacles(l *ir.Link, f *Facts) (found []Problem) {
	if d, ok := f.Device(l.Bridge.Name); ok && !d.Ours(l.Name) {
		found = append(found, Problem{
			What: fmt.Sprintf("%s is there already: %s", d.Name, f.describe(d)),
			Why:  fmt.Sprintf("network %s needs a bridge of that name, and vnetc changes no device that it didn't create", l.Name),
			Fix: fmt.Sprintf("give the network another <bridge name>, or none to have one chosen; or remove %s",
				d.Name),
		})
	}
	if d, ok := f.BridgeOf(l.Name); ok && d.Name != l.Bridge.Name {
		found = append(found, Problem{
			What: fmt.Sprintf("network %s runs on bridge %s and should now run on %s", l.Name, d.Name, l.Bridge.Name),
			Why:  "guests attached to a bridge do not move to another one",
			Fix:  fmt.Sprintf("vnetc down %s, then bring it up again", l.Name),
		})
	}
	if !has6(l) {
		return found
	}
	if !f.IPv6 {
		found = append(found, Problem{
			What: fmt.Sprintf("network %s has an IPv6 address, and this kernel has no IPv6", l.Name),
			Why:  "the bridge could not get the address",
			Fix:  "remove the <ip family='ipv6'>, or load the kernel's ipv6 module",
		})
	}
	if l.MTU != 0 && l.MTU < minIPv6MTU {
		found = append(found, Problem{
			What: fmt.Sprintf("network %s has an IPv6 address and an MTU of %d", l.Name, l.MTU),
			Why:  fmt.Sprintf("IPv6 needs an MTU of at least %d (RFC 8200), and the kernel has none on a device below that", minIPv6MTU),
			Fix:  fmt.Sprintf("set <mtu size='%d'/> or more", minIPv6MTU),
		})
	}
	return found
}

// describe says what a device is, for someone who has to find out whose it is.
func (f *Facts) describe(d Device) string {
	var what string
	switch d.Kind {
	case "":
		what = "a network card"
	case "bridge":
		what = "a bridge that vnetc didn't create"
		if name, ok := strings.CutPrefix(d.Alias, Mark("")); ok {
			what = "the bridge of vnetc's network " + name
		}
	default:
		what = "a device of kind " + d.Kind
	}
	for i, a := range d.Addresses {
		if i == 0 {
			what += " with address"
		}
		what += " " + a.Prefix.String()
	}
	ports := 0
	for _, p := range f.Devices {
		if d.Index != 0 && p.Master == d.Index {
			ports++
		}
	}
	if ports > 0 {
		what += fmt.Sprintf(", ports: %d", ports)
	}
	return what
}
