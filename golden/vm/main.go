// Command vm runs scenarios on really booted Debians: systemd as the first process, a
// distribution's kernel, real firewalld, ufw, Docker and libvirtd. It is started by golden/vm/run.
// The same program is the runner inside the guest, where its name is guest.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

var images = []string{"debian12", "debian13"}

func main() {
	if filepath.Base(os.Args[0]) == "guest" {
		if err := serveGuest(); err != nil {
			fmt.Println("guest:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(os.Args[1:]))
}

// options are those of the command line.
type options struct {
	images  []string
	kvm     string
	tests   bool
	limit   time.Duration
	ci      bool
	verbose bool
	work    string
	pattern *regexp.Regexp
}

// run is main with its exit code: 0 all is well, 1 a scenario failed, 2 wrong usage, 3 this machine
// can't do it.
func run(args []string) int {
	runtime.LockOSThread() // qemu ends with the thread that started it
	o, err := parseOptions(args)
	if err == flag.ErrHelp {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "golden/vm/run:", err)
		return 2
	}
	results, err := o.runAll()
	if err != nil {
		fmt.Fprintln(os.Stderr, "golden/vm/run:", err)
		return 3
	}
	fmt.Println(closing(results))
	if slices.ContainsFunc(results, func(r Result) bool { return r.Outcome == Failed }) {
		return 1
	}
	return 0
}

func parseOptions(args []string) (*options, error) {
	o := &options{images: images}
	flags := flag.NewFlagSet("golden/vm/run", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: golden/vm/run [flags] [PATTERN]\n\n"+
			"Runs the scenarios whose names match PATTERN, a regular expression, on booted Debians.\n"+
			"    golden/vm/run --image debian12 firewalld")
		flags.PrintDefaults()
	}
	image := flags.String("image", "", "debian12 or debian13 (default both)")
	flags.StringVar(&o.kvm, "kvm", "auto", "yes, no, or auto: where it works")
	flags.BoolVar(&o.tests, "tests", false, "run the project's own kernel tests in the guests, in place of scenarios")
	flags.DurationVar(&o.limit, "limit", testLimit, "how long one package's kernel tests may take")
	flags.BoolVar(&o.ci, "ci", false, "only the scenarios marked ci")
	flags.BoolVar(&o.verbose, "v", false, "print every log, not those of failures only")
	flags.StringVar(&o.work, "work", "", "an empty folder for this run's files")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *image != "" {
		o.images = []string{*image}
		if !slices.Contains(images, *image) {
			return nil, fmt.Errorf("no image is called %q; there are %s", *image, strings.Join(images, " and "))
		}
	}
	if !slices.Contains([]string{"yes", "no", "auto"}, o.kvm) {
		return nil, fmt.Errorf("--kvm is yes, no or auto, not %q", o.kvm)
	}
	if flags.NArg() > 1 {
		return nil, fmt.Errorf("one pattern at most; of several names: 'a|b'")
	}
	pattern, err := regexp.Compile(flags.Arg(0))
	o.pattern = pattern
	return o, err
}

// runAll runs what is wanted on each image.
func (o *options) runAll() ([]Result, error) {
	var scenarios []*Scenario
	var err error
	if o.tests {
		scenarios, err = testScenarios(filepath.Join(o.work, "tree"), o.pattern, o.limit)
	} else {
		scenarios, err = readScenarios("golden/vm/scenarios", o.pattern, o.ci)
	}
	if err != nil {
		return nil, err
	}
	if len(scenarios) == 0 {
		return nil, fmt.Errorf("no scenario matches %q", o.pattern)
	}
	payload, err := makePayload(o.work)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, image := range o.images {
		builder := exec.Command("golden/vm/image", image)
		builder.Stderr = os.Stderr
		folder, err := builder.Output()
		if err != nil {
			return nil, fmt.Errorf("golden/vm/image %s: %w", image, err)
		}
		some, err := o.runImage(image, strings.TrimSpace(string(folder)), payload, scenarios)
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
	}
	return results, nil
}

// runImage runs scenarios on one image. They share a machine as far as they may: it goes back to
// the state of just after its boot before each. A scenario that wants another kernel command line
// has a boot of its own.
func (o *options) runImage(name, folder, payload string, scenarios []*Scenario) ([]Result, error) {
	var results []Result
	var machine *Machine
	boot := ""
	defer func() { machine.stop() }()
	scenarios = slices.Clone(scenarios)
	slices.SortStableFunc(scenarios, func(a, b *Scenario) int { return strings.Compare(a.Boot, b.Boot) })
	for _, s := range scenarios {
		if !s.isFor(name) {
			continue
		}
		if machine == nil || boot != s.Boot {
			machine.stop()
			start := time.Now()
			var err error
			machine, err = startMachine(folder, payload, filepath.Join(o.work, "machine"), o.kvm, s.Boot)
			if err != nil {
				return results, err
			}
			boot = s.Boot
			fmt.Printf("# %s is up: Linux %s, KVM %t, %.0f s\n", name, machine.Kernel, machine.KVM,
				time.Since(start).Seconds())
		} else if err := machine.restore(); err != nil {
			return results, err
		}
		start := time.Now()
		outcome, log, err := machine.run(s)
		if err != nil { // the machine is of no use any more
			log += "\n> " + err.Error()
			machine.stop()
			machine = nil
		}
		r := judge(s, name, outcome, log)
		r.Took = time.Since(start)
		if o.verbose {
			r.Log = log
		}
		r.print()
		results = append(results, r)
	}
	return results, nil
}

// print writes a result as a line, and below it what there is to read.
func (r *Result) print() {
	fmt.Printf("%-7s %-30s %s %4.0f s  %s\n", r.Outcome, r.Scenario.Name, r.Image, r.Took.Seconds(), r.Note)
	if r.Log != "" {
		fmt.Println("    " + strings.ReplaceAll(strings.TrimSpace(r.Log), "\n", "\n    "))
	}
}
