package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/state"
)

type downFlags struct {
	*hostFlags
	all, dryRun bool
	format      *choice
}

func newDown(s streams) *cobra.Command {
	var f downFlags
	cmd := &cobra.Command{
		Use:   "down NAME...",
		Short: "take whole networks down, and leave no trace of them",
		Long: `down takes networks away that vnetc up made: dnsmasq, link, rules and bridge, in this
order, and their files. With the last network that needed it, forwarding is what it was
before, unless somebody has changed it since. Guests that are attached lose their
bridge; their own devices stay.

It works by what is there: also after a crash, or when the state folder was lost, in
which case the networks are known by the marks on their bridges, and go together:
the rules of one that stayed would be known to nobody. What forwarding was before is
lost with the folder, so it stays on.

--format json is that of up, without "rules"; done is true if the network is down.

Exit codes: 0 down; 1 --dry-run finds something to do; 2 wrong usage, such as a network
that is not up; 3 the host refused or failed.`,
		Example: "  vnetc down lab\n  vnetc down --all\n  vnetc down --all --dry-run",
		RunE: func(_ *cobra.Command, names []string) error {
			if (len(names) == 0) != f.all {
				return usagef("down takes the names of networks or --all, for example: vnetc down lab")
			}
			return down(s, &f, names)
		},
	}
	f.hostFlags = addHostFlags(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "all networks that are up")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the steps, and do none")
	f.format = addChoice(cmd, "format", "how to print", "text", "json")
	return cmd
}

func down(s streams, f *downFlags, names []string) error {
	u, err := openHostRun(s, f.hostFlags)
	if err != nil {
		return err
	}
	defer u.close()
	up := u.up()
	if f.all {
		names = up
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var rest []state.Network
	for _, n := range u.known {
		if !slices.Contains(names, n.Name) {
			rest = append(rest, n)
		}
	}
	for _, name := range names {
		if !slices.Contains(up, name) {
			return usagef("no network %q is up; vnetc status shows those that are", name)
		}
	}
	if err := unnoted(u.host.Marked(), u.dir, u.known, names); err != nil {
		return err
	}
	u.wanted = want(&diag.Sources{}, rest, netxml.Options{}, false)
	if u.wanted.found.HasErrors() {
		return hostf("the notes about networks in force don't compile: %v", u.wanted.found)
	}
	if err := u.host.FindServers(names); err != nil {
		return hostf("%v", err)
	}
	results, err := u.planDown(names)
	if err != nil {
		return err
	}
	if f.dryRun {
		return u.printDownPlans(f.format.value, results)
	}
	return u.takeDown(f.format.value, results)
}

// up returns the names of the networks that are up, by their notes or by the marks on their bridges.
func (u *hostRun) up() []string {
	names := u.host.Marked()
	for _, n := range u.known {
		if n.Up && !slices.Contains(names, n.Name) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (u *hostRun) planDown(names []string) ([]*result, error) {
	var results []*result
	for _, name := range names {
		bridge := ""
		if i := slices.IndexFunc(u.known, func(n state.Network) bool { return n.Name == name }); i >= 0 {
			bridge = u.known[i].Bridge
		}
		plan, err := u.host.PlanDown(name, bridge)
		if err != nil {
			return nil, hostf("%v", err)
		}
		r := &result{plan: plan}
		r.Name = name
		results = append(results, r)
	}
	return results, nil
}

// takeDown carries out the plans. The note about a network goes last, when nothing of it is left.
func (u *hostRun) takeDown(format string, results []*result) error {
	var plans []netsetup.Plan
	for _, r := range results {
		plans = append(plans, r.plan)
	}
	end := u.watch("taking networks down", plans)
	outcomes := netsetup.Down(plans, downRules{u}, u.forwarding(nil))
	end()
	u.fill(results, outcomes)
	doc := jsonRun{Networks: []jsonNetworkRun{}}
	left := slices.Clone(u.wanted.notes)
	bad := 0
	for _, r := range results {
		doc.Networks = append(doc.Networks, r.json())
		r.complain(u.err, "down")
		if r.Err == nil {
			continue
		}
		bad++
		if i := slices.IndexFunc(u.known, func(n state.Network) bool { return n.Name == r.Name }); i >= 0 {
			left = append(left, u.known[i])
		}
	}
	if err := errors.Join(u.forgetLacks(left), rewrite(u.dir, u.known, left)); err != nil {
		return hostf("%v", err)
	}
	if format == "json" { // all is done and noted before this, which may be the end: of a pipe that nobody reads
		if err := diag.WriteJSON(u.out, doc); err != nil {
			return orHost(err)
		}
		return u.end(bad, len(results), "down")
	}
	for _, r := range results {
		if r.Err == nil {
			fmt.Fprintf(u.out, "%s is down\n", r.Name)
		}
	}
	return u.end(bad, len(results), "down")
}

// downRules is the rules of the networks that stay, and of those that can't be taken away.
type downRules struct{ *hostRun }

// Load takes the rules of the networks named away.
func (d downRules) Load(gone []string) error {
	stay := slices.DeleteFunc(slices.Clone(d.known), func(n state.Network) bool { return slices.Contains(gone, n.Name) })
	if len(stay) > len(d.wanted.notes) {
		d.wanted = want(&diag.Sources{}, stay, netxml.Options{}, false)
		if d.wanted.found.HasErrors() {
			return d.wanted.found
		}
	}
	return d.hostRun.Load(nil)
}

// forgetLacks removes the notes about what the kernel lacks for networks that are not of those left.
func (u *hostRun) forgetLacks(left []state.Network) error {
	lacks := u.dir.Lacks()
	maps.DeleteFunc(lacks, func(name string, _ []state.Lack) bool {
		return !slices.ContainsFunc(left, func(n state.Network) bool { return n.Name == name })
	})
	return u.dir.SaveLacks(lacks)
}

// printDownPlans prints what would be done. The answer is no if there is anything.
func (u *hostRun) printDownPlans(format string, results []*result) error {
	doc := jsonRun{Networks: []jsonNetworkRun{}}
	open := u.withoutRules()
	for _, r := range results {
		for _, s := range r.plan.Before {
			r.Steps = append(r.Steps, s.String())
		}
		if !open[r.Name] {
			r.Steps = append(r.Steps, fmt.Sprintf("take its rules away (%s)", u.target.Loader.Name()))
		}
		for _, s := range r.plan.After {
			r.Steps = append(r.Steps, s.String())
		}
		if len(r.Steps) == 0 {
			r.Steps = append(r.Steps, "forget it: this host has nothing of it but a note")
		}
		j := r.json()
		j.Done = false
		doc.Networks = append(doc.Networks, j)
		if format == "text" {
			fmt.Fprintf(u.out, "%s:\n", r.Name)
			for _, s := range r.Steps {
				fmt.Fprintf(u.out, "  %s\n", s)
			}
		}
	}
	if format == "json" {
		if err := diag.WriteJSON(u.out, doc); err != nil {
			return orHost(err)
		}
	}
	if len(results) > 0 {
		return exitError{code: exitNo}
	}
	return nil
}

// withoutRules tells of the networks in force those that have no rules.
func (u *hostRun) withoutRules() map[string]bool {
	names := make(map[string]bool)
	if w, err := again(u.known); err == nil { // else there may be rules
		for _, l := range w.program.Links {
			names[l.Name] = !l.Mode.Filtered()
		}
	}
	return names
}
