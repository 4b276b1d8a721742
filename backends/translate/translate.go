// Package translate turns the rules of one back end into those of another: it reads them into a
// program, brings that into the shape that the target can say, lowers it, reads the result back,
// and proves that both mean the same. A translation is whole or there is none: nothing is left out,
// and nothing gets weaker. It knows no concrete back end, and touches no host.
package translate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// Result is a translation that was proved.
type Result struct {
	Source  *ir.Program // as it was read
	Ruleset backends.Ruleset
}

// Unsupported is the code of a rule that has no translation, the same as of one that a back end
// can't say.
const Unsupported diag.Code = "backend-unsupported"

// ErrTooLarge says that the proof would cost more than the budget has.
var ErrTooLarge = errors.New("whether the translation means the same is too large to tell")

// Text translates documents of from into rules of to, each rule a line. The list has an error, at
// its line, for each rule that can't be translated; then there is no result. The error tells of
// documents that from's own tool would refuse, and of a proof that failed.
func Text(from, to backends.Backend, source []backends.Document, budget *prove.Budget) (Result, diag.List, error) {
	program, err := from.Read(source)
	if err != nil {
		return Result{}, nil, err
	}
	var found diag.List
	for _, what := range program.Unseen {
		found = append(found, refusal(ir.Origin{}, what+" can't be translated", "what passes there was not read",
			"translate the rest without it, and keep it where it is"))
	}
	shaped, more := shape(program)
	found = append(found, more...)
	if len(program.Chains) == 0 {
		return Result{}, found, errors.New("there is no table to translate")
	}
	families := ir.Family(0)
	for _, d := range source {
		families |= d.Family
	}
	rules, more := to.Lower(shaped, backends.Options{Families: families, Layout: backends.Chains})
	if found = append(found, more...); found.HasErrors() {
		slices.SortStableFunc(found, func(a, b diag.Diagnostic) int {
			return a.Span.Start.Offset - b.Span.Start.Offset
		})
		return Result{}, found, nil
	}
	back, err := to.Read(rules.Images())
	if err != nil {
		return Result{}, found, fmt.Errorf("read the translation back: %w", err)
	}
	if !slices.Equal(logs(shaped), logs(back)) { // no packet's fate tells of them
		return Result{}, found, errors.New("the translation logs other packets, or in other words")
	}
	proof := budget.Equal(program, back, families)
	switch proof.Answer {
	case prove.Proved:
		return Result{program, rules}, found, nil
	case prove.TooLarge:
		return Result{}, found, ErrTooLarge
	case prove.Unknown:
		return Result{}, found, fmt.Errorf("the translation can't be proved: it depends on the rule %s",
			proof.Because.Rule)
	}
	return Result{}, found, fmt.Errorf("the translation means something else: %s is %s and was %s",
		proof.Packet, proof.B, proof.A)
}

func refusal(at ir.Origin, what, why, fix string) diag.Diagnostic {
	return diag.Diagnostic{Severity: diag.Error, Code: Unsupported, Span: at.Span, What: what, Why: why, Fix: fix}
}

// logs returns what the program's rules do that no packet's fate tells of, chain by chain.
func logs(p *ir.Program) (all []string) {
	for _, c := range p.Chains {
		for i := range c.Rules {
			for _, a := range c.Rules[i].Actions {
				switch a.(type) {
				case ir.Log, ir.ClampMSS:
					all = append(all, c.Label()+" "+ir.ActionText(a))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}
