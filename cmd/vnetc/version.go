package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
)

func newVersion(s streams) *cobra.Command {
	var format *choice
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version",
		Long:    "version prints the version of vnetc, of Go, and the platform it was built for.",
		Example: "  vnetc version --format json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if format.value == "json" {
				return orHost(diag.WriteJSON(s.out, map[string]string{
					"version": version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				}))
			}
			_, err := fmt.Fprint(s.out, versionLine())
			return orHost(err)
		},
	}
	format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}

// versionLine is what version and --version print.
func versionLine() string {
	return fmt.Sprintf("vnetc %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version returns the module version the program was built from, (devel) for a build from a
// checkout.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
