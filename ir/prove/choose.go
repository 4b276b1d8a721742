package prove

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// choice is what holds for the packets of one value of a field.
type choice struct {
	value digits
	set   node
}

// choose returns the packets whose field f has one of the values, which rise, and which are in the
// set of that value.
func (s *space) choose(f field, of []choice) node {
	first := s.first(of)
	if first >= f.first+f.bits {
		return s.branch(f, 0, of)
	}
	if first >= s.state.first && first < s.saddr.first {
		if set, few := s.behind(f, of, make(map[string]node)); few {
			return set
		}
	}
	sets := make([]node, len(of))
	for i, c := range of {
		sets[i] = s.And(s.branch(f, 0, []choice{{c.value, always}}), c.set)
	}
	return s.Union(sets)
}

// first returns the first variable on which any of the sets depends.
func (s *space) first(of []choice) int {
	first := bdd.Leaf
	for _, c := range of {
		first = min(first, int(s.Level(c.set)))
	}
	return first
}

// branch is choose for sets that ask variables behind the field only. The first bits of the field
// are decided: all values have them in common.
func (s *space) branch(f field, bit int, of []choice) node {
	switch {
	case len(of) == 0:
		return never
	case bit == f.bits:
		return of[0].set
	}
	ones := sort.Search(len(of), func(i int) bool { return of[i].value.at(bit) })
	return s.Vertex(uint16(f.first+bit), s.branch(f, bit+1, of[:ones]), s.branch(f, bit+1, of[ones:]))
}

// maxBehind is how many functions [space.behind] works out, each of which takes a look at all sets.
const maxBehind = 32

// behind is choose for sets that ask the protocol or the state before an address: it decides these
// first, for all sets at once, and so makes nothing that is not in the end. Few is false if that is
// more than a few functions; known has those there are.
func (s *space) behind(f field, of []choice, known map[string]node) (set node, few bool) {
	var key []byte
	for _, c := range of {
		key = binary.NativeEndian.AppendUint32(key, uint32(c.set))
	}
	if set, ok := known[string(key)]; ok {
		return set, true
	}
	if len(known) == maxBehind {
		return never, false
	}
	first := s.first(of)
	if first >= s.saddr.first {
		set = s.choose(f, of)
		known[string(key)] = set
		return set, true
	}
	lo, hi := slices.Clone(of), slices.Clone(of)
	for i, c := range of {
		if int(s.Level(c.set)) == first {
			lo[i].set, hi[i].set = s.Halves(c.set)
		}
	}
	without, few := s.behind(f, lo, known)
	if !few {
		return never, false
	}
	with, few := s.behind(f, hi, known)
	if !few {
		return never, false
	}
	set = s.Vertex(uint16(first), without, with)
	known[string(key)] = set
	return set, true
}
