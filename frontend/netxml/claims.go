package netxml

import (
	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/ir"
)

// Claims returns what libvirt may have made for networks, which must come from [Parse] without an
// error: the rules of their documents, and whatever it makes of a bridge alone, since the document
// may have been another when libvirt read it. It is no program to load: a rule may be in it more
// than once.
func Claims(networks []*Network) *ir.Program {
	p := Lower(networks)
	for _, n := range networks {
		if n.Mode.Filtered() {
			onBridge(p, n).lower()
		}
	}
	return p
}

// onBridge returns the lowering of an isolated network on n's bridge that has everything that makes
// libvirt add rules without an address: IPv6, DHCP and TFTP.
func onBridge(p *ir.Program, n *Network) *lowering {
	bare := *n
	bare.Def, bare.Mode, bare.Strict, bare.subnets = libvirtxml.Network{}, ir.ModeNone, false, nil
	l := newLowering(p, &bare)
	l.six, l.dhcp4, l.tftp = true, n.root, n.root
	return l
}
