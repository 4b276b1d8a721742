package iptables

import (
	"errors"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Read implements [backends.Backend].
func (Backend) Read(images []backends.Document) (*ir.Program, error) {
	return nil, errors.New("reading iptables-save text is not there yet")
}
