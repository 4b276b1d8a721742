package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newRemove(s streams) *cobra.Command {
	var all bool
	var f *hostFlags
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "take the rules of these networks out of the kernel",
		Long: `remove takes the rules of the named networks away and leaves those of the others.
With the last network, or with --all, tables, chains and jumps go too.

Exit codes: 0 removed; 2 wrong usage, such as a network that is not in force; 3 the
host refused or failed.`,
		Example: "  vnetc remove lab\n  vnetc remove --all",
		RunE: func(_ *cobra.Command, names []string) error {
			if (len(names) == 0) != all {
				return usagef("remove takes the names of networks or --all, for example: vnetc remove lab")
			}
			return remove(s, f, names)
		},
	}
	f = addHostFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all networks, and whatever stands under vnetc's names")
	return cmd
}

func remove(s streams, f *hostFlags, names []string) error {
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	debug.SetGCPercent(100) // the proof would take far more memory than the rest
	if err := h.Remove(names); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "removed; %s in force\n", plural(len(h.Networks()), "network"))
	return orHost(err)
}
