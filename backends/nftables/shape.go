package nftables

import (
	"encoding/binary"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// item is a rule on its way through the pass, with its matches taken apart: those that compare a field with one value, which
// may become a part of a key, and the others.
type item struct {
	rule   *ir.Rule
	family ir.Family // of the packets that it can match in the table
	place  int       // in the chain
	same   [slots]ir.Match
	except [slots]ir.Match // negated ones
	rest   []uint32        // numbers of the others, in ascending order
	shape  int             // number of its shape
	level  int             // see order.go
}

// shaper numbers shapes, and the matches and verdicts that rules of one shape have in common.
type shaper struct {
	values map[any]uint32
	shapes map[string]int
	key    []byte
}

func newShaper() *shaper {
	return &shaper{values: make(map[any]uint32), shapes: make(map[string]int)}
}

// number returns the number of a match or verdict, the same for equal ones.
func (s *shaper) number(value any) uint32 {
	n, ok := s.values[value]
	if !ok {
		n = uint32(len(s.values))
		s.values[value] = n
	}
	return n
}

// item takes r apart, a rule for packets of family. Two rules have one shape if they compare the same fields in the same
// sense, for addresses with prefixes of the same length, have all other matches in common, and the same verdict: only
// values differ.
func (s *shaper) item(r *ir.Rule, family ir.Family, place int) item {
	it := item{rule: r, family: family, place: place}
	for _, m := range r.Matches {
		f, not, ok := fieldOf(m)
		switch {
		case ok && not && f.isAddr() && it.except[f.slot] == nil:
			it.except[f.slot] = m
		case ok && !not && it.same[f.slot] == nil:
			it.same[f.slot] = m
		default:
			if n := s.number(m); !slices.Contains(it.rest, n) {
				it.rest = append(it.rest, n)
			}
		}
	}
	slices.Sort(it.rest)
	it.shape = s.shape(&it)
	return it
}

func (s *shaper) shape(it *item) int {
	key := append(s.key[:0], byte(it.family))
	for _, fields := range [...]*[slots]ir.Match{&it.same, &it.except} {
		for _, m := range fields {
			bits := 0xff
			if m != nil {
				f, _, _ := fieldOf(m)
				bits = f.bits
			}
			key = append(key, byte(bits))
		}
	}
	key = binary.NativeEndian.AppendUint32(key, s.number(it.rule.Verdict))
	for _, n := range it.rest {
		key = binary.NativeEndian.AppendUint32(key, n)
	}
	s.key = key
	n, ok := s.shapes[string(key)]
	if !ok {
		n = len(s.shapes)
		s.shapes[string(key)] = n
	}
	return n
}
