package main

import (
	"github.com/spf13/cobra"

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
func (p policyFlag) read(src *diag.Sources) (names []string, err error) {
	for _, path := range p {
		name := diag.Visible(path)
		if src.Has(name) {
			return nil, usagef("%s is given twice", name)
		}
		text, err := readFile(path)
		if err != nil {
			return nil, err
		}
		src.Add(name, text)
		names = append(names, name)
	}
	return names, nil
}
