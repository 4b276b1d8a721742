package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newCompile() *cobra.Command {
	var networks []int
	var rounds int
	cmd := &cobra.Command{
		Use:   "compile",
		Short: "XML files on disk to rules, against the tools that read or translate the same rules",
		Long: `compile generates N NAT networks as XML files and measures whole processes, from
start to exit: vnetc from the files to iptables-restore text and to an nftables
script; and, on that same text, iptables-restore-translate (which turns it into
nft commands), iptables-restore --test and nft -c, which load nothing. The last
two run in a network namespace of their own and are left out without root.`,
		Example: "  go run ./cmd/vnetbench compile --networks 1,100,1000,4000 --rounds 9",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, n := range networks {
				if err := benchCompile(n, rounds); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntSliceVar(&networks, "networks", []int{1, 100, 1000, 4000}, "how many networks")
	cmd.Flags().IntVar(&rounds, "rounds", 7, "how often each tool runs")
	return cmd
}

// benchCompile races the tools on n networks.
func benchCompile(n, rounds int) error {
	dir, err := os.MkdirTemp("", "vnetbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	vnetc := filepath.Join(dir, "vnetc")
	if err := buildVnetc(vnetc); err != nil {
		return err
	}
	xml := filepath.Join(dir, "xml")
	if err := generate(xml, n, allNAT); err != nil {
		return err
	}
	rules := filepath.Join(dir, "rules") + "/"
	if out, err := exec.Command(vnetc, "compile", "-o", rules, xml).CombinedOutput(); err != nil {
		return fmt.Errorf("vnetc: %w: %s", err, out)
	}
	v4 := filepath.Join(rules, "rules.v4")
	contenders := []*contender{
		{name: "vnetc compile --backend iptables --family ipv4",
			args: []string{vnetc, "compile", "--backend", "iptables", "--family", "ipv4", xml}},
		{name: "vnetc compile --backend nftables", args: []string{vnetc, "compile", xml}},
	}
	contenders = append(contenders, peers(v4, filepath.Join(rules, "rules.nft"))...)
	if err := race(contenders, rounds); err != nil {
		return err
	}
	table(os.Stdout, fmt.Sprintf("%d networks, %d rounds", n, rounds), contenders)
	fmt.Println()
	return nil
}

// peers returns the tools that are installed and may run, on the rules in the files v4 and nft.
func peers(v4, nft string) []*contender {
	root := os.Geteuid() == 0
	all := []*contender{
		{name: "iptables-restore-translate", args: []string{"iptables-restore-translate", "-f", v4}},
		{name: "iptables-restore --test", args: []string{"iptables-restore", "--noflush", "--test"}, input: v4,
			netns: true},
		{name: "nft -c", args: []string{"nft", "-c", "-f", nft}, netns: true},
	}
	var out []*contender
	for _, c := range all {
		path, err := exec.LookPath(c.args[0])
		if err != nil || c.netns && !root {
			fmt.Fprintf(os.Stderr, "vnetbench: without %s: it is not installed, or needs root\n", c.name)
			continue
		}
		c.args[0] = path
		out = append(out, c)
	}
	return out
}
