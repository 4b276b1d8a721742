package verify

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Tracer walks packets through a program, and knows what there is to say about the rules that they
// meet.
type Tracer struct {
	What    string      // ir, or the back end whose rules are walked
	program *ir.Program // what is walked
	origins origins     // of program's rules; nil if it is the networks' own
	lines   lines
	Targets []string // the back ends of lines
}

// NewTracer returns a tracer of p, whose rules became all.
func NewTracer(p *ir.Program, all []Lowering) *Tracer {
	t := &Tracer{What: "ir", program: p, lines: make(lines)}
	for _, low := range all {
		if !slices.Contains(t.Targets, low.Backend.Name()) {
			t.Targets = append(t.Targets, low.Backend.Name())
			t.lines.add(low)
		}
	}
	return t
}

// Through returns a tracer of read, which is what low says when it is read.
func (t *Tracer) Through(low Lowering, read *ir.Program) *Tracer {
	other := *t
	other.What, other.program, other.origins = low.Label, read, originsOf(low, read)
	return &other
}

// Way is a packet's way through the rules that a Tracer knows.
type Way struct {
	*Tracer
	Packet ir.Packet
	Fate   ir.Fate
	Visits []ir.Visit
}

// Walk walks packet; the rules that it passes are left out unless passed. It fails where [ir.Eval]
// does.
func (t *Tracer) Walk(packet ir.Packet, passed bool) (*Way, error) {
	fate, visits, err := ir.Walk(t.program, packet)
	if err != nil {
		return nil, err
	}
	if !passed {
		visits = slices.DeleteFunc(visits, func(v ir.Visit) bool { return v.Kind == ir.Passed })
		visits = slices.Clone(visits) // without the room of those passed, which may be thousands
	}
	return &Way{Tracer: t, Packet: packet, Fate: fate, Visits: visits}, nil
}

// Source returns the networks' rule behind the one that v met, nil where there is none: a jump
// between chains of a layout. Where the layout merged rules it is the one that the packet matches.
func (w *Way) Source(v ir.Visit) *ir.Rule {
	if w.origins == nil {
		return v.Rule
	}
	all := w.origins[v.Rule]
	for _, r := range all {
		if r.Holds(w.Packet, v.Hook) {
			return r
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return nil
}

// Decider returns the networks' rule that decided the packet's fate: the last one with an origin
// before it was refused, or before it went on to have its source rewritten; nil if none did.
func (w *Way) Decider() *ir.Rule {
	var last *ir.Rule
	for _, v := range w.Visits {
		if v.Kind != ir.Matched || v.Hook == ir.Postrouting && last != nil {
			continue
		}
		if r := w.Source(v); r != nil && r.Origin != (ir.Origin{}) {
			last = r
		}
	}
	return last
}

// Elements returns, for each set that the rule looks the packet up in, the element that the packet
// matches.
func (w *Way) Elements(v ir.Visit) []string {
	var found []string
	for _, m := range v.Rule.Matches {
		l, is := m.(ir.Lookup)
		if !is || l.Not {
			continue
		}
		for _, element := range l.Set.Elements {
			alone := ir.Rule{Family: v.Rule.Family, Matches: element}
			if alone.Holds(w.Packet, v.Hook) {
				found = append(found, l.Set.Name+": "+elementWords(element))
				break
			}
		}
	}
	return found
}

func elementWords(element []ir.Match) string {
	var words []string
	for _, m := range element {
		words = append(words, ir.MatchText(m))
	}
	return strings.Join(words, " ")
}

// Lines returns the lines of target, for the packet's family, that r became.
func (w *Way) Lines(r *ir.Rule, target string) []backends.Line {
	return w.lines.of(r, target, w.Packet.Family)
}
