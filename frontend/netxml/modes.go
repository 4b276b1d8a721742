package netxml

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
)

// modes is a set of the kinds of network that differ in what they may hold: libvirt's forward
// modes, with mode bridge split in two.
type modes uint16

const (
	inNone        modes = 1 << iota // no <forward>: isolated
	inNAT                           // <forward mode='nat'>
	inRoute                         // <forward mode='route'>
	inOpen                          // <forward mode='open'>
	inBridge                        // mode bridge with the name of a bridge
	inDirect                        // mode bridge with devices: macvtap
	inPrivate                       // <forward mode='private'>
	inVEPA                          // <forward mode='vepa'>
	inPassthrough                   // <forward mode='passthrough'>
	inHostdev                       // <forward mode='hostdev'>

	inManaged = inNone | inNAT | inRoute | inOpen // the bridge is made for the network
	inMacvtap = inDirect | inPrivate | inVEPA | inPassthrough
)

// modeNames are in the order of the bits.
var modeNames = [...]string{"none", "nat", "route", "open", "bridge", "bridge", "private", "vepa", "passthrough",
	"hostdev"}

// names lists the forward modes of m.
func (m modes) names() []string {
	var names []string
	for rest := m; rest != 0; rest &= rest - 1 {
		names = append(names, modeNames[bits.TrailingZeros16(uint16(rest))])
	}
	return slices.Compact(names)
}

// String says what m is to somebody who writes a network.
func (m modes) String() string {
	switch m {
	case inBridge:
		return "mode bridge with a <bridge name>"
	case inDirect:
		return "mode bridge with devices"
	case inManaged | inBridge:
		return "modes none, nat, route, open, and bridge with a <bridge name>"
	}
	names := m.names()
	if len(names) == 1 {
		return "mode " + names[0]
	}
	return "modes " + xmldoc.Words(names, "and")
}

// kind returns the set of the one kind of network that the tree describes.
func kind(mode ir.Mode, root *xmldoc.Node) modes {
	if mode == ir.ModeBridge && !root.Kid("bridge").Has("name") {
		return inDirect
	}
	i := slices.Index(modeNames[:], string(mode))
	if i < 0 {
		panic(fmt.Sprintf("netxml: unknown mode %q", mode))
	}
	return 1 << i
}

// modeOf returns the forward mode; ok is false if what stands there is none.
func modeOf(root *xmldoc.Node) (mode ir.Mode, ok bool) {
	forward := root.Kid("forward")
	if forward == nil {
		return ir.ModeNone, true
	}
	if !forward.Has("mode") {
		return ir.ModeNAT, true
	}
	v, ok := forward.Value("mode")
	return ir.Mode(v), ok
}

// Includes implements [xmldoc.Who].
func (m modes) Includes(doc any) bool { return m&doc.(modes) != 0 }

// placement reports elements and attributes that this kind of network can't have, or has to no
// effect.
func (c *checker) placement() {
	xmldoc.Place(c.net.root, c.kind, xmldoc.Misplaced{Forbidden: c.misplaced, Idle: c.idle})
}

// misplaced reports what this kind of network can't have.
func (c *checker) misplaced(what string, at xmldoc.Extent, allowed xmldoc.Who) {
	chosen := c.Related(c.net.root.Tag, "without <forward> a network has mode none")
	if forward := c.net.root.Kid("forward"); forward != nil {
		chosen = c.Related(forward.At("mode"), "the mode is chosen here")
	}
	c.Fault("mode-element", at, fmt.Sprintf("%s is in a network of %s", what, c.kind),
		fmt.Sprintf("it is for %s only", allowed),
		"remove it, or choose another forward mode", chosen)
}

// idle reports what has no effect in this kind of network.
func (c *checker) idle(what string, at xmldoc.Extent, works xmldoc.Who) {
	c.Warn("mode-unused", at, fmt.Sprintf("%s is in a network of %s", what, c.kind),
		fmt.Sprintf("it has an effect in %s only", works), "remove it")
}
