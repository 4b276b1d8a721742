package doctor

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
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
		if named := l.Uplink.Devices; len(named) > 0 && p.Host.Device(named[0]) != nil {
			if leads := p.Host.Defaults(ir.IPv4); len(leads) > 0 && !slices.Contains(leads, named[0]) {
				add("the default route leads to %s, and <forward> lets guests out by %s only: they reach what routes lead there", leads[0], named[0])
			}
		}
		if len(l.Uplink.Devices) == 0 && len(p.Host.Defaults(ir.IPv4)) == 0 {
			add("the host has no default route of IPv4")
		}
	}
	return all
}

// zones says which bridges firewalld has in no zone, where its rules are in the way: it forgets
// those that were put into one at run time when it is reloaded (firewalld.dbus(5), Reloaded).
func (c *curer) zones(answers []expect.Answer) (all []Note) {
	blocks := func(b expect.Block) bool { return b.Owner == firewalld }
	for _, l := range c.Meant.Links {
		cut := slices.ContainsFunc(answers, func(a expect.Answer) bool {
			return a.Network == l.Name && slices.ContainsFunc(a.Blocks, blocks)
		})
		if cut && !c.inZone(l.Bridge.Name) {
			all = append(all, Note{l.Name, fmt.Sprintf("firewalld has %s in no zone: a reload takes it out of the one that "+
				"vnetc up put it into, and vnetc up of the network puts it back", l.Bridge.Name)})
		}
	}
	return all
}

// inZone is true if rules of firewalld name the device.
func (c *curer) inZone(device string) bool {
	names := func(m ir.Match) bool {
		in, is := m.(ir.IIfName)
		return is && in.Name == device && !in.Not
	}
	for _, chain := range c.Survey.Program.Chains {
		if ownerOf(nil, ir.Step{Chain: chain, Rule: &ir.Rule{}}) != firewalld {
			continue
		}
		if slices.ContainsFunc(chain.Rules, func(r ir.Rule) bool { return slices.ContainsFunc(r.Matches, names) }) {
			return true
		}
	}
	return false
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
