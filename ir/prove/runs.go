package prove

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"sort"

	"github.com/vnetc/vnetc/ir"
)

// Rules that ask for different values of one field meet different packets. A chain of many networks is made of such rules: so
// they are folded value by value, and the folds are joined by unions, which cost far less than letting what one leaves go
// through each of the others.

// axis is a field that rules ask for one value of.
type axis uint8

const (
	axisIn axis = iota
	axisOut
	axisSrc
	axisDst
	axes // their number
)

// axisOf returns the axis on which m asks for one value; ok is false for any other match.
func axisOf(m ir.Match) (a axis, v value, ok bool) {
	switch m := m.(type) {
	case ir.IIfName:
		return axisIn, value{name: m.Name}, !m.Not && !m.Wildcard
	case ir.OIfName:
		return axisOut, value{name: m.Name}, !m.Not && !m.Wildcard
	case ir.SAddr:
		return axisSrc, value{prefix: m.Prefix.Masked()}, !m.Not && m.Prefix.Bits() > 0
	case ir.DAddr:
		return axisDst, value{prefix: m.Prefix.Masked()}, !m.Not && m.Prefix.Bits() > 0
	}
	return 0, value{}, false
}

// value is one on an axis: a name, or a prefix.
type value struct {
	name   string
	prefix netip.Prefix
}

// run is rules in a row that ask for a value on the same axes, of addresses for the first bits at least.
type run struct {
	steps []ir.Step
	at    [][axes]int8 // by rule: the number of the match on each axis, -1 if there is none
	bits  [axes]int    // -1 on an axis that some rule says nothing about
}

// takes adds the rule to the run, unless that would leave no axis.
func (r *run) takes(step ir.Step) bool {
	at, bits := [axes]int8{-1, -1, -1, -1}, [axes]int{-1, -1, -1, -1}
	left := false
	for i, m := range step.Rule.Matches {
		a, v, ok := axisOf(m)
		if !ok || at[a] >= 0 || i > math.MaxInt8 {
			continue
		}
		at[a] = int8(i)
		switch {
		case len(r.steps) == 0:
			bits[a] = max(0, v.prefix.Bits())
		case r.bits[a] >= 0:
			bits[a] = min(r.bits[a], max(0, v.prefix.Bits()))
		}
		left = left || bits[a] >= 0
	}
	if !left && len(r.steps) > 0 {
		return false
	}
	r.steps, r.at, r.bits = append(r.steps, step), append(r.at, at), bits
	return true
}

// runs cuts rules into runs, each as long as it can be.
func runs(steps []ir.Step) []*run {
	var all []*run
	for _, step := range steps {
		if len(all) == 0 || !all[len(all)-1].takes(step) {
			next := &run{}
			next.takes(step)
			all = append(all, next)
		}
	}
	return all
}

// axis returns the axis by which the run is told apart; ok is false if there is none. Before routing no packet has an
// interface by which it leaves.
func (r *run) axis(hook ir.Hook) (axis, bool) {
	for a := range axes {
		if r.bits[a] >= 0 && !(a == axisOut && hook == ir.Prerouting) {
			return a, true
		}
	}
	return 0, false
}

// run returns what the rules do: slice by slice, one for each value.
func (m *model) run(r *run, hook ir.Hook) part {
	by, ok := r.axis(hook)
	if !ok || len(r.steps) == 1 {
		parts := make([]part, len(r.steps))
		for i, step := range r.steps {
			parts[i] = m.rule(step, hook)
		}
		return m.fold(parts)
	}
	number := make(map[value]int)
	var all []slice
	for i, step := range r.steps {
		at := int(r.at[i][by])
		_, v, _ := axisOf(step.Rule.Matches[at])
		if v.name == "" && v.prefix.Bits() > r.bits[by] {
			v.prefix, _ = v.prefix.Addr().Prefix(r.bits[by])
			at = -1 // the rule asks for more than the value
		}
		n, ok := number[v]
		if !ok {
			n = len(all)
			number[v] = n
			all = append(all, slice{value: m.bitsOf(by, v)})
		}
		all[n].parts = append(all[n].parts, m.does(step, hook, m.meetsBut(step, hook, at)))
	}
	first := [axes]int{m.iif.first, m.oif.first, m.saddr.first, m.daddr.first}[by]
	bits := r.bits[by]
	if by == axisIn || by == axisOut {
		bits = m.iif.bits
	}
	slices.SortFunc(all, func(a, b slice) int { return bytes.Compare(a.value, b.value) })
	return m.apart(field{first, bits}, all)
}

// bitsOf returns the value as the bits of its field: nil if no packet of the space has it.
func (m *model) bitsOf(by axis, v value) []byte {
	if by == axisSrc || by == axisDst {
		raw := v.prefix.Addr().AsSlice()
		if 8*len(raw) != m.saddr.bits {
			return nil
		}
		return raw
	}
	return binary.BigEndian.AppendUint64(nil, uint64(m.atoms[v.name])<<(64-m.iif.bits))
}

// slice is the packets of one value of a field, given by its bits, and what the rules for them do, one after the other.
type slice struct {
	value []byte
	parts []part
}

// choice is what holds for the packets of one value of a field.
type choice struct {
	value []byte
	set   node
}

// apart joins what is done to slices by the value of a field, in rising order of the value.
func (m *model) apart(f field, slices []slice) part {
	ends := make(map[end][]choice)
	var back []choice
	for _, s := range slices {
		if s.value == nil {
			continue
		}
		p := m.fold(s.parts)
		for e, set := range p.ends {
			ends[e] = append(ends[e], choice{s.value, set})
		}
		if p.back != never {
			back = append(back, choice{s.value, p.back})
		}
	}
	out := part{ends: make(map[end]node, len(ends)), back: m.choose(f, back)}
	met := out.back
	for e, sets := range ends {
		out.ends[e] = m.choose(f, sets)
		met = m.or(met, out.ends[e])
	}
	out.on = m.not(met)
	return out
}

// choose returns the packets whose field f has one of the values, and which are in the set of that value.
func (s *space) choose(f field, of []choice) node {
	for _, c := range of {
		if int(s.level(c.set)) < f.first+f.bits { // asked before the field is
			return s.unionOf(f, of)
		}
	}
	return s.branch(f, 0, of)
}

// branch is choose behind the first bits of the field, which all values have in common.
func (s *space) branch(f field, bit int, of []choice) node {
	switch {
	case len(of) == 0:
		return never
	case bit == f.bits:
		return of[0].set
	}
	ones := sort.Search(len(of), func(i int) bool { return of[i].value[bit/8]>>(7-bit%8)&1 == 1 })
	return s.vertex(uint16(f.first+bit), s.branch(f, bit+1, of[:ones]), s.branch(f, bit+1, of[ones:]))
}

// unionOf is choose for sets that ask variables before the field's.
func (s *space) unionOf(f field, of []choice) node {
	sets := make([]node, len(of))
	for i, c := range of {
		sets[i] = s.and(s.branch(f, 0, []choice{{c.value, always}}), c.set)
	}
	return s.union(sets)
}
