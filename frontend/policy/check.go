package policy

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Check says what is wrong with the statements of one compilation, in their order, as far as it
// follows from the networks.
func Check(list []Statement, links []*ir.Link) diag.List {
	return CheckNames(list, links)
}
