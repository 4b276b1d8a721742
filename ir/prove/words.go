package prove

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxWords is how many values of a field are named before they are counted.
const maxWords = 6

// words describes a set of packets between two places: a line for each protocol that matters, with its ports and states,
// and the interfaces of the outside, where not all of them are meant. It says what occurs, field by field; it does not say
// which values occur together.
func (s *space) words(set node, from, to Place) []string {
	var lines []string
	rest := set
	for _, proto := range []uint8{ir.TCP, ir.UDP, ir.ICMP, ir.ICMPv6} {
		of := s.value(s.proto, uint64(proto))
		part := s.and(set, of)
		rest = s.diff(rest, of)
		if part != never && !s.sameForAll(set, of) {
			lines = append(lines, s.line(ir.ProtoName(proto), part, from, to))
		}
	}
	if len(lines) == 0 {
		return []string{s.line("any protocol", set, from, to)}
	}
	if rest != never {
		lines = append(lines, s.line("other protocols", rest, from, to))
	}
	return lines
}

// sameForAll is true if set holds the same packets of the protocol as of all others, but for the protocol itself.
func (s *space) sameForAll(set, of node) bool {
	cube := s.cube(s.proto)
	return s.without(s.and(set, of), cube) == s.without(set, cube) && s.without(s.diff(set, of), cube) == s.without(set, cube)
}

func (s *space) line(what string, set node, from, to Place) string {
	words := []string{what}
	if ports := s.project(set, s.dport); ports != always && s.and(set, s.ports) == set {
		words = append(words, "port "+s.ranges(ports, s.dport))
	}
	if in := s.project(set, s.iif); from.Kind == Outside && !s.everywhere(in, s.iif) {
		words = append(words, "on "+s.namesIn(in, s.iif))
	}
	if out := s.project(set, s.oif); to.Kind == Outside && !s.everywhere(out, s.oif) {
		words = append(words, "out "+s.namesIn(out, s.oif))
	}
	if st := s.project(set, s.state); s.and(st, s.below(s.state, len(states))) != s.below(s.state, len(states)) {
		words = append(words, "state "+s.statesIn(st))
	}
	return strings.Join(words, " ")
}

// everywhere is true if set, which asks interface field f only, has the stand-in for any other name: then what it lacks
// is bridges.
func (s *space) everywhere(set node, f field) bool { return s.has1(set, f, len(s.names)-1) }

// cube returns the conjunction of a field's variables, which names them to [bdd.without].
func (s *space) cube(fields ...field) node {
	in := make([]bool, s.width)
	for _, f := range fields {
		for i := range f.bits {
			in[f.first+i] = true
		}
	}
	set := always
	for v := s.width - 1; v >= 0; v-- {
		if in[v] {
			set = s.vertex(uint16(v), never, set)
		}
	}
	return set
}

// project returns the values of field f that occur in set, as the set of all packets with one of them.
func (s *space) project(set node, f field) node {
	cube := always
	for v := s.width - 1; v >= 0; v-- {
		if v < f.first || v >= f.first+f.bits {
			cube = s.vertex(uint16(v), never, cube)
		}
	}
	return s.without(set, cube)
}

// ranges names the values of a field of at most 16 bits that are in set.
func (s *space) ranges(set node, f field) string {
	var words []string
	count := 0
	add := func(from, to int) {
		count++
		switch {
		case count > maxWords:
		case from == to:
			words = append(words, fmt.Sprint(from))
		default:
			words = append(words, fmt.Sprintf("%d-%d", from, to))
		}
	}
	from := -1
	for v := range 1<<f.bits + 1 {
		in := v < 1<<f.bits && s.has1(set, f, v)
		if in && from < 0 {
			from = v
		}
		if !in && from >= 0 {
			add(from, v-1)
			from = -1
		}
	}
	if count > maxWords {
		words = append(words, fmt.Sprintf("and %d more ranges", count-maxWords))
	}
	return strings.Join(words, ",")
}

// has1 is true if set, which asks field f only, has value v.
func (s *space) has1(set node, f field, v int) bool {
	for set > always {
		n := s.nodes[set]
		if v>>(f.bits-1-(int(n.level)-f.first))&1 == 1 {
			set = n.hi
		} else {
			set = n.lo
		}
	}
	return set == always
}

func (s *space) namesIn(set node, f field) string {
	var words []string
	for atom, name := range s.names {
		if atom == 0 || !s.has1(set, f, atom) {
			continue
		}
		if atom > s.exact {
			name = "other interfaces"
		}
		words = append(words, name)
	}
	if n := len(words); n > maxWords {
		words = append(words[:maxWords], fmt.Sprintf("and %d more", n-maxWords))
	}
	return strings.Join(words, ",")
}

func (s *space) statesIn(set node) string {
	var sum ir.State
	for i, st := range states {
		if s.has1(set, s.state, i) {
			sum |= st
		}
	}
	return sum.String()
}
