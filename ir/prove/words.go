package prove

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxWords is how many values of a field are named before they are counted.
const maxWords = 6

// wordy are the protocols that are distinguished in words.
var wordy = [...]uint8{ir.TCP, ir.UDP, ir.ICMP, ir.ICMPv6}

// alike is protocols of which a set has the same packets, but for the protocol.
type alike struct {
	names  []string
	others bool // others is true if the protocols that have no name here are among them, all of them
	set    node // their packets
	shape  node // the same without the protocol
}

// words describes a set of packets between two endpoints: a line for each kind of protocol, with
// its ports and states, and the interfaces of the outside, where not all of them are meant. It says
// what occurs, field by field; it does not say which values occur together.
func (s *space) words(set node, from, to Endpoint) []string {
	var kinds []alike
	cube := s.cube(s.proto)
	add := func(name string, part node, others bool) {
		if part == never {
			return
		}
		shape := s.Without(part, cube)
		for i := range kinds {
			if k := &kinds[i]; k.shape == shape {
				k.names, k.set, k.others = append(k.names, name), s.Or(k.set, part), others
				return
			}
		}
		kinds = append(kinds, alike{[]string{name}, others, part, shape})
	}
	rest, unnamed := set, always
	for _, proto := range wordy {
		of := s.value(s.proto, uint64(proto))
		add(ir.ProtoName(proto), s.And(set, of), false)
		rest, unnamed = s.Diff(rest, of), s.Diff(unnamed, of)
	}
	if protos := s.project(rest, s.proto); protos == unnamed {
		add("other protocols", rest, true)
	} else {
		add("protocol "+s.ranges(protos, s.proto), rest, false)
	}
	var lines []string
	for _, k := range kinds {
		lines = append(lines, s.line(k.title(), k.set, from, to))
	}
	return lines
}

// title names the protocols.
func (k *alike) title() string {
	if !k.others || len(k.names) == 1 {
		return strings.Join(k.names, ", ")
	}
	var but []string
	for _, proto := range wordy {
		if name := ir.ProtoName(proto); !slices.Contains(k.names, name) {
			but = append(but, name)
		}
	}
	if len(but) == 0 {
		return "any protocol"
	}
	return "any protocol but " + strings.Join(but, ", ")
}

func (s *space) line(what string, set node, from, to Endpoint) string {
	words := []string{what}
	if ports := s.project(set, s.dport); ports != always && s.And(set, s.ports) == set {
		words = append(words, "port "+s.ranges(ports, s.dport))
	}
	if in := s.project(set, s.iif); from.Kind == Outside && !s.everywhere(in, s.iif) {
		words = append(words, "on "+s.namesIn(in, s.iif))
	}
	if out := s.project(set, s.oif); to.Kind == Outside && !s.everywhere(out, s.oif) {
		words = append(words, "out "+s.namesIn(out, s.oif))
	}
	if st := s.project(set, s.state); s.And(st, s.below(s.state, len(states))) != s.below(s.state, len(states)) {
		words = append(words, "state "+s.statesIn(st))
	}
	return strings.Join(words, " ")
}

// everywhere is true if set, which depends on interface field f only, has the stand-in for any
// other name: then what it lacks is bridges.
func (s *space) everywhere(set node, f field) bool { return s.has1(set, f, len(s.names)-1) }

// cube returns the conjunction of a field's variables, which names them to [bdd.Manager.Without].
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
			set = s.Vertex(uint16(v), never, set)
		}
	}
	return set
}

// project returns the values of field f that occur in set, as the set of all packets with one of
// them.
func (s *space) project(set node, f field) node {
	cube := always
	for v := s.width - 1; v >= 0; v-- {
		if v < f.first || v >= f.first+f.bits {
			cube = s.Vertex(uint16(v), never, cube)
		}
	}
	return s.Without(set, cube)
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

// has1 is true if set, which depends on field f only, has value v.
func (s *space) has1(set node, f field, v int) bool {
	for set > always {
		lo, hi := s.Halves(set)
		if v>>(f.bits-1-(int(s.Level(set))-f.first))&1 == 1 {
			set = hi
		} else {
			set = lo
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
