package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/golden"
	"github.com/vnetc/vnetc/ir/diag"
)

func newGolden(s streams) *cobra.Command {
	var update bool
	var format *choice
	cmd := &cobra.Command{
		Use:   "golden DIR",
		Short: "compare the rules of your networks with those recorded beside them",
		Long: `golden compiles every NAME.xml in DIR and compares the rules, of both back ends
and families, with those recorded in NAME.golden beside it. It also compares
the rules of all networks together, as a host loads them and with all policies
in DIR, with _together.golden. A difference is shown as a unified diff. --update
records the rules as they are now; read the diff before you commit it. Networks
that collide with each other are an error.

Exit codes: 0 all as recorded, or updated; 1 something differs, is not
recorded, or has errors; 2 wrong usage; 3 cannot read or write.`,
		Example: `  vnetc golden networks/            # in CI
  vnetc golden --update networks/   # accept what changed`,
		Args: func(_ *cobra.Command, dirs []string) error {
			if len(dirs) != 1 {
				return usagef("golden takes one DIR, for example: vnetc golden networks/")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error { return regress(s, args[0], update, format.value) },
	}
	cmd.Flags().BoolVar(&update, "update", false, "record the rules as they are now")
	format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}

func regress(s streams, dir string, update bool, format string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return hostf("%s: there is no such directory", dir)
	}
	if err != nil {
		return hostf("%v", err)
	}
	if !info.IsDir() {
		return usagef("%s is not a directory; golden takes one with *.xml in it", dir)
	}
	results, err := golden.Regress(dir, update)
	if err != nil {
		return hostf("%v", err)
	}
	if len(results) == 0 {
		return usagef("%s: no *.xml in this directory", dir)
	}
	if format == "json" {
		err = diag.WriteJSON(s.out, results)
	} else {
		err = printResults(s, results)
	}
	if err != nil {
		return hostf("%v", err)
	}
	return verdictOf(s, dir, results)
}

func printResults(s streams, results []golden.Result) error {
	for _, r := range results {
		if _, err := fmt.Fprintf(s.out, "%-8s %s\n%s", r.State, diag.Visible(r.File), r.Detail); err != nil {
			return err
		}
	}
	return nil
}

// verdictOf returns nil if every result is as recorded or updated, and says otherwise how to go on.
func verdictOf(s streams, dir string, results []golden.Result) error {
	bad, stale := 0, 0
	for _, r := range results {
		switch r.State {
		case golden.Differs, golden.Missing, golden.Orphan:
			bad++
			stale++
		case golden.Broken:
			bad++
		}
	}
	if stale > 0 {
		fmt.Fprintf(s.err, "if this is what you want: vnetc golden --update %s\n", diag.ShellWord(dir))
	}
	if bad > 0 {
		return exitError{code: exitNo}
	}
	return nil
}
