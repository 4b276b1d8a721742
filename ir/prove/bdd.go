package prove

import (
	"cmp"
	"slices"
)

// node is a Boolean function over numbered variables, in the one shape that a binary decision diagram gives it: equal
// functions are equal numbers. It is an index into bdd.nodes.
type node uint32

const (
	never  node = 0 // the function that is nowhere true: the empty set
	always node = 1 // the function that is true everywhere
)

// vertex is one decision: lo where the variable is false, hi where it is true; both ask later variables only.
type vertex struct {
	lo, hi node
	level  uint16
}

const leafLevel = 1<<16 - 1 // behind every variable

// bdd keeps all functions of one computation, shared and never freed: a proof makes them, reads its answer and is done.
// (Bryant, Graph-Based Algorithms for Boolean Function Manipulation, 1986.)
type bdd struct {
	nodes  []vertex
	unique []node // open addressing; never (which is no vertex) means empty
	cache  []cached
	missed int // results that had to be worked out since the cache has its size
}

// cached is the result of one operation on two functions. The cache forgets: a new result takes an old one's place.
type cached struct {
	a, b, result node
	op           op
}

type op uint8

const (
	opNone op = iota
	opAnd
	opOr
	opDiff // a and not b
	opFix  // a, where the variables of cube b have the values of b
	opWithout
)

func newBDD() *bdd {
	b := &bdd{nodes: []vertex{{level: leafLevel}, {level: leafLevel}}}
	b.grow(1 << 12)
	return b
}

func hash(a, b, c uint32) uint32 {
	h := (uint64(a)<<32 | uint64(b)) * 0x9e3779b97f4a7c15
	h ^= h>>32 ^ uint64(c)*0x165667b19e3779f9
	return uint32(h * 0xc2b2ae3d27d4eb4f >> 32)
}

// vertex returns the function that is lo or hi as variable level says.
func (b *bdd) vertex(level uint16, lo, hi node) node {
	if lo == hi {
		return lo
	}
	mask := uint32(len(b.unique) - 1)
	slot := hash(uint32(lo), uint32(hi), uint32(level)) & mask
	for b.unique[slot] != never {
		n := b.unique[slot]
		if v := b.nodes[n]; v.lo == lo && v.hi == hi && v.level == level {
			return n
		}
		slot = (slot + 1) & mask
	}
	n := node(len(b.nodes))
	b.nodes = append(b.nodes, vertex{lo, hi, level})
	b.unique[slot] = n
	if len(b.nodes) == cap(b.nodes) {
		b.grow(b.next())
	}
	return n
}

// next returns the size to grow to. Small tables grow fast, large ones so that memory is used.
func (b *bdd) next() int {
	if len(b.unique) < 1<<16 {
		return 4 * len(b.unique)
	}
	return 2 * len(b.unique)
}

// grow makes the table of functions have size places, a power of two, of which three quarters may be taken.
func (b *bdd) grow(size int) {
	b.nodes = append(make([]vertex, 0, size/4*3), b.nodes...)
	b.unique = make([]node, size)
	mask := uint32(size - 1)
	for i := 2; i < len(b.nodes); i++ {
		v := b.nodes[i]
		slot := hash(uint32(v.lo), uint32(v.hi), uint32(v.level)) & mask
		for b.unique[slot] != never {
			slot = (slot + 1) & mask
		}
		b.unique[slot] = node(i)
	}
	b.widen(size / 4)
}

const (
	maxCache = 1 << 24 // 256 MiB

	// patience is how many results are worked out for each place of the cache before it is made wider. Two large functions may
	// have few nodes together and far more pairs of nodes: a cache that has forgotten a pair when it comes again, with all pairs
	// below it, makes hours of a second's work, and the table of functions doesn't grow meanwhile.
	patience = 4
)

// widen gives the cache size places, a power of two, if it has less; what it knows it keeps.
func (b *bdd) widen(size int) {
	if size = min(size, maxCache); size <= len(b.cache) {
		return
	}
	old := b.cache
	b.cache, b.missed = make([]cached, size), 0
	for _, e := range old {
		if e.op != opNone {
			*b.entry(e.op, e.a, e.b) = e
		}
	}
}

func (b *bdd) entry(o op, x, y node) *cached {
	return &b.cache[hash(uint32(x), uint32(y), uint32(o))&uint32(len(b.cache)-1)]
}

func (b *bdd) and(x, y node) node {
	switch {
	case x == y || y == always:
		return x
	case x == always:
		return y
	case x == never || y == never:
		return never
	case x > y:
		x, y = y, x
	}
	return b.apply(opAnd, x, y)
}

func (b *bdd) or(x, y node) node {
	switch {
	case x == y || y == never:
		return x
	case x == never:
		return y
	case x == always || y == always:
		return always
	case x > y:
		x, y = y, x
	}
	return b.apply(opOr, x, y)
}

// diff returns x without y.
func (b *bdd) diff(x, y node) node {
	switch {
	case x == never || y == always || x == y:
		return never
	case y == never:
		return x
	}
	return b.apply(opDiff, x, y)
}

func (b *bdd) not(x node) node { return b.diff(always, x) }

// fix returns x with the variables of cube set as in cube; the result does not depend on them.
func (b *bdd) fix(x, cube node) node {
	if x <= always || cube <= always {
		return x
	}
	return b.apply(opFix, x, cube)
}

// without returns the packets that are in x for some value of the variables in cube, whose values do not count.
func (b *bdd) without(x, cube node) node {
	if x <= always || cube <= always {
		return x
	}
	return b.apply(opWithout, x, cube)
}

// apply computes o on two functions by the first variable that either asks.
func (b *bdd) apply(o op, x, y node) node {
	if e := b.entry(o, x, y); e.op == o && e.a == x && e.b == y {
		return e.result
	}
	if b.missed++; b.missed > patience*len(b.cache) {
		b.widen(2 * len(b.cache))
	}
	vx, vy := b.nodes[x], b.nodes[y]
	level := min(vx.level, vy.level)
	x0, x1, y0, y1 := x, x, y, y
	if vx.level == level {
		x0, x1 = vx.lo, vx.hi
	}
	if vy.level == level {
		y0, y1 = vy.lo, vy.hi
	}
	var result node
	switch o {
	case opAnd:
		result = b.vertex(level, b.and(x0, y0), b.and(x1, y1))
	case opOr:
		result = b.vertex(level, b.or(x0, y0), b.or(x1, y1))
	case opDiff:
		result = b.vertex(level, b.diff(x0, y0), b.diff(x1, y1))
	case opFix:
		switch {
		case vy.level != level:
			result = b.vertex(level, b.fix(x0, y), b.fix(x1, y))
		case y0 == never:
			result = b.fix(x1, y1)
		default:
			result = b.fix(x0, y0)
		}
	case opWithout:
		next := y
		if vy.level == level {
			next = max(y0, y1) // the rest of the cube; the other side is never
		}
		lo, hi := b.without(x0, next), b.without(x1, next)
		if vy.level == level {
			result = b.or(lo, hi)
		} else {
			result = b.vertex(level, lo, hi)
		}
	}
	*b.entry(o, x, y) = cached{x, y, result, o}
	return result
}

// firstOf returns one packet of x, which must not be empty, by its variables that are 1.
func (b *bdd) firstOf(x node) map[uint16]bool {
	ones := make(map[uint16]bool)
	for x > always {
		n := b.nodes[x]
		if x = n.lo; x == never {
			ones[n.level], x = true, n.hi
		}
	}
	return ones
}

// holds is true if the packet whose variables in ones are 1 is in x.
func (b *bdd) holds(x node, ones map[uint16]bool) bool {
	for x > always {
		n := b.nodes[x]
		if x = n.lo; ones[n.level] {
			x = n.hi
		}
	}
	return x == always
}

// union returns the packets in any of sets. They are joined two and two so that no operand grows before it must, and
// neighbours first: what is alike up to some variable is joined behind it.
func (b *bdd) union(sets []node) node {
	sets = slices.Clone(sets)
	slices.SortFunc(sets, b.order)
	return b.join(sets)
}

func (b *bdd) join(sets []node) node {
	switch len(sets) {
	case 0:
		return never
	case 1:
		return sets[0]
	}
	half := len(sets) / 2
	return b.or(b.join(sets[:half]), b.join(sets[half:]))
}

// order compares functions by the first packet in each, as far as their variables tell.
func (b *bdd) order(x, y node) int {
	for x != y {
		vx, vy := b.nodes[x], b.nodes[y]
		if vx.level != vy.level {
			return cmp.Compare(vx.level, vy.level)
		}
		switch {
		case vx.lo == never && vy.lo != never:
			return 1
		case vx.lo != never && vy.lo == never:
			return -1
		case vx.lo == never:
			x, y = vx.hi, vy.hi
		default:
			x, y = vx.lo, vy.lo
		}
	}
	return 0
}
