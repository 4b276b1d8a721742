package backends

import "github.com/vnetc/vnetc/ir"

// Pruner is a Loader that can delete single rules from the tables and chains of some names, no
// matter who added them.
type Pruner interface {
	Loader
	// Prune calls choose with the rules that the kernel has under names, and deletes exactly those
	// that it returns: in one transaction or, where the target has none so large, table by table.
	// After an error all are there as before. What stays, stays as it is: counters, places and
	// handles.
	//
	// Interfaces that rules name by their index stand in held by their name. The program has no
	// chains if there is nothing. If choose also says frame, the jumps, chains and tables of names
	// go where no rule is left in them, nothing else is, and nothing else leads to them. Choose is
	// asked again when others change rules meanwhile; its last answer counts.
	//
	// With dry it says what it would do, and does nothing.
	Prune(names Names, dry bool, choose Choose) (Pruned, error)
}

// Pruned is what a Prune did, or would do.
type Pruned struct {
	Changed int  // rules, jumps, chains and tables that were taken away
	Gone    bool // Gone is true if nothing is left under names.
}

// Choose returns the rules of held, as pointers into it, that shall go, and whether what then is
// empty goes as well.
type Choose func(held *ir.Program) (rules []*ir.Rule, frame bool)
