package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vnetc/vnetc/ir/diag"
)

// choice is a flag that takes one of a few words.
type choice struct {
	flag    string // its name
	value   string
	allowed []string
	set     bool // set is true if the user gave the flag
}

// addChoice gives cmd the flag --name, the first of allowed being its default. The words complete
// in the shell.
func addChoice(cmd *cobra.Command, name, help string, allowed ...string) *choice {
	return addOptionalChoice(cmd, name, help, allowed[0], allowed...)
}

// addOptionalChoice is addChoice with a default that need not be one of the words.
func addOptionalChoice(cmd *cobra.Command, name, help, def string, allowed ...string) *choice {
	c := &choice{flag: name, value: def, allowed: allowed}
	cmd.Flags().Var(c, name, help+": "+strings.Join(allowed, ", "))
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(allowed,
		cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added on the line before
	}
	return c
}

// given returns the word that the user gave, "" if none.
func (c *choice) given() string {
	if !c.set {
		return ""
	}
	return c.value
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "WORD" }

// Set is called by the flag parser with what the user typed.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.allowed, word) {
		return usagef("--%s %q: one of %s is wanted", c.flag, word, strings.Join(c.allowed, ", "))
	}
	c.value, c.set = word, true
	return nil
}

// refuseEmpty refuses flags and arguments that are the empty word, as of a variable that is not
// set: --assert "$POLICY" must not prove nothing.
func refuseEmpty(flags *pflag.FlagSet, args []string) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && f.Value.String() == "" {
			err = usagef("--%s is empty: leave it out, or give it a value", f.Name)
		}
	})
	if i := slices.Index(args, ""); err == nil && i >= 0 {
		err = usagef("argument %d is empty: leave it out, or give it a value", i+1)
	}
	return err
}

// noArguments is for verbs that take flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument such as %q", cmd.Name(), args[0])
	}
	return nil
}

// wrongFlag says what a flag takes, where the flag parser says what Go's parser of such values
// found.
func wrongFlag(cmd *cobra.Command, err error) error {
	if unknown, is := errors.AsType[*pflag.NotExistError](err); is && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near, ok := diag.Near(unknown.GetSpecifiedName(), names); ok {
			return usagef("%v; did you mean --%s?", err, near)
		}
	}
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return err
	}
	switch f := wrong.GetFlag(); f.Value.Type() {
	case "bool":
		return usagef("--%s %q: true or false is wanted", f.Name, wrong.GetValue())
	case "duration":
		return usagef("--%s %q: a time with its unit is wanted, such as 60s or 2m", f.Name, wrong.GetValue())
	}
	return err
}

// xmlPaths completes PATH arguments: XML files, policies and directories.
func xmlPaths(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"xml", "policy"}, cobra.ShellCompDirectiveFilterFileExt
}
