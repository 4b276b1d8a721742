// Package bdd is the kernel of the prover: Boolean functions over numbered variables, kept as
// binary decision diagrams. It knows nothing of what the variables mean.
package bdd

import (
	"math"
	"slices"
)

// Node is a Boolean function over numbered variables, in the one shape that a binary decision
// diagram gives it: equal functions are equal numbers. It is an index into Manager.nodes, doubled,
// and the last bit is set for the opposite of what stands there: a function and its opposite share
// all their vertices.
type Node uint32

const (
	Never  Node = 0 // the function that is nowhere true: the empty set
	Always Node = 1 // the function that is true everywhere: the opposite of Never
)

// opposite is the bit of a node that negates it.
const opposite Node = 1

// vertex is one decision: lo where the variable is false, hi where it is true; both ask later
// variables only. Lo is never an opposite: of a function and its opposite, the one that is so has
// the vertex.
type vertex struct {
	lo, hi Node
	level  uint16
}

// Leaf is the level of Never and Always, behind every variable.
const Leaf = 1<<16 - 1

// Manager keeps all functions of one computation, shared and never freed: a proof makes them, reads
// its answer and is done. (Bryant, Graph-Based Algorithms for Boolean Function Manipulation, 1986;
// for opposites Brace, Rudell and Bryant, Efficient Implementation of a BDD Package, 1990.)
type Manager struct {
	nodes  []vertex
	unique []Node // open addressing; Never (which is no decision) means empty
	cache  []cached
	missed int // results that had to be worked out since the cache has its size

	limit Limit
	steps int // how many operations on two functions were begun since Bound
}

// cached is the result of one operation on two functions. The cache forgets: a new result takes an
// old one's place.
type cached struct {
	a, b, result Node
	op           op
}

type op uint8

const (
	opNone op = iota
	opAnd
	opFix // a, where the variables of cube b have the values of b
	opWithout
)

// New returns a manager that has Never and Always, and no limit.
func New() *Manager {
	b := &Manager{nodes: []vertex{{level: Leaf}}, limit: Limit{Steps: math.MaxInt, Nodes: math.MaxInt}}
	b.grow(1 << 12)
	return b
}

// Clear forgets all functions, and keeps the room for them.
func (b *Manager) Clear() {
	b.nodes, b.missed = b.nodes[:1], 0
	clear(b.unique)
	clear(b.cache)
}

// Size returns how many vertices there are.
func (b *Manager) Size() int { return len(b.nodes) }

func hash(a, b, c uint32) uint32 {
	h := (uint64(a)<<32 | uint64(b)) * 0x9e3779b97f4a7c15
	h ^= h>>32 ^ uint64(c)*0x165667b19e3779f9
	return uint32(h * 0xc2b2ae3d27d4eb4f >> 32)
}

// Level returns the first variable on which x depends.
func (b *Manager) Level(x Node) uint16 { return b.nodes[x>>1].level }

// Halves returns what x is where its first variable is false, and where it is true.
func (b *Manager) Halves(x Node) (lo, hi Node) {
	v := &b.nodes[x>>1]
	return v.lo ^ x&opposite, v.hi ^ x&opposite
}

// Vertex returns the function that is lo or hi as variable level says.
func (b *Manager) Vertex(level uint16, lo, hi Node) Node {
	if lo == hi {
		return lo
	}
	turn := lo & opposite
	return b.find(level, lo^turn, hi^turn) ^ turn
}

// find returns the function that has this vertex, and makes it if there is none.
func (b *Manager) find(level uint16, lo, hi Node) Node {
	mask := uint32(len(b.unique) - 1)
	slot := hash(uint32(lo), uint32(hi), uint32(level)) & mask
	for b.unique[slot] != Never {
		n := b.unique[slot]
		if v := &b.nodes[n>>1]; v.lo == lo && v.hi == hi && v.level == level {
			return n
		}
		slot = (slot + 1) & mask
	}
	n := Node(len(b.nodes)) << 1
	b.nodes = append(b.nodes, vertex{lo, hi, level})
	b.unique[slot] = n
	if len(b.nodes) == cap(b.nodes) {
		if len(b.nodes) >= b.limit.Nodes {
			panic(TooLarge{})
		}
		b.grow(b.next())
	}
	return n
}

// next returns the size to grow to. Small tables grow fast, large ones so that memory is used.
func (b *Manager) next() int {
	if len(b.unique) < 1<<16 {
		return 4 * len(b.unique)
	}
	return 2 * len(b.unique)
}

// grow makes the table of functions have size places, a power of two, of which three quarters may
// be taken.
func (b *Manager) grow(size int) {
	b.nodes = append(make([]vertex, 0, size/4*3), b.nodes...)
	b.unique = make([]Node, size)
	b.index()
	b.widen(size / 4)
}

// index fills the table of functions.
func (b *Manager) index() {
	clear(b.unique)
	mask := uint32(len(b.unique) - 1)
	for i := 1; i < len(b.nodes); i++ {
		v := b.nodes[i]
		slot := hash(uint32(v.lo), uint32(v.hi), uint32(v.level)) & mask
		for b.unique[slot] != Never {
			slot = (slot + 1) & mask
		}
		b.unique[slot] = Node(i) << 1
	}
}

const (
	maxCache = 1 << 24 // 256 MiB

	// missesPerPlace is how many results are worked out for each place of the cache before it is
	// made wider. Two large functions may have few nodes together and far more pairs of nodes: a
	// cache that has forgotten a pair when it comes again, with all pairs below it, makes hours of
	// a second's work, and the table of functions doesn't grow meanwhile.
	missesPerPlace = 4
)

// widen gives the cache size places, a power of two, if it has less; what it knows it keeps.
func (b *Manager) widen(size int) {
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

func (b *Manager) entry(o op, x, y Node) *cached {
	return &b.cache[hash(uint32(x), uint32(y), uint32(o))&uint32(len(b.cache)-1)]
}

// And returns the function that is true where both are.
func (b *Manager) And(x, y Node) Node {
	switch {
	case x == y || y == Always:
		return x
	case x == Always:
		return y
	case x == Never || y == Never || x == b.Not(y):
		return Never
	case x > y:
		x, y = y, x
	}
	return b.apply(opAnd, x, y)
}

// Not returns the function that is true where x is not.
func (b *Manager) Not(x Node) Node { return x ^ opposite }

// Or returns the function that is true where either is.
func (b *Manager) Or(x, y Node) Node { return b.Not(b.And(b.Not(x), b.Not(y))) }

// Diff returns the function that is true where x is and y is not.
func (b *Manager) Diff(x, y Node) Node { return b.And(x, b.Not(y)) }

// Fix returns x with the variables of cube set as in cube; the result does not depend on them.
func (b *Manager) Fix(x, cube Node) Node {
	if x <= Always || cube <= Always {
		return x
	}
	return b.apply(opFix, x, cube)
}

// Without returns the function that is true where x is for some values of the variables in cube.
func (b *Manager) Without(x, cube Node) Node {
	if x <= Always || cube <= Always {
		return x
	}
	return b.apply(opWithout, x, cube)
}

// apply computes o on two functions by the first variable on which either depends.
func (b *Manager) apply(o op, x, y Node) Node {
	b.step()
	if e := b.entry(o, x, y); e.op == o && e.a == x && e.b == y {
		return e.result
	}
	if b.missed++; b.missed > missesPerPlace*len(b.cache) {
		b.widen(2 * len(b.cache))
	}
	level := min(b.Level(x), b.Level(y))
	x0, x1, y0, y1 := x, x, y, y
	if b.Level(x) == level {
		x0, x1 = b.Halves(x)
	}
	if b.Level(y) == level {
		y0, y1 = b.Halves(y)
	}
	var result Node
	switch o {
	case opAnd:
		result = b.Vertex(level, b.And(x0, y0), b.And(x1, y1))
	case opFix:
		switch {
		case b.Level(y) != level:
			result = b.Vertex(level, b.Fix(x0, y), b.Fix(x1, y))
		case y0 == Never:
			result = b.Fix(x1, y1)
		default:
			result = b.Fix(x0, y0)
		}
	case opWithout:
		next := y
		if b.Level(y) == level {
			next = max(y0, y1) // the rest of the cube; the other side is never
		}
		lo, hi := b.Without(x0, next), b.Without(x1, next)
		if b.Level(y) == level {
			result = b.Or(lo, hi)
		} else {
			result = b.Vertex(level, lo, hi)
		}
	}
	*b.entry(o, x, y) = cached{x, y, result, o}
	return result
}

// Outermost returns the values of the variables at the first place where x is true, or at the last;
// x must not be Never.
func (b *Manager) Outermost(x Node, last bool, variables int) []bool {
	values := slices.Repeat([]bool{last}, variables)
	for x > Always {
		lo, hi := b.Halves(x)
		one := lo == Never || last && hi != Never
		values[b.Level(x)] = one
		if one {
			x = hi
		} else {
			x = lo
		}
	}
	return values
}

// Holds is true if x is true for these values of the variables.
func (b *Manager) Holds(x Node, values []bool) bool {
	for x > Always {
		lo, hi := b.Halves(x)
		if values[b.Level(x)] {
			x = hi
		} else {
			x = lo
		}
	}
	return x == Always
}
