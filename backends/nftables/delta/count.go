package delta

import (
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/wire"
)

// Count returns what the rule's counter says, nothing if it has none.
func (r *Rule) Count() backends.Count {
	m, _, err := wire.Next(r.raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	list, _ := wire.Expressions(nil, m.Attrs[unix.NFTA_RULE_EXPRESSIONS])
	return countOf(list)
}

// Count returns what the element's counter says, nothing if it has none.
func (e Element) Count() backends.Count {
	a, _ := wire.ParseAttrs(e.raw)
	list, _ := wire.Actions(a[unix.NFTA_SET_ELEM_EXPR], a[wire.AttrElemExpressions])
	return countOf(list)
}

// countOf returns what the counter among list says.
func countOf(list []wire.Expression) (c backends.Count) {
	for i := range list {
		if list[i].Name == "counter" {
			c.Packets, c.Bytes = list[i].Uint64(unix.NFTA_COUNTER_PACKETS), list[i].Uint64(unix.NFTA_COUNTER_BYTES)
		}
	}
	return c
}
