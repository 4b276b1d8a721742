package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

type upFlags struct {
	*hostFlags
	networkFlags
	dryRun  bool
	format  *choice
	verbose bool
	reach   bool // reach is true if guests must have what their networks promise.
}

func newUp(s streams) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up PATH...",
		Short: "create whole networks: bridge, addresses, rules, DHCP and DNS",
		Long: `up creates networks that guests can be attached to: the bridge with MAC, MTU,
spanning tree and addresses, static routes, forwarding, the rules that vnetc
apply would load, and a dnsmasq for DHCP, DNS, TFTP and router advertisements.
The rules are loaded before the bridge's link comes up.

up does only what is missing. On a network that is up it applies what has
changed in its XML; if nothing has changed it does nothing. Each network comes
up completely or is left as it was, and the other networks come up anyway.
Before it changes anything, up reports what is in the way: a device with the
bridge's name, an address or subnet that the host already has or routes,
another program on port 53 or 67. up never changes or deletes devices that
vnetc did not create.

Networks of mode open get no rules. For the modes bridge, private, vepa,
passthrough and hostdev, up only checks that their devices exist. If the kernel
cannot limit bandwidth or fill in DHCP checksums, up warns. If foreign rules cut
guests off, up says what guests cannot do; see vnetc doctor.

--format json: "networks", for each its name, bridge, done (true if it is up),
steps done (with --dry-run those to do), warnings, notes, errors and cut_off; "rules",
with backend, how many were changed and kept, removed_from, and steps: what
changes. Fields are added, never renamed or removed.

Exit codes: 0 up; 1 errors in the input, --dry-run finds something to do, or
--require-reach and guests are cut off; 2 wrong usage; 3 the host refused or
failed.`,
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
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the steps, and do nothing")
	f.format = addChoice(cmd, "format", "output format", "text", "json")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "list each new rule")
	addRequireReach(cmd, &f.reach)
	return cmd
}

func up(s streams, f *upFlags, paths []string) error {
	given, change, err := f.networkFlags.read(s.in, paths)
	if err != nil {
		return err
	}
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	change.Whole = true
	w, err := want(s, h, given, change)
	if err != nil {
		return err
	}
	if len(w.Given()) == 0 {
		return usagef("up needs a network; to put policies in force for those that are up: vnetc apply %s",
			diag.ShellWord(given.Names()[0]))
	}
	run, err := h.Up(w, f.dryRun)
	if err != nil {
		return err
	}
	if f.dryRun {
		return printUpPlans(s, f, h.Backend(), run)
	}
	checkup, err := h.Checkup(w, run.Done(), false)
	if err != nil {
		return err
	}
	h.Close()
	r := reachOf(s, checkup)
	if err := printUp(s, f, h.Backend(), run, r); err != nil && run.Unnoted == nil {
		return err
	}
	return r.end(f.reach, run.Unnoted)
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
