package prove

import "github.com/vnetc/vnetc/ir"

// Access is how far one endpoint can open connections to another.
type Access string

const (
	NoAccess   Access = "no"      // none gets through
	SomeAccess Access = "some"    // some do
	FullAccess Access = "yes"     // all do
	NotAsked   Access = "-"       // there are no such packets, or they are not looked at
	Depends    Access = "depends" // a rule that is not modelled decides, and otherwise all do or none
	CantTell   Access = "?"       // the answer would cost more than the budget has
)

// Cell is one entry of the matrix of who reaches whom.
type Cell struct {
	From, To Endpoint
	Family   ir.Family // IPv4 or IPv6
	Access   Access
	Some     []string // for SomeAccess: what gets through, in words
	Because  ir.Step  // for Depends: the rule
}

// Matrix returns, for every pair of endpoints and each family, who can open connections to whom.
func (r *Reacher) Matrix() []Cell {
	all := Endpoints(r.program)
	cells := make([]Cell, 0, 2*len(all)*len(all))
	for i, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		to := make([]node, len(all))
		known := r.ask(func() {
			for j, p := range all {
				if s := r.sides[i]; s.speaks(p) {
					to[j] = s.places.to(p)
				}
			}
		})
		for _, from := range all {
			row := make([]Cell, 0, len(all))
			if !known || !r.spend(func() { row = r.sides[i].row(row, from, all, to) }) {
				row = cantTell(from, all, family)
			}
			cells = append(cells, row...)
		}
	}
	return cells
}

// row puts the answers for all pairs that begin with from into cells; to is the packets that end at
// each of all.
func (s *side) row(cells []Cell, from Endpoint, all []Endpoint, to []node) []Cell {
	known := make(map[string]origin)
	for i, p := range all {
		cells = append(cells, s.cell(known, from, p, to[i]))
	}
	return cells
}

// cantTell is a row that would cost too much.
func cantTell(from Endpoint, all []Endpoint, family ir.Family) []Cell {
	var cells []Cell
	for _, to := range all {
		c := Cell{From: from, To: to, Family: family, Access: CantTell}
		if _, ok := wayBetween(from, to); !ok {
			c.Access = NotAsked
		}
		cells = append(cells, c)
	}
	return cells
}

// origin is the new packets from one endpoint that go one way, without their source: what gets
// through, what does not, and what depends on rules that are not modelled. Networks that are
// treated alike have one origin, and its endpoints cost next to nothing; packets of two endpoints
// are distinguished for each pair.
type origin struct{ open, closed, depends node }

func (s *side) originOf(from Endpoint, w way) origin {
	if !s.speaks(from) {
		return origin{}
	}
	set := s.And(s.And(s.packets(w), s.inStates(ir.StateNew)), s.places.from(from))
	end := s.cube(s.iif, s.saddr)
	without := func(part node) node { return s.Without(s.And(set, part), end) }
	c := s.crossings[w.name]
	return origin{without(c.accepted), without(c.closed), without(c.depends)}
}

// cell answers for one pair in one family. Known has what comes from there by way; ends is the
// packets that end at to.
func (s *side) cell(known map[string]origin, from, to Endpoint, ends node) Cell {
	c := Cell{From: from, To: to, Family: s.family, Access: NotAsked}
	w, ok := wayBetween(from, to)
	if !ok {
		return c
	}
	r, ok := known[w.name]
	if !ok {
		r = s.originOf(from, w)
		known[w.name] = r
	}
	switch some, others := s.And(r.open, ends) != never, s.And(r.closed, ends) != never; {
	case some && others:
		c.Access = SomeAccess
		open := s.And(s.asked(from, to, w, Query{}), s.crossings[w.name].accepted)
		c.Some = s.words(s.Without(open, s.cube(s.state)), from, to) // all are new
	case s.And(r.depends, ends) != never:
		c.Access = Depends
		here := s.crossings[w.name]
		c.Because = s.because(here, s.And(s.asked(from, to, w, Query{}), here.depends))
	case some:
		c.Access = FullAccess
	case others:
		c.Access = NoAccess
	}
	return c
}
