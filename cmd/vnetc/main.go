// Command vnetc compiles libvirt network XML to firewall rules. Each verb has a file here that turns flags into calls and
// results into output and exit codes; what the verbs do is in the packages below.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// Exit codes, the same for every verb.
const (
	exitDone  = 0 // done, equal, proved
	exitNo    = 1 // the answer is no: errors in the input, drift, a counterexample, a golden that differs
	exitUsage = 2 // the command line is wrong
	exitHost  = 3 // the host refused or failed
)

// exitError ends the program with code. Its text goes to stderr unless it is empty, for verbs that have said it already.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return exitError{exitUsage, fmt.Sprintf(format, args...)}
}

func hostf(format string, args ...any) error {
	return exitError{exitHost, fmt.Sprintf(format, args...)}
}

// streams are what a verb reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	color    bool // color is true if err is a terminal whose user has not said NO_COLOR
	progress bool // progress is true if err is a terminal on which a line can be written over
}

func main() {
	debug.SetGCPercent(250) // a run is short: memory for time
	s := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, color: colorWanted(os.Stderr), progress: isTerminal(os.Stderr)}
	os.Exit(run(s, os.Args[1:]))
}

// run carries out one command line and returns its exit code.
func run(s streams, args []string) int {
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	var exit exitError
	if !errors.As(err, &exit) { // from cobra: an unknown verb, an unknown flag, a wrong number of arguments
		exit = exitError{exitUsage, err.Error()}
	}
	if exit.text != "" {
		fmt.Fprintf(s.err, "vnetc: %s\n", exit.text)
		if exit.code == exitUsage {
			fmt.Fprintf(s.err, "usage: %s\nhelp:  %s --help\n", cmd.UseLine(), cmd.CommandPath())
		}
	}
	return exit.code
}

// newRoot returns the command tree.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "vnetc",
		Short: "compile libvirt network XML to firewall rules",
		Long: `vnetc compiles virtual networks, written as libvirt network XML, to the firewall
rules that make them work: iptables-restore text or nftables. It touches no host
unless the verb says so, and says for every rule which line of XML asked for it.

PATH is an XML file, a directory (its *.xml, sorted by name), - for stdin, or the
word default for libvirt's default network (192.168.122.0/24 behind NAT).
Results go to stdout, everything else to stderr.

Exit codes: 0 done; 1 the answer is no (errors in the input, a golden that
differs, an assertion that fails); 2 wrong usage; 3 the host refused or failed.`,
		Example:       "  vnetc compile default\n  vnetc check --format sarif /etc/libvirt/qemu/networks > findings.sarif\n  vnetc explain dhcp-range-order",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return refuseEmpty(cmd.Flags()) },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddCommand(newCompile(s), newCheck(s), newVerify(s), newTrace(s), newExplain(s), newGolden(s))
	root.AddCommand(newApply(s), newConfirm(s), newAudit(s), newRemove(s), newUp(s), newDown(s), newList(s), newStatus(s), newLeases(s))
	root.AddCommand(newVersion(s))
	return root
}

// colorWanted is true if f is a terminal and the user has not set NO_COLOR (no-color.org) or TERM=dumb.
func colorWanted(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && isTerminal(f)
}

// isTerminal is true if f is a terminal that understands how to go back on a line; /dev/null is a device, and none.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "dumb"
}
