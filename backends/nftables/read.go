package nftables

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Read turns a batch, as [Ruleset.Batch] gives it, or a kernel's dumps back into a program: see
// package decode.
func (Backend) Read(images []backends.Document) (*ir.Program, error) { return readMarked(nil, images) }
