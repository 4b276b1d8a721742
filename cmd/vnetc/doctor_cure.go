package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/doctor"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// cureFlags are those of doctor that have it change something.
type cureFlags struct{ cure, yes, try bool }

func (f *cureFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.cure, "cure", false, "run the proved commands after a yes; down and remove of their network take them back")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "with --cure: do not ask")
	cmd.Flags().BoolVar(&f.try, "try", false, "with --cure: also run commands that are not proved")
}

// fits returns an error for flags that don't go together.
func (f *cureFlags) fits(format string) error {
	switch {
	case f.cure && format != "text":
		return usagef("--cure asks and answers in text; run vnetc doctor --cure, then vnetc doctor --format %s", format)
	case !f.cure && (f.yes || f.try):
		return usagef("--yes and --try belong to --cure: vnetc doctor --cure --yes")
	}
	return nil
}

// run lists the commands, asks, and runs them; ran is false if there are none or the answer was no.
func (f *cureFlags) run(s streams, host *hostFlags, found doctor.Report) (ran bool, err error) {
	run, byHand := inforce.Prescribe(found, f.try)
	fmt.Fprintln(s.out)
	for _, c := range run {
		word := "run"
		if !c.Proved {
			word = "try, not proved"
		}
		fmt.Fprintf(s.out, "%s, for network %s: %s\n", word, diag.Visible(c.Network), diag.Visible(c.String()))
	}
	for _, line := range byHand {
		fmt.Fprintf(s.out, "not run, for you to do or with --try: %s\n", diag.Visible(line))
	}
	if len(run) == 0 {
		fmt.Fprintln(s.out, "no command to run")
		return false, nil
	}
	if !f.yes && !asked(s, fmt.Sprintf("run %s? [y/N] ", plural(len(run), "command"))) {
		fmt.Fprintln(s.out, "nothing was run")
		return false, nil
	}
	h, err := host.open(s)
	if err != nil {
		return false, err
	}
	defer h.Close()
	done, err := h.Cure(run)
	fmt.Fprintf(s.out, "ran %s; vnetc down or vnetc remove of the network takes them back\n", plural(done, "command"))
	return true, err
}

// asked asks a question, and returns whether the answer begins with y.
func asked(s streams, question string) bool {
	fmt.Fprint(s.err, question)
	line, _ := bufio.NewReader(s.in).ReadString('\n')
	fmt.Fprintln(s.err)
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y")
}
