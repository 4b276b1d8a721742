package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

type applyFlags struct {
	*hostFlags
	networkFlags
	takeOver takeOverFlags
	dryRun   bool
	confirm  time.Duration
	format   *choice
}

func newApply(s streams) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply PATH...",
		Short: "put the rules of these networks into the kernel",
		Long: `apply compiles these networks together with those that are in force already, and
makes the kernel of this host (or network namespace) hold their rules: those that
are right are left alone, with their counters; the rest is changed in one
transaction (nftables), or one for each table (iptables). What the kernel then
holds is read back and proved equal to what was meant; if it is not, the old rules
come back and the exit code is 3.

Networks that are in force and not named here stay; --prune takes them away, but
for those that vnetc up made. Rules of others are never touched.

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

apply sets the firewall only: bridges and DHCP are somebody else's.

With --confirm DURATION the apply undoes itself after that time, unless vnetc confirm
comes first: rules that lock you out of the host go away again, also when the
terminal or vnetc itself is gone.

--format json: "networks" in force, by name; "backend" and "layout"; how many rules were
"changed" and "kept"; "removed_from", the places where rules of ours are gone; "proved";
with --take-over "taken_over". With --dry-run it is that of vnetc audit. Fields are added,
never renamed or removed.

Exit codes: 0 applied; 1 errors in the input, --take-over is refused, or --dry-run
finds something to do; 2 wrong usage; 3 the host refused or failed.`,
		Example: `  vnetc apply lab.xml dmz.xml
  vnetc apply --prune /etc/vnetc/networks
  vnetc apply --config /etc/libvirt/network.conf lab.xml
  vnetc apply --confirm 60s lab.xml        # and if you can still type: vnetc confirm
  vnetc apply --dry-run lab.xml            # the same as vnetc audit lab.xml
  vnetc apply --take-over --dry-run lab.xml  # which rules of libvirt's would go
  vnetc apply --take-over lab.xml`,
		ValidArgsFunction: xmlPaths,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usagef("apply needs at least one PATH, for example: vnetc apply lab.xml")
			}
			if cmd.Flags().Changed("confirm") && (f.confirm <= 0 || f.dryRun) {
				return usagef("--confirm takes the time that a change waits, such as 60s; --dry-run changes nothing")
			}
			if f.dryRun {
				return audit(s, &auditFlags{f.hostFlags, f.networkFlags, f.takeOver, f.format}, paths)
			}
			return apply(s, &f, paths)
		},
	}
	f.hostFlags = addHostFlags(cmd)
	addNetworkFlags(cmd, &f.networkFlags, "take away networks that are not named here")
	addTakeOverFlags(cmd, &f.takeOver)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would change, and change nothing")
	cmd.Flags().DurationVar(&f.confirm, "confirm", 0, "go back after this time, such as 60s, unless vnetc confirm comes first")
	f.format = addChoice(cmd, "format", "how to print", "text", "json")
	return cmd
}

func apply(s streams, f *applyFlags, paths []string) error {
	given, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	dir, known, err := f.open(s)
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
	if err := staysCovered(known, w); err != nil {
		return err
	}
	if err := readUnnoted(dir, known, namesOf(w.notes)); err != nil {
		return err
	}
	if err := f.sayLost(s, known, w, target); err != nil {
		return err
	}
	taking, err := planTakeOver(s, &f.takeOver, target.Options.Names, w)
	if err != nil {
		return err
	}
	var result firewall.Result
	var taken []place
	change := func(s streams) (err error) {
		if result, err = load(s, dir, known, w, target, others); err == nil {
			taken, err = taking.run(s, false)
		}
		return err
	}
	if f.confirm > 0 {
		err = f.provisionally(s, dir, known, taking, change)
	} else {
		err = change(s)
	}
	if err != nil {
		return err
	}
	if err := report(s, w.src, result.Left, false); err != nil {
		return err
	}
	if err := printApplied(s, f.format.value, w, target, result, taken); err != nil || f.confirm == 0 {
		return err
	}
	return f.sayConfirm(s)
}

// load writes notes about what comes, loads the rules, and removes the notes of networks that go: so whenever it is cut
// short, each network that the kernel may hold has its note, and the same command can be given again. If loading fails the
// old notes come back.
func load(s streams, dir *state.Dir, known []state.Network, w wanted, target firewall.Target, others []firewall.Target) (firewall.Result, error) {
	stamp(w.notes, target)
	all, stays := slices.Clone(w.notes), make(map[string]bool)
	for i := range w.notes {
		stays[w.notes[i].Name] = true
	}
	for _, old := range known {
		if !stays[old.Name] {
			all = append(all, old)
		}
	}
	left := leaving(known, string(target.Options.Names))
	for i := range all {
		all[i].Leaving = left
	}
	if err := rewrite(dir, known, all); err != nil {
		return firewall.Result{}, hostf("%v; no rule was touched", errors.Join(err, rewrite(dir, all, known)))
	}
	debug.SetGCPercent(100) // the proof would take far more memory than the rest
	result, found, err := firewall.Apply(w.program, target, others)
	if err == nil && !found.HasErrors() {
		if err := rewrite(dir, all, w.notes); err != nil {
			return result, hostf("the rules are in force, and %v", err)
		}
		return result, nil
	}
	undo := rewrite(dir, all, known)
	if err != nil {
		return result, hostf("%v", errors.Join(err, undo))
	}
	return result, report(s, w.src, found, false)
}

// leaving returns the other names, if any, that rules of known may have when they move to names.
func leaving(known []state.Network, names string) string {
	for _, n := range known {
		for _, old := range []string{n.Names, n.Leaving} {
			if old != "" && old != names {
				return old
			}
		}
	}
	return ""
}

// staysCovered refuses networks that are up and whose rules would leave the bridge that stands: its guests would be open.
func staysCovered(known []state.Network, w wanted) error {
	bridges := make(map[string]string)
	for _, n := range known {
		bridges[n.Name] = n.Bridge
	}
	for i, n := range w.notes {
		l := w.program.Links[i]
		if n.Up && bridges[n.Name] != "" && (l.Bridge.Name != bridges[n.Name] || !l.Mode.Managed()) {
			return exitError{exitNo, fmt.Sprintf("network %[1]s is up on bridge %[2]s, which this XML leaves without rules; take it down first: vnetc down %[3]s", n.Name, bridges[n.Name], shellWord(n.Name))}
		}
	}
	return nil
}

// stamp notes where the networks' rules go; those that have no time yet are applied now.
func stamp(notes []state.Network, target firewall.Target) {
	now := time.Now().UTC().Truncate(time.Second)
	for i := range notes {
		n := &notes[i]
		n.Backend, n.Layout, n.Names = target.Loader.Name(), string(target.Options.Layout), string(target.Options.Names)
		n.Leaving = ""
		if n.Applied.IsZero() {
			n.Applied = now
		}
	}
}

// rewrite makes the notes in dir be to, where they are from; those that are the same are left alone.
func rewrite(dir *state.Dir, from, to []state.Network) error {
	before := make(map[string]state.Network)
	for _, n := range from {
		before[n.Name] = n
	}
	stays := make(map[string]bool)
	for _, n := range to {
		stays[n.Name] = true
		if before[n.Name] == n {
			continue
		}
		if err := dir.Save(n); err != nil {
			return err
		}
	}
	for _, n := range from {
		if !stays[n.Name] {
			if err := dir.Remove(n.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func printApplied(s streams, format string, w wanted, target firewall.Target, r firewall.Result, taken []place) error {
	names := make([]string, len(w.notes))
	for i, n := range w.notes {
		names[i] = n.Name
	}
	if format == "json" {
		doc := map[string]any{
			"networks": names, "backend": target.Loader.Name(), "layout": target.Options.Layout,
			"changed": r.Changed, "kept": r.Kept, "rebuilt": r.Rebuilt, "removed_from": append([]string{}, r.Removed...), "proved": true,
		}
		if taken != nil {
			doc["taken_over"] = jsonPlaces(taken)
		}
		return orHost(diag.WriteJSON(s.out, doc))
	}
	did := "nothing to change"
	if r.Changed > 0 {
		did = fmt.Sprintf("%d changed, %d left alone", r.Changed, r.Kept)
	}
	_, err := fmt.Fprintf(s.out, "%s in force (%s): %s; read back and proved\n", plural(len(names), "network"), target.Loader.Name(), did)
	if err == nil && len(r.Removed) > 0 {
		_, err = fmt.Fprintf(s.out, "our rules in %s are gone\n", strings.Join(r.Removed, " and "))
	}
	if err == nil {
		err = printPlaces(s.out, taken, false)
	}
	return orHost(err)
}

// orHost turns an error of writing into the host's.
func orHost(err error) error {
	if err != nil {
		return hostf("%v", err)
	}
	return nil
}
