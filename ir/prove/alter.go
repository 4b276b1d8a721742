package prove

import (
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Actions alter packets and let them go on. What rules behind an action do is said of the packet as
// it is there. Said of the packet as it came, it is the set of all packets that the alteration
// turns into such ones. Of what is not known after an opaque action, only that is said which holds
// for every value.

// flow is packets that return or go on altered.
type flow struct {
	change   ir.Alteration
	back, on node
}

// altering returns what a rule with actions does if the packets in set meet it.
func (m *model) altering(step ir.Step, hook ir.Hook, set node) part {
	out := part{on: m.Not(set)}
	full, bare := step.Rule.Alteration(true), step.Rule.Alteration(false)
	for _, x := range []struct {
		change ir.Alteration
		set    node
	}{{full, m.And(set, m.inStates(ir.Tracked))}, {bare, m.Diff(set, m.inStates(ir.Tracked))}} {
		if full == bare {
			x.set = set
		}
		if m.causes[x.change] == nil {
			m.causes[x.change] = step.Rule
		}
		if m.may {
			x.change = plain(x.change)
		}
		m.carry(&out, x.change, x.set, m.decides(step, hook, always))
		if full == bare {
			break
		}
	}
	return out
}

// carry adds to out what b does to the packets in set after change.
func (m *model) carry(out *part, change ir.Alteration, set node, b part) {
	left := set
	take := func(later node) node {
		in := m.And(set, m.earlier(later, change))
		left = m.Diff(left, in)
		return in
	}
	for _, e := range b.ends {
		end := m.ends[e.end]
		if end.kind == endAccept || end.kind == endNAT {
			end.change = m.compose(change, end.change)
		}
		out.ends = m.merge(out.ends, m.within(always, []ending{{m.number(end), take(e.set)}}))
	}
	out.addFlow(m.space, flow{change, take(b.back), take(b.on)})
	for _, f := range b.altered {
		out.addFlow(m.space, flow{m.compose(change, f.change), take(f.back), take(f.on)})
	}
	if left != never && !m.may {
		unknown := end{kind: endUnknown, rule: m.causes[change]}
		out.ends = m.merge(out.ends, []ending{{m.number(unknown), left}})
	}
}

// alter adds to out, which is the effect of a followed by b on packets that neither alters, the
// fate of the others.
func (m *model) alter(out *part, a, b part) {
	for _, f := range a.altered {
		out.addFlow(m.space, flow{f.change, f.back, never})
		if f.on != never {
			m.carry(out, f.change, f.on, b)
		}
	}
	for _, f := range b.altered {
		out.addFlow(m.space, flow{f.change, m.And(a.on, f.back), m.And(a.on, f.on)})
	}
}

// addFlow adds packets to those of p.
func (p *part) addFlow(s *space, f flow) {
	if f.back == never && f.on == never {
		return
	}
	p.altered = slices.Clone(p.altered) // parts share theirs
	for i := range p.altered {
		if old := &p.altered[i]; old.change == f.change {
			old.back, old.on = s.Or(old.back, f.back), s.Or(old.on, f.on)
			return
		}
	}
	p.altered = append(p.altered, f)
}

// compose returns what is done if b follows a.
func (m *model) compose(a, b ir.Alteration) ir.Alteration {
	c := a.Then(b)
	if m.may {
		return plain(c)
	}
	if c.Unknown() != 0 && m.causes[c] == nil {
		if m.causes[c] = m.causes[b]; m.causes[c] == nil {
			m.causes[c] = m.causes[a]
		}
	}
	return c
}

// before returns the packets that are in set after change, whatever the values are that it makes
// unknown.
func (s *space) before(set node, change ir.Alteration) node {
	if set == never || set == always {
		return set
	}
	if value, mask := change.Mark(); mask != 0 {
		set = s.Fix(set, s.marked(value, mask))
	} else if bits := change.MarkBits(); bits != 0 {
		set = s.beforeMarks(set, change, bits)
	}
	if change.Untracked() {
		set = s.Fix(set, s.untracked())
	}
	if unknown := change.Unknown(); unknown != 0 {
		others := s.And(s.Not(set), s.below(s.state, len(states)))
		set = s.Not(s.Without(others, s.cube(s.fieldsOf(unknown)...)))
	}
	return set
}

// beforeMarks is before for marks that are copied or turned over, bit by bit.
func (s *space) beforeMarks(set node, change ir.Alteration, bits uint32) node {
	literal := func(v int, is bool) node { return s.bit(v, is, always) }
	for bit := range 32 {
		if bits>>bit&1 == 0 {
			continue
		}
		mark, ct := s.mark.first+31-bit, s.keys[ir.KeyCTMark].first+31-bit
		newMark, newCT := change.Bit(bit)
		var sets []node
		for _, m := range []bool{false, true} {
			for _, c := range []bool{false, true} {
				after := s.And(literal(mark, newMark(m, c)), literal(ct, newCT(m, c)))
				then := s.Fix(set, after)
				sets = append(sets, s.And(s.And(literal(mark, m), literal(ct, c)), then))
			}
		}
		set = s.Union(sets)
	}
	return set
}

// untracked returns the packets that connection tracking passes over, as a cube: they have no
// status.
func (s *space) untracked() node {
	set := s.inStates(ir.StateUntracked)
	for i := range s.status.bits {
		set = s.And(set, s.bit(s.status.first+i, false, always))
	}
	return set
}

// fieldsOf returns the fields of the space that hold f, in the order of their variables.
func (s *space) fieldsOf(f ir.Fields) []field {
	var all []field
	for _, x := range []struct {
		is    ir.Fields
		holds []field
	}{
		{ir.FieldSAddr, []field{s.saddr}}, {ir.FieldDAddr, []field{s.daddr}}, {ir.FieldL4Proto, []field{s.proto}},
		{ir.FieldSPort, []field{s.sport}}, {ir.FieldDPort, []field{s.dport}},
		{ir.FieldICMP, []field{s.icmpType, s.icmpCode}},
		{ir.FieldState, []field{s.state, s.status}}, {ir.FieldMark, []field{s.mark}},
		{ir.FieldTCPFlags, []field{s.flags}}, {ir.FieldCTMark, []field{s.keys[ir.KeyCTMark]}},
		{ir.FieldHeader, []field{s.keys[ir.KeyTTL], s.keys[ir.KeyLength], s.keys[ir.KeyTOS], s.keys[ir.KeyFragment]}},
	} {
		if f&x.is != 0 {
			all = append(all, x.holds...)
		}
	}
	slices.SortFunc(all, func(a, b field) int { return a.first - b.first })
	return all
}

// seen returns all by what is seen of the packets' alterations: what an action sets that a packet
// has anyhow is none.
func (s *space) seen(all fates) fates {
	out := make(fates)
	for f, set := range all {
		if _, mask := f.altered.Mark(); mask != 0 {
			same := s.And(set, s.marked(f.altered.Mark()))
			s.addSeen(out, f, s.Diff(set, same))
			f.altered, set = f.altered.WithoutMark(), same
		}
		s.addSeen(out, f, set)
	}
	return out
}

// addSeen adds the packets in set, which have fate f, to out.
func (s *space) addSeen(out fates, f fate, set node) {
	add := func(f fate, set node) {
		if set != never {
			out[f] = s.Or(out[f], set)
		}
	}
	if f.altered.Untracked() {
		same := s.And(set, s.inStates(ir.StateUntracked))
		add(f, s.Diff(set, same))
		f.altered, set = f.altered.WithoutNoTrack(), same
	}
	add(f, set)
}

// returned returns flows whose packets have come to the end of a chain: those that return go on
// behind the jump.
func (s *space) returned(flows []flow) []flow {
	var all []flow
	for _, f := range flows {
		all = append(all, flow{f.change, never, s.Or(f.back, f.on)})
	}
	return all
}

// sameFlows is true if a and b have the same packets.
func sameFlows(a, b []flow) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(f flow) bool { return !slices.Contains(b, f) })
}
