package netxml

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// modes is a set of the kinds of network that differ in what they may hold: libvirt's forward modes, with mode bridge
// split in two.
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
var modeNames = [...]string{"none", "nat", "route", "open", "bridge", "bridge", "private", "vepa", "passthrough", "hostdev"}

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
	return "modes " + words(names, "and")
}

// kind returns the set of the one kind of network that the tree describes.
func kind(mode ir.Mode, root *node) modes {
	if mode == ir.ModeBridge && !root.kid("bridge").has("name") {
		return inDirect
	}
	i := slices.Index(modeNames[:], string(mode))
	if i < 0 {
		panic(fmt.Sprintf("netxml: unknown mode %q", mode))
	}
	return 1 << i
}

// modeOf returns the forward mode; ok is false if what stands there is none.
func modeOf(root *node) (mode ir.Mode, ok bool) {
	forward := root.kid("forward")
	if forward == nil {
		return ir.ModeNone, true
	}
	if !forward.has("mode") {
		return ir.ModeNAT, true
	}
	v, ok := forward.value("mode")
	return ir.Mode(v), ok
}

// placement reports elements and attributes that this kind of network can't have, or has to no effect. Below an element
// that was reported it says nothing more.
func (c *checker) placement(n *node, here modes) {
	for i := range n.attrs {
		a := &n.attrs[i]
		spec := n.spec.attr(a.name)
		if spec == nil || fits(spec.modes, here) && fits(spec.works, here) {
			continue
		}
		what := fmt.Sprintf("%s of <%s>", a.name, n.name)
		if fits(spec.modes, here) {
			c.idle(what, a.nameAt, spec.works)
			continue
		}
		a.bad = true
		c.misplaced(what, a.nameAt, spec.modes)
	}
	for _, k := range n.kids {
		switch {
		case k.spec == nil:
			continue
		case !fits(k.spec.modes, here):
			k.bad = true
			c.misplaced(fmt.Sprintf("<%s>", k.name), k.tag, k.spec.modes)
			continue
		case !fits(k.spec.works, here):
			c.idle(fmt.Sprintf("<%s>", k.name), k.tag, k.spec.works)
			continue
		}
		c.placement(k, here)
	}
}

// fits is true if a network of kind here is among those of m; no m stands for all.
func fits(m, here modes) bool { return m == 0 || m&here != 0 }

// misplaced reports what this kind of network can't have.
func (c *checker) misplaced(what string, at extent, allowed modes) {
	chosen := c.related(c.net.root.tag, "without <forward> a network has mode none")
	if forward := c.net.root.kid("forward"); forward != nil {
		chosen = c.related(forward.at("mode"), "the mode is chosen here")
	}
	c.fault("mode-element", at, fmt.Sprintf("%s stands in a network of %s", what, c.kind),
		fmt.Sprintf("it is for %s only", allowed),
		"remove it, or choose another forward mode", chosen)
}

// idle reports what has no effect in this kind of network.
func (c *checker) idle(what string, at extent, works modes) {
	c.warn("mode-unused", at, fmt.Sprintf("%s stands in a network of %s", what, c.kind),
		fmt.Sprintf("it has an effect in %s only", works), "remove it")
}
