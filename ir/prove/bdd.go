package prove

import "slices"

// node is a Boolean function over numbered variables, in the one shape that a binary decision diagram gives it: equal
// functions are equal numbers. It is an index into bdd.nodes, doubled, and the last bit is set for the opposite of what
// stands there: a function and its opposite share all their vertices.
type node uint32

const (
	never  node = 0 // the function that is nowhere true: the empty set
	always node = 1 // the function that is true everywhere: the opposite of never
)

// opposite is the bit of a node that turns it around.
const opposite node = 1

// vertex is one decision: lo where the variable is false, hi where it is true; both ask later variables only. Lo is never an
// opposite: of a function and its opposite, the one that is so has the vertex.
type vertex struct {
	lo, hi node
	level  uint16
}

const leafLevel = 1<<16 - 1 // behind every variable

// bdd keeps all functions of one computation, shared and never freed: a proof makes them, reads its answer and is done.
// (Bryant, Graph-Based Algorithms for Boolean Function Manipulation, 1986; for opposites Brace, Rudell and Bryant, Efficient
// Implementation of a BDD Package, 1990.)
type bdd struct {
	nodes  []vertex
	unique []node // open addressing; never (which is no decision) means empty
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
	opFix // a, where the variables of cube b have the values of b
	opWithout
)

func newBDD() *bdd {
	b := &bdd{nodes: []vertex{{level: leafLevel}}}
	b.grow(1 << 12)
	return b
}

// clear forgets all functions, and keeps the room for them.
func (b *bdd) clear() {
	b.nodes, b.missed = b.nodes[:1], 0
	clear(b.unique)
	clear(b.cache)
}

func hash(a, b, c uint32) uint32 {
	h := (uint64(a)<<32 | uint64(b)) * 0x9e3779b97f4a7c15
	h ^= h>>32 ^ uint64(c)*0x165667b19e3779f9
	return uint32(h * 0xc2b2ae3d27d4eb4f >> 32)
}

// level returns the first variable that x asks.
func (b *bdd) level(x node) uint16 { return b.nodes[x>>1].level }

// halves returns what x is where its first variable is false, and where it is true.
func (b *bdd) halves(x node) (lo, hi node) {
	v := &b.nodes[x>>1]
	return v.lo ^ x&opposite, v.hi ^ x&opposite
}

// vertex returns the function that is lo or hi as variable level says.
func (b *bdd) vertex(level uint16, lo, hi node) node {
	if lo == hi {
		return lo
	}
	turn := lo & opposite
	return b.find(level, lo^turn, hi^turn) ^ turn
}

// find returns the function that has this vertex, and makes it if there is none.
func (b *bdd) find(level uint16, lo, hi node) node {
	mask := uint32(len(b.unique) - 1)
	slot := hash(uint32(lo), uint32(hi), uint32(level)) & mask
	for b.unique[slot] != never {
		n := b.unique[slot]
		if v := &b.nodes[n>>1]; v.lo == lo && v.hi == hi && v.level == level {
			return n
		}
		slot = (slot + 1) & mask
	}
	n := node(len(b.nodes)) << 1
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
	for i := 1; i < len(b.nodes); i++ {
		v := b.nodes[i]
		slot := hash(uint32(v.lo), uint32(v.hi), uint32(v.level)) & mask
		for b.unique[slot] != never {
			slot = (slot + 1) & mask
		}
		b.unique[slot] = node(i) << 1
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
	case x == never || y == never || x == b.not(y):
		return never
	case x > y:
		x, y = y, x
	}
	return b.apply(opAnd, x, y)
}

func (b *bdd) not(x node) node { return x ^ opposite }

func (b *bdd) or(x, y node) node { return b.not(b.and(b.not(x), b.not(y))) }

// diff returns x without y.
func (b *bdd) diff(x, y node) node { return b.and(x, b.not(y)) }

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
	level := min(b.level(x), b.level(y))
	x0, x1, y0, y1 := x, x, y, y
	if b.level(x) == level {
		x0, x1 = b.halves(x)
	}
	if b.level(y) == level {
		y0, y1 = b.halves(y)
	}
	var result node
	switch o {
	case opAnd:
		result = b.vertex(level, b.and(x0, y0), b.and(x1, y1))
	case opFix:
		switch {
		case b.level(y) != level:
			result = b.vertex(level, b.fix(x0, y), b.fix(x1, y))
		case y0 == never:
			result = b.fix(x1, y1)
		default:
			result = b.fix(x0, y0)
		}
	case opWithout:
		next := y
		if b.level(y) == level {
			next = max(y0, y1) // the rest of the cube; the other side is never
		}
		lo, hi := b.without(x0, next), b.without(x1, next)
		if b.level(y) == level {
			result = b.or(lo, hi)
		} else {
			result = b.vertex(level, lo, hi)
		}
	}
	*b.entry(o, x, y) = cached{x, y, result, o}
	return result
}

// outermost returns the first packet of x, or the last, by the values of its variables; x must not be empty.
func (b *bdd) outermost(x node, last bool, variables int) []bool {
	packet := slices.Repeat([]bool{last}, variables)
	for x > always {
		lo, hi := b.halves(x)
		one := lo == never || last && hi != never
		packet[b.level(x)] = one
		if one {
			x = hi
		} else {
			x = lo
		}
	}
	return packet
}

// holds is true if the packet is in x.
func (b *bdd) holds(x node, packet []bool) bool {
	for x > always {
		lo, hi := b.halves(x)
		if packet[b.level(x)] {
			x = hi
		} else {
			x = lo
		}
	}
	return x == always
}
