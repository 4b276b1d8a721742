package main

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
)

// targets lists the back ends, the default first.
var targets = []backends.Backend{nftables.Backend{}, iptables.Backend{}}

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
