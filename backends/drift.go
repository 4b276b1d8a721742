package backends

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// DriftKind says how a host differs from what is meant.
type DriftKind string

const (
	Missing DriftKind = "missing" // it should be there
	Extra   DriftKind = "extra"   // it should not
	Moved   DriftKind = "moved"   // it is there, in another place among the others
	// Ahead is of others: packets meet it before our rules or have to pass it too. Load leaves it
	// there.
	Ahead DriftKind = "ahead"
	// Unexplained is ours by its names, and nothing says what it is for. Load leaves it there, too.
	Unexplained DriftKind = "unexplained"
)

// DriftPart says what a [Drift] is about, and which of its fields describe it.
type DriftPart uint8

const (
	DriftRule    DriftPart = iota + 1 // a rule: Chain, Want, Have
	DriftElement                      // an element of a set: Set, Element
	DriftChain                        // a chain without rules: Chain
	DriftBase                         // the hook, priority or policy of a chain: Chain
	DriftObject                       // what only the back end can name: Chain, Words
	DriftTarget                       // our rules in another target: Target, Chains, Rules
	DriftBridge                       // our rules about a bridge of no known network: Target, its name, and Rules
	// a state file that is not used: Target, its path, and Words, the rest of a sentence
	DriftStateFile
)

// Drift is one difference between what a host has and what is meant. It holds structures and no
// text: package verify makes text, JSON and SARIF of it.
type Drift struct {
	Kind DriftKind
	Part DriftPart

	Chain   *ir.Chain  // DriftObject: its family, table and name; no name if the object is in no chain
	Want    *ir.Rule   // as it is meant, in what Read makes of the lowered program; nil for an extra rule
	Have    *ir.Rule   // as the host has it; nil for a missing rule
	Set     *ir.Set    // as it is meant; for an extra element, as the host has it
	Element []ir.Match // one of Set.Elements
	Words   string     // in the target's own words; of a rule that has moved, behind what it stands, or empty
	Target  string     // its name
	Chains  int        // how many of our chains Target has
	Rules   int        // how many rules are in them

	Of       *ir.Rule // the program's rule that causes it; nil if none or several do, as for jumps
	Networks []string // the networks that it concerns; nil if it concerns all

	Lets *Let // of a foreign rule ahead: what it lets through; nil if that is nothing, or not known
	// Harmless is true for a foreign rule ahead that is known to let nothing through that ours
	// refuse.
	Harmless bool
	Closes   bool // Closes is true for what is ahead and only refuses, as a chain with a policy.
}

// Let is a packet that a foreign rule accepts before ours refuse it.
type Let struct {
	Packet     ir.Packet // an example
	From, To   string    // where it comes from and where it goes to
	Should, Is string    // its fate by our rules, and as it is
}

// AheadOf returns those of drifts that are foreign and let something through that ours refuse, or
// may do so.
func AheadOf(drifts []Drift) []Drift {
	return slices.DeleteFunc(slices.Clone(drifts), func(d Drift) bool {
		return d.Kind != Ahead || d.Harmless || d.Closes
	})
}

// Mendable returns how many of drifts a Load fixes: all but foreign ones, and those that nothing
// explains.
func Mendable(drifts []Drift) int {
	n := 0
	for _, d := range drifts {
		if d.Kind != Ahead && d.Kind != Unexplained {
			n++
		}
	}
	return n
}

// InStep is true if a host is as it is meant to be. What others have there does not count.
func InStep(drifts []Drift) bool {
	return !slices.ContainsFunc(drifts, func(d Drift) bool { return d.Kind != Ahead })
}
