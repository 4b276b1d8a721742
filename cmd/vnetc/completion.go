package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/inforce"
)

// networksInForce completes NAME arguments: the networks in force that the line doesn't have yet.
func networksInForce(s streams, f func() *hostFlags) cobra.CompletionFunc {
	return func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		err := f().look(s, func(h *inforce.Host) error {
			names = nil
			for _, n := range h.Networks() {
				if !slices.Contains(given, n.Name) {
					names = append(names, n.Name)
				}
			}
			return nil
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
