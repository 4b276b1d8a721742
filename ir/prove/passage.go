package prove

import (
	"cmp"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Traffic is some packets of one family that go one way: all those between two interfaces for which
// the matches hold as they come. Their marks are 0, as those of packets are that no rule has met.
type Traffic struct {
	Family  ir.Family // IPv4 or IPv6
	In, Out string    // interfaces; empty for the host itself
	State   ir.State  // one of these
	Status  ir.Status // of the connection, when the packet comes
	Matches []ir.Match
}

// Passage is what becomes of the packets of a [Traffic]: which of its parts have any, with a packet
// each.
type Passage struct {
	Open, Closed, Depends *ir.Packet // get through for certain, don't for certain, and may or may not
	Because               ir.Step    // for Depends: a rule that is not modelled
	// Known is false if the answer would cost more than the budget has.
	Known bool
}

// Passage says which packets of q get through.
func (r *Reacher) Passage(q Traffic) (p Passage) {
	p.Known = r.ask(func() {
		for _, s := range r.sides {
			if s.family == q.Family {
				s.passage(&p, q)
			}
		}
	})
	return p
}

// Parts is which parts of a [Passage] have any packets. It costs less than packets of them.
type Parts struct {
	Open, Closed, Depends bool
	Known                 bool // Known is false if the answer would cost more than the budget has.
}

// Parts says whether packets of q get through.
func (r *Reacher) Parts(q Traffic) (p Parts) {
	p.Known = r.ask(func() {
		for _, s := range r.sides {
			if s.family != q.Family {
				continue
			}
			set, c := s.traffic(q), s.crossings[wayTaken(q).name]
			p.Open, p.Closed = s.And(set, c.accepted) != never, s.And(set, c.closed) != never
			p.Depends = s.And(set, c.depends) != never
		}
	})
	return p
}

func (s *side) passage(p *Passage, q Traffic) {
	set := s.traffic(q)
	w := wayTaken(q)
	c := s.crossings[w.name]
	example := func(part node) *ir.Packet {
		if part = s.And(set, part); part == never {
			return nil
		}
		packet := s.pick(part)
		packet.In, packet.Out = q.In, q.Out
		return &packet
	}
	p.Open, p.Closed, p.Depends = example(c.accepted), example(c.closed), example(c.depends)
	if p.Depends != nil {
		p.Because = s.because(c, s.And(set, c.depends))
	}
}

// wayTaken returns the way that q's packets go.
func wayTaken(q Traffic) way {
	i := slices.IndexFunc(ways[:], func(w way) bool { return w.in == (q.In != "") && w.out == (q.Out != "") })
	if i < 0 {
		panic("prove: traffic without interfaces")
	}
	return ways[i]
}

// traffic returns the packets of q.
func (s *space) traffic(q Traffic) node {
	sets := append(s.parts(q), s.masked(s.mark, 0, 1<<32-1))
	for i := range s.status.bits {
		sets = append(sets, s.bit(s.status.first+i, q.Status>>i&1 == 1, always))
	}
	return s.all(sets)
}

// union returns the packets of all of some traffic that is of s's family.
func (s *space) union(all []Traffic) node {
	var sets []node
	for _, q := range all {
		if q.Family == s.family {
			sets = append(sets, s.traffic(q))
		}
	}
	return s.Union(sets)
}

// anyhow returns the packets of q with any mark, and of connections with any status.
func (s *space) anyhow(q Traffic) node { return s.all(s.parts(q)) }

// parts returns sets whose common packets are those of [space.anyhow].
func (s *space) parts(q Traffic) []node {
	sets := []node{s.packets(wayTaken(q)), s.inStates(q.State)}
	if q.In != "" {
		sets = append(sets, s.named(s.iif, q.In))
	}
	if q.Out != "" {
		sets = append(sets, s.named(s.oif, q.Out))
	}
	for _, m := range q.Matches {
		sets = append(sets, s.match(ir.Forward, m))
	}
	return sets
}

// all returns the packets that are in each of the sets. It begins with those that depend on late
// variables, so that no step goes through what an earlier one has made.
func (s *space) all(sets []node) node {
	slices.SortFunc(sets, func(a, b node) int { return cmp.Compare(s.Level(b), s.Level(a)) })
	set := always
	for _, x := range sets {
		set = s.And(x, set)
	}
	return set
}

// Opens looks for a packet that gets through under after, perhaps, and surely not under before, and
// that is in none of but, whatever its mark and status. After is before with more rules, each of
// which names an interface by which some traffic of but comes, or one by which it leaves if it is
// the host's own: no fate of other packets changes. Whole is false if the answer would cost more
// than the budget has.
func (b *Budget) Opens(before, after *ir.Program, but []Traffic) (packet *ir.Packet, whole bool) {
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		s := newOrderedSpace(byEnd, family, before, after)
		known := b.spend(s.Manager, func() { packet = s.opens(newMayModel(s, before), newMayModel(s, after), but) })
		if !known || packet != nil {
			return packet, known
		}
	}
	return nil, true
}

func (s *space) opens(old, now *model, but []Traffic) *ir.Packet {
	var ends []node
	for _, q := range but {
		if q.In != "" {
			ends = append(ends, s.named(s.iif, q.In))
		} else {
			ends = append(ends, s.named(s.oif, q.Out)) // a rule for it is met by what is forwarded, too
		}
	}
	some := s.Union(ends)
	for _, w := range ways {
		was, is := old.crossing(w, some), now.crossing(w, some)
		set := s.Diff(s.Or(is.accepted, is.depends), s.Or(was.accepted, was.depends))
		for _, q := range but {
			if q.Family == s.family && wayTaken(q).name == w.name {
				set = s.Diff(set, s.anyhow(q))
			}
		}
		if set != never {
			p := s.pick(set)
			return &p
		}
	}
	return nil
}
