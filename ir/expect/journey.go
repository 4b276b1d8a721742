package expect

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// Journey is what becomes of one packet on a host: what it meets, in order, and its fate.
type Journey struct {
	Packet  ir.Packet
	Bridged bool     // Bridged is true for a frame between two ports of a bridge.
	Path    *Path    // what it meets, if no match holds of which it is not known
	Verdict Verdict  // Yes: it arrives; No; Depends, on a match or on what was not read; CantTell
	Hidden  []string // what was not read on its way, in words
	Unread  bool     // Unread is true if that is because reading failed.
}

// Path is a way of a packet.
type Path struct {
	Out    string // the device by which it leaves; empty if it is for the host
	Visits []Visit
	Forks  []Fork // by their place among Visits
	Fate   ir.Fate
	End    string // what of the host itself ends the way, in words; empty if the rules' fate is the packet's
	More   bool   // More is true if there are more forks than are shown.
}

// Visit is a visit of a walk through the host's program.
type Visit struct {
	ir.Visit
	World, Owner string     // filled in by who knows that
	Origin       *ir.Origin // of the network's rule that this one is, if it is one
}

// Fork is a rule on a path of which it is not known if it matches.
type Fork struct {
	At      int // the visit of the path before which the rule is met
	Step    ir.Step
	Cause   ir.Step // the rule that is not modelled; often the same
	World   string
	Owner   string
	Matches *Path // what comes if the rule matches
}

// maxPaths bounds how many paths a journey has.
const maxPaths = 24

// Trace follows one packet through routing, every table of the host and NAT. It fails if there is
// no such packet on this host.
func Trace(q Question, request ir.Request) (*Journey, error) {
	r := &resolver{q.Host, q.Meant.Links}
	p, err := r.packet(request)
	if err != nil {
		return nil, err
	}
	t := &tracer{examination: &examination{Question: q}, resolver: r, packet: p}
	j := &Journey{Packet: p, Bridged: p.In != "" && p.In == p.Out && t.isBridge(p.In)}
	leg := Leg{Traffic: prove.Traffic{Family: p.Family, In: p.In, Out: p.Out, State: p.State}, Bridged: j.Bridged}
	if h := t.hides(leg); h != "" {
		j.Hidden, j.Unread = []string{h}, q.Unread
	}
	if j.Bridged && !q.Host.Filters(p.In, p.Family) {
		j.Path = &Path{Out: p.Out}
		j.Path.End = t.isolated(p.In)
		j.Verdict = map[bool]Verdict{true: Yes, false: No}[j.Path.End == ""]
	} else {
		if j.Path, err = t.path(nil); err != nil {
			return nil, err
		}
		j.Verdict = t.verdict()
	}
	if len(j.Hidden) > 0 && j.Verdict == Yes {
		j.Verdict = Depends
	}
	return j, nil
}

type tracer struct {
	*examination
	resolver       *resolver
	packet         ir.Packet
	paths          int
	arrives, stops bool
	more           bool
}

func (t *tracer) verdict() Verdict {
	switch {
	case t.arrives && t.stops, t.more:
		return Depends
	case t.arrives:
		return Yes
	}
	return No
}

// isBridge is true for the bridge of a network.
func (t *tracer) isBridge(name string) bool {
	return slices.ContainsFunc(t.Meant.Links, func(l *ir.Link) bool { return l.Bridge.Name == name })
}

// isolated says why guests of a bridge don't reach each other; empty if they do.
func (t *tracer) isolated(bridge string) string {
	for _, l := range t.Meant.Links {
		if l.Bridge.Name == bridge && l.Port.Isolated {
			return "the ports of network " + l.Name + " are isolated from each other"
		}
	}
	return ""
}

// question is one that the walk of a path asked.
type question struct {
	at, cause ir.Step
	before    int // the number of visits when it was asked
}

// path follows the packet where the first questions have these answers, and the others no.
func (t *tracer) path(answers []bool) (*Path, error) {
	t.paths++
	fate, visits, asked, pkt, end, err := t.walk(answers)
	if err != nil {
		return nil, err
	}
	p := &Path{Out: pkt.Out, Fate: fate, End: end}
	known := t.origins(pkt)
	for _, v := range visits {
		p.Visits = append(p.Visits, Visit{Visit: v, Origin: known(v)})
	}
	if arrives := fate.Outcome == ir.Accepted && end == ""; arrives {
		t.arrives = true
	} else {
		t.stops = true
	}
	for i := len(answers); i < len(asked); i++ {
		if t.paths >= maxPaths {
			p.More, t.more = true, true
			break
		}
		branch, err := t.path(append(slices.Concat(answers, make([]bool, i-len(answers))), true))
		if err != nil {
			return nil, err
		}
		from := asked[i].before
		branch.Visits = branch.Visits[min(from, len(branch.Visits)):]
		for j := range branch.Forks {
			branch.Forks[j].At -= from
		}
		p.Forks = append(p.Forks, Fork{At: from, Step: asked[i].at, Cause: asked[i].cause, Matches: branch})
	}
	return p, nil
}

// walk is one walk, by the interface that routing chooses for the destination as it is rewritten.
func (t *tracer) walk(answers []bool) (fate ir.Fate, visits []ir.Visit, asked []question, pkt ir.Packet, end string,
	err error) {
	pkt = t.packet
	for range 2 {
		asked = nil
		fate, visits, err = t.once(pkt, answers, &asked)
		var unknown *ir.UnknownError
		if errors.As(err, &unknown) {
			t.more = true
			return fate, visits, asked, pkt, "it is not known what becomes of it at rule " +
				fmt.Sprint(unknown.Step.Index+1) + " of " + unknown.Step.Chain.Label(), nil
		}
		if err != nil {
			return
		}
		dst, rewritten := destination(visits, pkt)
		if !rewritten {
			break
		}
		out, ok := t.resolver.leaves(dst)
		if !ok {
			return fate, before(visits), asked, pkt, fmt.Sprintf("no route leads to %s", dst), nil
		}
		if out == pkt.Out || t.packet.In == "" && out == "" {
			break
		}
		pkt.Out = out
	}
	dst, _ := destination(visits, pkt)
	if end = t.host(pkt, dst); end != "" {
		visits = before(visits)
	}
	return fate, visits, asked, pkt, end, nil
}

// once walks the packet, and notes what it asked.
func (t *tracer) once(pkt ir.Packet, answers []bool, asked *[]question) (ir.Fate, []ir.Visit, error) {
	seen := 0
	var fate ir.Fate
	var visits []ir.Visit
	count := func(v ir.Visit) { seen++; visits = append(visits, v) }
	fate, err := ir.WalkIf(t.Whole, pkt, count, func(at, cause ir.Step) bool {
		*asked = append(*asked, question{at, cause, seen})
		n := len(*asked) - 1
		return n < len(answers) && answers[n]
	})
	return fate, visits, err
}

// before returns the visits before routing: all of a packet from the host.
func before(visits []ir.Visit) []ir.Visit {
	i := slices.IndexFunc(visits, func(v ir.Visit) bool { return v.Hook != ir.Prerouting && v.Hook != ir.Output })
	if i < 0 {
		return visits
	}
	return visits[:i]
}

// destination returns the address that pkt goes to behind the rules before routing.
func destination(visits []ir.Visit, pkt ir.Packet) (a netip.Addr, rewritten bool) {
	a = pkt.Dst
	for _, v := range before(visits) {
		if v.Kind != ir.Matched {
			continue
		}
		if n, is := v.Rule.Verdict.(ir.DNAT); is && n.Addrs.From.IsValid() {
			return n.Addrs.From, true
		}
		if _, is := v.Rule.Verdict.(ir.Redirect); is {
			return ir.Loopback(pkt.Family), true
		}
	}
	return a, false
}

// host returns what of the host itself keeps the packet from going on at routing, in words.
func (t *tracer) host(pkt ir.Packet, dst netip.Addr) string {
	d := t.Host.Device(pkt.In)
	if pkt.In == "" || d == nil {
		return ""
	}
	if pkt.Family == ir.IPv4 && d.RPFilter > 0 && pkt.Src != nobody.Addr() {
		route, ok := t.Host.Route(pkt.Src)
		switch {
		case !ok:
			return fmt.Sprintf("the host drops it: no route leads back to %s, and rp_filter of %s is %d", pkt.Src,
				d.Name, d.RPFilter)
		case d.RPFilter == 1 && route.Device != pkt.In:
			return fmt.Sprintf("the host drops it: packets to %s leave by %s, and rp_filter of %s is 1 (strict)", pkt.Src,
				route.Device, d.Name)
		}
	}
	if pkt.Out == "" && !t.resolver.local(dst) && !dst.IsMulticast() {
		if _, ok := t.resolver.leaves(dst); !ok {
			return fmt.Sprintf("no route leads to %s", dst)
		}
	}
	if pkt.Out != "" && pkt.In != pkt.Out && d.Forwards&pkt.Family == 0 {
		return fmt.Sprintf("the host does not forward %s that comes in by %s", familyWord(pkt.Family), d.Name)
	}
	return ""
}

// origins returns a function that finds the origin of the network's rule that a visit met: the one
// that decides at the same hook if the networks' rules are alone.
func (t *tracer) origins(pkt ir.Packet) func(ir.Visit) *ir.Origin {
	_, own, _ := ir.Walk(t.Meant, pkt)
	return func(v ir.Visit) *ir.Origin {
		if v.Kind != ir.Matched {
			return nil
		}
		for _, o := range own {
			if o.Kind == ir.Matched && o.Hook == v.Hook && o.Rule.Origin != (ir.Origin{}) &&
				reflect.DeepEqual(o.Rule.Verdict, v.Rule.Verdict) {
				return &o.Rule.Origin
			}
		}
		return nil
	}
}
