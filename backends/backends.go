// Package backends is the contract between the IR and what it is lowered to. It knows no concrete
// back end; package backendtest checks that one keeps the contract:
//
//  1. Every match and verdict of every rule is lowered, or refused with an Error at the rule's origin. A rule that has no
//     effect in the target by the target's nature is left out, with a Note at its origin. Nothing else is left out.
//  2. The order of rules is kept, in each chain.
//  3. The same program and options give the same bytes.
//  4. Read of what was emitted means what the program means: for every packet, [ir.Eval] gives the same fate.
//  5. Lower, Emit and Read touch no host, and do not change the program.
package backends

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Names says whose names the chains and tables have.
type Names string

const (
	VnetcNames   Names = "vnetc"   // never what libvirt owns
	LibvirtNames Names = "libvirt" // libvirt's own, to compare with what it installs
)

// Layout is a way to lay out the same meaning.
type Layout string

const (
	Chains Layout = "chains" // a line per rule, in libvirt's order
	Sets   Layout = "sets"   // rules of one shape merged into sets
)

// Options are what the user chooses about the output. What is left empty is as usual: both
// families, vnetc's names, and the first of the back end's layouts.
type Options struct {
	Families ir.Family
	Names    Names
	Layout   Layout
	Comments bool // Comments is true if each rule carries its origin as a comment.
}

// Usual returns o with what is usual for b where o leaves it open. Back ends begin with it.
func (o Options) Usual(b Backend) Options {
	if o.Families == 0 {
		o.Families = ir.Both
	}
	if o.Names == "" {
		o.Names = VnetcNames
	}
	if o.Layout == "" {
		o.Layout = b.Layouts()[0]
	}
	return o
}

// Backend is one target. Its methods are pure.
type Backend interface {
	// Name returns the word for --backend.
	Name() string
	// Layouts returns the layouts that differ here, the default first.
	Layouts() []Layout
	// FillsChecksums is true if a rule of the target can fill in the checksums of packets, as some
	// DHCP clients want it: see [ir.ChecksumFill].
	FillsChecksums() bool
	// Lower turns p, which ir.Verify has passed, into the target's own rules. With an Error in the
	// list there is no Ruleset.
	Lower(p *ir.Program, o Options) (Ruleset, diag.List)
	// Read turns images, as [Ruleset.Images] or a host gives them, back into a program. It keeps
	// what it can't model as [ir.Opaque]; an error means that the input is damaged, and names the
	// place.
	Read(images []Document) (*ir.Program, error)
}

// Merger is a [Backend] with a layout that merges rules.
type Merger interface {
	// Linear returns the rules that Lower, with the same options, leaves unmerged although other
	// rules match the same fields and have the same kind of verdict: in the order of the chains,
	// family by family.
	Linear(p *ir.Program, o Options) []Linear
}

// Linear is a rule that is not merged, so that every packet that reaches it is compared with it.
type Linear struct {
	Family ir.Family
	Rule   *ir.Rule
	Why    string   // in words
	Over   *ir.Rule // the rule that must keep its place; nil where order is not the reason
}

// Ruleset is a lowered program.
type Ruleset interface {
	// Emit returns the documents for people and for the target's own tool.
	Emit() []Document
	// Images returns what Read reads: the documents themselves, or the binary form of the same
	// rules.
	Images() []Document
	// Lines returns the rules that came from the program's rules, in the order in which they are
	// emitted.
	Lines() []Line
}

// Debugger is a [Ruleset] with a binary form.
type Debugger interface {
	// Debug returns that form as the target's own tool prints it when it is asked to.
	Debug() []byte
}

// Document is one output file.
type Document struct {
	File   string    // name under -o DIR/: rules.v4, rules.v6, rules.nft
	Family ir.Family // families whose rules it holds
	Load   string    // the shell command that loads the file
	Text   []byte
}

// Line is one rule of the target and the rule it came from.
type Line struct {
	Family ir.Family
	Table  string
	Chain  string
	Text   string   // as the target's own tool prints it
	Rule   *ir.Rule // a rule of the program that was lowered
}
