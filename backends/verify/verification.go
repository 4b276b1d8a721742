package verify

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// maxChanges is how many changes of a kind are looked for: one network less among a thousand makes
// one between every two.
const maxChanges = 100

// Verification is all that was decided about some networks.
type Verification struct {
	Sources *diag.Sources
	Said    diag.List // about the input
	Program *ir.Program
	Old     *ir.Program // nil if nothing is compared

	// Strict is true if Program is what --strict-isolation makes: the host answers no packet with a
	// false source.
	Strict bool

	Budget   *prove.Budget     // what the answers may cost; nil for the usual one
	Asserted []prove.Assertion // what is to be decided, beside the proofs

	Proofs  []Proof
	Cells   []prove.Cell // nil if the matrix is not wanted
	Dead    []prove.DeadRule
	Linear  []Linear
	Leaks   diag.List
	Claims  []Claim
	Changes []prove.Difference
	More    bool // More is true if there are changes of the kinds of Changes that are left out.

	// TooLarge lists, in words, what was too large for the budget, beside proofs and claims. What
	// was found of it holds.
	TooLarge []string
}

// Proof is whether one target's rules mean what the networks mean.
type Proof struct {
	Label  string
	Result prove.Result
	Ways   []*Way // for a refutation: through the program, and through the rules
}

// Claim is an assertion with what came of it.
type Claim struct {
	prove.Assertion
	Answer prove.Answer // Proved if it holds
	Way    *Way         // of a packet that shows that it does not hold; nil if there is none
}

// Decide fills in everything that follows from the fields above, for the targets. It fails if a
// target refuses the program, or what it emits can't be read.
func (v *Verification) Decide(targets []Target, matrix bool) error {
	var all []Lowering
	for _, t := range targets {
		low, said := Lower(v.Program, t, backends.VnetcNames)
		if said.HasErrors() {
			return said
		}
		all = append(all, low)
	}
	if v.Budget == nil {
		v.Budget = prove.NewBudget()
	}
	tracer := NewTracer(v.Program, all)
	for _, low := range all {
		if err := v.prove(tracer, low); err != nil {
			return err
		}
		v.linear(low)
	}
	if err := v.reach(tracer, matrix); err != nil {
		return err
	}
	if v.Old != nil {
		changes := v.Budget.Change(v.Old, v.Program, maxChanges)
		v.Changes, v.More = changes.All, changes.More
		v.noteTooLarge(!changes.TooLarge, "for which packets the fate changes")
	}
	var whole bool
	v.Dead, whole = v.Budget.Dead(v.Program)
	v.noteTooLarge(whole, "which rules do nothing")
	return nil
}

// reach decides the assertions, who reaches whom, and which connections get through against their
// own network's rules.
func (v *Verification) reach(tracer *Tracer, matrix bool) error {
	reacher := v.Budget.Reacher(v.Program)
	for _, a := range v.Asserted {
		c := Claim{Assertion: a}
		var packet ir.Packet
		if c.Answer, packet = reacher.Check(a); packet != (ir.Packet{}) {
			var err error
			if c.Way, err = tracer.Walk(packet, false); err != nil {
				return err
			}
		}
		v.Claims = append(v.Claims, c)
	}
	if matrix {
		v.Cells = reacher.Matrix()
		v.noteTooLarge(!slices.ContainsFunc(v.Cells, func(c prove.Cell) bool { return c.Access == prove.CantTell }),
			"who reaches whom, where the table has ?")
	}
	leaks, whole := reacher.Leaks()
	v.Leaks = leakFindings(v.Program, leaks)
	v.noteTooLarge(whole, "which connections get through though their own network's rules refuse them")
	return nil
}

// noteTooLarge notes a question, in words, whose answer is not whole.
func (v *Verification) noteTooLarge(whole bool, what string) {
	if !whole {
		v.TooLarge = append(v.TooLarge, what)
	}
}

// prove decides whether what low emits means what the program means.
func (v *Verification) prove(t *Tracer, low Lowering) error {
	read, err := low.Read()
	if err != nil {
		return err
	}
	p := Proof{Label: low.Label, Result: v.Budget.Equal(v.Program, read, ir.Both)}
	if p.Result.Answer == prove.Refuted {
		for _, side := range []*Tracer{t, t.Through(low, read)} {
			way, err := side.Walk(p.Result.Packet, false)
			if err != nil {
				return err
			}
			p.Ways = append(p.Ways, way)
		}
	}
	v.Proofs = append(v.Proofs, p)
	return nil
}

// Failed is true if a proof or an assertion does not hold, or a proof can't be had for a rule that
// is not modelled.
func (v *Verification) Failed() bool { return v.answered(prove.Refuted) || v.answered(prove.Unknown) }

// Undecided is true if all or some of the answer was too large for the budget.
func (v *Verification) Undecided() bool { return v.answered(prove.TooLarge) || len(v.TooLarge) > 0 }

func (v *Verification) answered(a prove.Answer) bool {
	return slices.ContainsFunc(v.Proofs, func(p Proof) bool { return p.Result.Answer == a }) ||
		slices.ContainsFunc(v.Claims, func(c Claim) bool { return c.Answer == a })
}

// Diagnostics returns everything that is to be said as diagnostics: about the input, proofs that
// fail, findings, assertions that fail.
func (v *Verification) Diagnostics() diag.List {
	list := slices.Clone(v.Said)
	for _, p := range v.Proofs {
		if p.Result.Answer != prove.Proved {
			list = append(list, p.diagnostic())
		}
	}
	list = append(list, v.Leaks...)
	for _, c := range v.Claims {
		if c.Answer != prove.Proved {
			list = append(list, c.diagnostic())
		}
	}
	return list
}

// diagnostic says that the proof failed.
func (p Proof) diagnostic() diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "verify-differs",
		What: fmt.Sprintf("the rules of %s do not mean what the networks mean", p.Label),
		Why:  "what was emitted, read back, is another program",
		Fix:  "do not load these rules; this is a fault of vnetc, and the packet shows it",
	}
	if p.Result.Answer == prove.TooLarge {
		d.Code = "verify-too-large"
		d.What = fmt.Sprintf("whether the rules of %s mean what the networks mean is too large to tell", p.Label)
		d.Why, d.Fix = tooLargeWhy, tooLargeFix
		return d
	}
	if p.Result.Answer == prove.Unknown {
		d.What = fmt.Sprintf("can't prove that the rules of %s mean what the networks mean", p.Label)
		d.Why = fmt.Sprintf("%s has a rule that is not modelled: %s", p.Result.Because.Chain.Label(),
			p.Result.Because.Rule)
		return d
	}
	d.Why = fmt.Sprintf("%s: is to be %s, and would be %s", p.Result.Packet, p.Result.A, p.Result.B)
	for i, text := range []string{"this rule decides about it", "this rule decides about it in " + p.Label} {
		r := p.Ways[i].Decider()
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

// What there is to say of a question that is too large.
const (
	tooLargeWhy = "the answer would take more steps than the usual budget has, which is the same on every machine"
	tooLargeFix = "give it time: --budget 60s; or ask about fewer networks at once"
)

// diagnostic says that the assertion does not hold, or that this is not known.
func (c Claim) diagnostic() diag.Diagnostic {
	if c.Answer == prove.TooLarge {
		return diag.Diagnostic{
			Severity: diag.Error, Code: "verify-too-large", Span: c.Span,
			What: fmt.Sprintf("whether it holds is too large for the budget: %s", c.Text),
			Why:  tooLargeWhy, Fix: tooLargeFix,
		}
	}
	if c.Answer == prove.Unknown {
		return diag.Diagnostic{
			Severity: diag.Error, Code: "assert-failed", Span: c.Span,
			What: fmt.Sprintf("it can't be proved: %s", c.Text),
			Why:  "it depends on a rule that is not modelled",
			Fix:  "take that rule out, or write it in words that vnetc models",
		}
	}
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "assert-failed", Span: c.Span,
		What: fmt.Sprintf("it does not hold: %s", c.Text),
		Fix:  "change the networks, or the assertion",
	}
	if c.Way == nil {
		d.Why = "there are no such connections: no network here has such addresses"
		return d
	}
	d.Why = fmt.Sprintf("%s: %s", c.Way.Packet, c.Way.Fate)
	if r := c.Way.Decider(); r != nil {
		d.Related = []diag.Related{{Span: r.Origin.Span, Text: fmt.Sprintf("network %s decides so: %s",
			r.Origin.Network, r.Origin.Reason)}}
	} else if len(c.Way.Visits) > 0 {
		d.Why += ", as it meets no rule"
	}
	return d
}
