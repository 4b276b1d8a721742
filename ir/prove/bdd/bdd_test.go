package bdd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// multiples returns the numbers of so many bits, the first the most significant, that m divides and
// whose last bit is last.
func multiples(b *Manager, bits, m int, last bool) Node {
	known := make(map[[2]int]Node)
	var from func(level, rest int) Node
	from = func(level, rest int) Node {
		if level == bits {
			if rest == 0 {
				return Always
			}
			return Never
		}
		at := [2]int{level, rest}
		if n, ok := known[at]; ok {
			return n
		}
		lo, hi := from(level+1, 2*rest%m), from(level+1, (2*rest+1)%m)
		if level == bits-1 && last {
			lo = Never
		} else if level == bits-1 {
			hi = Never
		}
		known[at] = b.Vertex(uint16(level), lo, hi)
		return known[at]
	}
	return from(0, 0)
}

// Even multiples of 101 and odd ones of 103 have nothing in common, which only the last bits tell:
// two functions of a few thousand nodes, a result of none, and many times as many pairs of nodes on
// the way. The cache has to grow with those, though the table of functions stays as it is.
func TestCacheWidens(t *testing.T) {
	const bits = 24
	b := New()
	x, y := multiples(b, bits, 101, false), multiples(b, bits, 103, true)
	nodes := len(b.nodes)
	if got := b.And(x, y); got != Never || len(b.nodes) != nodes {
		t.Errorf("got %d, with %d nodes more; want none", got, len(b.nodes)-nodes)
	}
	if pairs := 101 * 103 * (bits - 8); len(b.cache)*missesPerPlace < pairs/2 {
		t.Errorf("a cache of %d places for about %d pairs", len(b.cache), pairs)
	}
}

// table returns which of the packets of so many variables are in x.
func table(b *Manager, x Node, bits int) (in []bool) {
	for packet := range 1 << bits {
		values := make([]bool, bits)
		for v := range values {
			values[v] = packet>>v&1 == 1
		}
		in = append(in, b.Holds(x, values))
	}
	return in
}

// TestOperations compares every operation with its meaning, packet by packet, for random functions;
// and equal functions are equal numbers.
func TestOperations(t *testing.T) {
	const bits = 5
	r := rand.New(rand.NewPCG(5, 6))
	b := New()
	var random func(level int) Node
	random = func(level int) Node {
		if level == bits || r.IntN(6) == 0 {
			return Node(r.IntN(2))
		}
		return b.Vertex(uint16(level), random(level+1), random(level+1))
	}
	known := make(map[string]Node)
	check := func(what string, x Node, want func(packet int) bool) {
		t.Helper()
		got := table(b, x, bits)
		for packet, in := range got {
			if in != want(packet) {
				t.Fatalf("%s: packet %05b: got %v, want %v", what, packet, in, !in)
			}
		}
		key := fmt.Sprint(got)
		if old, ok := known[key]; ok && old != x {
			t.Fatalf("%s: functions %d and %d are the same", what, old, x)
		}
		known[key] = x
	}
	// a cube of variables 1 and 3, the first of which is 0, the other 1
	cube := b.Vertex(1, b.Vertex(3, Never, Always), Never)
	for range 500 {
		sets := []Node{random(0), random(0), random(0), random(0)}
		var in [][]bool
		for _, x := range sets {
			in = append(in, table(b, x, bits))
		}
		x, y := sets[0], sets[1]
		check("and", b.And(x, y), func(p int) bool { return in[0][p] && in[1][p] })
		check("or", b.Or(x, y), func(p int) bool { return in[0][p] || in[1][p] })
		check("diff", b.Diff(x, y), func(p int) bool { return in[0][p] && !in[1][p] })
		check("not", b.Not(x), func(p int) bool { return !in[0][p] })
		check("union", b.Union(sets), func(p int) bool { return in[0][p] || in[1][p] || in[2][p] || in[3][p] })
		check("fix", b.Fix(x, cube), func(p int) bool { return in[0][p&^2|8] })
		check("without", b.Without(x, cube), func(p int) bool {
			return in[0][p&^10] || in[0][p&^10|2] ||
				in[0][p&^10|8] || in[0][p|10]
		})
	}
}

// TestOutermost: the first packet of a set, and the last, are those by the order of their values.
func TestOutermost(t *testing.T) {
	b := New()
	x := b.Vertex(0, b.Vertex(2, Never, Always), b.Vertex(1, b.Vertex(3, Always, Never), Never)) // 0-1- and 10-0
	for _, tt := range []struct {
		name        string
		set         Node
		first, last string
	}{
		{"some", x, "0010", "1010"},
		{"its opposite", b.Not(x), "0000", "1111"},
		{"one half", b.And(x, b.Vertex(0, Always, Never)), "0010", "0111"},
		{"all", Always, "0000", "1111"},
	} {
		for last, want := range map[bool]string{false: tt.first, true: tt.last} {
			got := ""
			for _, one := range b.Outermost(tt.set, last, 4) {
				got += map[bool]string{false: "0", true: "1"}[one]
			}
			if got != want {
				t.Errorf("%s, last %v: got %s, want %s", tt.name, last, got, want)
			}
		}
	}
}
