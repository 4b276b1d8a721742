package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// isUp prints whether a network is up.
var isUp = map[bool]string{true: "yes", false: "no"}

// dash stands for nothing in a column.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// timeFormat is how times, which are UTC, are printed.
const timeFormat = "2006-01-02 15:04:05Z"

func newList(s streams) *cobra.Command {
	var f *hostFlags
	var format *choice
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the networks that are up or whose rules are in force",
		Long: `list prints the networks that up created or apply loaded, in their order:
whether vnetc created the whole network (UP) or only its rules, the bridge, the
back end, when it was last changed, and its file. list reads vnetc's state
files; vnetc status and vnetc audit look at the kernel. State files, like
rules, are lost at reboot. If they are lost before, the rules stay loaded and
list says so. Then apply the networks again, or remove the rules: vnetc remove
--bridge NAME. list takes no lock, and needs no root if you can read the state
folder.

Exit codes: 0 listed; 2 wrong usage; 3 cannot read.`,
		Example: "  vnetc list\n  vnetc list --format json | jq -r '.[].name'",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			var seen *inforce.Host
			err := f.look(s, func(h *inforce.Host) error {
				if seen = h; len(h.Networks()) == 0 {
					h.TellUnexplained()
				}
				return nil
			})
			if err != nil {
				return err
			}
			known := seen.Networks()
			if format.value == "json" {
				if known == nil {
					return orHost(diag.WriteJSON(s.out, []string{}))
				}
				return orHost(diag.WriteJSON(s.out, known))
			}
			tw := tabwriter.NewWriter(s.out, 2, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "NAME\tUP\tBRIDGE\tBACKEND\tAPPLIED\tFILE")
			for _, n := range known {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", diag.Visible(n.Name), isUp[n.Up],
					dash(diag.Visible(n.Bridge)), diag.Visible(n.Backend), n.Applied.Format(timeFormat),
					diag.Visible(n.File))
			}
			if err := tw.Flush(); err != nil {
				return hostf("%v", err)
			}
			for _, p := range seen.Policies() {
				fmt.Fprintf(s.out, "policy %s (%s)\n", diag.Visible(p.Name), diag.Visible(p.File))
			}
			return nil
		},
	}
	f = addHostFlags(cmd)
	format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}
