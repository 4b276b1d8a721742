package ir

// Visit is one thing that a packet meets on its way through a program.
type Visit struct {
	Kind   VisitKind
	Hook   Hook
	Chain  *Chain
	Index  int   // of Rule in Chain
	Rule   *Rule // for Passed and Matched
	Failed Match // for Passed: the first match that does not hold
}

// VisitKind says what a packet meets.
type VisitKind uint8

const (
	Entered VisitKind = iota + 1 // a chain
	Passed                       // a rule of which a match does not hold
	Matched                      // a rule of which all matches hold
	Policy                       // the end of a base chain that is no group
)

// Walk is [Eval] that also returns everything the packet meets, in order. Rules for the other
// family are not met. Where Eval fails, the visits up to there come with the error.
func Walk(p *Program, pkt Packet) (Fate, []Visit, error) {
	var visits []Visit
	e := &evaluation{program: p, packet: pkt, visit: func(v Visit) { visits = append(visits, v) }}
	fate, err := e.run()
	return fate, visits, err
}

// EvalIf is [Eval] that asks holds where it is not known if the rule of a step matches. Cause is
// the rule that is not modelled: the same one, or an earlier one whose action made unknown what
// this one looks at.
func EvalIf(p *Program, pkt Packet, holds func(at, cause Step) bool) (Fate, error) {
	e := &evaluation{program: p, packet: pkt, decide: holds}
	return e.run()
}

// WalkIf is EvalIf that calls visit with everything the packet meets.
func WalkIf(p *Program, pkt Packet, visit func(Visit), holds func(at, cause Step) bool) (Fate, error) {
	e := &evaluation{program: p, packet: pkt, decide: holds, visit: visit}
	return e.run()
}

// Holds is true if r is for pkt's family and all its matches hold at hook; false if that depends on
// what is not modelled.
func (r *Rule) Holds(pkt Packet, hook Hook) bool {
	e := &evaluation{packet: pkt, hook: hook}
	return e.meets(r) == yes
}

// see reports a visit to the walk, if there is one.
func (e *evaluation) see(kind VisitKind, step Step) {
	if e.visit == nil || kind == Passed && step.Rule.Family&e.packet.Family == 0 {
		return
	}
	v := Visit{Kind: kind, Hook: e.hook, Chain: step.Chain, Index: step.Index, Rule: step.Rule}
	if kind == Passed {
		for _, m := range step.Rule.Matches {
			if e.holds(m) == no {
				v.Failed = m
				break
			}
		}
	}
	e.visit(v)
}
