package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

func newRemove(s streams) *cobra.Command {
	var all bool
	var f *hostFlags
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "take the rules of these networks out of the kernel",
		Long: `remove takes the rules of the named networks away and leaves those of the others.
With the last network, or with --all, tables, chains and jumps go too.

Exit codes: 0 removed; 2 wrong usage, such as a network that is not in force; 3 the
host refused or failed.`,
		Example: "  vnetc remove lab\n  vnetc remove --all",
		RunE: func(_ *cobra.Command, names []string) error {
			if (len(names) == 0) != all {
				return usagef("remove takes the names of networks or --all, for example: vnetc remove lab")
			}
			return remove(s, f, names)
		},
	}
	f = addHostFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all networks, and whatever stands under vnetc's names")
	return cmd
}

func remove(s streams, f *hostFlags, names []string) error {
	dir, known, err := f.open(s)
	if err != nil {
		return err
	}
	defer dir.Close()
	f.follow(known)
	var rest []state.Network
	for _, n := range known {
		if len(names) > 0 && !slices.Contains(names, n.Name) {
			rest = append(rest, n)
		}
	}
	if err := inForce(known, names); err != nil {
		return err
	}
	for _, n := range known {
		if n.Up && (len(names) == 0 || slices.Contains(names, n.Name)) {
			return usagef("network %s is up, and a bridge without its rules is open; take it down with: vnetc down %s", n.Name, shellWord(n.Name))
		}
	}
	if err := readUnnoted(dir, known, nil); err != nil {
		return err
	}
	target, others, err := f.target()
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		err = removeAll(dir, known, append([]firewall.Target{target}, others...))
	} else {
		err = keep(s, dir, known, rest, target, others)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "removed; %s in force\n", plural(len(rest), "network"))
	return orHost(err)
}

func removeAll(dir *state.Dir, known []state.Network, targets []firewall.Target) error {
	for _, t := range targets {
		if err := firewall.Remove(t); err != nil {
			return hostf("%v", err)
		}
	}
	if err := rewrite(dir, known, nil); err != nil {
		return hostf("%v", err)
	}
	return nil
}

// keep applies what is left.
func keep(s streams, dir *state.Dir, known, rest []state.Network, target firewall.Target, others []firewall.Target) error {
	w, err := again(rest)
	if err != nil {
		return err
	}
	_, err = load(s, dir, known, w, target, others)
	return err
}
