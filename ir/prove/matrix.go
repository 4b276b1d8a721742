package prove

import "github.com/vnetc/vnetc/ir"

// Access is how far one place can open connections to another.
type Access string

const (
	NoAccess   Access = "no"   // none gets through
	SomeAccess Access = "some" // some do
	FullAccess Access = "yes"  // all do
	NotAsked   Access = "-"    // there are no such packets, or they are nobody's question
)

// Cell is one entry of the matrix of who reaches whom.
type Cell struct {
	From, To Place
	Family   ir.Family // IPv4 or IPv6
	Access   Access
	Some     []string // for SomeAccess: what gets through, in words
}

// Matrix returns, for every pair of places and each family, who can open connections to whom.
func (r *Reacher) Matrix() []Cell {
	places := Places(r.program)
	cells := make([]Cell, 0, len(r.sides)*len(places)*len(places))
	for _, s := range r.sides {
		to := make([]node, len(places))
		for i, p := range places {
			if s.speaks(p) {
				to[i] = s.places.to(p)
			}
		}
		for _, from := range places {
			known := make(map[string]row)
			for i, p := range places {
				cells = append(cells, s.cell(known, from, p, to[i]))
			}
		}
	}
	return cells
}

// row is the new packets from one place that go one way, without their source: what gets through, and what does not. Networks
// that are treated alike have one row, and its places cost next to nothing; packets of two places are told apart for each pair.
type row struct{ open, closed node }

func (s *side) row(from Place, w way) row {
	if !s.speaks(from) {
		return row{}
	}
	set := s.and(s.and(s.packets(w), s.inStates(ir.StateNew)), s.places.from(from))
	origin := s.cube(s.iif, s.saddr)
	return row{s.without(s.and(set, s.accepted[w.name]), origin), s.without(s.diff(set, s.accepted[w.name]), origin)}
}

// cell answers for one pair in one family. Known has the rows of from by way; ends is the packets that end at to.
func (s *side) cell(known map[string]row, from, to Place, ends node) Cell {
	c := Cell{From: from, To: to, Family: s.family, Access: NotAsked}
	w, ok := wayBetween(from, to)
	if !ok {
		return c
	}
	r, ok := known[w.name]
	if !ok {
		r = s.row(from, w)
		known[w.name] = r
	}
	switch some, others := s.and(r.open, ends) != never, s.and(r.closed, ends) != never; {
	case some && others:
		c.Access = SomeAccess
		open := s.and(s.asked(from, to, w, Query{}), s.accepted[w.name])
		c.Some = s.words(s.without(open, s.cube(s.state)), from, to) // all are new
	case some:
		c.Access = FullAccess
	case others:
		c.Access = NoAccess
	}
	return c
}
