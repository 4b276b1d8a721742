package link

import (
	"io/fs"

	"github.com/vnetc/vnetc/ir"
)

// CheckDevices says what is missing of the devices that a network of an unmanaged mode takes as they are: the bridge, the
// forward devices, the physical function with its virtual functions, the PCI functions. sys is /sys of the host.
func CheckDevices(l *ir.Link, f *Facts, sys fs.FS) []Problem {
	return nil
}
