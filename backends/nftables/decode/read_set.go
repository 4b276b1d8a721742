package decode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// readSet is a set as it was read: keys are bytes, whose meaning is with the rules that look
// packets up.
type readSet struct {
	key      chainKey
	flags    uint32
	length   int // of a key, in bytes
	elements []readElement
	// closed is true if nothing but what is listed is in it, and a packet that is found there does
	// at most be counted: no catch-all, no element that goes by itself, or that has a limit.
	closed bool
	// listed is true if every key is listed for which something is looked up: of a map that is
	// closed but for that it has values.
	listed   bool
	timed    bool         // timed is true if some elements go by themselves.
	catchall *readElement // what a map has for all other keys

	meanings map[string]*ir.Set // by what is looked up
}

// readElement is a key, or all keys from one to another.
type readElement struct {
	from, to []byte // to is nil for a single key
	end      bool   // end is true for an element that only marks the end of the interval before it.
	timed    bool   // timed is true if it goes by itself.

	data []byte       // of a map
	end2 *verdictData // of a map of verdicts
}

// set reads a set without its elements.
func (r *reader) set(m *wire.Message) error {
	key := chainKey{m.Family, m.Attrs.Text(unix.NFTA_SET_TABLE), m.Attrs.Text(unix.NFTA_SET_NAME)}
	length, ok := m.Attrs.Uint32(unix.NFTA_SET_KEY_LEN)
	if key.table == "" || key.name == "" || !ok {
		return fmt.Errorf("a set without a name, a table or the length of its keys")
	}
	s := &readSet{key: key, flags: m.Attrs.Number(unix.NFTA_SET_FLAGS), length: int(length),
		meanings: make(map[string]*ir.Set)}
	counts := onlyCounts(m.Attrs[wire.AttrSetExpr], m.Attrs[wire.AttrSetExpressions])
	const plain = unix.NFT_SET_ANONYMOUS | unix.NFT_SET_CONSTANT | unix.NFT_SET_INTERVAL | wire.FlagSetConcat
	s.closed = s.flags&^(plain|unix.NFT_SET_TIMEOUT) == 0 && counts
	s.listed = s.flags&^(plain|unix.NFT_SET_MAP) == 0 && counts
	s.timed = s.flags&unix.NFT_SET_TIMEOUT != 0 && m.Attrs[unix.NFTA_SET_TIMEOUT] != nil
	r.sets[key] = s
	return nil
}

// elements reads elements of a set.
func (r *reader) elements(m *wire.Message) error {
	s := r.sets[chainKey{m.Family, m.Attrs.Text(unix.NFTA_SET_ELEM_LIST_TABLE),
		m.Attrs.Text(unix.NFTA_SET_ELEM_LIST_SET)}]
	if s == nil {
		return fmt.Errorf("elements of a set %q, which is not there", m.Attrs.Text(unix.NFTA_SET_ELEM_LIST_SET))
	}
	list, n := m.Attrs[unix.NFTA_SET_ELEM_LIST_ELEMENTS], 0
	wire.EachAttr(list, func(uint16, []byte) { n++ })
	s.elements = slices.Grow(s.elements, n)
	var bad error
	err := wire.EachAttr(list, func(_ uint16, data []byte) {
		a, err := wire.ParseAttrs(data)
		if err != nil {
			bad = err
			return
		}
		e := readElement{from: a.Value(unix.NFTA_SET_ELEM_KEY), to: a.Value(wire.AttrElemKeyEnd)}
		flags := a.Number(unix.NFTA_SET_ELEM_FLAGS)
		e.end = flags&unix.NFT_SET_ELEM_INTERVAL_END != 0
		e.timed = a[unix.NFTA_SET_ELEM_TIMEOUT] != nil || a[unix.NFTA_SET_ELEM_EXPIRATION] != nil
		s.timed = s.timed || e.timed
		if code, chain, is := a.Verdict(unix.NFTA_SET_ELEM_DATA); is {
			e.end2 = &verdictData{code, chain}
		} else {
			e.data = a.Value(unix.NFTA_SET_ELEM_DATA)
		}
		if flags&wire.FlagElemCatchall != 0 {
			s.closed, s.catchall = false, &e
			return
		}
		if len(e.from) != s.length || e.to != nil && len(e.to) != s.length ||
			!onlyCounts(a[unix.NFTA_SET_ELEM_EXPR], a[wire.AttrElemExpressions]) {
			s.closed, s.listed = false, false
		}
		s.elements = append(s.elements, e)
	})
	if err != nil {
		return err
	}
	return bad
}

// onlyCounts is true of actions that change nothing for the packet.
func onlyCounts(one, list []byte) bool {
	all, err := wire.Actions(one, list)
	return err == nil && !slices.ContainsFunc(all, func(e wire.Expression) bool { return e.Name != "counter" })
}

// ranges returns the elements in the order of their keys: the kernel's own is any. Those of an
// interval set become ranges. The kernel has the beginning of an interval as one element, and what
// follows its end as another, marked one.
func (s *readSet) ranges() []readElement {
	all := s.elements
	slices.SortFunc(all, func(a, b readElement) int {
		return cmp.Or(bytes.Compare(a.from, b.from), bytes.Compare(a.to, b.to))
	})
	if s.flags&unix.NFT_SET_INTERVAL == 0 || s.flags&wire.FlagSetConcat != 0 {
		return all
	}
	var out []readElement
	for i, e := range all {
		if e.end {
			continue
		}
		e.to = bytes.Repeat([]byte{0xff}, s.length)
		for _, next := range all[i+1:] {
			if !bytes.Equal(next.from, e.from) {
				e.to = before(next.from)
				break
			}
		}
		out = append(out, e)
	}
	return out
}

// before returns the number before n, which is not zero, in network byte order.
func before(n []byte) []byte {
	n = slices.Clone(n)
	for i := len(n) - 1; i >= 0; i-- {
		if n[i]--; n[i] != 0xff {
			break
		}
	}
	return n
}

// lookup runs a look-up in a set, or in a map of verdicts.
func (m *machine) lookup(e *wire.Expression) {
	values, steps := m.lookedUp(e)
	dreg, mapped := e.Uint32(unix.NFTA_LOOKUP_DREG)
	_ = dreg
	if mapped {
		m.mapped(e, values, steps, m.rest)
		return
	}
	s, not := m.setOf(e), e.Number(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0
	switch {
	case s == nil:
	case s.closed && len(values) == 1 && m.inTypes(values[0], s, not), not && m.noKey(values, s):
		return
	case !not && m.manyFields(values, m.rest):
		if all, ok := m.alternatives(e, values, false); ok && s.closed && m.branch(e, all, m.rest) {
			return
		}
	case s.closed && s.timed && not: // what is in it now may be gone
	default:
		if set := m.meaning(e, values, steps); set != nil {
			m.match(ir.Lookup{Set: set, Not: not})
			if s.timed {
				m.match(ir.Unknown{Sort: ir.SortMembers, Text: m.words(steps...)})
			}
			return
		}
	}
	m.opaque(steps...)
}

// inTypes adds the match that the type of an address is among those of s.
func (m *machine) inTypes(v *value, s *readSet, not bool) bool {
	var numbers []uint32
	for _, e := range s.ranges() {
		if e.to != nil && !bytes.Equal(e.from, e.to) || len(e.from) != 4 {
			return false
		}
		numbers = append(numbers, binary.NativeEndian.Uint32(e.from))
	}
	return !s.timed && m.addrTypes(v, numbers, not)
}

// noKey adds the matches that a key has none of the values of s.
func (m *machine) noKey(values []*value, s *readSet) bool {
	if len(values) != 1 || !s.closed || s.timed {
		return false
	}
	v := values[0]
	if _, is := m.keyOf(v); !is || (v.size+3)&^3 != (s.length+3)&^3 {
		return false
	}
	before := len(m.out.Matches)
	for _, e := range s.ranges() {
		to := e.to
		if to == nil {
			to = e.from
		}
		if !m.key(v, e.from[:v.size], to[:v.size], true) {
			m.out.Matches = m.out.Matches[:before]
			return false
		}
	}
	return len(m.out.Matches) > before
}

// lookedUp returns the values that a look-up takes from the registers, and the steps that led to
// them. Without a set that says how long its keys are it is the value of one register.
func (m *machine) lookedUp(e *wire.Expression) (values []*value, steps []*wire.Expression) {
	w, ok := word(e.Number(unix.NFTA_LOOKUP_SREG))
	length := 1
	if s := m.setOf(e); s != nil {
		length = s.length
	}
	for end := w + (length+3)/4; ok && w < end && w < len(m.regs); {
		v := m.regs[w]
		values = append(values, v)
		if v == nil {
			break
		}
		steps = append(steps, v.steps...)
		w += (v.size + 3) / 4
	}
	return values, append(steps, e)
}

func (m *machine) setOf(e *wire.Expression) *readSet {
	if m.reader == nil {
		return nil
	}
	return m.reader.sets[chainKey{m.chain.family, m.chain.table, e.Text(unix.NFTA_LOOKUP_SET)}]
}

// meaning returns the set of the program that a look-up of these values is in, nil if the IR has
// none: something about the set, or about the values, is not modelled.
func (m *machine) meaning(e *wire.Expression, values []*value, steps []*wire.Expression) *ir.Set {
	s := m.setOf(e)
	if s == nil || !s.closed || len(values) == 0 || slices.Contains(values, nil) {
		return nil
	}
	length := 0
	for _, v := range values {
		length += (v.size + 3) &^ 3
	}
	if length != (s.length+3)&^3 {
		return nil
	}
	// The same fields may mean something else in a rule for another family or protocol.
	what := fmt.Sprintf("%s %d %s", m.out.Family, m.proto, debugText(steps[:len(steps)-1]...))
	if set, ok := s.meanings[what]; ok {
		return set
	}
	elements, ok := m.elementsOf(s, values)
	var set *ir.Set
	if ok {
		set = &ir.Set{Family: m.table, Table: s.key.table, Name: wire.OneLine([]byte(s.key.name)), Elements: elements}
		m.reader.used = append(m.reader.used, set)
	}
	s.meanings[what] = set
	return set
}

// nameSets gives each further meaning of a set a name that no set has, with a number behind it, in
// an order that does not depend on that of the rules.
func (r *reader) nameSets() {
	for _, s := range r.sets {
		n := 1
		for _, what := range slices.Sorted(maps.Keys(s.meanings)) {
			set := s.meanings[what]
			if set == nil {
				continue
			}
			for plain := set.Name; n > 1; n++ {
				set.Name = fmt.Sprintf("%s.%d", plain, n)
				if r.sets[chainKey{s.key.family, s.key.table, set.Name}] == nil {
					break
				}
			}
			n++
		}
	}
}

// elementsOf returns the elements of s as matches on the values. It asks the machine what a
// comparison with each part of a key would mean; so a look-up means what the same comparisons mean.
func (m *machine) elementsOf(s *readSet, values []*value) ([][]ir.Match, bool) {
	all := s.ranges()
	elements := make([][]ir.Match, 0, len(all))
	room := make([]ir.Match, len(all)*len(values)) // in one piece: as a rule there is a match for each value
	for _, e := range all {
		part := machine{table: m.table, reader: m.reader, proto: m.proto,
			out: ir.Rule{Family: m.out.Family, Matches: room[:0:len(values)]}}
		room = room[len(values):]
		at := 0
		for _, v := range values {
			if len(e.from) < at+v.size || !part.equalsPart(v, e, at) {
				return nil, false
			}
			at += (v.size + 3) &^ 3
		}
		if part.out.Family != m.out.Family || slices.ContainsFunc(part.out.Matches, func(m ir.Match) bool {
			return !ir.Plain(m)
		}) {
			return nil, false // the key has the family in it, or what a set can't have
		}
		elements = append(elements, part.out.Matches)
	}
	return elements, true
}

// equalsPart adds the match that v equals the part of e's key at offset at, or lies in its range.
func (m *machine) equalsPart(v *value, e readElement, at int) bool {
	from := e.from[at : at+v.size]
	if !e.sameBytes(at, v.size) {
		return m.rangeMatch(v, from, e.to[at:at+v.size], false)
	}
	switch {
	case v.load == nil:
		if sort, ok := m.sortOf(v.steps); ok { // such as a number drawn by lot
			m.match(ir.Unknown{Sort: sort, Text: fmt.Sprintf("%s %#x", m.words(v.steps...), from)})
			return true
		}
		return false
	case v.load.Name == "numgen":
		m.match(ir.Unknown{Sort: ir.SortRate, Text: fmt.Sprintf("%s %#x", m.words(v.steps...), from)})
		return true
	case v.load.Name == "meta" && v.load.Number(unix.NFTA_META_KEY) == unix.NFT_META_L4PROTO:
		return v.mask == nil && m.protoPart(from[0])
	}
	return m.equals(v, from, false)
}

// protoPart adds the match on a protocol. What follows in the key is read as of this protocol.
func (m *machine) protoPart(proto uint8) bool {
	m.l4proto(proto, false)
	return true
}
