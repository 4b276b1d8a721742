package backends

import "github.com/vnetc/vnetc/ir"

// AdminRules is the rules that the administrator has in one chain of a target.
type AdminRules struct {
	Target string    // its name
	Chain  *ir.Chain // its place; no rules
	Rules  int
	Flush  string // the command that deletes them; empty if the back end tells none
}

// Flusher is a Loader that knows the command by which an administrator empties a chain.
type Flusher interface {
	// FlushCommand returns the command that deletes all rules of c, which was read from a Dump.
	FlushCommand(c *ir.Chain) string
}
