package netxml

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// maxAuto is the highest number libvirt tries for a bridge.
const maxAuto = 256

// chooseBridges gives each network without a bridge of its own the one it had before, or the lowest
// number that is free. The names that documents give are taken first, then those of before,
// whatever the order of the documents.
func (t *together) chooseBridges() {
	taken := maps.Clone(t.opts.Taken)
	if taken == nil {
		taken = map[string]bool{}
	}
	var open []*checker
	given := map[string]bool{}
	for _, c := range t.nets {
		name, ok := c.bridgePattern()
		if ok && strings.Contains(name, "%") {
			open = append(open, c)
		} else if ok {
			c.net.Bridge, taken[name], given[name] = name, true, true
		}
	}
	for _, c := range open {
		c.net.AutoBridge = true
		if before := t.opts.Bridges[c.net.Name()]; c.mayHave(before) && !given[before] {
			c.net.Bridge, taken[before], given[before] = before, true, true
		}
	}
	next := map[string]int{} // the lowest number worth a try, by pattern
	for _, c := range open {
		if c.net.Bridge == "" {
			c.net.Bridge = c.freeBridge(taken, next)
			taken[c.net.Bridge] = true
		}
	}
}

// freeBridge returns the lowest name of the network's pattern that is not taken, and not that of a
// device of the host which the network forwards to.
func (c *checker) freeBridge(taken map[string]bool, next map[string]int) string {
	pattern, _ := c.bridgePattern()
	for n := next[pattern]; n <= maxAuto; n++ {
		name := strings.Replace(pattern, "%d", fmt.Sprint(n), 1)
		switch {
		case taken[name] || len(name) > xmldoc.MaxDevice:
			if n == next[pattern] {
				next[pattern]++
			}
		case c.uplink(name) == nil:
			return name
		}
	}
	c.Fault("bridge-pool", c.bridgeAt(),
		fmt.Sprintf("no number from 0 to %d is left for the bridge %s", maxAuto, pattern),
		"libvirt tries these numbers for a bridge whose name is left open",
		"give the network a <bridge name> of its own")
	return ""
}

// mayHave is true if name is of the network's pattern.
func (c *checker) mayHave(name string) bool {
	pattern, _ := c.bridgePattern()
	before, after, _ := strings.Cut(pattern, "%d")
	rest, ok := strings.CutPrefix(name, before)
	number, ends := strings.CutSuffix(rest, after)
	n, err := strconv.Atoi(number)
	return ok && ends && err == nil && n >= 0 && n <= maxAuto && strconv.Itoa(n) == number &&
		len(name) <= xmldoc.MaxDevice
}

// bridgeAt is where the bridge's name stands, or the network's tag where it is left out.
func (c *checker) bridgeAt() xmldoc.Extent {
	if bridge := c.net.root.Kid("bridge"); bridge.Has("name") {
		return bridge.At("name")
	}
	return c.net.root.Tag
}
