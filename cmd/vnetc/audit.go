package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

type auditFlags struct {
	*hostFlags
	networkFlags
	takeOver takeOverFlags // of apply --dry-run
	format   *choice
}

func newAudit(s streams) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit [PATH...]",
		Short: "compare the kernel's rules with what these networks say",
		Long: `audit says how the rules in the kernel differ from what apply would make of these
networks (without PATH: of those in force): each rule and each element of a set that
is missing, extra or moved, with the line of XML that asks for it; a diff in the words
of nft(8) or iptables(8), which shows where that is; and what it does to packets; and
rules left in another back end by an apply that was cut short. Rules of others that
packets meet before ours (iptables), and chains of others that drop by policy what ours
accept (nftables), are told as "ahead"; they are no drift, and apply leaves them there.
Without PATH "in force" is what vnetc's notes say; where they are lost, every rule of
ours is extra. audit changes nothing.

Exit codes: 0 in step; 1 drift, or errors in the input; 2 wrong usage; 3 cannot read.`,
		Example: `  vnetc audit
  vnetc audit /etc/vnetc/networks --prune
  vnetc audit --format json | jq -r '.drift[].rule'
  vnetc audit --format sarif > drift.sarif`,
		ValidArgsFunction: xmlPaths,
		RunE:              func(_ *cobra.Command, paths []string) error { return audit(s, &f, paths) },
	}
	f.hostFlags = addHostFlags(cmd)
	addNetworkFlags(cmd, &f.networkFlags, "networks that are in force and not named here are drift")
	f.format = addChoice(cmd, "format", "how to print", "text", "json", "sarif")
	return cmd
}

func audit(s streams, f *auditFlags, paths []string) error {
	given, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	dir, known, err := f.look(s)
	if err != nil {
		return err
	}
	defer dir.Close()
	f.follow(known)
	target, others, err := f.target()
	if err != nil {
		return err
	}
	w := want(given, known, f.networkFlags.options(), f.prune)
	if err := report(s, w.src, w.found, false); err != nil {
		return err
	}
	a, err := drift(s, w, target, others, firewall.Compare)
	if err != nil {
		return err
	}
	taking, err := planTakeOver(s, &f.takeOver, target.Options.Names, w)
	if err != nil {
		return err
	}
	taken, err := taking.run(s, true)
	if err != nil {
		return err
	}
	if f.format.value == "sarif" {
		found := verify.Audit{Drifts: a.Drifts, Changes: a.Changes}
		err = orHost(diag.SARIF(s.out, found.Diagnostics(), w.src, version()))
	} else {
		err = printAudit(s, f.format.value, a, taken)
	}
	if err != nil {
		return err
	}
	if f.format.value == "text" {
		if err := printPlaces(s.out, taken, true); err != nil {
			return orHost(err)
		}
	}
	if !a.InStep() || slices.ContainsFunc(taken, place.goes) {
		return exitError{code: exitNo}
	}
	return nil
}

// comparing is [firewall.Compare] or [firewall.Drifts].
type comparing func(*ir.Program, firewall.Target) (firewall.Audit, diag.List, error)

// drift says how target differs from what is wanted, and what of ours the others hold.
func drift(s streams, w wanted, target firewall.Target, others []firewall.Target, compare comparing) (firewall.Audit, error) {
	a, found, err := compare(w.program, target)
	if err != nil {
		return a, hostf("%v", err)
	}
	if err := report(s, w.src, found, false); err != nil {
		return a, err
	}
	left, err := firewall.Leftovers(others)
	if err != nil {
		return a, hostf("%v", err)
	}
	a.Drifts = append(a.Drifts, left...)
	return a, nil
}

// printAudit writes what the audit found. The JSON also has what a take-over would take away.
func printAudit(s streams, format string, a firewall.Audit, taken []place) error {
	found := verify.Audit{Drifts: a.Drifts, Changes: a.Changes, More: a.More}
	if format == "json" || !a.InStep() {
		found.Diff = a.Diff()
	}
	if format == "json" {
		doc := struct {
			verify.AuditJSON
			Taken []jsonPlace `json:"taken_over,omitempty"`
		}{found.JSON(), jsonPlaces(taken)}
		return orHost(diag.WriteJSON(s.out, doc))
	}
	err := found.Text(s.out)
	if n := backends.Mendable(a.Drifts); n > 0 && err == nil {
		_, err = fmt.Fprintf(s.err, "%s; vnetc apply mends it\n", plural(n, "difference"))
	}
	return orHost(err)
}
