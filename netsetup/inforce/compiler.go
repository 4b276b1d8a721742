package inforce

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// Compiler is a front end: it turns documents into programs, and touches no host.
type Compiler interface {
	// Parse reads the documents of src, one network each, in order, and policies. With an Error in
	// the list they are of no use.
	Parse(src *diag.Sources, o ParseOptions) (Parsed, diag.List)
	// Lower makes one program of what Parse returned; where Strict is set in a document by then,
	// that counts. The program is nil if the list has errors.
	Lower(p Parsed) (*ir.Program, diag.List)
	// Live reads the network in a status file of libvirt's; ok is false if that has errors, or
	// names no bridge.
	Live(s libvirt.Status) (d Document, ok bool)
	// Claims returns what libvirt may have made for these documents, as they are or were, and by
	// the names of their bridges alone. It is no program to load: a rule may be in it more than
	// once.
	Claims(docs []Document) *ir.Program
}

// ParseOptions are what a front end needs to know about the host and the user.
type ParseOptions struct {
	Lax     bool              // Lax is true if what is unknown in a document draws warnings, not errors.
	Strict  bool              // Strict is true if no network's guests get out past its own rules.
	Taken   map[string]bool   // names of devices, which a bridge that a document leaves open must not get
	Bridges map[string]string // by network, the bridge that was chosen before: it stays
	// Policies are sources that are policies whatever their names, and whose statements decide
	// before those of all others.
	Policies []string
	// Expected is true of networks that may come later, as at boot, where each comes by itself:
	// what policies say of them has no effect until then, and is a warning. Nil expects none.
	Expected func(network string) bool
	// Allow is true for options of dnsmasq that the network called name may set though they reach
	// beyond it. Nil allows none.
	Allow func(name, option string) bool
}

// Parsed is what the sources of one compilation say.
type Parsed struct {
	Sources  *diag.Sources
	Networks []Document // in the order of the sources
	Policies []string   // sources that are policies, in the order in which their statements decide
	// Judged is true of sources that were judged when they were given. What their policies say of
	// networks that are not there any more has no effect. Nil for none.
	Judged func(source string) bool
	Of     any // the front end's own
}

// Document is one network as a front end has read it.
type Document struct {
	Name       string
	File       string // the source that has it
	Bridge     string // empty in modes without one
	Mode       ir.Mode
	AutoBridge bool // AutoBridge is true if the front end chose the bridge.
	Strict     bool
	Of         any // the front end's own
}
