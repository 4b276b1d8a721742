package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
	set     bool // set is true if the user gave the flag
}

// addChoice gives cmd the flag --name, the first of allowed being its default. The words complete in the shell.
func addChoice(cmd *cobra.Command, name, help string, allowed ...string) *choice {
	return addOptionalChoice(cmd, name, help, allowed[0], allowed...)
}

// addOptionalChoice is addChoice with a default that need not be one of the words.
func addOptionalChoice(cmd *cobra.Command, name, help, def string, allowed ...string) *choice {
	c := &choice{value: def, allowed: allowed}
	cmd.Flags().Var(c, name, help+": "+strings.Join(allowed, ", "))
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added on the line before
	}
	return c
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "WORD" }

// Set is called by the flag parser with what the user typed.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.allowed, word) {
		return usagef("one of %s is wanted", strings.Join(c.allowed, ", "))
	}
	c.value, c.set = word, true
	return nil
}

// xmlPaths completes PATH arguments: XML files and directories.
func xmlPaths(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"xml"}, cobra.ShellCompDirectiveFilterFileExt
}
