// Command vnetc compiles libvirt network XML to firewall rules. Each verb has a file here that
// turns flags into calls and results into output and exit codes; what the verbs do is in the
// packages below.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// Exit codes, the same for every verb.
const (
	exitDone  = 0 // done, equal, proved
	exitNo    = 1 // the answer is no: errors in the input, drift, a counterexample, a golden that differs
	exitUsage = 2 // the command line is wrong
	exitHost  = 3 // the host refused or failed
)

// exitError ends the program with code. Its text goes to stderr unless it is empty, for verbs that
// have said it already.
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

// product is where results go. It remembers what could not be written: the run must then not look
// successful.
type product struct {
	io.Writer
	lost error
}

func (p *product) Write(text []byte) (int, error) {
	n, err := p.Writer.Write(text)
	if p.lost == nil {
		p.lost = err
	}
	return n, err
}

func main() {
	debug.SetGCPercent(250) // a run is short: memory for time
	diesOnFaults()
	s := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, color: colorWanted(os.Stderr),
		progress: isTerminal(os.Stderr)}
	os.Exit(run(s, os.Args[1:]))
}

// diesOnFaults has a fault of the program itself (out of memory, a panic) end it by SIGABRT, and
// SIGQUIT with exit code 3: Go's runtime has code 2 for all of them, which says that the command
// line is wrong. Memory that is gone before main begins, or an end by the kernel's OOM killer,
// which is SIGKILL, is not to be had otherwise.
func diesOnFaults() {
	debug.SetTraceback("crash") // GOTRACEBACK can't make it less
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, unix.SIGQUIT)
	go func() {
		<-quit
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "vnetc: SIGQUIT\n\n%s\n", stacks[:runtime.Stack(stacks, true)])
		os.Exit(exitHost)
	}()
}

// run carries out one command line and returns its exit code.
func run(s streams, args []string) int {
	out := &product{Writer: s.out}
	s.out, s.err = diag.Visibly(out), diag.Visibly(s.err)
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	exit := s.exit(err)
	if out.lost != nil && exit.code != exitHost {
		exit = exitError{exitHost, out.lost.Error()}
	}
	if exit.text != "" {
		fmt.Fprintf(s.err, "vnetc: %s\n", visibleLines(exit.text))
		if exit.code == exitUsage {
			fmt.Fprintf(s.err, "usage: %s\nhelp:  %s --help\n", cmd.UseLine(), cmd.CommandPath())
		}
	}
	return exit.code
}

// exit returns how the program ends with err.
func (s streams) exit(err error) exitError {
	var exit exitError
	var engine *inforce.Error
	var input *inforce.InputError
	switch {
	case err == nil:
		return exitError{}
	case errors.As(err, &input):
		return s.exit(reportEnd(s, input.Sources, input.Found, false, "; nothing was changed"))
	case errors.As(err, &engine):
		return exitError{map[inforce.Kind]int{inforce.No: exitNo, inforce.Usage: exitUsage,
			inforce.Failed: exitHost}[engine.Kind], err.Error()}
	case errors.As(err, &exit):
		return exit
	}
	return exitError{exitUsage,
		err.Error()} // from cobra: an unknown verb, an unknown flag, a wrong number of arguments
}

// visibleLines returns text, which may quote what came from outside, without what a terminal would
// obey but ends of lines.
func visibleLines(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\t", "  "), "\n")
	for i, line := range lines {
		lines[i] = diag.Visible(line)
	}
	return strings.Join(lines, "\n")
}

// newRoot returns the command tree.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "vnetc",
		Short: "compile libvirt network XML to firewall rules",
		Long: `vnetc compiles virtual networks, written as libvirt network XML, to the
firewall rules that they need: iptables-restore text or nftables. Every rule
carries the line of XML that caused it. Only commands that say so look at the
host.

PATH is an XML file, a policy (*.policy), a directory (its *.xml and *.policy,
sorted by name), - for stdin, default for libvirt's default network
(192.168.122.0/24 behind NAT), or the name of a network in /etc/vnetc/networks.
Results go to stdout, everything else to stderr.

Policies are one list, in which the first statement that matches decides: files
of --policy, then *.policy files in the order of the PATHs, then those in the
metadata of networks, in the order of the networks.

Exit codes: 0 done; 1 the answer is no (errors in the input, a golden that
differs, an assertion that fails); 2 wrong usage; 3 the host refused or failed.`,
		Example:       "  vnetc compile default\n  vnetc check --format sarif /etc/libvirt/qemu/networks > findings.sarif\n  vnetc explain dhcp-range-order",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Hidden {
				return nil // cobra's own, which completes the empty word too
			}
			return refuseEmpty(cmd.Flags(), args)
		},
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}")
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddCommand(newCompile(s), newCheck(s), newVerify(s), newTrace(s), newExplain(s), newGolden(s), newTranslate(s))
	root.AddCommand(newApply(s), newConfirm(s), newAudit(s), newRemove(s), newUp(s), newDown(s), newList(s),
		newStatus(s), newLeases(s))
	root.AddCommand(newDoctor(s), newVersion(s))
	root.SetFlagErrorFunc(wrongFlag)
	refuseUnknownTopics(root)
	return root
}

// refuseUnknownTopics makes the verbs that cobra adds, help and completion, refuse what they don't
// know; they print their help instead, and call that success.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, topic []string) error {
				if _, rest, err := root.Find(topic); err != nil || len(rest) > 0 {
					return usagef("there is no command %q; vnetc help lists them", strings.Join(topic, " "))
				}
				return nil
			}
		case "completion":
			cmd.RunE = func(*cobra.Command, []string) error {
				return usagef("completion takes the name of a shell: bash, zsh, fish or powershell, for example: vnetc completion bash")
			}
		}
	}
}

// colorWanted is true if f is a terminal and the user has not set NO_COLOR (no-color.org) or
// TERM=dumb.
func colorWanted(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && isTerminal(f)
}

// isTerminal is true if f is a terminal that understands how to go back on a line; /dev/null is a
// device, and none.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "dumb"
}
