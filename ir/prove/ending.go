package prove

import (
	"errors"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// maxForks bounds how many ways of unknown matches are walked.
const maxForks = 64

// Endings returns the rules, or the ends of base chains, that drop or reject pkt in p: the one that
// does if everything on its way is modelled, else those of all ways that unknown matches leave, in
// the order in which they were found. A Step whose Rule is nil is the policy of its chain.
func Endings(p *ir.Program, pkt ir.Packet) (all []ir.Step) {
	forks := 0
	var walk func(p *ir.Program)
	walk = func(p *ir.Program) {
		if forks++; forks > maxForks {
			return
		}
		fate, err := ir.Eval(p, pkt)
		var unknown *ir.UnknownError
		switch {
		case err == nil && fate.Outcome != ir.Accepted && len(fate.Trace) > 0:
			if last := fate.Trace[len(fate.Trace)-1]; !slices.ContainsFunc(all,
				func(s ir.Step) bool { return sameStep(s, last) }) {
				all = append(all, last)
			}
		case errors.As(err, &unknown):
			for _, holds := range []bool{false, true} {
				if fork := decided(p, unknown.Step, holds); fork != nil {
					walk(fork)
				}
			}
		}
	}
	walk(p)
	for i := range all {
		all[i] = original(p, all[i])
	}
	return all
}

func sameStep(a, b ir.Step) bool {
	return a.Chain.Label() == b.Chain.Label() && a.Index == b.Index && (a.Rule == nil) == (b.Rule == nil)
}

// decided returns p with the unknown matches of the step's rule decided: they hold, or the rule
// never matches. It is nil if the rule is unknown for another reason.
func decided(p *ir.Program, step ir.Step, hold bool) *ir.Program {
	if !slices.ContainsFunc(step.Rule.Matches, ir.Undecided) {
		return nil
	}
	out := *p
	out.Chains = slices.Clone(p.Chains)
	for i, c := range out.Chains {
		if c.Label() != step.Chain.Label() || c.Group != step.Chain.Group {
			continue
		}
		chain := *c
		chain.Rules = slices.Clone(c.Rules)
		r := &chain.Rules[step.Index]
		r.Matches = slices.DeleteFunc(slices.Clone(r.Matches), ir.Undecided)
		if !hold {
			r.Verdict, r.Actions = ir.Counter{}, nil
		}
		out.Chains[i] = &chain
	}
	return &out
}

// original returns where the step is in p, of which a copy was walked.
func original(p *ir.Program, s ir.Step) ir.Step {
	for _, c := range p.Chains {
		if c.Label() == s.Chain.Label() && c.Group == s.Chain.Group {
			s.Chain = c
			if s.Rule != nil {
				s.Rule = &c.Rules[s.Index]
			}
		}
	}
	return s
}
