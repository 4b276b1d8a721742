package bdd

import "time"

// Limit bounds a computation. Steps and Nodes end it at the same point on every machine; Until
// doesn't.
type Limit struct {
	Steps int       // operations on two functions
	Nodes int       // vertices kept at once, about: the tables grow by doubling. Each takes about 45 bytes.
	Until time.Time // zero for no limit of time
}

// TooLarge is what a computation panics with that comes to its limit; see [Within].
type TooLarge struct{}

// Error makes a TooLarge that is not recovered readable.
func (TooLarge) Error() string { return "bdd: the computation is larger than its limit" }

// Bound gives the computations that follow this limit, and counts steps from 0.
func (b *Manager) Bound(l Limit) { b.limit, b.steps = l, 0 }

// Steps returns how many steps were done since Bound.
func (b *Manager) Steps() int { return b.steps }

// clockEvery is after how many steps a look at the clock is taken.
const clockEvery = 1 << 14

// step counts one step.
func (b *Manager) step() {
	b.steps++
	if b.steps > b.limit.Steps || b.steps%clockEvery == 0 && !b.limit.Until.IsZero() &&
		time.Now().After(b.limit.Until) {
		panic(TooLarge{})
	}
}

// Within runs f, and returns false if it came to the limit of a Manager. What f has made by then is
// sound, and its Manager can be used on.
func Within(f func()) (whole bool) {
	defer func() {
		if caught := recover(); caught != nil {
			if _, is := caught.(TooLarge); !is {
				panic(caught)
			}
			whole = false
		}
	}()
	f()
	return true
}

// Mark is a point in a Manager's work to go back to.
type Mark int

// Mark returns the present point.
func (b *Manager) Mark() Mark { return Mark(len(b.nodes)) }

// Has is true if x was there at m.
func (m Mark) Has(x Node) bool { return int(x>>1) < int(m) }

// Release forgets all functions made since m; what the caller still has of them means nothing any
// more. It takes as long as to make a table of those that stay, and the cache starts over.
func (b *Manager) Release(m Mark) {
	b.nodes, b.missed = b.nodes[:m], 0
	clear(b.cache)
	b.index()
}
