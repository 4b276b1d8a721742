package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// reach says at the end of a verb, once the lock is given back, what guests of its networks can't
// do for certain. The zero value says nothing.
type reach struct{ found verify.Doctor }

// reachOf asks what becomes of the networks' promises. That it can't be told is said, and no reason
// for the verb to fail: what it was asked for is done.
func reachOf(s streams, c inforce.Checkup) reach {
	report, err := c.RunShort()
	if err != nil {
		fmt.Fprintf(s.err, "vnetc: warning: can't tell what other rules do to guests: %v\n", err)
	}
	return reach{inWords(report)}
}

// of returns a line for each thing that guests of a network can't do.
func (r reach) of(network string) []string { return r.found.Short(network) }

// all returns the lines of all networks, in JSON's form.
func (r reach) all(networks []string) map[string][]string {
	lines := make(map[string][]string)
	for _, name := range networks {
		if found := r.of(name); len(found) > 0 {
			lines[name] = found
		}
	}
	return lines
}

// print writes them, and where there is more.
func (r reach) print(w io.Writer, networks []string) {
	for _, name := range networks {
		for _, line := range r.of(name) {
			fmt.Fprintf(w, "network %s: %s\n", name, line)
		}
	}
	r.more(w)
}

// more says which verb tells the rest.
func (r reach) more(w io.Writer) {
	if r.found.Cut() {
		fmt.Fprintln(w, "vnetc doctor shows packets, and what helps")
	}
	if r.found.CantTell() {
		fmt.Fprintln(w, "too large to tell in passing whether foreign rules keep guests from what they are promised; vnetc doctor takes its time")
	}
}

// addRequireReach adds --require-reach to a verb that changes the host.
func addRequireReach(cmd *cobra.Command, required *bool) {
	cmd.Flags().BoolVar(required, "require-reach", false, "exit with 1 if foreign rules, or the host, keep guests from what their network promises")
}

// end returns how the verb ends that is done, with err or without.
func (r reach) end(required bool, err error) error {
	if err == nil && required && r.found.Cut() {
		return exitError{code: exitNo}
	}
	return err
}

// sarif returns the report of an audit, or of an examination, with what guests can't do.
func sarif(w io.Writer, found diag.List, src *diag.Sources) error {
	if src == nil {
		src = &diag.Sources{}
	}
	return orHost(diag.SARIF(w, found, src, version()))
}
