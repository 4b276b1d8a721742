package main

import (
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

type upFlags struct {
	*hostFlags
	networkFlags
	dryRun bool
	format *choice
}

func newUp(s streams) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up PATH...",
		Short: "bring whole networks up: bridge, addresses, rules, DHCP and DNS",
		Long: `up makes a network that guests can be attached to: its bridge with MAC, MTU,
spanning tree and addresses, static routes, forwarding, the rules that vnetc apply
would load, and a dnsmasq for DHCP, DNS, TFTP and router advertisements. Rules stand
before the bridge's link comes up.

Only what is missing is done: up on a network that is up applies what has changed in
its XML and nothing else, and with nothing changed it does nothing. Each network comes
up whole or is left as it was, and the others come up all the same. What stands in the
way (a device of the bridge's name, an address or subnet that the host has or routes
already, somebody else on port 53 or 67) is told before anything is touched. Devices
that vnetc didn't make are never changed or deleted.

Networks of mode open get no rules, and those of the modes bridge, private, vepa,
passthrough and hostdev get nothing: it is checked that their devices are there.
What the kernel lacks for limits of bandwidth or checksums of DHCP is a warning.

--format json: "networks", for each its name, bridge, done (true if it is up), steps
done (with --dry-run those to do), warnings, notes and errors; "rules", with backend and
how many were changed and kept, and removed_from. Fields are added, never renamed or removed.

Exit codes: 0 up; 1 errors in the input, or --dry-run finds something to do; 2 wrong
usage; 3 the host refused or failed.`,
		Example: `  vnetc up default
  vnetc up --dry-run lab.xml
  vnetc up /etc/vnetc/networks --format json | jq '.networks[] | select(.errors != []) | .name'`,
		ValidArgsFunction: xmlPaths,
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usagef("up needs at least one PATH, for example: vnetc up default")
			}
			return up(s, &f, paths)
		},
	}
	f.hostFlags = addHostFlags(cmd)
	addStrictFlags(cmd, &f.networkFlags)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the steps, and do none")
	f.format = addChoice(cmd, "format", "how to print", "text", "json")
	return cmd
}

func up(s streams, f *upFlags, paths []string) error {
	u, results, err := planUp(s, f, paths)
	if err != nil {
		return err
	}
	defer u.close()
	if f.dryRun {
		return u.printPlans(f.format.value, results)
	}
	if err := u.announce(results); err != nil {
		return err
	}
	noted := u.bringUp(results)
	if err := u.printUp(f.format.value, results); err != nil && noted == nil {
		return err
	}
	return noted
}

// planUp reads the networks and the host, and plans what is missing. Without an error the caller has to close the run.
func planUp(s streams, f *upFlags, paths []string) (*hostRun, []*result, error) {
	given, err := readSources(s.in, paths)
	if err != nil {
		return nil, nil, err
	}
	u, err := openHostRun(s, f.hostFlags)
	if err != nil {
		return nil, nil, err
	}
	opts := f.networkFlags.options()
	opts.Taken = u.host.Devices()
	u.wanted = want(given, u.known, opts, false)
	if err := report(s, u.wanted.src, u.wanted.found, false); err != nil {
		u.close()
		return nil, nil, err
	}
	if err := unnoted(u.host.Marked(), u.dir, u.known, u.all()); err != nil {
		u.close()
		return nil, nil, err
	}
	fresh := u.given(given)
	if err := u.host.FindServers(u.all()); err != nil {
		u.close()
		return nil, nil, hostf("%v", err)
	}
	u.dryRun = f.dryRun
	return u, u.plan(fresh), nil
}

// result is one network that is brought up or taken down, and what became of it.
type result struct {
	link     *ir.Link
	plan     netsetup.Plan
	problems []link.Problem // why it can't be brought up
	netsetup.Outcome
}

// given returns the links of the networks that given asks for.
func (u *hostRun) given(given *diag.Sources) []*ir.Link {
	var links []*ir.Link
	for i, n := range u.wanted.notes {
		if given.Has(n.File) && string(given.Text(n.File)) == n.XML {
			links = append(links, u.wanted.program.Links[i])
		}
	}
	return links
}

// plan plans the networks of links, and notes that they are to be up.
func (u *hostRun) plan(links []*ir.Link) []*result {
	var results []*result
	for _, l := range links {
		n := u.noteOf(l.Name)
		if l.Mode.Managed() {
			n.MAC = u.macOf(l, *n).String()
		}
		mac, _ := net.ParseMAC(n.MAC)
		r := &result{link: l}
		r.plan, r.problems = u.host.PlanUp(l, mac)
		r.Name, r.plan.Name = l.Name, l.Name
		n.Up = true
		results = append(results, r)
	}
	return results
}

// macOf returns the MAC of a network's bridge: of its XML, else as it was noted, else as the bridge has it, else a new one,
// which a dry run leaves open.
func (u *hostRun) macOf(l *ir.Link, n state.Network) net.HardwareAddr {
	if l.MAC != nil {
		return l.MAC
	}
	if mac, err := net.ParseMAC(n.MAC); err == nil {
		return mac
	}
	if d, ok := u.host.Facts.BridgeOf(l.Name); ok {
		return d.MAC
	}
	if u.dryRun {
		return nil
	}
	return link.RandomMAC()
}

// announce writes the notes about the networks that will be tried, those without problems: whatever kills this process then,
// down and the next up know what may be there.
func (u *hostRun) announce(results []*result) error {
	for _, r := range results {
		if len(r.problems) > 0 {
			u.refused = append(u.refused, r.Name)
		}
	}
	if len(u.refused) == len(results) {
		return nil
	}
	return u.note(u.refused)
}

// bringUp carries out the plans of the networks that were announced, and notes what became of them.
func (u *hostRun) bringUp(results []*result) error {
	var plans []netsetup.Plan
	var planned []string
	for _, r := range results {
		if len(r.problems) == 0 {
			r.plan.Held = u.held(r.Name)
			plans = append(plans, r.plan)
			planned = append(planned, r.Name)
		}
	}
	if len(plans) == 0 {
		return nil
	}
	end := u.watch("bringing networks up", plans)
	outcomes := netsetup.Up(plans, u, u.forwarding(planned))
	end()
	u.fill(results, outcomes)
	failed := slices.Clone(u.refused)
	for _, o := range outcomes {
		if o.Err != nil {
			failed = append(failed, o.Name)
		}
	}
	if err := u.noteLacks(results); err != nil {
		return err
	}
	return u.note(failed)
}

// noteLacks notes what the kernel lacks for the networks that are up now.
func (u *hostRun) noteLacks(results []*result) error {
	lacks := u.dir.Lacks()
	for _, r := range results {
		if len(r.problems) > 0 || r.Err != nil {
			continue
		}
		delete(lacks, r.Name)
		if found := netsetup.LacksOf(r.plan, r.Outcome); len(found) > 0 {
			lacks[r.Name] = found
		}
	}
	if reflect.DeepEqual(lacks, u.host.Lacks) {
		return nil
	}
	return orHost(u.dir.SaveLacks(lacks))
}

func names(results []*result) []string {
	var all []string
	for _, r := range results {
		all = append(all, r.Name)
	}
	return all
}

// fill puts the outcomes into the results of the same networks.
func (u *hostRun) fill(results []*result, outcomes []netsetup.Outcome) {
	for _, o := range outcomes {
		i := slices.IndexFunc(results, func(r *result) bool { return r.Name == o.Name })
		results[i].Outcome = o
	}
}

// summary says what a network is, in a few words.
func summary(l *ir.Link) string {
	var words []string
	if l.Bridge.Name != "" {
		words = append(words, "bridge "+l.Bridge.Name)
	}
	if !l.Mode.Managed() {
		words = append(words, l.Uplink.Devices...)
		words = append(words, l.Uplink.PCI...)
		if l.Uplink.PF != "" {
			words = append(words, "functions of "+l.Uplink.PF)
		}
	}
	for _, a := range l.Addresses {
		words = append(words, a.Prefix.String())
		if a.DHCP == nil {
			continue
		}
		for _, r := range a.DHCP.Ranges {
			words = append(words, fmt.Sprintf("DHCP %s-%s", r.From, r.To))
		}
	}
	return strings.Join(words, ", ")
}
