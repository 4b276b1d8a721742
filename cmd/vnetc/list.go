package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
)

func newList(s streams) *cobra.Command {
	var f *hostFlags
	var format *choice
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the networks whose rules are in force",
		Long: `list prints the networks that apply put in force, in their order, with the back end
and the file they came from. It reads vnetc's notes; vnetc audit compares them with
the kernel.

Exit codes: 0 listed; 2 wrong usage; 3 cannot read.`,
		Example: "  vnetc list\n  vnetc list --format json | jq -r '.[].name'",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, known, err := f.open(s)
			if err != nil {
				return err
			}
			defer dir.Close()
			if format.value == "json" {
				if known == nil {
					return orHost(diag.WriteJSON(s.out, []string{}))
				}
				return orHost(diag.WriteJSON(s.out, known))
			}
			tw := tabwriter.NewWriter(s.out, 2, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "NAME\tBACKEND\tAPPLIED\tFILE")
			for _, n := range known {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", n.Name, n.Backend, n.Applied.Format("2006-01-02 15:04:05Z"), n.File)
			}
			return orHost(tw.Flush())
		},
	}
	f = addHostFlags(cmd)
	format = addChoice(cmd, "format", "how to print", "text", "json")
	return cmd
}
