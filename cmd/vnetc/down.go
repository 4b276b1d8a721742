package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

type downFlags struct {
	*hostFlags
	all, dryRun bool
	format      *choice
}

func newDown(s streams) *cobra.Command {
	var f downFlags
	cmd := &cobra.Command{
		Use:   "down NAME...",
		Short: "remove whole networks",
		Long: `down removes networks that vnetc up created: dnsmasq, link, rules and bridge,
in this order, and their files. With the last network that needed it, down
restores the value that forwarding had before, unless it was changed since.
Guests that are attached lose their bridge; their own devices stay.

down looks at what is there, so it also works after a crash. If the state
folder was lost, it finds the networks by the marks on their bridges. It then
removes all of them together, because the rules of a network that stayed would
be unknown. The old value of forwarding is lost with the folder, so forwarding
stays on.

--format json is that of up, without "rules"; done is true if the network is
down.

Exit codes: 0 down; 1 --dry-run finds something to do; 2 wrong usage, such as a
network that is not up; 3 the host refused or failed.`,
		Example: "  vnetc down lab\n  vnetc down --all\n  vnetc down --all --dry-run",
		RunE: func(_ *cobra.Command, names []string) error {
			if (len(names) == 0) != f.all {
				return usagef("down takes the names of networks or --all, for example: vnetc down lab")
			}
			return down(s, &f, names)
		},
	}
	f.hostFlags = addHostFlags(cmd)
	cmd.ValidArgsFunction = networksInForce(s, func() *hostFlags { return f.hostFlags })
	cmd.Flags().BoolVar(&f.all, "all", false, "all networks that are up")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the steps, and do nothing")
	f.format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}

func down(s streams, f *downFlags, names []string) error {
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	run, err := h.Down(names, f.dryRun)
	if err != nil {
		return err
	}
	if f.dryRun {
		return printDownPlans(s, f.format.value, run)
	}
	return printDown(s, f.format.value, run)
}

// printDown says what became of the networks, and returns the error that ends the verb. All is done
// and noted before this, which may be the end: when stdout is a closed pipe.
func printDown(s streams, format string, run inforce.Run) error {
	doc := jsonRun{Networks: []jsonNetworkRun{}}
	bad := 0
	for _, r := range run.Networks {
		doc.Networks = append(doc.Networks, networkJSON(r))
		complain(s.err, r, "down")
		if r.Err != nil {
			bad++
		}
	}
	if run.Unnoted != nil {
		return run.Unnoted
	}
	if format == "json" {
		if err := diag.WriteJSON(s.out, doc); err != nil {
			return orHost(err)
		}
		return runEnd(bad, len(run.Networks), "down")
	}
	for _, r := range run.Networks {
		if r.Err == nil {
			fmt.Fprintf(s.out, "%s is down\n", r.Name)
		}
	}
	return runEnd(bad, len(run.Networks), "down")
}

// printDownPlans prints what would be done. The answer is no if there is anything.
func printDownPlans(s streams, format string, run inforce.Run) error {
	doc := jsonRun{Networks: []jsonNetworkRun{}}
	for _, r := range run.Networks {
		j := networkJSON(r)
		j.Done = false
		doc.Networks = append(doc.Networks, j)
		if format == "text" {
			fmt.Fprintf(s.out, "%s:\n", r.Name)
			for _, step := range r.Steps {
				fmt.Fprintf(s.out, "  %s\n", step)
			}
		}
	}
	if format == "json" {
		if err := diag.WriteJSON(s.out, doc); err != nil {
			return orHost(err)
		}
	}
	if len(run.Networks) > 0 {
		return exitError{code: exitNo}
	}
	return nil
}
