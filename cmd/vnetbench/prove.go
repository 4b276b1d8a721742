package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

func newProve() *cobra.Command {
	var networks []int
	var rounds int
	var format string
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "prove that layout sets means what the program means",
		Long: `prove generates N networks of mixed modes (NAT, NAT for both families, routed,
isolated), each with an IPv4 and an IPv6 subnet, lowers them to layout sets, reads
the batch back, and measures how long it takes to prove it equal to the program for
every packet of both families; and, where one rule was taken away before the
lowering, how long until there is a packet that shows it. Each figure is from a
process of its own; its peak memory includes the networks and their lowering.`,
		Example: `  go run ./cmd/vnetbench prove --networks 1000,4000 --rounds 3
  go run ./cmd/vnetbench prove --format json | jq '.[] | .cpu_ms / .networks'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %s: text or json is wanted", format)
			}
			var all []proofFigure
			for _, n := range networks {
				figures, err := benchProve(n, rounds)
				if err != nil {
					return err
				}
				all = append(all, figures...)
			}
			return printProofs(all, format)
		},
	}
	cmd.Flags().IntSliceVar(&networks, "networks", []int{1, 100, 1000, 4000}, "how many networks")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "how often each proof runs")
	cmd.Flags().StringVar(&format, "format", "text", "output format: text or json")
	return cmd
}

// newProveOnce is a process that proves once, and prints how many microseconds passed and how many
// it computed.
func newProveOnce() *cobra.Command {
	mutant := false
	cmd := &cobra.Command{
		Use: "prove-once DIR", Short: "prove the networks in DIR once", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return proveOnce(args[0], mutant) },
	}
	cmd.Flags().BoolVar(&mutant, "mutant", false, "take one rule away before the lowering")
	return cmd
}

func proveOnce(dir string, mutant bool) error {
	p, err := compiled(dir)
	if err != nil {
		return err
	}
	emitted, want := p, prove.Proved
	if mutant {
		emitted, want = without(p, ir.FWI), prove.Refuted
	}
	rules, err := lower(emitted, backends.Sets)
	if err != nil {
		return err
	}
	back, err := nftables.Backend{}.Read(rules.Images())
	if err != nil {
		return err
	}
	begin, used := time.Now(), cpuTime()
	if r := prove.Equal(p, back, ir.Both); r.Answer != want {
		return fmt.Errorf("%s, and it should be %s", r.Answer, want)
	}
	_, err = fmt.Println(time.Since(begin).Microseconds(), (cpuTime() - used).Microseconds())
	return err
}

// without returns p without the last rule of a group.
func without(p *ir.Program, g ir.Group) *ir.Program {
	out := *p
	out.Chains = slices.Clone(p.Chains)
	for i, c := range out.Chains {
		if c.Group == g {
			less := *c
			less.Rules = c.Rules[:len(c.Rules)-1]
			out.Chains[i] = &less
		}
	}
	return &out
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it knows RUSAGE_SELF
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// proofFigure is what one kind of proof took.
type proofFigure struct {
	Networks int     `json:"networks"`
	What     string  `json:"what"`
	Median   float64 `json:"median_ms"`
	CPU      float64 `json:"cpu_ms"` // median, too
	Peak     float64 `json:"peak_mib"`
}

// benchProve measures a proof and a counterexample.
func benchProve(n, rounds int) ([]proofFigure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vnetbench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	xml := filepath.Join(dir, "xml")
	if err := generate(xml, n, mixed); err != nil {
		return nil, err
	}
	var all []proofFigure
	for _, kind := range []struct {
		what string
		args []string
	}{{"proof", nil}, {"counterexample", []string{"--mutant"}}} {
		f := proofFigure{Networks: n, What: kind.what}
		var times, used []float64
		for range rounds {
			cmd := exec.Command(self, append([]string{"prove-once", xml}, kind.args...)...)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s for %d networks: %w", kind.what, n, err)
			}
			var us, cpu int
			if _, err := fmt.Sscan(string(out), &us, &cpu); err != nil {
				return nil, err
			}
			times, used = append(times, float64(us)/1000), append(used, float64(cpu)/1000)
			f.Peak = max(f.Peak, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024)
		}
		f.Median, f.CPU = middle(times), middle(used)
		all = append(all, f)
	}
	return all, nil
}

// middle returns the median of at least one figure.
func middle[T cmp.Ordered](all []T) T { return slices.Sorted(slices.Values(all))[len(all)/2] }

func printProofs(all []proofFigure, format string) error {
	if format == "json" {
		return writeJSON(all)
	}
	fmt.Println("Equal of layout sets, as read back from the batch, and the program; mixed networks, both families")
	tw := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "networks\tmedian\tCPU time\tCPU a network\tpeak MiB\t  what")
	for _, f := range all {
		fmt.Fprintf(tw, "%s\t%.1f ms\t%.1f ms\t%.0f µs\t%.1f\t  %s\n",
			strconv.Itoa(f.Networks), f.Median, f.CPU, 1000*f.CPU/float64(f.Networks), f.Peak, f.What)
	}
	return tw.Flush()
}

// writeJSON prints figures for a program to read.
func writeJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
