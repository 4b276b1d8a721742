package main

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// tracer walks packets through a program, and knows what there is to say about the rules that they meet.
type tracer struct {
	what    string      // ir, or the back end whose rules are walked
	program *ir.Program // what is walked
	origins origins     // of program's rules; nil if it is the networks' own
	lines   lines
	targets []string // the back ends of lines
}

// newTracer returns a tracer of p, whose rules became all.
func newTracer(p *ir.Program, all []lowering) *tracer {
	t := &tracer{what: "ir", program: p, lines: make(lines)}
	for _, low := range all {
		if !slices.Contains(t.targets, low.backend.Name()) {
			t.targets = append(t.targets, low.backend.Name())
			t.lines.add(low)
		}
	}
	return t
}

// through returns a tracer of read, which is what low says when it is read.
func (t *tracer) through(low lowering, read *ir.Program) *tracer {
	other := *t
	other.what, other.program, other.origins = low.label(), read, originsOf(low, read)
	return &other
}

// walked is a packet's way.
type walked struct {
	*tracer
	packet ir.Packet
	fate   ir.Fate
	visits []ir.Visit
}

// walk walks packet; the rules that it passes are left out unless passed.
func (t *tracer) walk(packet ir.Packet, passed bool) (*walked, error) {
	fate, visits, err := ir.Walk(t.program, packet)
	if err != nil {
		return nil, exitError{exitNo, err.Error()}
	}
	if !passed {
		visits = slices.DeleteFunc(visits, func(v ir.Visit) bool { return v.Kind == ir.Passed })
	}
	return &walked{tracer: t, packet: packet, fate: fate, visits: visits}, nil
}

// source returns the networks' rule behind the one that v met, nil where there is none: a jump between chains of a layout.
// Where the layout merged rules it is the one that the packet matches.
func (w *walked) source(v ir.Visit) *ir.Rule {
	if w.origins == nil {
		return v.Rule
	}
	all := w.origins[v.Rule]
	for _, r := range all {
		if r.Holds(w.packet, v.Hook) {
			return r
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return nil
}

// decider returns the networks' rule that decided the packet's fate: the last one with an origin before it was refused, or
// before it went on to have its source rewritten; nil if none did.
func (w *walked) decider() *ir.Rule {
	var last *ir.Rule
	for _, v := range w.visits {
		if v.Kind != ir.Held || v.Hook == ir.Postrouting && last != nil {
			continue
		}
		if r := w.source(v); r != nil && r.Origin != (ir.Origin{}) {
			last = r
		}
	}
	return last
}

// elements returns, for each set that the rule looks the packet up in, the element that the packet matches.
func (w *walked) elements(v ir.Visit) []string {
	var found []string
	for _, m := range v.Rule.Matches {
		l, is := m.(ir.Lookup)
		if !is || l.Not {
			continue
		}
		for _, element := range l.Set.Elements {
			alone := ir.Rule{Family: v.Rule.Family, Matches: element}
			if alone.Holds(w.packet, v.Hook) {
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
