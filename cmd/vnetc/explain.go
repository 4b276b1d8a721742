package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
)

func newExplain(s streams) *cobra.Command {
	var format *choice
	cmd := &cobra.Command{
		Use:   "explain [CODE]",
		Short: "explain a diagnostic, with a bad and a good example",
		Long: `explain prints why a diagnostic exists and what to do about it, with an input
that causes it and one that does not. Without CODE it lists all codes.

Exit codes: 0 explained; 2 there is no such code.`,
		Example: "  vnetc explain dhcp-range-order\n  vnetc explain",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var codes []string
			for _, i := range diag.Codes() {
				codes = append(codes, string(i.Code)+"\t"+i.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(_ *cobra.Command, codes []string) error {
			if len(codes) > 1 {
				return usagef("explain takes one CODE, for example: vnetc explain dhcp-range-order")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return explain(s, format.value, args) },
	}
	format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}

func explain(s streams, format string, args []string) error {
	infos := diag.Codes()
	if len(args) == 1 {
		info, ok := diag.Find(diag.Code(args[0]))
		if !ok {
			return usagef("%v", diag.UnknownCode(args[0]))
		}
		infos = []diag.Info{info}
	}
	var err error
	switch {
	case format == "json":
		err = diag.WriteJSON(s.out, infos)
	case len(args) == 1:
		err = diag.Explain(s.out, infos[0])
	default:
		for _, i := range infos {
			if _, err = fmt.Fprintf(s.out, "%-28s %s\n", i.Code, i.Title); err != nil {
				break
			}
		}
	}
	if err != nil {
		return hostf("%v", err)
	}
	return nil
}
