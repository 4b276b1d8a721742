package main

import (
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// places is the one table of where rules can stand on a host, the preferred place first. Back ends,
// loaders, what is looked at beside the chosen one, and what a take-over looks through follow from
// it.
var places = []firewall.Place{
	{Name: "nftables", Title: "nftables", Loader: nftables.Loader{}},
	{Name: "iptables-nft", Title: "iptables (nf_tables)", Loader: iptables.Loader{Variant: iptables.NFTables}},
	{Name: "iptables-legacy", Title: "iptables (legacy)", Loader: iptables.Loader{Variant: iptables.Legacy}},
}

// targets lists the back ends of the places, each once, the default first.
var targets = backendsOf(places)

func backendsOf(places []firewall.Place) []backends.Backend {
	var all []backends.Backend
	for _, p := range places {
		if !slices.ContainsFunc(all, func(b backends.Backend) bool { return b.Name() == p.Loader.Name() }) {
			all = append(all, p.Loader)
		}
	}
	return all
}

func targetNames() []string {
	var names []string
	for _, b := range targets {
		names = append(names, b.Name())
	}
	return names
}

// targetOf returns b with layout; with the one that it has if it has no other.
func targetOf(b backends.Backend, layout backends.Layout) verify.Target {
	has := b.Layouts()
	if len(has) == 1 {
		return verify.Target{Backend: b, Layout: has[0], Label: b.Name()}
	}
	return verify.Target{Backend: b, Layout: layout, Label: b.Name() + " " + string(layout)}
}

// layoutNames returns the words for --layout, the default first.
func layoutNames() []string {
	var names []string
	for _, l := range targets[0].Layouts() {
		names = append(names, string(l))
	}
	return names
}

// targetFlags are the flags that choose what is made of a program.
type targetFlags struct {
	backend, family, layout, names *choice
	comments                       *bool
}

// chosen returns the back end asked for, or all of them if none was and all is true.
func (f *targetFlags) chosen(all bool) []backends.Backend {
	if all && !f.backend.set {
		return targets
	}
	for _, b := range targets {
		if b.Name() == f.backend.value {
			return []backends.Backend{b}
		}
	}
	panic("unknown back end " + f.backend.value)
}

func (f *targetFlags) options() backends.Options {
	families := map[string]ir.Family{"ipv4": ir.IPv4, "ipv6": ir.IPv6, "both": ir.Both}
	return backends.Options{
		Families: families[f.family.value],
		Names:    backends.Names(f.names.value),
		Layout:   backends.Layout(f.layout.value),
		Comments: *f.comments,
	}
}
