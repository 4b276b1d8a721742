package golden

import (
	"bytes"
	"fmt"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// reach says who can open connections to whom, as far as anybody can, and what gets past a network's own rules.
func reach(p *ir.Program) ([]byte, error) {
	var b bytes.Buffer
	r := prove.NewReacher(p)
	for _, c := range r.Matrix() {
		switch {
		case c.Access == prove.NoAccess, c.Access == prove.NotAsked:
		case len(c.Some) == 0:
			fmt.Fprintf(&b, "%s: %s to %s\n", c.Family, c.From, c.To)
		default:
			for _, packets := range c.Some {
				fmt.Fprintf(&b, "%s: %s to %s: %s\n", c.Family, c.From, c.To, packets)
			}
		}
	}
	for _, l := range r.Leaks() {
		fmt.Fprintf(&b, "%s: %s leaks to %v: %s\n", l.Family, l.From, l.To, l.Packet)
	}
	return b.Bytes(), nil
}
