// Package backendtest holds the back ends to their contract (package backends): [Run] checks all of it on one back end,
// with sample rules of every kind in every place, programs in the shape that networks have, and random programs.
//
// What it can't check is that the target's own tool takes the output; that is for a back end's kernel tests.
package backendtest

import (
	"fmt"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Sample is a program with a name that says what is in it.
type Sample struct {
	Name    string
	Program *ir.Program
}

// Run checks that b keeps the contract. A layout for which b refuses even the empty program is one it doesn't have.
func Run(t *testing.T, b backends.Backend) {
	for _, o := range options() {
		name := fmt.Sprintf("%s/%s/%s", o.Layout, o.Names, o.Families)
		if o.Comments {
			name += "/comments"
		}
		t.Run(name, func(t *testing.T) {
			if _, found := b.Lower(&ir.Program{}, o); found.HasErrors() {
				t.Skipf("%s does not offer this: %v", b.Name(), found.Err())
			}
			check := func(samples []Sample) func(t *testing.T) {
				return func(t *testing.T) {
					for _, s := range samples {
						for _, err := range Check(b, s.Program, o) {
							t.Errorf("%s: %v", s.Name, err)
						}
					}
				}
			}
			if o.Families == ir.Both && !o.Comments {
				t.Run("single kinds", check(SingleKinds()))
			}
			t.Run("kinds", check(Kinds()))
			t.Run("networks", check(NetworkSamples()))
			t.Run("random", check(Random(40, 1)))
		})
	}
}

// options returns the choices to check: all that change what is emitted.
func options() []backends.Options {
	var all []backends.Options
	for _, layout := range []backends.Layout{backends.Chains, backends.Sets} {
		all = append(all,
			backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: layout},
			backends.Options{Families: ir.Both, Names: backends.LibvirtNames, Layout: layout, Comments: true},
			backends.Options{Families: ir.IPv4, Names: backends.VnetcNames, Layout: layout},
			backends.Options{Families: ir.IPv6, Names: backends.LibvirtNames, Layout: layout})
	}
	return all
}
