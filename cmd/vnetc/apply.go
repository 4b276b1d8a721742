package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
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
	reach    bool // reach is true if guests must have what their networks promise.
}

func newApply(s streams) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply PATH...",
		Short: "load the rules of these networks into the kernel",
		Long: `apply compiles these networks together with those in force, and loads their
rules into the kernel of this host (or network namespace). Rules that are right
stay, with their counters. The others change in one transaction (nftables), or
in one for each table (iptables). vnetc then reads the rules back and proves
them. If they are wrong it restores the old rules and exits with 3.

Networks in force that are not named here stay. --prune removes them, except
those that vnetc up created. Rules about a bridge whose network has no state
file also stay, and apply reports them; to remove them use --prune or vnetc
remove --bridge. Foreign rules never change: apply refuses --names libvirt if
there are rules under libvirt's names that no state file explains.

All networks use one back end, layout and set of names: those of the networks
in force, unless --backend (or --config), --layout or --names says otherwise.
Then all networks move, and the new rules are loaded before the old ones are
removed. If no network is in force, apply takes nftables if the kernel has it,
else iptables; or iptables if foreign rules cut off fewer guests there.
--backend auto never moves networks.

--take-over moves a host from libvirt's rules to vnetc's without a gap. Once
vnetc's rules are loaded and proved, it removes those that libvirt made for the
networks now in force, from libvirt's nftables tables and LIBVIRT_ chains.
Rules of libvirt's other networks and foreign rules stay. It is refused while a
libvirt daemon runs one of the networks in another mode than open, and if
libvirt's bridge for a network is unknown or not the one in its XML.

--in-force, without a PATH, repairs the rules of the networks in force and
nothing else. Use it if libvirtd has started and put its jumps before vnetc's;
the unit vnetc-order.service does this.

apply lists what changes by network, and --dry-run lists the same: + is added,
- is removed, ~ is moved. Many added rules are only counted; -v lists them.

apply changes the firewall only. It creates no bridge and no DHCP: see vnetc
up.

--confirm DURATION undoes the apply after that time, unless vnetc confirm comes
first. So rules that lock you out of the host are undone, even if the terminal
is lost or vnetc is killed.

--format json: "networks" in force, by name; "backend" and "layout"; how many
rules were "changed" and "kept"; "removed_from", the places whose rules were
removed; "proved"; "steps", what changed; "cut_off", by network, what guests
cannot do because of foreign rules; with --take-over "taken_over". With
--dry-run it is that of vnetc audit. Fields are added, never renamed or
removed.

Exit codes: 0 applied; 1 errors in the input, --take-over is refused, --dry-run
finds something to do, or --require-reach and guests are cut off; 2 wrong
usage; 3 the host refused or failed.`,
		Example: `  vnetc apply lab.xml dmz.xml
  vnetc apply --prune /etc/vnetc/networks
  vnetc apply --config /etc/libvirt/network.conf lab.xml
  vnetc apply --confirm 60s lab.xml     # then, if all is well: vnetc confirm
  vnetc apply --dry-run lab.xml         # what it would change; exit 1 if anything
  vnetc apply --take-over --dry-run lab.xml  # which rules of libvirt's would go
  vnetc apply --take-over lab.xml`,
		ValidArgsFunction: xmlPaths,
		RunE: func(cmd *cobra.Command, paths []string) error {
			switch {
			case f.inForce && (len(paths) > 0 || f.networkFlags.prune):
				return usagef("--in-force takes the networks in force as they are: no PATH, and no --prune")
			case len(paths) == 0 && len(f.networkFlags.policy) == 0 && !f.inForce:
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
	addNetworkFlags(cmd, &f.networkFlags, "remove networks and policies that are not named here")
	addTakeOverFlags(cmd, &f.takeOver)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would change, and change nothing")
	cmd.Flags().DurationVar(&f.confirm, "confirm", 0, "undo the change after this time, such as 60s, unless "+
		"vnetc confirm comes first")
	f.format = addChoice(cmd, "format", "output format", "text", "json")
	addAuditVerbose(cmd, &f.verbose)
	addRequireReach(cmd, &f.reach)
	cmd.Flags().BoolVar(&f.inForce, "in-force", false, "repair the rules of the networks in force, without a PATH")
	return cmd
}

func apply(s streams, f *applyFlags, paths []string) error {
	given, change, err := f.networkFlags.read(s.in, paths)
	if err != nil {
		return err
	}
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	if f.inForce && len(h.Networks()) == 0 { // no reason to remove rules that no state file explains
		if f.format.value == "json" {
			return orHost(diag.WriteJSON(s.out, map[string]any{"networks": []string{}, "changed": 0, "kept": 0,
				"removed_from": []string{}, "proved": false}))
		}
		_, err := fmt.Fprintln(s.err, "no network is in force")
		return orHost(err)
	}
	w, err := want(s, h, given, change)
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
	names := w.Given()
	if f.inForce {
		names = w.Names()
	}
	checkup, err := h.Checkup(w, names, false)
	if err != nil {
		return err
	}
	h.Close()
	r := reachOf(s, checkup)
	err = printApplied(s, f, w, h, done, r)
	if err == nil && f.confirm != 0 {
		err = f.sayConfirm(s)
	}
	return r.end(f.reach, err)
}

func printApplied(s streams, f *applyFlags, w inforce.Wanted, h *inforce.Host, r inforce.Applied, guests reach) error {
	if f.format.value == "json" {
		doc := map[string]any{
			"networks": w.Names(), "backend": h.Backend(), "layout": h.Layout(),
			"changed": r.Changed, "kept": r.Kept, "rebuilt": r.Rebuilt,
			"removed_from": append([]string{}, r.Removed...), "proved": true,
			"steps": verify.Plan{Drifts: r.Drifts}.Lines(),
		}
		addAdmin(doc, r.Result)
		if cut := guests.all(w.Names()); len(cut) > 0 {
			doc["cut_off"] = cut
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
	_, err := fmt.Fprintf(s.out, "%s in force (%s): %s; read back and proved%s\n", plural(len(w.Names()), "network"),
		h.Backend(), did, verify.ButAdmin(r.Admin))
	if err == nil {
		err = verify.Plan{Drifts: r.Drifts, Verbose: f.verbose}.Text(s.out)
	}
	if err == nil && len(r.Removed) > 0 {
		_, err = fmt.Fprintf(s.out, "our rules in %s are removed\n", strings.Join(r.Removed, " and "))
	}
	if err == nil {
		err = printPlaces(s.out, r.Taken, false)
	}
	if err == nil {
		guests.print(s.out, w.Names())
	}
	return orHost(err)
}

// addAdmin adds the administrator's own rules to the JSON of an apply.
func addAdmin(doc map[string]any, r firewall.Result) {
	if len(r.Admin) > 0 {
		doc["admin_rules"] = verify.AdminJSON(r.Admin)
	}
	if len(r.AdminLeft) > 0 {
		doc["admin_rules_left"] = verify.AdminJSON(r.AdminLeft)
	}
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
