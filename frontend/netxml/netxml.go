// Package netxml is the front end for libvirt's network XML: it turns documents into an ir.Program.
//
// [Parse] reads and checks any number of documents as one compilation and says all there is to say
// about them, each at its place; [Lower] turns what it returned into the rules that libvirt's
// network driver would make, and into what a bring-up needs beside them. Both are pure: facts that
// only a host knows are not judged. The input may be hostile. The package knows neither back ends
// nor the host.
package netxml

import (
	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/parallel"
)

// Options alter a compilation. The zero value is the strict one.
type Options struct {
	// Lax is true if elements, attributes and text that are unknown draw warnings, not errors. They
	// have no effect.
	Lax bool
	// StrictIsolation is true if no network's guests get out past its own rules: see [Lower].
	StrictIsolation bool
	// AllowOption is true for options of dnsmasq that the network called name may set though they
	// reach beyond it. Nil allows none.
	AllowOption func(name, option string) bool
	// Skip is true for files of the sources that are no networks, by name. Nil skips none.
	Skip func(file string) bool
	// Taken has the names of devices that a bridge whose name a document leaves open must not get.
	Taken map[string]bool
	// Bridges has, by the name of a network, the bridge that was chosen for it before; it keeps it,
	// Taken or not.
	Bridges map[string]string
}

// MaxSize is the length of the longest document that is read, in bytes.
const MaxSize = xmldoc.MaxSize

// Network is one network as its document describes it, with libvirt's defaults filled in.
type Network struct {
	Def        libvirtxml.Network // the document as decoded; the zero value if it has errors
	Mode       ir.Mode
	Bridge     string // name of the bridge; empty in modes that have none
	Strict     bool   // Strict is Options.StrictIsolation; it may be set for each network before Lower.
	AutoBridge bool   // AutoBridge is true if the number in Bridge was chosen, because the document leaves it open.

	src     *xmldoc.Source
	root    *xmldoc.Node
	subnets []subnet // one for each <ip>, in order
}

// Name returns the network's name.
func (n *Network) Name() string { return n.root.Kid("name").TextOr("") }

// File returns the name of the file that has the network's document.
func (n *Network) File() string { return n.src.Name }

// Place returns where the document says what kind of network it is, its name if it says nothing.
func (n *Network) Place() diag.Span {
	if forward := n.root.Kid("forward"); forward != nil {
		return n.src.Span(forward.At("mode"))
	}
	if name := n.root.Kid("name"); name != nil {
		return n.src.Span(name.TextAt)
	}
	return n.src.Span(n.root.Tag)
}

// Parse reads every file of src that is not to be skipped, in order, and checks each document and
// all together. It returns the networks in that order, without the files that can't be read as XML,
// and the diagnostics of all files, in the order of the files. The networks may be lowered only if
// the list has no error.
// A file that declares another encoding is replaced in src by the same in UTF-8.
func Parse(src *diag.Sources, opts Options) ([]*Network, diag.List) {
	var names []string
	for _, name := range src.Names() {
		if opts.Skip != nil && opts.Skip(name) {
			continue
		}
		names = append(names, name)
		src.Add(name, xmldoc.UTF8(src.Text(name)))
	}
	checkers := make([]*checker, len(names))
	parallel.For(len(names), func(i int) {
		c := &checker{opts: opts, Report: xmldoc.Report{
			Source: &xmldoc.Source{Name: names[i], Text: src.Text(names[i])}, Lax: opts.Lax,
		}}
		if root := language.Read(&c.Report); root != nil {
			c.net = &Network{src: c.Source, root: root, Strict: opts.StrictIsolation}
			c.check()
		}
		checkers[i] = c
	})
	checkTogether(checkers, opts)
	parallel.For(len(checkers), func(i int) {
		c := checkers[i]
		if c.net != nil && !c.List.HasErrors() {
			c.decode()
		}
		c.Sort()
	})
	var networks []*Network
	var list diag.List
	for i, c := range checkers {
		c.conceal(src, names[i])
		if c.net != nil {
			networks = append(networks, c.net)
		}
		list = append(list, c.List...)
	}
	return networks, list
}

// conceal sees to it that nothing is quoted of a file that may be anybody's: one that is no XML,
// and one that src hides.
func (c *checker) conceal(src *diag.Sources, name string) {
	if src.Hidden(name) {
		c.Conceal("the file is reached by a link that leads out of the folder, so nothing of it is shown",
			"name the file itself to see it")
	} else if c.Alien {
		src.Hide(name)
	}
}
