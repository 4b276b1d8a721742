package nftables

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Order is kept by levels. A rule's level is one more than the highest level of a rule behind it that it may not move over,
// 0 if there is none. So of two rules that must keep their order the earlier one has the higher level, and rules of one level
// may stand in any order among themselves. Levels count from the end since chains end alike: with what catches the rest.
//
// A rule may move over another when no packet matches both, or when what happens to such a packet is the same.

// levels sets the level of each item.
func levels(items []item) {
	o := &order{all: items, byShape: make(map[[2]int]*shapeIndex)}
	for i := len(items) - 1; i >= 0; i-- {
		items[i].level = o.level(int32(i))
		o.add(int32(i))
	}
}

// order holds the items whose level is known.
type order struct {
	all     []item
	levels  [][]*shapeIndex // the shapes that are on each level
	byShape map[[2]int]*shapeIndex
}

// level returns the level of item i. It looks from the highest level down, as the first that it finds decides.
func (o *order) level(i int32) int {
	for level := len(o.levels) - 1; level >= 0; level-- {
		for _, s := range o.levels[level] {
			if o.keeps(s, i) {
				return level + 1
			}
		}
	}
	return 0
}

// add puts item i where it can be found.
func (o *order) add(i int32) {
	it := &o.all[i]
	if it.level == len(o.levels) {
		o.levels = append(o.levels, nil)
	}
	at := [2]int{it.level, it.shape}
	s := o.byShape[at]
	if s == nil {
		s = &shapeIndex{}
		o.byShape[at] = s
		o.levels[it.level] = append(o.levels[it.level], s)
	}
	s.add(o.all, i)
}

// keeps is true if item i must stay before some rule of s.
func (o *order) keeps(s *shapeIndex, i int32) bool {
	it := &o.all[i]
	if agree(o.all[s.members[0]].rule.Verdict, it.rule.Verdict) {
		return false
	}
	at, next := s.near(o.all, it)
	for ; at != none; at = next[at] {
		if !disjoint(&o.all[s.members[at]], it) {
			return true
		}
	}
	return false
}

// agree is true if it is the same for a packet whichever of two rules with these verdicts it meets first. Counting is not:
// the figures would change. Nor are jumps: who knows what is there.
func agree(a, b ir.Verdict) bool { return a == b && mergeable(a) }

// mergeable is true for verdicts that end the packet's walk through the chain.
func mergeable(v ir.Verdict) bool {
	switch v.(type) {
	case ir.Counter, ir.Jump, ir.ChecksumFill, ir.Opaque:
		return false
	}
	return true
}

// shapeIndex finds, among items of one shape and level, those that may match a packet that some other item matches.
type shapeIndex struct {
	members []int32
	names   [2]*index[string]             // by the name of the interface in, or out
	nets    [2]map[int]*index[netip.Addr] // by the source, or destination: the first bits of it, by their number
	chain   []int32                       // from each member to the one before
}

// index has the members with one value as a chain: last is the place of the last one among the members, before leads from
// each to the one before it.
type index[K comparable] struct {
	last   map[K]int32
	before []int32
}

const none = -1 // ends a chain

func (x *index[K]) add(key K) {
	at := int32(len(x.before))
	before, ok := x.last[key]
	if !ok {
		before = none
	}
	x.last[key] = at
	x.before = append(x.before, before)
}

// find returns the chain of the members with the value.
func (x *index[K]) find(key K) (last int32, before []int32) {
	last, ok := x.last[key]
	if !ok {
		last = none
	}
	return last, x.before
}

// add adds item i to the members and to the indexes that are there.
func (s *shapeIndex) add(all []item, i int32) {
	s.chain = append(s.chain, int32(len(s.members)-1))
	s.members = append(s.members, i)
	it := &all[i]
	for k := range s.names {
		if s.names[k] != nil {
			s.names[k].add(nameOf(it.same[k]))
		}
		for bits, x := range s.nets[k] {
			x.add(firstBits(it.same[int(slotSrc)+k], bits))
		}
	}
}

// near returns a chain of the members that can match a packet that it matches, and others perhaps. It makes the index that it
// needs: no more than one for each field, and for each length of prefix.
func (s *shapeIndex) near(all []item, it *item) (last int32, before []int32) {
	first := &all[s.members[0]]
	for k := range s.names {
		if first.same[k] != nil && it.same[k] != nil {
			return s.named(all, k).find(nameOf(it.same[k]))
		}
	}
	for k := range s.nets {
		mine, theirs := it.same[int(slotSrc)+k], first.same[int(slotSrc)+k]
		if mine == nil || theirs == nil || prefixOfMatch(mine).Addr().Is6() != prefixOfMatch(theirs).Addr().Is6() {
			continue
		}
		bits := min(prefixOfMatch(mine).Bits(), prefixOfMatch(theirs).Bits())
		return s.netted(all, k, bits).find(firstBits(mine, bits))
	}
	return int32(len(s.members) - 1), s.chain
}

func (s *shapeIndex) named(all []item, k int) *index[string] {
	if s.names[k] == nil {
		s.names[k] = &index[string]{last: make(map[string]int32)}
		for _, i := range s.members {
			s.names[k].add(nameOf(all[i].same[k]))
		}
	}
	return s.names[k]
}

func (s *shapeIndex) netted(all []item, k, bits int) *index[netip.Addr] {
	if s.nets[k] == nil {
		s.nets[k] = make(map[int]*index[netip.Addr])
	}
	if s.nets[k][bits] == nil {
		x := &index[netip.Addr]{last: make(map[netip.Addr]int32)}
		for _, i := range s.members {
			x.add(firstBits(all[i].same[int(slotSrc)+k], bits))
		}
		s.nets[k][bits] = x
	}
	return s.nets[k][bits]
}

// nameOf returns the name that m, a match of an interface, compares with.
func nameOf(m ir.Match) string {
	switch m := m.(type) {
	case ir.IIfName:
		return m.Name
	case ir.OIfName:
		return m.Name
	}
	panic("nftables: a match without a name")
}

// prefixOfMatch returns the prefix that m, a match of an address, compares with.
func prefixOfMatch(m ir.Match) netip.Prefix {
	switch m := m.(type) {
	case ir.SAddr:
		return m.Prefix
	case ir.DAddr:
		return m.Prefix
	}
	panic("nftables: a match without a prefix")
}

// firstBits returns the first bits of the prefix that m compares with, zeros behind them.
func firstBits(m ir.Match, bits int) netip.Addr {
	p := prefixOfMatch(m)
	if p.Bits() == bits {
		return p.Addr()
	}
	short, err := p.Addr().Prefix(bits)
	if err != nil {
		panic(err) // bits is the length of a prefix of the same family
	}
	return short.Addr()
}
