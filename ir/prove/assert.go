package prove

import (
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// AssertionKind is what an assertion claims.
type AssertionKind string

const (
	Deny AssertionKind = "deny" // no new connection of that kind gets through, whatever addresses a guest takes
	// every new connection of that kind gets through, from addresses of the endpoint
	Allow    AssertionKind = "allow"
	Isolated AssertionKind = "isolated" // no new connection to another network or outside gets through, either way
)

// Assertion is a claim about who can open connections to whom.
type Assertion struct {
	Kind AssertionKind
	// Of Isolated From is the network. Else the zero value stands for each of the other ends.
	From, To Endpoint
	Query    Query // which connections, for Deny and Allow

	Text string // as its author's language has it, in one line
	Span diag.Span
}

// Check decides whether a holds: Proved, Refuted with a packet that shows it, Unknown if it depends
// on a rule that is not modelled, or TooLarge. An Allow about connections that can't be, such as
// those from addresses that the network does not have, is refuted, and there is no packet: it is
// the zero value.
func (r *Reacher) Check(a Assertion) (answer Answer, packet ir.Packet) {
	answer = Proved
	whole := r.ask(func() {
		var ok bool
		if ok, packet = r.holds(a); !ok {
			answer = Refuted
		} else if r.depends(a) {
			answer = Unknown
		}
	})
	if !whole {
		return TooLarge, ir.Packet{}
	}
	return answer, packet
}

func (r *Reacher) holds(a Assertion) (ok bool, packet ir.Packet) {
	if a.Kind == Allow {
		return r.allows(a)
	}
	for _, p := range r.pairs(a) {
		if some, packet := r.letsThrough(p[0], p[1], a.Query); some {
			return false, packet
		}
	}
	return true, ir.Packet{}
}

// allows decides an Allow: there are connections from and to each of the addresses of which it
// speaks, and all get through.
func (r *Reacher) allows(a Assertion) (ok bool, packet ir.Packet) {
	pairs := r.pairs(a)
	for _, q := range a.Query.each() {
		if !slices.ContainsFunc(pairs, func(p [2]Endpoint) bool {
			some, _ := r.find(p[0], p[1], q, func(s *side, _ way, set node) node { return s.And(set, s.can(p)) })
			return some
		}) {
			return false, ir.Packet{}
		}
	}
	for _, p := range pairs {
		if some, packet := r.find(p[0], p[1], a.Query, func(s *side, w way, set node) node {
			return s.And(s.And(set, s.can(p)), s.crossings[w.name].closed)
		}); some {
			return false, packet
		}
	}
	return true, ir.Packet{}
}

// each returns the query for each of its sources alone, and for each of its destinations.
func (q Query) each() []Query {
	var all []Query
	for _, p := range q.Source {
		one := q
		one.Source = []netip.Prefix{p}
		all = append(all, one)
	}
	for _, p := range q.Dest {
		one := q
		one.Dest = []netip.Prefix{p}
		all = append(all, one)
	}
	if all == nil {
		return []Query{q}
	}
	return all
}

// pairs returns the ends of the connections of which a speaks.
func (r *Reacher) pairs(a Assertion) (all [][2]Endpoint) {
	ends := Endpoints(r.program)
	if a.Kind == Isolated {
		for _, other := range ends {
			if other != a.From && other.Kind != Host {
				all = append(all, [2]Endpoint{a.From, other}, [2]Endpoint{other, a.From})
			}
		}
		return all
	}
	of := func(p Endpoint) []Endpoint {
		if p == (Endpoint{}) {
			return ends
		}
		return []Endpoint{p}
	}
	open := a.From == Endpoint{} || a.To == Endpoint{}
	for _, from := range of(a.From) {
		for _, to := range of(a.To) {
			if _, ok := wayBetween(from, to); ok && !(open && from == to) {
				all = append(all, [2]Endpoint{from, to})
			}
		}
	}
	return all
}

// depends is true if some connections of which a speaks may get through or not.
func (r *Reacher) depends(a Assertion) bool {
	for _, p := range r.pairs(a) {
		for _, s := range r.sides {
			w, ok := wayBetween(p[0], p[1])
			if !ok || s.crossings[w.name].depends == never {
				continue
			}
			set := s.And(s.narrowed(p[0], p[1], w, a.Query), s.And(s.places.by(p[0], source), s.places.by(p[1], dest)))
			if a.Kind == Allow {
				set = s.asked(p[0], p[1], w, a.Query)
			}
			if s.And(set, s.crossings[w.name].depends) != never {
				return true
			}
		}
	}
	return false
}

// letsThrough looks for a new connection that gets through, first among those with addresses of
// their endpoints, which are the plainer case, then among all that come and go by the endpoints'
// interfaces.
func (r *Reacher) letsThrough(from, to Endpoint, q Query) (bool, ir.Packet) {
	if some, packet := r.Open(from, to, q); some {
		return true, packet
	}
	for _, s := range r.sides {
		w, ok := wayBetween(from, to)
		if !ok {
			continue
		}
		set := s.And(s.narrowed(from, to, w, q), s.crossings[w.name].accepted)
		set = s.And(set, s.And(s.places.by(from, source), s.places.by(to, dest)))
		if set != never {
			return true, s.pickFor(set, q)
		}
	}
	return false, ir.Packet{}
}

// can returns all packets if both ends can have an address of s's family, and none else.
func (s *side) can(p [2]Endpoint) node { return constant(s.canHave(p[0]) && s.canHave(p[1])) }

// canHave is true if p can have an address of s's family: the host and the outside always, a
// network if it has a subnet.
func (s *side) canHave(p Endpoint) bool { return p.Kind != Network || s.places.has(p, s.family) }
