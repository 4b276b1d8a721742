package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// contender is one tool on one piece of work, run as a process of its own.
type contender struct {
	name   string
	args   []string
	input  string     // file for stdin; empty for none
	netns  bool       // netns is true if the tool asks the kernel and so gets a network namespace of its own
	ns     *namespace // where it runs, one round after the other; nil for where we are
	before string     // a script of sh(1) that runs in ns before each round and is not measured; empty for none
	after  string     // the same after each round

	times []time.Duration
	cpu   []time.Duration // of the processor, which other work on the machine delays less
	peak  int64           // KiB of memory, the largest of all rounds
}

// run runs c once, the output thrown away, and keeps how long it took from start to end of the
// process.
func (c *contender) run() (err error) {
	if c.before != "" {
		if err := c.ns.sh(c.before); err != nil {
			return err
		}
	}
	if c.ns == nil {
		return c.once()
	}
	c.ns.do(func() { err = c.once() })
	if err == nil && c.after != "" {
		err = c.ns.sh(c.after)
	}
	return err
}

func (c *contender) once() error {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	if c.input != "" {
		in, err := os.Open(c.input)
		if err != nil {
			return err
		}
		defer in.Close()
		cmd.Stdin = in
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if c.netns {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	begin := time.Now()
	err := cmd.Run()
	c.times = append(c.times, time.Since(begin))
	if err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, stderr.Bytes())
	}
	c.cpu = append(c.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = max(c.peak, usage.Maxrss)
	}
	return nil
}

// median returns the middle time; run must have been called.
func (c *contender) median() time.Duration { return median(c.times) }

func median(times []time.Duration) time.Duration {
	sorted := slices.SortedFunc(slices.Values(times), cmp.Compare)
	return sorted[len(sorted)/2]
}

// race runs every contender once a round, in turns, so that a slow moment of the machine meets all
// of them. One round before the first is not counted.
func race(contenders []*contender, rounds int) error {
	for round := range rounds + 1 {
		for _, c := range contenders {
			if err := c.run(); err != nil {
				return err
			}
			if round == 0 {
				c.times, c.cpu = nil, nil
			}
		}
	}
	return nil
}

// buildVnetc builds the command that is measured.
func buildVnetc(path string) error {
	if out, err := exec.Command("go", "build", "-o", path,
		"github.com/vnetc/vnetc/cmd/vnetc").CombinedOutput(); err != nil {
		return fmt.Errorf("build vnetc: %w: %s", err, out)
	}
	return nil
}

// table prints the figures, each contender's median also as a multiple of the first one's.
func table(w io.Writer, title string, contenders []*contender) {
	fmt.Fprintln(w, title)
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "median\tmin\tmax\tcpu\tratio\tpeak MiB\t  tool")
	for _, c := range contenders {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%.1f\t%.1f\t  %s\n", ms(c.median()), ms(slices.Min(c.times)),
			ms(slices.Max(c.times)), ms(median(c.cpu)),
			float64(c.median())/float64(contenders[0].median()), float64(c.peak)/1024, c.name)
	}
	tw.Flush()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
