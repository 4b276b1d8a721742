package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

func newLoad() *cobra.Command {
	var networks []int
	var rounds int
	cmd := &cobra.Command{
		Use:   "load",
		Short: "replace all rules in the kernel: one batch, nft -f, iptables-restore",
		Long: `load generates N NAT networks and replaces all of their rules in the kernel, each
tool in a network namespace of its own that holds the same rules already. Whole
processes are measured, from start to exit, on files that lie ready: the batch,
the nft script, the iptables-restore text. For vnetc there is also the time that
it takes to lower the program, emit the batch and send it. Needs root.`,
		Example: "  go run ./cmd/vnetbench load --networks 1,100,1000,4000 --rounds 9",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, n := range networks {
				if err := benchLoad(n, rounds); err != nil {
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

// newSend is a process that sends a batch, to be measured.
func newSend() *cobra.Command {
	return &cobra.Command{
		Use: "send FILE", Short: "send the netlink batch in FILE", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			stream, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			return (&wire.Batch{Bytes: stream}).Send()
		},
	}
}

// newPrepare is a process that writes the rules of N networks into DIR, in every form. It is a
// process of its own because the kernel counts the memory of the parent as the child's: whoever
// measures children has to be small.
func newPrepare() *cobra.Command {
	return &cobra.Command{
		Use: "prepare DIR N", Short: "write the rules of N networks into DIR", Hidden: true, Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return err
			}
			return prepare(args[0], n)
		},
	}
}

// newReplace is a process that replaces the rules of the networks in DIR several times, and prints
// how many microseconds it took to lower, emit and send each time.
func newReplace() *cobra.Command {
	return &cobra.Command{
		Use: "replace DIR ROUNDS", Short: "replace the rules of the networks in DIR", Hidden: true,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			rounds, err := strconv.Atoi(args[1])
			if err != nil {
				return err
			}
			debug.SetGCPercent(250) // as in vnetc
			p, err := compiled(filepath.Join(args[0], "xml"))
			for ; err == nil && rounds > 0; rounds-- {
				begin := time.Now()
				var rules *nftables.Ruleset
				if rules, err = lower(p, backends.Sets); err == nil {
					err = rules.Batch().Send()
				}
				fmt.Println(time.Since(begin).Microseconds())
			}
			return err
		},
	}
}

// compiled returns the program of the networks in dir.
func compiled(dir string) (*ir.Program, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		return nil, err
	}
	src := &diag.Sources{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		src.Add(file, text)
	}
	nets, found := netxml.Parse(src, netxml.Options{})
	if found.HasErrors() {
		return nil, found.Err()
	}
	return netxml.Lower(nets), nil
}

// lower lowers p to a layout of nftables.
func lower(p *ir.Program, layout backends.Layout) (*nftables.Ruleset, error) {
	rules, found := nftables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
		Layout: layout})
	if found.HasErrors() {
		return nil, found.Err()
	}
	return backends.Of[*nftables.Ruleset](rules)
}

// prepare generates n networks in dir/xml and writes their rules into dir.
func prepare(dir string, n int) error {
	if err := generate(filepath.Join(dir, "xml"), n, allNAT); err != nil {
		return err
	}
	p, err := compiled(filepath.Join(dir, "xml"))
	if err != nil {
		return err
	}
	for _, layout := range []backends.Layout{backends.Sets, backends.Chains} {
		rules, err := lower(p, layout)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, string(layout)+".netlink"), rules.Batch().Bytes, 0o666); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, string(layout)+".nft"), rules.Emit()[0].Text, 0o666); err != nil {
			return err
		}
	}
	return writeIptables(p, filepath.Join(dir, "rules.v4"))
}

// benchLoad races the loaders on n networks.
func benchLoad(n, rounds int) error {
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
	contenders := loaders(self, dir)
	for _, c := range contenders {
		if c.ns, err = newNamespace(); err != nil {
			return err
		}
		defer c.ns.close()
	}
	if err := race(contenders, rounds); err != nil {
		return err
	}
	whole, err := replaced(self, dir, rounds)
	if err != nil {
		return err
	}
	table(os.Stdout, fmt.Sprintf("full replace of %d networks, %d rounds", n, rounds),
		append([]*contender{whole}, contenders...))
	fmt.Println()
	return nil
}

// replaced measures lowering, emitting and sending. The process has compiled the networks before;
// its memory is not told.
func replaced(self, dir string, rounds int) (*contender, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	defer ns.close()
	c := &contender{name: "vnetc: lower to sets, emit, send (in a process that has the program)"}
	var out []byte
	ns.do(func() { out, err = exec.Command(self, "replace", dir, strconv.Itoa(rounds+1)).Output() })
	if err != nil {
		return nil, fmt.Errorf("replace: %w", err)
	}
	for _, line := range strings.Fields(string(out))[1:] { // the first round finds no rules there
		us, err := strconv.Atoi(line)
		if err != nil {
			return nil, err
		}
		c.times = append(c.times, time.Duration(us)*time.Microsecond)
	}
	return c, nil
}

// loaders returns what loads the rules in dir.
func loaders(self, dir string) []*contender {
	file := func(name string) string { return filepath.Join(dir, name) }
	all := []*contender{
		{name: "one batch, sets", args: []string{self, "send", file("sets.netlink")}},
		{name: "one batch, chains", args: []string{self, "send", file("chains.netlink")}},
		{name: "nft -f, sets", args: []string{"nft", "-f", file("sets.nft")}},
		{name: "nft -f, chains", args: []string{"nft", "-f", file("chains.nft")}},
		{name: "iptables-nft-restore (IPv4)", args: []string{"iptables-nft-restore", "--wait"},
			input: file("rules.v4")},
		{name: "iptables-legacy-restore (IPv4)", args: []string{"iptables-legacy-restore", "--wait"},
			input: file("rules.v4")},
	}
	return slices.DeleteFunc(all, func(c *contender) bool {
		_, err := exec.LookPath(c.args[0])
		return err != nil
	})
}
