package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
)

// budgetFlag is what answers about packets may cost.
type budgetFlag struct{ time time.Duration }

func (f *budgetFlag) add(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.time, "budget", 0, "time limit for what happens to packets, such as 60s (default: "+
		"a number of steps, the same on every machine)")
}

// start returns the budget, whose time begins now.
func (f *budgetFlag) start() *verify.Budget {
	if f.time <= 0 {
		return verify.NewBudget()
	}
	return verify.TimedBudget(f.time)
}
