package netxml

import (
	"fmt"
	"strings"
)

// maxAuto is the highest number libvirt tries for a bridge.
const maxAuto = 256

// chooseBridges gives each network without a bridge of its own the lowest number that no other network's bridge has. The
// names that documents give are taken first, whatever their order.
func (t *together) chooseBridges() {
	taken := map[string]bool{}
	for _, c := range t.nets {
		if name, ok := c.bridgePattern(); ok && !strings.Contains(name, "%") {
			c.net.Bridge, taken[name] = name, true
		}
	}
	next := map[string]int{} // the lowest number worth a try, by pattern
	for _, c := range t.nets {
		pattern, ok := c.bridgePattern()
		if !ok || !strings.Contains(pattern, "%") {
			continue
		}
		for ; next[pattern] <= maxAuto && c.net.Bridge == ""; next[pattern]++ {
			name := strings.Replace(pattern, "%d", fmt.Sprint(next[pattern]), 1)
			if !taken[name] && len(name) <= maxDevice {
				c.net.Bridge, c.net.AutoBridge, taken[name] = name, true, true
			}
		}
		if c.net.Bridge == "" {
			c.fault("bridge-pool", c.bridgeAt(),
				fmt.Sprintf("no number from 0 to %d is left for the bridge %s", maxAuto, pattern),
				"libvirt tries these numbers for a bridge whose name is left open",
				"give the network a <bridge name> of its own")
		}
	}
}

// bridgeAt is where the bridge's name stands, or the network's tag where it is left out.
func (c *checker) bridgeAt() extent {
	if bridge := c.net.root.kid("bridge"); bridge.has("name") {
		return bridge.at("name")
	}
	return c.net.root.tag
}
