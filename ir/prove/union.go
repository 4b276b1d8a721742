package prove

import (
	"cmp"
	"slices"
)

// union returns the packets in any of sets.
func (b *bdd) union(sets []node) node { return b.join(slices.Clone(sets)) }

// join is union, and spoils the list. Sets that the first variable tells apart are joined on either side of it,
// without a step in between. Others are joined two and two, so that no operand grows before it must, and neighbours
// first: what is alike up to some variable is joined behind it.
func (b *bdd) join(sets []node) node {
	if len(sets) == 0 {
		return never
	}
	level := uint16(leafLevel)
	for _, x := range sets {
		level = min(level, b.level(x))
	}
	if len(sets) == 1 || level == leafLevel {
		return slices.Max(sets)
	}
	without, with := 0, len(sets) // sets before without lack the variable, those from with on have it
	for i := 0; i < with; {
		x := sets[i]
		lo, hi := b.halves(x)
		switch {
		case b.level(x) == level && hi == never:
			sets[i], sets[without] = sets[without], lo
			without++
			i++
		case b.level(x) == level && lo == never:
			with--
			sets[i], sets[with] = sets[with], hi
		default:
			i++
		}
	}
	if without == 0 && with == len(sets) {
		slices.SortFunc(sets, b.order)
		half := len(sets) / 2
		return b.or(b.join(sets[:half]), b.join(sets[half:]))
	}
	apart := b.vertex(level, b.join(sets[:without]), b.join(sets[with:]))
	return b.or(apart, b.join(sets[without:with]))
}

// order compares functions by the first packet in each, as far as their variables tell.
func (b *bdd) order(x, y node) int {
	for x != y {
		if c := cmp.Compare(b.level(x), b.level(y)); c != 0 {
			return c
		}
		x0, x1 := b.halves(x)
		y0, y1 := b.halves(y)
		switch {
		case x0 == never && y0 != never:
			return 1
		case x0 != never && y0 == never:
			return -1
		case x0 == never:
			x, y = x1, y1
		default:
			x, y = x0, y0
		}
	}
	return 0
}
