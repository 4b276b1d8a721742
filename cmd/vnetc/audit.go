package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

type auditFlags struct {
	*hostFlags
	networkFlags
	takeOver takeOverFlags // of apply --dry-run
	format   *choice
	budget   budgetFlag
	verbose  bool

	failOnAhead bool
	plan        bool // plan is true for what is printed as a plan of what apply does.
}

func newAudit(s streams) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit [PATH...]",
		Short: "compare the kernel's rules with what these networks say",
		Long: `audit shows how the rules in the kernel differ from those that apply would load
for these networks (without PATH: for those in force): each rule and each
element of a set that is missing, extra or moved, with the line of XML that
causes it; a diff in the notation of nft(8) or iptables(8); and what the
difference does to packets. It also shows rules that an interrupted apply left
in another back end.

Jumps to vnetc's chains that are behind libvirt's are "moved", whether or not
this changes the fate of a packet; apply and up repair them. A foreign rule
that accepts what vnetc refuses is "ahead", shown with a packet of a new
connection and the networks. So are foreign nftables chains that drop by policy
what vnetc accepts. apply leaves both there; with --fail-on-ahead audit exits
with 1 if they let more through. -v also lists foreign rules ahead that let
nothing more through. At the end audit shows what guests cannot do because of
foreign rules; see vnetc doctor.

Your own rules in the chains admin_... (iptables: VNETC_ADMIN_...), which are
kept for them, are no drift; audit shows what they do to packets.

Without PATH, the networks in force are those of vnetc's state files.
"unexplained" are rules about a bridge that has no state file, and damaged
state files; apply leaves these rules there. audit changes nothing and takes no
lock.

What drift does to packets may be too large to answer. The budget is a number
of steps, so that the answer is the same on every machine; --budget 60s sets a
time.

Exit codes: 0 in step; 1 drift, or errors in the input, or with --fail-on-ahead
a foreign rule that lets more through; 2 wrong usage; 3 cannot read.`,
		Example: `  vnetc audit
  vnetc audit /etc/vnetc/networks --prune
  vnetc audit --format json | jq -r '.drift[].rule'
  vnetc audit --format sarif > drift.sarif`,
		ValidArgsFunction: xmlPaths,
		RunE:              func(_ *cobra.Command, paths []string) error { return audit(s, &f, paths) },
	}
	f.hostFlags = addHostFlags(cmd)
	addNetworkFlags(cmd, &f.networkFlags, "networks that are in force and not named here are drift")
	f.format = addChoice(cmd, "format", "output format", "text", "json", "sarif")
	f.budget.add(cmd)
	addAuditVerbose(cmd, &f.verbose)
	cmd.Flags().BoolVar(&f.failOnAhead, "fail-on-ahead", false,
		"exit with 1 if foreign rules let through what ours refuse")
	return cmd
}

// addAuditVerbose adds -v to a verb that prints an audit.
func addAuditVerbose(cmd *cobra.Command, verbose *bool) {
	cmd.Flags().BoolVarP(verbose, "verbose", "v", false,
		"list all, also foreign rules ahead that let nothing more through")
}

func audit(s streams, f *auditFlags, paths []string) error {
	given, change, err := f.networkFlags.read(s.in, paths)
	if err != nil {
		return err
	}
	w, a, checkup, err := compared(s, f, given, change)
	if err != nil {
		return err
	}
	a.Explain(f.budget.start())
	guests := reach{}
	if !f.plan {
		guests = reachOf(s, checkup)
	}
	if !f.verbose {
		a.Drifts = slices.DeleteFunc(a.Drifts, func(d backends.Drift) bool { return d.Harmless })
	}
	if f.format.value == "sarif" {
		found := verify.Audit{Drifts: a.Drifts, Changes: a.Changes, TooLarge: a.TooLarge}
		err = sarif(s.out, append(found.Diagnostics(), guests.found.Diagnostics()...), w.Sources)
	} else {
		err = printAudit(s, f, a, guests.all(w.Names()))
	}
	if err != nil {
		return err
	}
	if f.format.value == "text" {
		if err := printPlaces(s.out, a.Taken, true); err != nil {
			return orHost(err)
		}
		guests.print(s.out, w.Names())
	}
	if f.failOnAhead && len(backends.AheadOf(a.Drifts)) > 0 {
		return exitError{code: exitNo}
	}
	off := !a.InStep()
	if f.plan { // unexplained rules that stay are nothing to do
		off = backends.Mendable(a.Drifts) > 0
	}
	if off || slices.ContainsFunc(a.Taken, goes) {
		return exitError{code: exitNo}
	}
	return nil
}

// compared reads the host, and reports what is wrong with the networks.
func compared(s streams, f *auditFlags, given *diag.Sources, change inforce.Change) (w inforce.Wanted,
	a inforce.Audited, c inforce.Checkup, err error) {
	err = f.look(s, func(h *inforce.Host) (err error) {
		if w, err = h.Want(given, change); err != nil || w.Found.HasErrors() {
			return err
		}
		if a, err = h.Audit(w, f.takeOver.asked()); err != nil {
			return err
		}
		c, err = h.Checkup(w, w.Names(), false)
		return err
	})
	if reported := report(s, w.Sources, w.Found, false); err == nil {
		err = reported
	}
	return w, a, c, err
}

// printAudit writes what the audit found. The JSON also has what a take-over would take away.
func printAudit(s streams, f *auditFlags, a inforce.Audited, cut map[string][]string) error {
	found := verify.Audit{Drifts: a.Drifts, Changes: a.Changes, More: a.More, TooLarge: a.TooLarge,
		Admin: a.Admin, AdminChanges: a.AdminChanges, AdminMore: a.AdminMore,
		AdminElsewhere: a.AdminElsewhere}
	switch {
	case f.format.value == "json":
		found.Diff = a.Diff()
	case !a.InStep() && f.plan:
		found.Diff = a.PlannedDiff()
	case !a.InStep():
		found.Diff = a.Diff()
	}
	if f.format.value == "json" {
		doc := struct {
			verify.AuditJSON
			Taken  []jsonPlace         `json:"taken_over,omitempty"`
			Steps  []string            `json:"steps,omitempty"`   // of apply --dry-run
			CutOff map[string][]string `json:"cut_off,omitempty"` // by network, what guests can't do
		}{found.JSON(), jsonPlaces(a.Taken), nil, cut}
		if f.plan {
			doc.Steps = verify.Plan{Drifts: a.Drifts}.Lines()
		}
		return orHost(diag.WriteJSON(s.out, doc))
	}
	if f.plan {
		return orHost(found.PlanText(s.out, f.verbose))
	}
	err := found.Text(s.out)
	if n := backends.Mendable(a.Drifts); n > 0 && err == nil {
		_, err = fmt.Fprintf(s.err, "%s; vnetc apply fixes it\n", plural(n, "difference"))
	}
	return orHost(err)
}
