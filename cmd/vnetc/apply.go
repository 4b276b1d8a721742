package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

type applyFlags struct {
	*hostFlags
	networkFlags
	takeOver takeOverFlags
	dryRun   bool
	confirm  time.Duration
	format   *choice
	verbose  bool
	inForce  bool
}

func newApply(s streams) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply PATH...",
		Short: "load the rules of these networks into the kernel",
		Long: `apply compiles these networks together with those that are in force already, and
makes the kernel of this host (or network namespace) hold their rules: those that
are right are left alone, with their counters; the rest is changed in one
transaction (nftables), or one for each table (iptables). What the kernel then
holds is read back and proved equal to what was meant; if it is not, the old rules
come back and the exit code is 3.

Networks that are in force and not named here stay; --prune takes them away, but
for those that vnetc up made. Rules about a bridge whose network has no state file
stay, too, and are named; --prune takes them away, or vnetc remove --bridge. Rules of
others are never touched: --names libvirt is refused while rules stand under libvirt's
names that no state file explains.

All networks are in one back end, layout and set of names: those of the networks in
force, unless --backend (or --config), --layout or --names says otherwise; the others
then move along, and the new rules stand before the old ones go. Where none is in
force the kernel's nftables is taken, else iptables.

With --take-over the host moves from libvirt's own rules to vnetc's without a gap: once
ours stand and are proved, those that libvirt made for the networks now in force go,
from its nftables tables and its LIBVIRT_ chains, and with its last network these go
too. Rules of its other networks, and what others put there, stay as they are. It is
refused while a libvirt daemon runs one of the networks in another mode than open, and
for a network whose bridge in libvirt is not the one its document names, or not known.

With --in-force and no PATH the rules of the networks in force are put right, and nothing
else: what others have pushed out of its place stands there again, as libvirt's jumps do
when its daemon starts (vnetc-order.service). A forgotten PATH stays wrong usage.

What changes is listed by network, before by --dry-run as after: + what comes, - what
goes, each rule by name, ~ what moves. Many that come are counted; -v lists them.

apply sets the firewall only: bridges and DHCP are somebody else's.

With --confirm DURATION the apply undoes itself after that time, unless vnetc confirm
comes first: rules that lock you out of the host go away again, also when the
terminal or vnetc itself is gone.

--format json: "networks" in force, by name; "backend" and "layout"; how many rules were
"changed" and "kept"; "removed_from", the places where our rules are gone; "proved"; "steps", what
changed; with --take-over "taken_over". With --dry-run it is that of vnetc audit. Fields are added,
never renamed or removed.

Exit codes: 0 applied; 1 errors in the input, --take-over is refused, or --dry-run
finds something to do; 2 wrong usage; 3 the host refused or failed.`,
		Example: `  vnetc apply lab.xml dmz.xml
  vnetc apply --prune /etc/vnetc/networks
  vnetc apply --config /etc/libvirt/network.conf lab.xml
  vnetc apply --confirm 60s lab.xml        # and if you can still type: vnetc confirm
  vnetc apply --dry-run lab.xml            # what it would change, and exit 1 if anything
  vnetc apply --take-over --dry-run lab.xml  # which rules of libvirt's would go
  vnetc apply --take-over lab.xml`,
		ValidArgsFunction: xmlPaths,
		RunE: func(cmd *cobra.Command, paths []string) error {
			switch {
			case f.inForce && (len(paths) > 0 || f.networkFlags.prune):
				return usagef("--in-force takes the networks in force as they are: no PATH, and no --prune")
			case len(paths) == 0 && !f.inForce:
				return usagef("apply needs at least one PATH, for example: vnetc apply lab.xml; those in force: vnetc apply --in-force")
			}
			if cmd.Flags().Changed("confirm") && (f.confirm <= 0 || f.dryRun) {
				return usagef("--confirm takes the time that a change waits, such as 60s; --dry-run changes nothing")
			}
			if f.dryRun {
				return audit(s, &auditFlags{hostFlags: f.hostFlags, networkFlags: f.networkFlags, takeOver: f.takeOver,
					format: f.format, verbose: f.verbose, plan: true}, paths)
			}
			return apply(s, &f, paths)
		},
	}
	f.hostFlags = addHostFlags(cmd)
	addNetworkFlags(cmd, &f.networkFlags, "remove networks that are not named here")
	addTakeOverFlags(cmd, &f.takeOver)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would change, and change nothing")
	cmd.Flags().DurationVar(&f.confirm, "confirm", 0, "undo the change after this time, such as 60s, unless "+
		"vnetc confirm comes first")
	f.format = addChoice(cmd, "format", "output format", "text", "json")
	addAuditVerbose(cmd, &f.verbose)
	cmd.Flags().BoolVar(&f.inForce, "in-force", false, "repair the rules of the networks in force, without a PATH")
	return cmd
}

func apply(s streams, f *applyFlags, paths []string) error {
	given, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	if f.inForce && len(h.Networks()) == 0 { // not a reason to take away what no note tells of
		if f.format.value == "json" {
			return orHost(diag.WriteJSON(s.out, map[string]any{"networks": []string{}, "changed": 0, "kept": 0,
				"removed_from": []string{}, "proved": false}))
		}
		_, err := fmt.Fprintln(s.err, "no network is in force")
		return orHost(err)
	}
	w, err := want(s, h, given, f.networkFlags.change())
	if err != nil {
		return err
	}
	debug.SetGCPercent(100) // the proof would take far more memory than the rest
	done, err := h.Apply(w, inforce.ApplyOptions{TakeOver: f.takeOver.asked(), Confirm: f.confirm})
	if err != nil {
		return err
	}
	if err := report(s, w.Sources, done.Left, false); err != nil {
		return err
	}
	if err := printApplied(s, f, w, h, done); err != nil || f.confirm == 0 {
		return err
	}
	return f.sayConfirm(s)
}

func printApplied(s streams, f *applyFlags, w inforce.Wanted, h *inforce.Host, r inforce.Applied) error {
	if f.format.value == "json" {
		doc := map[string]any{
			"networks": w.Names(), "backend": h.Backend(), "layout": h.Layout(),
			"changed": r.Changed, "kept": r.Kept, "rebuilt": r.Rebuilt,
			"removed_from": append([]string{}, r.Removed...), "proved": true,
			"steps": verify.Plan{Drifts: r.Drifts}.Lines(),
		}
		if r.Taken != nil {
			doc["taken_over"] = jsonPlaces(r.Taken)
		}
		return orHost(diag.WriteJSON(s.out, doc))
	}
	did := "nothing to change"
	if r.Changed > 0 {
		did = fmt.Sprintf("%d changed, %d left alone", r.Changed, r.Kept)
	}
	_, err := fmt.Fprintf(s.out, "%s in force (%s): %s; read back and proved\n", plural(len(w.Names()), "network"),
		h.Backend(), did)
	if err == nil {
		err = verify.Plan{Drifts: r.Drifts, Verbose: f.verbose}.Text(s.out)
	}
	if err == nil && len(r.Removed) > 0 {
		_, err = fmt.Fprintf(s.out, "our rules in %s are removed\n", strings.Join(r.Removed, " and "))
	}
	if err == nil {
		err = printPlaces(s.out, r.Taken, false)
	}
	return orHost(err)
}

// sayConfirm says what keeps the change.
func (f *applyFlags) sayConfirm(s streams) error {
	command := "vnetc confirm"
	if f.stateDir != inforce.DefaultDir {
		command += " --state-dir " + diag.ShellWord(f.stateDir)
	}
	_, err := fmt.Fprintf(s.err, "undone in %s unless you type: %s\n", f.confirm, command)
	return orHost(err)
}

// orHost turns an error of writing into the host's.
func orHost(err error) error {
	if err != nil {
		return hostf("%v", err)
	}
	return nil
}
