package main

import (
	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/frontend/docpath"
	"github.com/vnetc/vnetc/ir/diag"
)

// policyFlag is the files of --policy.
type policyFlag []string

func (p *policyFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar((*[]string)(p), "policy", nil,
		"a file of policies, which decide before those of PATHs; may be given again")
	if err := cmd.MarkFlagFilename("policy", "policy"); err != nil {
		panic(err)
	}
}

// read adds the files to src and returns their names there, in order.
func (p policyFlag) read(src *diag.Sources) ([]string, error) {
	names, err := docpath.ReadPolicies(src, p)
	return names, readError(err)
}
