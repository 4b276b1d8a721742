package prove

import (
	"fmt"
	"maps"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// EndpointKind is a kind of end that a connection can have.
type EndpointKind uint8

const (
	Network EndpointKind = iota + 1 // the guests of one network
	Host                            // the host itself
	Outside                         // whatever is behind the host's other interfaces
)

// Endpoint is an end of a connection.
type Endpoint struct {
	Kind EndpointKind
	Name string // of the network; empty for the others
}

// String returns the words of an assertion: network lab, host, outside.
func (p Endpoint) String() string {
	switch p.Kind {
	case Network:
		return "network " + p.Name
	case Host:
		return "host"
	case Outside:
		return "outside"
	}
	return fmt.Sprintf("endpoint(%d)", uint8(p.Kind))
}

// Endpoints returns the ends that p's links make: each network whose bridge the host forwards for,
// the host, the outside.
func Endpoints(p *ir.Program) []Endpoint {
	var all []Endpoint
	for _, l := range p.Links {
		if l.Mode.Managed() {
			all = append(all, Endpoint{Network, l.Name})
		}
	}
	return append(all, Endpoint{Kind: Host}, Endpoint{Kind: Outside})
}

// Query narrows a question to some packets. The zero value means all.
type Query struct {
	Family ir.Family      // 0 for both
	Proto  uint8          // IANA number; 0 for any
	Types  []ir.ICMPType  // of Proto ICMP or ICMPv6; nil for any
	Ports  []ir.PortRange // destination ports; nil for any
	Source []netip.Prefix // nil for any address of the endpoint
	Dest   []netip.Prefix

	In, Out string // interfaces of the outside; empty for any
}

// Reacher answers who can open connections to whom under one program: the fate of packets of state
// new. Guests are taken to have addresses of their network; see [Reacher.Leaks] for those that
// haven't. Its methods are not safe for concurrent use.
type Reacher struct {
	program *ir.Program
	budget  *Budget
	sides   []*side
	known   bool // known is false if not even the sets of packets that get through could be made within the budget.
}

// side is the program in one family.
type side struct {
	*model
	places    *places
	crossings map[string]crossing // by way, of packets of any state
	made      bdd.Mark            // where the sets above end; what is behind belongs to one question
}

// NewReacher prepares answers about p, which must have passed [ir.Verify]. Its networks are p's
// links; a program that was read from a host has none until they are given to it. It has no bound:
// [Budget.Reacher] does.
func NewReacher(p *ir.Program) *Reacher { return noBudget().Reacher(p) }

// Reacher is [NewReacher] whose questions are bounded by the budget.
func (b *Budget) Reacher(p *ir.Program) *Reacher {
	return b.reacher(p, func(*side) node { return always })
}

// ReacherAmong is Reacher for [Reacher.Passage] of the traffic in among only. On a host with many
// rules about other packets it costs far less.
func (b *Budget) ReacherAmong(p *ir.Program, among []Traffic) *Reacher {
	return b.reacher(p, func(s *side) node { return s.union(among) })
}

func (b *Budget) reacher(p *ir.Program, among func(*side) node) *Reacher {
	if b == nil {
		b = NewBudget()
	}
	r := &Reacher{program: p, budget: b, known: true}
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		functions := bdd.New()
		r.known = r.known && b.spend(functions, func() {
			s := newSpaceIn(functions, byEnd, family, p)
			side := &side{model: newMayModel(s, p), places: newPlaces(s, p.Links), crossings: make(map[string]crossing)}
			some := among(side)
			for _, w := range ways {
				side.crossings[w.name] = side.crossing(w, some)
			}
			side.made = functions.Mark()
			r.sides = append(r.sides, side)
		})
	}
	return r
}

// ask runs a question that needs all sides, and returns false if it came to the bound of the
// budget. Sets of earlier questions may be gone afterwards.
func (r *Reacher) ask(f func()) (whole bool) {
	for _, s := range r.sides {
		s.tidy()
	}
	return r.spend(f)
}

// spend is ask that keeps the sets of earlier questions.
func (r *Reacher) spend(f func()) (whole bool) {
	if !r.known {
		return false
	}
	// The sides have a manager each. A question looks at one side after the other, and each may use
	// the budget of one question.
	question := f
	for _, s := range r.sides {
		inner := question
		question = func() {
			if !r.budget.spend(s.Manager, inner) {
				panic(bdd.TooLarge{})
			}
		}
	}
	return bdd.Within(question)
}

// garbage is how many vertices of past questions are kept: to make them again would cost more than
// they take.
const garbage = 1 << 19

// tidy forgets what past questions needed, where that is much.
func (s *side) tidy() {
	if int(s.Mark()-s.made) < max(garbage, int(s.made)) {
		return
	}
	s.Release(s.made)
	s.forget()
}

// forget takes out of what is known the sets that were released.
func (s *side) forget() {
	maps.DeleteFunc(s.known, func(_ ir.Match, x node) bool { return !s.made.Has(x) })
	maps.DeleteFunc(s.sets, func(_ setAt, x node) bool { return !s.made.Has(x) })
	maps.DeleteFunc(s.places.known, func(at interfaces, _ []Endpoint) bool { return !s.made.Has(at.set) })
}

// Open looks for a new connection from one endpoint to another that gets through for certain, of
// those q asks about.
func (r *Reacher) Open(from, to Endpoint, q Query) (some bool, packet ir.Packet) {
	return r.find(from, to, q, func(s *side, w way, set node) node { return s.And(set, s.crossings[w.name].accepted) })
}

// Closed looks for a new connection from one endpoint to another that does not get through for
// certain, of those q asks about.
func (r *Reacher) Closed(from, to Endpoint, q Query) (some bool, packet ir.Packet) {
	return r.find(from, to, q, func(s *side, w way, set node) node { return s.And(set, s.crossings[w.name].closed) })
}

func (r *Reacher) find(from, to Endpoint, q Query, narrow func(*side, way, node) node) (bool, ir.Packet) {
	for _, s := range r.sides {
		w, ok := wayBetween(from, to)
		if !ok {
			continue
		}
		if set := narrow(s, w, s.asked(from, to, w, q)); set != never {
			return true, s.pickFor(set, q)
		}
	}
	return false, ir.Packet{}
}

// pickFor returns a packet of set, with the interfaces that q names where they are but others to
// the program.
func (s *side) pickFor(set node, q Query) ir.Packet {
	p := s.pick(set)
	if q.In != "" {
		p.In = q.In
	}
	if q.Out != "" {
		p.Out = q.Out
	}
	return p
}

// wayBetween returns the way that packets between two endpoints go; ok is false from the host to
// itself, and from outside to outside, which is not asked.
func wayBetween(from, to Endpoint) (w way, ok bool) {
	for _, w := range ways {
		if w.in == (from.Kind != Host) && w.out == (to.Kind != Host) {
			return w, !(from.Kind == Outside && to.Kind == Outside)
		}
	}
	return way{}, false
}

// asked returns the new packets from one endpoint to another of which q speaks.
func (s *side) asked(from, to Endpoint, w way, q Query) node {
	return s.And(s.narrowed(from, to, w, q), s.And(s.places.from(from), s.places.to(to)))
}

// speaks is true if packets of s's family are routed from and to p. A bridge whose network has no
// IPv6 address has IPv6 turned off, by libvirt (disable_ipv6) and by every other tool that brings
// the network up. IPv4 can't be turned off.
func (s *side) speaks(p Endpoint) bool {
	if p.Kind != Network || s.family == ir.IPv4 {
		return true
	}
	return s.places.has(p, s.family)
}

// narrowed returns the new packets that go way w and of which q speaks, whatever their addresses
// and interfaces; none if the endpoints have no packets of s's family.
func (s *side) narrowed(from, to Endpoint, w way, q Query) node {
	if q.Family&s.family == 0 && q.Family != 0 || !s.speaks(from) || !s.speaks(to) {
		return never
	}
	set := s.And(s.packets(w), s.inStates(ir.StateNew))
	if q.Proto != 0 {
		set = s.And(set, s.value(s.proto, uint64(q.Proto)))
	}
	if len(q.Types) > 0 {
		set = s.And(set, anyOf(s, q.Types, func(t ir.ICMPType) node { return s.match(ir.Forward, t) }))
	}
	if len(q.Ports) > 0 {
		set = s.And(set, s.And(s.ports, anyOf(s, q.Ports, func(p ir.PortRange) node {
			return s.between(s.dport, uint64(p.From), uint64(p.To))
		})))
	}
	if q.In != "" {
		set = s.And(set, s.named(s.iif, q.In))
	}
	if q.Out != "" {
		set = s.And(set, s.named(s.oif, q.Out))
	}
	if len(q.Source) > 0 {
		set = s.And(set, anyOf(s, q.Source, func(p netip.Prefix) node { return s.prefix(s.saddr, p) }))
	}
	if len(q.Dest) > 0 {
		set = s.And(set, anyOf(s, q.Dest, func(p netip.Prefix) node { return s.prefix(s.daddr, p) }))
	}
	return set
}

// anyOf returns the packets of any of all.
func anyOf[T any](s *side, all []T, set func(T) node) node {
	sets := make([]node, len(all))
	for i, one := range all {
		sets[i] = set(one)
	}
	return s.Union(sets)
}
