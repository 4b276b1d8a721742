package prove

import (
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
	p.Open, p.Closed, p.Depends = example(c.accepted), example(s.closed(w)), example(c.depends)
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
	set := s.And(s.anyhow(q), s.masked(s.mark, 0, ^uint32(0)))
	for i := range s.status.bits {
		set = s.And(set, s.bit(s.status.first+i, q.Status>>i&1 == 1, always))
	}
	return set
}

// anyhow returns the packets of q with any mark, and of connections with any status.
func (s *space) anyhow(q Traffic) node {
	set := s.And(s.packets(wayTaken(q)), s.inStates(q.State))
	if q.In != "" {
		set = s.And(set, s.named(s.iif, q.In))
	}
	if q.Out != "" {
		set = s.And(set, s.named(s.oif, q.Out))
	}
	return s.And(set, s.conjunction(ir.Forward, q.Matches, -1))
}

// Opens looks for a packet that gets through under after, perhaps, and surely not under before, and
// that is in none of but, whatever its mark and status. Whole is false if the answer would cost
// more than the budget has.
func (b *Budget) Opens(before, after *ir.Program, but []Traffic) (packet *ir.Packet, whole bool) {
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		s := newOrderedSpace(byEnd, family, before, after)
		known := b.spend(s.Manager, func() {
			old, now := newModel(s, before), newModel(s, after)
			for _, w := range ways {
				was, is := old.crossing(w), now.crossing(w)
				set := s.Diff(s.Or(is.accepted, is.depends), s.Or(was.accepted, was.depends))
				for _, q := range but {
					if q.Family == family && wayTaken(q).name == w.name {
						set = s.Diff(set, s.anyhow(q))
					}
				}
				if set != never && packet == nil {
					p := s.pick(set)
					packet = &p
				}
			}
		})
		if !known {
			return packet, false
		}
		if packet != nil {
			break
		}
	}
	return packet, true
}
