package backends

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Loader puts rulesets of one back end into the kernel, in the network namespace of the calling
// thread. It touches nothing but what has the names of [Options]; foreign rules stay byte for byte,
// and in their place.
type Loader interface {
	Backend
	// Available returns nil if this back end can be used here, else what is missing: the tool, the
	// kernel's support, or the capability.
	Available() error
	// Dump returns what the kernel holds under names, in the form that Read takes; none if there is
	// nothing.
	Dump(names Names) ([]Document, error)
	// Load makes the kernel hold what rules says, whatever it held under their names. Packets meet
	// the old rules or the new ones, family by family where the target's own transactions are no
	// larger. After an error the old rules are in force. What is right already is left alone,
	// counters included.
	Load(rules Ruleset) (Report, error)
	// Restore makes the kernel hold what a Dump of names returned, as far as Dump told it; with no
	// images, nothing under these names.
	Restore(names Names, images []Document) error
	// Unload takes everything under names away, jumps and chains and tables.
	Unload(names Names) error
}

// Sibling is a [Loader] for one of several places that its back end has on a host. Packets meet the
// rules of all of them.
type Sibling interface {
	Loader
	// Usual returns the Loader for the place that the host's own tools use.
	Usual() Loader
	// Elsewhere returns the Loader for another place that holds rules under names; nil if none
	// does, or if it is unknown for lack of a tool.
	Elsewhere(names Names) (Loader, error)
}

// Of returns rules as the Ruleset of the one back end whose type R is, or an error that says what
// it is.
func Of[R Ruleset](rules Ruleset) (R, error) {
	own, ok := rules.(R)
	if !ok {
		return own, fmt.Errorf("a ruleset of another back end, %T", rules)
	}
	return own, nil
}

// Report is what a Load did.
type Report struct {
	Kept    int  // rules that were right already and were left alone
	Changed int  // rules, elements and jumps that were added, replaced or deleted; 0 if nothing was sent
	Rebuilt bool // Rebuilt is true if everything was recreated.

	Left diag.List // warnings, at their origins, about rules that this kernel can't hold and that were left out
}

// Auditor is a Loader that finds what affects loaded rules but does not show in what Read makes of
// a Dump.
type Auditor interface {
	// Unexpected returns what the kernel holds in the tables of rules beside chains and rules that
	// Read tells of, in the order of the kernel's tables. It changes nothing.
	Unexpected(rules Ruleset) (Unexpected, error)
}

// Unexpected is what an [Auditor] tells of.
type Unexpected struct {
	Items []UnexpectedItem
	// Loaded is everything that packets meet in the tables of rules, ours and that of others, in
	// the form that Read takes; Want the same with our jumps where Load puts them. They are empty
	// where the foreign rules don't come before ours.
	Loaded, Want []Document
}

// UnexpectedKind tells what a [UnexpectedItem] is.
type UnexpectedKind uint8

const (
	// UnwantedObject is an object under our names that is not wanted. Load takes it away.
	UnwantedObject UnexpectedKind = iota
	// MisplacedJump is a jump to one of our chains that Load puts into another place among the
	// foreign rules.
	MisplacedJump
	// ForeignAhead is a foreign rule that packets meet before our rules, once our jumps are in
	// their places. Load leaves it.
	ForeignAhead
	// ForeignDrop is a foreign chain that may drop what ours accept. Load leaves it.
	ForeignDrop
)

// UnexpectedItem is something that an [Auditor] tells of: of ours and not wanted there, or of
// others in our way.
type UnexpectedItem struct {
	Kind   UnexpectedKind
	Family ir.Family
	Table  string
	Chain  string // where a rule stands; empty for other things
	Text   string // in the target's own words
	To     string // of a MisplacedJump: our chain, to which it leads
	Line   int    // of a ForeignAhead: its line in the document of its family in Unexpected.Want
}
