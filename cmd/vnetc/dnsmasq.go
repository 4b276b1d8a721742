package main

import (
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/dnsmasq"
)

// optionFlags say which options of dnsmasq a network's document may set though they reach beyond
// the network.
type optionFlags struct {
	all  bool
	list string // the file that lists them
	cmd  *cobra.Command
}

func (f *optionFlags) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().BoolVar(&f.all, "allow-dnsmasq-options", false,
		"let the networks given set any option of dnsmasq (see vnetc explain dnsmasq-permission)")
	cmd.Flags().StringVar(&f.list, "dnsmasq-options-file", dnsmasq.AllowedFile, "options that networks may set")
	if err := cmd.Flags().MarkHidden("dnsmasq-options-file"); err != nil { // for tests
		panic(err)
	}
}

// allow returns the function by which the front end asks for permission. The list is read when a
// network sets an option that needs permission, and allows nothing if it can't be trusted.
func (f *optionFlags) allow() func(network, option string) bool {
	if f.all {
		return anyOption
	}
	list := sync.OnceValue(func() dnsmasq.Allowed {
		allowed, err := dnsmasq.ReadAllowed(f.list)
		if err != nil {
			fmt.Fprintf(f.cmd.ErrOrStderr(), "vnetc: %v: it allows nothing\n", err)
		}
		return allowed
	})
	return func(network, option string) bool { return list().Allows(network, option) }
}

// anyOption allows all, to networks that were judged when they were given.
func anyOption(string, string) bool { return true }
