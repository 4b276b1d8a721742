// Package backendtest holds the back ends to their contract (package backends): [Run] checks all of
// it on one back end, with sample rules of every kind in every place, programs in the shape that
// networks have, and random programs.
//
// What it can't check is that the target's own tool takes the output; that is for a back end's
// kernel tests.
package backendtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Sample is a program with a name that says what is in it.
type Sample struct {
	Name    string
	Program *ir.Program
}

// Run checks that b keeps the contract, and what it says of itself.
func Run(t *testing.T, b backends.Backend) {
	t.Run("zero options", func(t *testing.T) {
		if err := checkUsual(b); err != nil {
			t.Error(err)
		}
	})
	for _, o := range options() {
		name := fmt.Sprintf("%s/%s/%s", o.Layout, o.Names, o.Families)
		if o.Comments {
			name += "/comments"
		}
		t.Run(name, func(t *testing.T) {
			_, found := b.Lower(&ir.Program{}, o)
			if found.HasErrors() && slices.Contains(b.Layouts(), o.Layout) {
				t.Fatalf("%s says that it has layout %s: %v", b.Name(), o.Layout, found)
			}
			if found.HasErrors() {
				t.Skipf("%s does not offer this: %v", b.Name(), found.Err())
			}
			if err := checkChecksums(b, o); err != nil {
				t.Error(err)
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

// checkUsual compares what the zero Options give with the options that they stand for.
func checkUsual(b backends.Backend) error {
	p := NetworkSamples()[0].Program
	text := func(o backends.Options) (string, error) {
		set, found := b.Lower(p, o)
		if found.HasErrors() {
			return "", found
		}
		var all strings.Builder
		for _, d := range set.Emit() {
			fmt.Fprintf(&all, "%s %s\n%s", d.File, d.Family, d.Text)
		}
		return all.String(), nil
	}
	zero, err := text(backends.Options{})
	if err != nil {
		return err
	}
	usual, err := text(backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: b.Layouts()[0]})
	if err != nil {
		return err
	}
	if zero != usual {
		return fmt.Errorf("the zero Options give\n%s\nand what they stand for\n%s", zero, usual)
	}
	return nil
}

// checkChecksums holds b's word on whether it fills in checksums against what it makes of a rule
// that needs it.
func checkChecksums(b backends.Backend, o backends.Options) error {
	p := &ir.Program{Chains: []*ir.Chain{{Group: ir.PRT, Rules: []ir.Rule{{Family: ir.Both & o.Families,
		Verdict: ir.ChecksumFill{}}}}}}
	set, found := b.Lower(p, o)
	if found.HasErrors() {
		return found
	}
	read, err := b.Read(set.Images())
	if err != nil {
		return err
	}
	fills := slices.ContainsFunc(rules(read), func(r *ir.Rule) bool { return r.Verdict == ir.ChecksumFill{} })
	if fills != b.FillsChecksums() {
		return fmt.Errorf("%s says that it fills checksums: %t; of a rule that does, Read of what was emitted has: %t",
			b.Name(), b.FillsChecksums(), fills)
	}
	return nil
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
