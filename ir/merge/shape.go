package merge

import (
	"encoding/binary"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// item is a rule on its way through the pass, with its matches taken apart: those that compare a
// field with one value, which may become a part of a key, and the others.
type item struct {
	rule   *ir.Rule
	family ir.Family // of the packets that it can match in the table
	same   [slots]asked
	except [slots]asked // negated ones
	shape  int32        // number of its shape
	level  int32        // see order.go
}

// asked is a match that compares a field with one value. The zero value is none.
type asked struct {
	value uint32 // see values
	match int32  // its number among the rule's matches
}

// match returns the match that a stands for, nil if for none.
func (it *item) match(a asked) ir.Match {
	if a.value == 0 {
		return nil
	}
	return it.rule.Matches[a.match]
}

// shaper numbers shapes, and the matches and verdicts that rules of one shape have in common.
type shaper struct {
	*values
	others numbers[any]
	shapes map[string]int32
	rest   []uint32 // room for numbers of others
	key    []byte   // room for the key of a shape
}

func newShaper(v *values) *shaper {
	return &shaper{values: v, shapes: make(map[string]int32)}
}

// item takes r apart, a rule for packets of family. Two rules have one shape if they compare the
// same fields in the same sense, for addresses with prefixes of the same length, have all other
// matches in common, and the same verdict: only values differ.
func (s *shaper) item(r *ir.Rule, family ir.Family) item {
	it := item{rule: r, family: family}
	var bits [2][slots]byte // of prefixes, one more; 0 where nothing is asked
	s.rest = s.rest[:0]
	for i, m := range r.Matches {
		f, not, ok := FieldOf(m)
		switch {
		case ok && not && f.IsAddr() && it.except[f.Slot].value == 0:
			it.except[f.Slot], bits[1][f.Slot] = asked{s.number(m), int32(i)}, byte(f.Bits+1)
		case ok && !not && it.same[f.Slot].value == 0:
			it.same[f.Slot], bits[0][f.Slot] = asked{s.number(m), int32(i)}, byte(f.Bits+1)
		default:
			if n := s.others.get(m); !slices.Contains(s.rest, n) {
				s.rest = append(s.rest, n)
			}
		}
	}
	slices.Sort(s.rest)
	key := append(append(append(s.key[:0], byte(family)), bits[0][:]...), bits[1][:]...)
	key = binary.NativeEndian.AppendUint32(key, s.others.get(r.Verdict))
	for _, n := range s.rest {
		key = binary.NativeEndian.AppendUint32(key, n)
	}
	s.key = key
	it.shape = s.shape(key)
	return it
}

func (s *shaper) shape(key []byte) int32 {
	n, ok := s.shapes[string(key)]
	if !ok {
		n = int32(len(s.shapes))
		s.shapes[string(key)] = n
	}
	return n
}
