package prove

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

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

// Assertion is a claim about who can open connections to whom, one line of an assertion file; see
// [ParseAssertions].
type Assertion struct {
	Kind     AssertionKind
	From, To Endpoint // for Isolated From is the network
	Query    Query    // which connections, for Deny and Allow
	Span     diag.Span

	fromSpan, toSpan diag.Span // of the networks' names, or of the words host and outside
}

// String returns the assertion in its own language.
func (a Assertion) String() string {
	words := []string{string(a.Kind)}
	if a.Kind == Isolated {
		return strings.Join(append(words, endpointWords(a.From)), " ")
	}
	q := a.Query
	if w := familyWord(q.Family); w != "" && !q.Source.IsValid() && !q.Dest.IsValid() { // else the addresses say it
		words = append(words, w)
	}
	if q.Proto != 0 {
		words = append(words, ir.ProtoName(q.Proto))
	}
	words = append(words, "from", endWords(a.From, q.Source, q.In), "to", endWords(a.To, q.Dest, q.Out))
	if !q.Ports.IsZero() {
		words = append(words, "port", q.Ports.String())
	}
	return strings.Join(words, " ")
}

func endWords(p Endpoint, addr netip.Prefix, by string) string {
	words := endpointWords(p)
	if by != "" {
		words += " by " + nameWord(by)
	}
	switch {
	case !addr.IsValid():
		return words
	case addr.IsSingleIP():
		return addr.Addr().String() + " in " + words
	}
	return addr.String() + " in " + words
}

func endpointWords(p Endpoint) string {
	if p.Kind == Network {
		return "network " + nameWord(p.Name)
	}
	return p.String()
}

func nameWord(name string) string {
	if isPlain(name) {
		return name
	}
	return strconv.Quote(name)
}

func familyWord(f ir.Family) string {
	switch f {
	case ir.IPv4:
		return "ipv4"
	case ir.IPv6:
		return "ipv6"
	}
	return ""
}

// CheckNames says which networks the assertions speak of that are none of p's.
func CheckNames(p *ir.Program, assertions []Assertion) diag.List {
	all := Endpoints(p)
	var names []string
	for _, e := range all {
		if e.Kind == Network {
			names = append(names, e.Name)
		}
	}
	var list diag.List
	check := func(e Endpoint, at diag.Span) {
		if e.Kind != Network || slices.Contains(all, e) {
			return
		}
		fix := "name one of " + strings.Join(names, ", ")
		if near, ok := diag.Near(e.Name, names); ok {
			fix = fmt.Sprintf("did you mean %s?", near)
		} else if len(names) == 0 {
			fix = "remove the line: none of these networks is of mode nat, route, open or isolated"
		}
		list = append(list, diag.Diagnostic{
			Severity: diag.Error, Code: "assert-network", Span: at,
			What: fmt.Sprintf("there is no network %s here", e.Name),
			Why:  "an assertion speaks of the networks that are verified with it, those for which the host forwards",
			Fix:  fix,
		})
	}
	for _, a := range assertions {
		check(a.From, a.fromSpan)
		check(a.To, a.toSpan)
	}
	return list
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
	switch a.Kind {
	case Deny:
		some, packet := r.letsThrough(a.From, a.To, a.Query)
		return !some, packet
	case Allow:
		can := func(s *side, set node) node {
			return s.And(set, constant(s.canHave(a.From) && s.canHave(a.To)))
		}
		if some, _ := r.find(a.From, a.To, a.Query, func(s *side, _ way, set node) node { return can(s, set) }); !some {
			return false, ir.Packet{}
		}
		some, packet := r.find(a.From, a.To, a.Query, func(s *side, w way, set node) node {
			return s.And(can(s, set), s.closed(w))
		})
		return !some, packet
	case Isolated:
		for _, other := range Endpoints(r.program) {
			if other == a.From || other.Kind == Host {
				continue
			}
			for _, pair := range [][2]Endpoint{{a.From, other}, {other, a.From}} {
				if some, packet := r.letsThrough(pair[0], pair[1], Query{}); some {
					return false, packet
				}
			}
		}
		return true, ir.Packet{}
	}
	panic(fmt.Sprintf("prove: unknown kind of assertion %q", a.Kind))
}

// depends is true if some connections of which a speaks may get through or not.
func (r *Reacher) depends(a Assertion) bool {
	pairs := [][2]Endpoint{{a.From, a.To}}
	if a.Kind == Isolated {
		pairs = nil
		for _, other := range Endpoints(r.program) {
			if other != a.From && other.Kind != Host {
				pairs = append(pairs, [2]Endpoint{a.From, other}, [2]Endpoint{other, a.From})
			}
		}
	}
	for _, p := range pairs {
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

// canHave is true if p can have an address of s's family: the host and the outside always, a
// network if it has a subnet.
func (s *side) canHave(p Endpoint) bool { return p.Kind != Network || s.places.has(p, s.family) }
