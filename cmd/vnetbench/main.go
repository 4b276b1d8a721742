// Command vnetbench measures vnetc side by side with the tools that do the same work, in one run on
// one machine: absolute times are the machine's, the ratios are vnetc's.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{
		Use:           "vnetbench",
		Short:         "measure vnetc against the peers' own tools in one run",
		Example:       "  go run ./cmd/vnetbench compile --networks 1,100,1000,4000",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newCompile(), newLoad(), newDatapath(), newUp(), newPrepare(), newSend(), newReplace(),
		newProve(), newProveOnce(), newApply(), newLoadXML(), newDoctor())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "vnetbench:", err)
		os.Exit(1)
	}
}
