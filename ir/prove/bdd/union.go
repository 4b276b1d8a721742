package bdd

import (
	"cmp"
	"slices"
)

// Union returns the function that is true where any of sets is.
func (b *Manager) Union(sets []Node) Node { return b.Join(slices.Clone(sets)) }

// Join is Union, and spoils the list. Sets that differ in the first variable are joined on either
// side of it, without a step in between. Others are joined two and two, so that no operand grows
// before it must, and neighbours first: what is alike up to some variable is joined behind it.
func (b *Manager) Join(sets []Node) Node {
	if len(sets) == 0 {
		return Never
	}
	level := uint16(Leaf)
	for _, x := range sets {
		level = min(level, b.Level(x))
	}
	if len(sets) == 1 || level == Leaf {
		return slices.Max(sets)
	}
	without, with := 0, len(sets) // sets before without lack the variable, those from with on have it
	for i := 0; i < with; {
		x := sets[i]
		lo, hi := b.Halves(x)
		switch {
		case b.Level(x) == level && hi == Never:
			sets[i], sets[without] = sets[without], lo
			without++
			i++
		case b.Level(x) == level && lo == Never:
			with--
			sets[i], sets[with] = sets[with], hi
		default:
			i++
		}
	}
	if without == 0 && with == len(sets) {
		slices.SortFunc(sets, b.order)
		half := len(sets) / 2
		return b.Or(b.Join(sets[:half]), b.Join(sets[half:]))
	}
	apart := b.Vertex(level, b.Join(sets[:without]), b.Join(sets[with:]))
	return b.Or(apart, b.Join(sets[without:with]))
}

// order compares functions by the first place where each is true, as far as their variables show.
func (b *Manager) order(x, y Node) int {
	for x != y {
		if c := cmp.Compare(b.Level(x), b.Level(y)); c != 0 {
			return c
		}
		x0, x1 := b.Halves(x)
		y0, y1 := b.Halves(y)
		switch {
		case x0 == Never && y0 != Never:
			return 1
		case x0 != Never && y0 == Never:
			return -1
		case x0 == Never:
			x, y = x1, y1
		default:
			x, y = x0, y0
		}
	}
	return 0
}
