package prove

import "github.com/vnetc/vnetc/ir"

// Access is how far one endpoint can open connections to another.
type Access string

const (
	NoAccess   Access = "no"   // none gets through
	SomeAccess Access = "some" // some do
	FullAccess Access = "yes"  // all do
	NotAsked   Access = "-"    // there are no such packets, or they are nobody's question
)

// Cell is one entry of the matrix of who reaches whom.
type Cell struct {
	From, To Endpoint
	Family   ir.Family // IPv4 or IPv6
	Access   Access
	Some     []string // for SomeAccess: what gets through, in words
}

// Matrix returns, for every pair of endpoints and each family, who can open connections to whom.
func (r *Reacher) Matrix() []Cell {
	all := Endpoints(r.program)
	cells := make([]Cell, 0, len(r.sides)*len(all)*len(all))
	for _, s := range r.sides {
		to := make([]node, len(all))
		for i, p := range all {
			if s.speaks(p) {
				to[i] = s.places.to(p)
			}
		}
		for _, from := range all {
			known := make(map[string]row)
			for i, p := range all {
				cells = append(cells, s.cell(known, from, p, to[i]))
			}
		}
	}
	return cells
}

// row is the new packets from one endpoint that go one way, without their source: what gets through, and what does not. Networks
// that are treated alike have one row, and its endpoints cost next to nothing; packets of two endpoints are told apart for each pair.
type row struct{ open, closed node }

func (s *side) row(from Endpoint, w way) row {
	if !s.speaks(from) {
		return row{}
	}
	set := s.And(s.And(s.packets(w), s.inStates(ir.StateNew)), s.places.from(from))
	origin := s.cube(s.iif, s.saddr)
	return row{s.Without(s.And(set, s.accepted[w.name]), origin), s.Without(s.Diff(set, s.accepted[w.name]), origin)}
}

// cell answers for one pair in one family. Known has the rows of from by way; ends is the packets that end at to.
func (s *side) cell(known map[string]row, from, to Endpoint, ends node) Cell {
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
	switch some, others := s.And(r.open, ends) != never, s.And(r.closed, ends) != never; {
	case some && others:
		c.Access = SomeAccess
		open := s.And(s.asked(from, to, w, Query{}), s.accepted[w.name])
		c.Some = s.words(s.Without(open, s.cube(s.state)), from, to) // all are new
	case some:
		c.Access = FullAccess
	case others:
		c.Access = NoAccess
	}
	return c
}
