package prove

import (
	"math"
	"time"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// A question of the prover may be asked of programs for which its answer would take hours: a few
// hundred networks and one foreign rule suffice. So every question has a bound, counted in steps
// and vertices of the diagrams, so that the answer is the same on every machine.
const (
	questionSteps = 12_000_000 // about 2 seconds
	budgetSteps   = 36_000_000
	shortSteps    = 1_500_000
	maxNodes      = 3_000_000 // about 200 MiB
)

// Budget bounds what a series of questions may cost together, and each of them. A nil Budget bounds
// one question and is not used up. A Budget is not safe for concurrent use.
type Budget struct {
	left  int       // steps that are left for all questions
	each  int       // steps for one question
	nodes int       // vertices
	until time.Time // zero if time does not matter
}

// NewBudget returns the usual budget: its answers are the same on every machine.
func NewBudget() *Budget { return &Budget{left: budgetSteps, each: questionSteps, nodes: maxNodes} }

// ShortBudget returns a budget for what is asked by the way: about a quarter of a second for all
// questions.
func ShortBudget() *Budget { return &Budget{left: shortSteps, each: shortSteps, nodes: maxNodes} }

// StepBudget returns a budget of so many steps for all questions; its answers are the same on every
// machine.
func StepBudget(steps int) *Budget { return &Budget{left: steps, each: steps, nodes: maxNodes} }

// Left returns how many steps are left for further questions.
func (b *Budget) Left() int { return max(0, b.left) }

// TimedBudget returns a budget that ends after d: what is answered by then depends on the machine.
func TimedBudget(d time.Duration) *Budget {
	return &Budget{left: math.MaxInt, each: math.MaxInt, nodes: 16 * maxNodes, until: time.Now().Add(d)}
}

// noBudget bounds nothing.
func noBudget() *Budget { return &Budget{left: math.MaxInt, each: math.MaxInt, nodes: math.MaxInt} }

// spend runs a question on functions of m, and returns false if it came to the bound. What f has
// found by then holds.
func (b *Budget) spend(m *bdd.Manager, f func()) (whole bool) {
	if b == nil {
		b = NewBudget()
	}
	m.Bound(bdd.Limit{Steps: min(b.left, b.each), Nodes: b.nodes, Until: b.until})
	defer func() { b.left -= m.Steps() }()
	return bdd.Within(f)
}

// Equal decides whether two programs do the same; [TooLarge] is an answer. See the function Equal.
func (b *Budget) Equal(p, q *ir.Program, families ir.Family) Result {
	return b.equal(p, q, families, &ir.Program{}, func(*space) node { return always })
}
