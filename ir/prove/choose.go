package prove

import (
	"encoding/binary"
	"slices"
	"sort"
)

// choice is what holds for the packets of one value of a field.
type choice struct {
	value digits
	set   node
}

// choose returns the packets whose field f has one of the values, which rise, and which are in the set of that value.
func (s *space) choose(f field, of []choice) node {
	switch first := s.first(of); {
	case first >= f.first+f.bits:
		return s.branch(f, 0, of)
	case first >= s.state.first && first < f.first:
		return s.behind(f, of, make(map[string]node))
	}
	sets := make([]node, len(of))
	for i, c := range of {
		sets[i] = s.and(s.branch(f, 0, []choice{{c.value, always}}), c.set)
	}
	return s.union(sets)
}

// first returns the first variable that any of the sets asks.
func (s *space) first(of []choice) int {
	first := leafLevel
	for _, c := range of {
		first = min(first, int(s.level(c.set)))
	}
	return first
}

// branch is choose for sets that ask variables behind the field only. The first bits of the field are decided: all values have
// them in common.
func (s *space) branch(f field, bit int, of []choice) node {
	switch {
	case len(of) == 0:
		return never
	case bit == f.bits:
		return of[0].set
	}
	ones := sort.Search(len(of), func(i int) bool { return of[i].value.at(bit) })
	return s.vertex(uint16(f.first+bit), s.branch(f, bit+1, of[:ones]), s.branch(f, bit+1, of[ones:]))
}

// behind is choose for sets that ask a few variables before the field, such as those of the protocol: it decides these first,
// for all sets at once. Values differ, so sets that are not all the same then make functions that are not; each is worked out
// once.
func (s *space) behind(f field, of []choice, known map[string]node) node {
	first := s.first(of)
	if first >= f.first {
		return s.choose(f, of)
	}
	var key []byte
	for _, c := range of {
		key = binary.NativeEndian.AppendUint32(key, uint32(c.set))
	}
	if set, ok := known[string(key)]; ok {
		return set
	}
	lo, hi := slices.Clone(of), slices.Clone(of)
	for i, c := range of {
		if int(s.level(c.set)) == first {
			lo[i].set, hi[i].set = s.halves(c.set)
		}
	}
	set := s.vertex(uint16(first), s.behind(f, lo, known), s.behind(f, hi, known))
	known[string(key)] = set
	return set
}
