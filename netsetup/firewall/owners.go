package firewall

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// owners finds the networks that a drift concerns. Networks are numbers in links.
type owners struct {
	links   []*ir.Link
	names   map[string]int
	bridges map[string]int
	subnets map[netip.Prefix]int
}

func ownersOf(links []*ir.Link) owners {
	o := owners{links, make(map[string]int), make(map[string]int), make(map[netip.Prefix]int)}
	for i, l := range links {
		o.names[l.Name] = i
		if l.Bridge.Name != "" {
			o.bridges[l.Bridge.Name] = i
		}
		for _, a := range l.Addresses {
			o.subnets[a.Prefix.Masked()] = i
		}
	}
	return o
}

// concerned returns the networks that d concerns, in the order of the links: the one whose rule
// causes the difference, and those whose bridge or subnet a rule or an element that differs names.
// It is nil if there are none: then d concerns all.
func (o owners) concerned(d *backends.Drift) []string {
	var found []int
	if d.Of != nil {
		if i, known := o.names[d.Of.Origin.Network]; known {
			found = append(found, i)
		}
	}
	found = o.named(found, d.Element)
	for _, r := range []*ir.Rule{d.Want, d.Have} {
		if r != nil {
			found = o.named(found, r.Matches)
		}
	}
	slices.Sort(found)
	var names []string
	for _, i := range slices.Compact(found) {
		names = append(names, o.links[i].Name)
	}
	return names
}

// named adds to found the networks whose bridges and subnets the matches name, negated or not.
func (o owners) named(found []int, matches []ir.Match) []int {
	for _, m := range matches {
		var i int
		var known bool
		switch m := m.(type) {
		case ir.IIfName:
			i, known = o.bridges[m.Name]
			known = known && !m.Wildcard
		case ir.OIfName:
			i, known = o.bridges[m.Name]
			known = known && !m.Wildcard
		case ir.SAddr:
			i, known = o.subnets[m.Prefix]
		case ir.DAddr:
			i, known = o.subnets[m.Prefix]
		}
		if known {
			found = append(found, i)
		}
	}
	return found
}

// Drifted returns the networks of links that the drift concerns. Foreign rules ahead of ours are
// none.
func (a Audit) Drifted(links []*ir.Link) map[string]bool {
	names := make(map[string]bool)
	for i := range a.Drifts {
		d := &a.Drifts[i]
		if d.Kind == backends.Ahead {
			continue
		}
		if d.Networks == nil {
			for _, l := range links {
				names[l.Name] = true
			}
			return names
		}
		for _, name := range d.Networks {
			names[name] = true
		}
	}
	return names
}
