package backends

import "github.com/vnetc/vnetc/ir"

// Surveyor is a Loader that can read all rules that packets meet on this host, whoever made them.
type Surveyor interface {
	Loader
	// World returns which rules of the kernel are its own.
	World() World
	// Survey reads the rules in the network namespace of the calling thread. It changes nothing: a
	// place that was never used is not made by looking. What can't be read is named in the Survey.
	// An error means that nothing is known at all.
	Survey() (Survey, error)
	// Hooks reads base chains only, without the chains they lead to and without those of vnetc's
	// own tables: enough to tell whether anybody else's rules may be in the way, for a fraction of
	// the cost. What another Surveyor of the same world tells of may be left out.
	Hooks() (Survey, error)
}

// World says which rules of the kernel a [Survey] is about. Chains of two worlds are never the
// same.
type World string

const (
	NFTables       World = "nf_tables"
	LegacyIPTables World = "ip_tables"
)

// Survey is what a place on a host holds.
type Survey struct {
	World World
	// Program has the chains in the order in which they were registered, as far as that is known. A
	// Surveyor may tell of chains of which another one of the same world tells with less detail.
	Program *ir.Program
	Hidden  []ir.Hidden
	Unread  []Unread
}

// Unread is something that should have been read and was not: the reader lacks a tool or a
// permission, or the kernel refused.
type Unread struct {
	What string // in words: the rules of iptables-legacy
	Why  string // the cause, and what helps
	// Worse is true if the rules were read all the same, in a form that tells less of what they
	// match.
	Worse bool
}
