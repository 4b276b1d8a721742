package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/inforce"
)

func newRemove(s streams) *cobra.Command {
	var all, allPolicies bool
	var bridges, policies []string
	var f *hostFlags
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "remove the rules of these networks from the kernel",
		Long: `remove removes the rules of the named networks and leaves those of the others.
With the last network, or with --all, it removes tables, chains and jumps too,
but for your own rules in the chains admin_... (iptables: VNETC_ADMIN_...): they
stay in force, and remove names the command that deletes them.

Rules about a bridge whose network has no state file stay: they may be all that
protects its guests. vnetc audit lists such bridges, and --bridge removes their
rules.

Policy files stay in force for networks that come later, unless --all is given.
With --policy NAME one of them goes, and the networks stay; NAME is the file's,
without folder and .policy. --policies removes all of them.

Exit codes: 0 removed; 1 refused, because it would change libvirt's rules; 2
wrong usage, such as a network that is not in force; 3 the host refused or
failed.`,
		Example: "  vnetc remove lab\n  vnetc remove --all\n  vnetc remove --bridge virbr7\n  vnetc remove --policy corp",
		RunE: func(_ *cobra.Command, names []string) error {
			if ruled := allPolicies || len(policies) > 0; ruled && (all || len(names)+len(bridges) > 0) {
				return usagef("--policy removes policies only: remove networks with another command")
			} else if ruled {
				return removePolicies(s, f, policies)
			}
			if all && len(names)+len(bridges) > 0 || !all && len(names)+len(bridges) == 0 {
				return usagef("remove takes the names of networks, --bridge or --all, for example: vnetc remove lab")
			}
			return remove(s, f, names, bridges)
		},
	}
	f = addHostFlags(cmd)
	cmd.ValidArgsFunction = networksInForce(s, func() *hostFlags { return f })
	cmd.Flags().BoolVar(&all, "all", false, "all networks of the state files")
	cmd.Flags().StringArrayVar(&bridges, "bridge", nil,
		"rules about this bridge, whose network has no state file; may be given again")
	cmd.Flags().StringArrayVar(&policies, "policy", nil, "the policy file of this name; may be given again")
	cmd.Flags().BoolVar(&allPolicies, "policies", false, "all policy files")
	return cmd
}

// removePolicies takes the statements of the policies named away, of all if there are no names.
func removePolicies(s streams, f *hostFlags, names []string) error {
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	w, err := h.WithoutPolicies(names)
	if err != nil {
		return err
	}
	if _, err := h.Apply(w, inforce.ApplyOptions{}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "removed; %s in force\n", policyCount(len(h.Policies())))
	return orHost(err)
}

func policyCount(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return fmt.Sprintf("%d policies", n)
}

func remove(s streams, f *hostFlags, names, bridges []string) error {
	h, err := f.open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	debug.SetGCPercent(100) // the proof would take far more memory than the rest
	if err := h.Remove(names, bridges); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "removed; %s in force\n", plural(len(h.Networks()), "network"))
	return orHost(err)
}
