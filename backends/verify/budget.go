package verify

import (
	"time"

	"github.com/vnetc/vnetc/ir/prove"
)

// Budget is what answers about packets may cost: see [prove.Budget].
type Budget = prove.Budget

// NewBudget returns the usual budget, whose answers are the same on every machine.
func NewBudget() *Budget { return prove.NewBudget() }

// TimedBudget returns a budget that ends after d.
func TimedBudget(d time.Duration) *Budget { return prove.TimedBudget(d) }
