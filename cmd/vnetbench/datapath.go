package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newDatapath() *cobra.Command {
	var networks []int
	var rounds, packets int
	cmd := &cobra.Command{
		Use:   "datapath",
		Short: "what a packet costs under the rules of N networks",
		Long: `datapath sends small UDP packets from a guest of one of N networks through a
bridge, a host and out of another device, in network namespaces of their own, and
prints the CPU time that a packet costs: once with all packets of one flow, once
with a new flow for each. The network is the last of the N, which is the worst
place in a list of rules. The floor is what NAT costs at all: connection tracking
and a single masquerade rule. Sender and packet processing share one processor;
kernel threads that work for it are counted too. Needs root.`,
		Example: "  go run ./cmd/vnetbench datapath --networks 1,100,1000,4000",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, n := range networks {
				if err := benchDatapath(n, rounds, packets); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntSliceVar(&networks, "networks", []int{1, 100, 1000, 4000}, "how many networks")
	cmd.Flags().IntVar(&rounds, "rounds", 7, "how often each set of rules is measured")
	cmd.Flags().IntVar(&packets, "packets", 20_000, "packets a round")
	return cmd
}

// firewall is a set of rules under which packets are measured.
type firewall struct {
	name string
	load string // a script of sh(1); $DIR has the files
	path *path

	one, each []time.Duration // a packet's cost by round: of one flow, of a flow for each packet
}

// firewalls lists what is compared.
func firewalls(self string) []*firewall {
	return []*firewall{
		{name: "no rules", load: ":"},
		{name: "one masquerade rule (the floor)",
			load: `nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add rule ip nat post ip saddr 10.0.0.0/8 oifname "up0" masquerade'`},
		{name: "nftables, sets", load: self + " send $DIR/sets.netlink"},
		{name: "nftables, chains", load: self + " send $DIR/chains.netlink"},
		{name: "iptables-nft", load: "iptables-nft-restore --wait < $DIR/rules.v4"},
		{name: "iptables-legacy", load: "iptables-legacy-restore --wait < $DIR/rules.v4"},
	}
}

// benchDatapath measures packets under the rules of n networks.
func benchDatapath(n, rounds, packets int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vnetbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command(self, "prepare", dir, strconv.Itoa(n)).CombinedOutput(); err != nil {
		return fmt.Errorf("prepare: %w: %s", err, out)
	}
	all := firewalls(self)
	for _, f := range all {
		if f.path, err = newPath(); err != nil {
			return err
		}
		defer f.path.close()
		if err := f.path.host.sh("DIR=" + filepath.Clean(dir) + "; " + f.load); err != nil {
			return err
		}
	}
	for round := range rounds + 1 {
		for _, f := range all {
			one, each, err := f.measure(packets)
			if err != nil {
				return err
			}
			if round > 0 {
				f.one, f.each = append(f.one, one), append(f.each, each)
			}
		}
	}
	printDatapath(n, all)
	return nil
}

// measure sends a round of packets of one flow, and one of new flows.
func (f *firewall) measure(packets int) (one, each time.Duration, err error) {
	if one, err = f.path.send(packets, false); err == nil {
		each, err = f.path.send(packets, true)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", f.name, err)
	}
	return one, each, err
}

func printDatapath(n int, all []*firewall) {
	middle := func(times []time.Duration) time.Duration {
		return slices.SortedFunc(slices.Values(times), cmp.Compare)[len(times)/2]
	}
	floor := all[1]
	fmt.Printf("%d networks, CPU time per packet, median of %d rounds\n", n, len(floor.one))
	tw := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "one flow\tfloor x\tnew flows\tfloor x\t  rules")
	for _, f := range all {
		fmt.Fprintf(tw, "%d ns\t%.2f\t%d ns\t%.2f\t  %s\n", middle(f.one).Nanoseconds(),
			float64(middle(f.one))/float64(middle(floor.one)),
			middle(f.each).Nanoseconds(), float64(middle(f.each))/float64(middle(floor.each)), f.name)
	}
	tw.Flush()
	fmt.Println()
}
