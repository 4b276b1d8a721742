package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// verification is all that was decided about some networks.
type verification struct {
	src     *diag.Sources
	said    diag.List // about the input
	program *ir.Program
	old     *ir.Program // nil if nothing is compared

	proofs  []proof
	cells   []prove.Cell // nil if the matrix is not wanted
	leaks   diag.List
	claims  []claim
	changes []prove.Difference
}

// proof is whether one back end's rules mean what the networks mean.
type proof struct {
	label  string
	result prove.Result
	ways   []*walked // for a refutation: through the program, and through the rules
}

// claim is an assertion with what came of it.
type claim struct {
	prove.Assertion
	holds bool
	way   *walked // of a packet that shows that it does not hold; nil if there is none
}

// decide fills in everything.
func (v *verification) decide(targets []target, assertions []prove.Assertion, matrix bool) error {
	var all []lowering
	for _, t := range targets {
		low, said := lowerFor(v.program, t.backend, t.layout, backends.VnetcNames)
		if said.HasErrors() {
			return exitError{exitNo, said.Error()}
		}
		all = append(all, low)
	}
	tracer := newTracer(v.program, all)
	for _, low := range all {
		if err := v.prove(tracer, low); err != nil {
			return err
		}
	}
	reacher := prove.NewReacher(v.program)
	if matrix {
		v.cells = reacher.Matrix()
	}
	v.leaks = leakFindings(v.program, reacher.Leaks())
	for _, a := range assertions {
		c := claim{Assertion: a}
		var packet ir.Packet
		if c.holds, packet = reacher.Check(a); !c.holds && packet != (ir.Packet{}) {
			var err error
			if c.way, err = tracer.walk(packet, false); err != nil {
				return err
			}
		}
		v.claims = append(v.claims, c)
	}
	if v.old != nil {
		v.changes = prove.Change(v.old, v.program)
	}
	return nil
}

// prove decides whether what low emits means what the program means.
func (v *verification) prove(t *tracer, low lowering) error {
	read, err := low.read()
	if err != nil {
		return err
	}
	p := proof{label: low.label(), result: prove.Equal(v.program, read, ir.Both)}
	if p.result.Answer == prove.Refuted {
		for _, side := range []*tracer{t, t.through(low, read)} {
			way, err := side.walk(p.result.Packet, false)
			if err != nil {
				return err
			}
			p.ways = append(p.ways, way)
		}
	}
	v.proofs = append(v.proofs, p)
	return nil
}

// failed is true if a proof or an assertion does not hold.
func (v *verification) failed() bool {
	return slices.ContainsFunc(v.proofs, func(p proof) bool { return p.result.Answer != prove.Proved }) ||
		slices.ContainsFunc(v.claims, func(c claim) bool { return !c.holds })
}

// diagnostics returns everything that is to be said as diagnostics: about the input, proofs that fail, findings, assertions
// that fail.
func (v *verification) diagnostics() diag.List {
	list := slices.Clone(v.said)
	for _, p := range v.proofs {
		if p.result.Answer != prove.Proved {
			list = append(list, p.diagnostic())
		}
	}
	list = append(list, v.leaks...)
	for _, c := range v.claims {
		if !c.holds {
			list = append(list, c.diagnostic())
		}
	}
	return list
}

// diagnostic says that the proof failed.
func (p proof) diagnostic() diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "verify-differs", What: fmt.Sprintf("the rules of %s do not mean what the networks mean", p.label),
		Why: "what was emitted, read back, is another program", Fix: "do not load these rules; this is a fault of vnetc, and the packet shows it",
	}
	if p.result.Answer == prove.Unknown {
		d.What = fmt.Sprintf("can't prove that the rules of %s mean what the networks mean", p.label)
		d.Why = fmt.Sprintf("%s has a rule that is not modelled: %s", p.result.Because.Chain.Label(), p.result.Because.Rule)
		return d
	}
	d.Why = fmt.Sprintf("%s: is to be %s, and would be %s", p.result.Packet, p.result.A, p.result.B)
	for i, text := range []string{"this rule decides about it", "this rule decides about it in " + p.label} {
		r := p.ways[i].decider()
		switch {
		case r == nil:
		case !d.Span.IsValid():
			d.Span = r.Origin.Span
		default:
			d.Related = append(d.Related, diag.Related{Span: r.Origin.Span, Text: text})
		}
	}
	return d
}

// diagnostic says that the assertion does not hold.
func (c claim) diagnostic() diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "assert-failed", Span: c.Span, What: fmt.Sprintf("it does not hold: %s", c.Assertion),
		Fix: "change the networks, or what is asserted about them",
	}
	if c.way == nil {
		d.Why = "there are no such connections: no network here has such addresses"
		return d
	}
	d.Why = fmt.Sprintf("%s: %s", c.way.packet, c.way.fate)
	if r := c.way.decider(); r != nil {
		d.Related = []diag.Related{{Span: r.Origin.Span, Text: fmt.Sprintf("network %s decides so: %s", r.Origin.Network, r.Origin.Reason)}}
	} else if len(c.way.visits) > 0 {
		d.Why += ", as it meets no rule"
	}
	return d
}

// leakFindings turns leaks into warnings: one for each network whose guests get past it with its own addresses, and one for
// all those whose guests must lie about their address, which reverse path filtering (rp_filter) may stop.
func leakFindings(p *ir.Program, leaks []prove.Leak) diag.List {
	var list diag.List
	var liars []prove.Leak
	seen := make(map[prove.Place]bool) // in both families it is one finding
	for _, l := range leaks {
		switch {
		case !honest(p, l):
			liars = append(liars, l)
		case !seen[l.From]:
			seen[l.From] = true
			list = append(list, leakFinding(l, "guests of "+l.From.String(), placesWords(l.To)))
		}
	}
	if len(liars) == 0 {
		return list
	}
	var from, to []prove.Place
	known := make(map[prove.Place]bool)
	clear(seen)
	for _, l := range liars {
		if !seen[l.From] {
			seen[l.From] = true
			from = append(from, l.From)
		}
		for _, place := range l.To {
			if !known[place] {
				known[place] = true
				to = append(to, place)
			}
		}
	}
	return append(list, leakFinding(liars[0], "guests of "+placesWords(from)+" with addresses that are not the network's", placesWords(to)))
}

func leakFinding(l prove.Leak, who, into string) diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: "verify-leak", Span: spanOf(l.Refused),
		What: fmt.Sprintf("%s open connections to %s, which the rules of their own network refuse", who, into),
		Why:  "a rule that accepts them is met first; such as " + l.Packet.String(),
		Fix:  "compile with --strict-isolation, or let the network out if that is what you want",
	}
	if from := spanOf(l.Accepted); from.File != "" {
		d.Related = []diag.Related{{Span: from, Text: "this lets them in: " + l.Accepted.Rule.Origin.Reason}}
	}
	if d.Span.File == "" {
		d.Span = spanOf(l.Accepted)
	}
	return d
}

// honest is true if the leak's packet has an address of its network.
func honest(p *ir.Program, l prove.Leak) bool {
	for _, link := range p.Links {
		for _, a := range link.Addresses {
			if link.Name == l.From.Name && a.Prefix.Masked().Contains(l.Packet.Src) {
				return true
			}
		}
	}
	return false
}

// spanOf returns the place of XML that asked for the step's rule, the zero value if there is no rule.
func spanOf(s ir.Step) diag.Span {
	if s.Rule == nil {
		return diag.Span{}
	}
	return s.Rule.Origin.Span
}

// maxPlaces is how many places a message names before it counts them.
const maxPlaces = 4

func placesWords(places []prove.Place) string {
	var words []string
	for i, p := range places {
		if i == maxPlaces && len(places) > maxPlaces+1 {
			words = append(words, fmt.Sprintf("and %d more", len(places)-maxPlaces))
			break
		}
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}
