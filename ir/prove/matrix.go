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
	var cells []Cell
	for _, s := range r.sides {
		for _, from := range places {
			for _, to := range places {
				cells = append(cells, s.cell(from, to))
			}
		}
	}
	return cells
}

// cell answers for one pair in one family.
func (s *side) cell(from, to Place) Cell {
	c := Cell{From: from, To: to, Family: s.family, Access: NotAsked}
	w, ok := wayBetween(from, to)
	if !ok {
		return c
	}
	asked := s.asked(from, to, w, Query{})
	open := s.and(asked, s.accepted[w.name])
	switch {
	case asked == never:
	case open == never:
		c.Access = NoAccess
	case open == asked:
		c.Access = FullAccess
	default:
		c.Access = SomeAccess
		c.Some = s.words(s.without(open, s.cube(s.state)), from, to) // all are new
	}
	return c
}
