package prove

import "testing"

// multiples returns the numbers of so many bits, the first the most significant, that m divides and whose last bit is last.
func multiples(b *bdd, bits, m int, last bool) node {
	known := make(map[[2]int]node)
	var from func(level, rest int) node
	from = func(level, rest int) node {
		if level == bits {
			if rest == 0 {
				return always
			}
			return never
		}
		at := [2]int{level, rest}
		if n, ok := known[at]; ok {
			return n
		}
		lo, hi := from(level+1, 2*rest%m), from(level+1, (2*rest+1)%m)
		if level == bits-1 && last {
			lo = never
		} else if level == bits-1 {
			hi = never
		}
		known[at] = b.vertex(uint16(level), lo, hi)
		return known[at]
	}
	return from(0, 0)
}

// Even multiples of 101 and odd ones of 103 have nothing in common, which only the last bits tell: two functions of a few
// thousand nodes, a result of none, and many times as many pairs of nodes on the way. The cache has to grow with those, though
// the table of functions stays as it is.
func TestCacheWidens(t *testing.T) {
	const bits = 24
	b := newBDD()
	x, y := multiples(b, bits, 101, false), multiples(b, bits, 103, true)
	nodes := len(b.nodes)
	if got := b.and(x, y); got != never || len(b.nodes) != nodes {
		t.Errorf("got %d, with %d nodes more; want none", got, len(b.nodes)-nodes)
	}
	if pairs := 101 * 103 * (bits - 8); len(b.cache)*patience < pairs/2 {
		t.Errorf("a cache of %d places for about %d pairs", len(b.cache), pairs)
	}
}
