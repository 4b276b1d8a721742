package merge

import "github.com/vnetc/vnetc/ir"

// Order is kept by levels. A rule's level is one more than the highest level of a rule behind it
// that it may not move over, 0 if there is none. So of two rules that must keep their order the
// earlier one has the higher level, and rules of one level may stand in any order among themselves.
// Levels count from the end since chains end alike: with what catches the rest.
//
// A rule may move over another when no packet matches both, or when what happens to such a packet
// is the same.

// levels sets the level of each item.
func levels(v *values, items []item) {
	o := &order{values: v, all: items, byShape: make(map[[2]int32]*shapeIndex)}
	for i := len(items) - 1; i >= 0; i-- {
		items[i].level = o.level(int32(i))
		o.add(int32(i))
	}
}

// order holds the items whose level is known.
type order struct {
	*values
	all     []item
	levels  [][]*shapeIndex // the shapes that are on each level
	byShape map[[2]int32]*shapeIndex
}

// level returns the level of item i. It looks from the highest level down, as the first that it
// finds decides.
func (o *order) level(i int32) int32 {
	for level := len(o.levels) - 1; level >= 0; level-- {
		for _, s := range o.levels[level] {
			if o.keeps(s, i) {
				return int32(level + 1)
			}
		}
	}
	return 0
}

// add puts item i where it can be found.
func (o *order) add(i int32) {
	it := &o.all[i]
	if int(it.level) == len(o.levels) {
		o.levels = append(o.levels, nil)
	}
	at := [2]int32{it.level, it.shape}
	s := o.byShape[at]
	if s == nil {
		s = &shapeIndex{}
		o.byShape[at] = s
		o.levels[it.level] = append(o.levels[it.level], s)
	}
	s.add(o, i)
}

// keeps is true if item i must stay before some rule of s.
func (o *order) keeps(s *shapeIndex, i int32) bool {
	it := &o.all[i]
	if agree(o.all[s.members[0]].rule.Verdict, it.rule.Verdict) {
		return false
	}
	at, x := s.near(o, it)
	for at != none {
		if !disjoint(&o.all[s.members[at]], it) {
			return true
		}
		if x == nil {
			at--
		} else {
			at = x.before[at]
		}
	}
	return false
}

// agree is true if it is the same for a packet whichever of two rules with these verdicts it meets
// first. Counting is not: the figures would change. Nor are jumps: who knows what is there.
func agree(a, b ir.Verdict) bool { return a == b && mergeable(a) }

// mergeable is true for verdicts that end the packet's walk through the chain.
func mergeable(v ir.Verdict) bool {
	switch v.(type) {
	case ir.Counter, ir.Jump, ir.ChecksumFill, ir.Opaque:
		return false
	}
	return true
}

// shapeIndex finds, among items of one shape and level, those that may match a packet that some
// other item matches.
type shapeIndex struct {
	members []int32
	names   [2]*index         // by the name of the interface in, or out
	nets    [2]map[int]*index // by the source, or destination: the first bits of it, by their number
}

// index has the members with one value as a chain: last is the place of the last one among the
// members, by the number of the value, counted from 1; before leads from each to the one before it.
type index struct {
	last   []int32
	before []int32
}

const none = -1 // ends a chain

func (x *index) add(value uint32) {
	at := int32(len(x.before))
	x.before = append(x.before, x.find(value))
	if n := int(value) + 1 - len(x.last); n > 0 {
		x.last = append(x.last, make([]int32, n)...)
	}
	x.last[value] = at + 1
}

// find returns the last of the members with the value.
func (x *index) find(value uint32) int32 {
	if int(value) >= len(x.last) {
		return none
	}
	return x.last[value] - 1
}

// add adds item i to the members and to the indexes that are there.
func (s *shapeIndex) add(o *order, i int32) {
	s.members = append(s.members, i)
	it := &o.all[i]
	for k := range s.names {
		if s.names[k] != nil {
			s.names[k].add(it.same[k].value)
		}
		for bits, x := range s.nets[k] {
			x.add(o.firstBits(it, int(Src)+k, bits))
		}
	}
}

// near returns the last of the members that can match a packet that it matches, and others perhaps,
// and the index that has them as a chain, nil if that is all members. It makes the index that it
// needs: at most one for each field, and for each length of prefix.
func (s *shapeIndex) near(o *order, it *item) (last int32, x *index) {
	first := &o.all[s.members[0]]
	for k := range s.names {
		if first.same[k].value != 0 && it.same[k].value != 0 {
			x := s.named(o, k)
			return x.find(it.same[k].value), x
		}
	}
	for k := range s.nets {
		slot := int(Src) + k
		if it.same[slot].value == 0 || first.same[slot].value == 0 {
			continue
		}
		mine, theirs := prefixOfMatch(it.match(it.same[slot])), prefixOfMatch(first.match(first.same[slot]))
		if mine.Addr().Is6() != theirs.Addr().Is6() {
			continue
		}
		bits := min(mine.Bits(), theirs.Bits())
		x := s.netted(o, k, bits)
		return x.find(o.firstBits(it, slot, bits)), x
	}
	return int32(len(s.members) - 1), nil
}

func (s *shapeIndex) named(o *order, k int) *index {
	if s.names[k] == nil {
		s.names[k] = &index{}
		for _, i := range s.members {
			s.names[k].add(o.all[i].same[k].value)
		}
	}
	return s.names[k]
}

func (s *shapeIndex) netted(o *order, k, bits int) *index {
	if s.nets[k] == nil {
		s.nets[k] = make(map[int]*index)
	}
	if s.nets[k][bits] == nil {
		x := &index{}
		for _, i := range s.members {
			x.add(o.firstBits(&o.all[i], int(Src)+k, bits))
		}
		s.nets[k][bits] = x
	}
	return s.nets[k][bits]
}

// firstBits returns the number of the first bits of the prefix that the item matches.
func (o *order) firstBits(it *item, slot, bits int) uint32 {
	m := it.match(it.same[slot])
	if prefixOfMatch(m).Bits() == bits {
		return it.same[slot].value
	}
	return o.shorter(m, bits)
}
