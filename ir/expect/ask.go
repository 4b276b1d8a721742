package expect

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// Question is everything that an examination looks at.
type Question struct {
	Meant  *ir.Program // the networks' own rules, with their links
	Whole  *ir.Program // all rules of the host, the networks' among them
	Host   *ir.Host
	Hidden []ir.Hidden
	Unread bool            // Unread is true if rules that packets meet could not be read at all.
	Dead   map[string]Fact // by network: why its DHCP and DNS server serves nobody
	Only   []string        // names of the networks that are asked about; nil for all
	Budget *prove.Budget   // nil for the usual one
}

// Ask answers for every expectation of the networks, in their order.
func Ask(q Question) []Answer {
	if q.Budget == nil {
		q.Budget = prove.NewBudget()
	}
	e := &examination{Question: q}
	e.places = &outsides{host: q.Host, links: q.Meant.Links}
	var expected []Expectation
	for _, l := range q.Meant.Links {
		if q.Only == nil || slices.Contains(q.Only, l.Name) {
			expected = append(append(expected, list(l, q.Host, e.places)...), acrossAll(l, q.Meant.Links)...)
		}
	}
	e.reachers(expected)
	var all []Answer
	for _, x := range expected {
		if a, asked := e.answer(x); asked {
			all = append(all, a)
		}
	}
	return all
}

type examination struct {
	Question
	places       *outsides
	whole, meant *prove.Reacher
}

// reachers makes those of the host and of the networks alone, for what is expected. Interfaces that
// packets are asked about and no rule names are alike to the programs, so these need no more than
// links.
func (e *examination) reachers(expected []Expectation) {
	whole, meant := *e.Whole, *e.Meant
	whole.Links, meant.Links = e.Meant.Links, e.Meant.Links
	among := traffic(expected)
	e.whole, e.meant = e.Budget.ReacherAmong(&whole, among), e.Budget.ReacherAmong(&meant, among)
}

// traffic returns the packets that are asked about.
func traffic(expected []Expectation) (all []prove.Traffic) {
	for _, x := range expected {
		for _, leg := range x.Legs {
			all = append(all, leg.Traffic)
		}
	}
	return all
}

// answer asks one expectation; asked is false if the network promises nothing there.
func (e *examination) answer(x Expectation) (a Answer, asked bool) {
	a = Answer{Expectation: x, Verdict: Yes}
	if x.Given != nil && len(x.Legs) == 0 {
		a.Verdict, a.Fact = No, x.Given
		return a, true
	}
	switch x.Kind {
	case DHCP, DNS:
		if dead, is := e.Dead[x.Network]; is {
			a.Verdict, a.Fact = No, &dead
			return a, true
		}
	case Out, In, Across:
		meant := e.meant.Parts(x.Legs[0].Traffic)
		if !meant.Known {
			a.Verdict = CantTell
			return a, true
		}
		if meant.Depends || meant.Open && (meant.Closed || !e.meansRest(x)) {
			return a, false
		}
		a.Refused = !meant.Open
		if a.Fact = e.forwards(x); !a.Refused && a.Fact != nil {
			a.Verdict = No
			return a, true
		}
		a.Fact = nil
	}
	if a.Refused {
		e.refused(&a)
		return a, true
	}
	for i := range x.Legs {
		e.leg(&a, i)
	}
	if x.Given != nil && rank[a.Verdict] <= rank[Depends] {
		a.Verdict, a.Fact = Depends, x.Given
	}
	return a, true
}

// meansRest is true if the networks' own rules let the legs of x behind the first through. Where
// they don't nothing is promised: guests of an isolated network get into a routed one, and hear no
// answer.
func (e *examination) meansRest(x Expectation) bool {
	for _, leg := range x.Legs[1:] {
		if p := e.meant.Parts(leg.Traffic); !p.Open || p.Closed || p.Depends {
			return false
		}
	}
	return true
}

// forwards returns what of the host itself keeps packets of x from being forwarded, nil if nothing
// does.
func (e *examination) forwards(x Expectation) *Fact {
	for _, leg := range x.Legs {
		d := e.Host.Device(leg.In)
		if d == nil {
			continue
		}
		if fact := e.filters(x, d); fact != nil {
			return fact
		}
		if d.Forwards&x.Family != 0 {
			continue
		}
		sysctl := "net.ipv4.conf." + d.Name + ".forwarding"
		fix := "sysctl -w net.ipv4.ip_forward=1"
		if x.Family == ir.IPv6 {
			sysctl = "net.ipv6.conf.all.forwarding"
			fix = "sysctl -w net.ipv6.conf.all.forwarding=1"
		}
		return &Fact{What: fmt.Sprintf("the host does not forward what comes in by %s: %s is 0", d.Name, sysctl),
			Fix: fix}
	}
	return nil
}

// filters returns that the host drops what the outside sends by d, since the way back leads
// elsewhere; nil if it does not. Guests' own connections come back by the device by which they
// went.
func (e *examination) filters(x Expectation, d *ir.HostDevice) *Fact {
	if x.Kind != In || x.Family != ir.IPv4 || d.RPFilter != 1 || d.Name != x.Device {
		return nil
	}
	route, ok := defaultRoute(e.Host, ir.IPv4)
	if !ok || route.Device == d.Name {
		return nil
	}
	return &Fact{What: fmt.Sprintf("rp_filter of %s is 1 (strict), and packets to the outside leave by %s: the host drops what comes from there by %s",
		d.Name, route.Device, d.Name), Fix: "sysctl -w net.ipv4.conf." + d.Name + ".rp_filter=2"}
}

// rank orders verdicts: what decides where legs differ.
var rank = map[Verdict]int{Yes: 0, Part: 1, Depends: 2, CantTell: 3, No: 4}

// leg asks leg i of a, and keeps its answer if it is worse than those before.
func (e *examination) leg(a *Answer, i int) {
	leg := a.Legs[i]
	hidden := e.hides(leg)
	p := prove.Passage{Known: true}
	if !leg.Plain {
		if parts := e.whole.Parts(leg.Traffic); parts.Known && !parts.Closed && !parts.Depends && hidden == "" {
			return
		}
		p = e.whole.Passage(leg.Traffic)
	}
	verdict := Yes
	var packet *ir.Packet
	switch {
	case !p.Known:
		verdict = CantTell
	case p.Open == nil && p.Depends == nil && p.Closed != nil:
		verdict, packet = No, p.Closed
	case p.Open == nil && p.Depends != nil:
		verdict, packet = Depends, p.Depends
	case p.Closed != nil:
		verdict, packet = Part, p.Closed
	case p.Depends != nil:
		verdict, packet = Part, p.Depends
	}
	if hidden != "" && rank[verdict] < rank[Depends] {
		verdict = Depends
	}
	if rank[verdict] <= rank[a.Verdict] {
		return
	}
	a.Verdict, a.Leg, a.Hidden, a.Because = verdict, i, "", ir.Step{}
	switch {
	case packet == nil:
		a.Hidden = hidden
	case packet == p.Closed:
		a.Packet, a.Ends = *packet, prove.Endings(e.Whole, *packet)
	default:
		a.Packet, a.Because = *packet, p.Because
	}
	if packet == nil && p.Open != nil {
		a.Packet = *p.Open
	}
}

// refused asks whether packets pass that must not.
func (e *examination) refused(a *Answer) {
	p := e.whole.Passage(a.Legs[0].Traffic)
	switch {
	case !p.Known:
		a.Verdict = CantTell
	case p.Open != nil && p.Closed == nil && p.Depends == nil:
		a.Verdict, a.Packet = No, *p.Open
	case p.Open != nil:
		a.Verdict, a.Packet = Part, *p.Open
	case p.Depends != nil:
		a.Verdict, a.Packet, a.Because = Depends, *p.Depends, p.Because
	}
}

// hides returns what is not read on the way of the leg's packets, in words; empty if all is.
func (e *examination) hides(leg Leg) string {
	if e.Unread {
		return "rules that could not be read"
	}
	for _, h := range e.Hidden {
		if e.meets(h, leg) {
			return h.Text
		}
	}
	return ""
}

// meets is true if packets of the leg may come to h. Those of a flowtable have met all rules
// before.
func (e *examination) meets(h ir.Hidden, leg Leg) bool {
	switch {
	case h.Chain == "":
		return false
	case h.Family == "bridge":
		bridge := func(name string) bool {
			return slices.ContainsFunc(e.Meant.Links, func(l *ir.Link) bool { return l.Bridge.Name == name && name != "" })
		}
		switch h.Hook {
		case "forward":
			return leg.Bridged
		case "input":
			return bridge(leg.In) && !leg.Bridged
		case "prerouting":
			return bridge(leg.In)
		case "output":
			return bridge(leg.Out) && !leg.Bridged
		}
		return bridge(leg.Out)
	case h.Family == "arp":
		return leg.Family == ir.IPv4
	case h.Hook == "egress":
		return e.passes(h.Device, leg.Out)
	}
	return e.passes(h.Device, leg.In)
}

// passes is true if what goes by the device called name may go by the one called hook: itself, a
// port of it, or one that is not told.
func (e *examination) passes(hook, name string) bool {
	if name == "" {
		return false
	}
	d := e.Host.Device(hook)
	return hook == "" || hook == name || d != nil && d.Master == name
}

// Again asks the expectation of an answer of another program for the host: one in which something
// was changed to make it hold.
func Again(q Question, a Answer) Answer {
	if q.Budget == nil {
		q.Budget = prove.NewBudget()
	}
	e := &examination{Question: q}
	whole := *q.Whole
	whole.Links = q.Meant.Links
	e.whole = q.Budget.ReacherAmong(&whole, traffic([]Expectation{a.Expectation}))
	out := Answer{Expectation: a.Expectation, Verdict: Yes}
	for i := range a.Legs {
		e.leg(&out, i)
	}
	return out
}
