package netsetup

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/netsetup/state"
)

// Plan is what brings one network up, or takes it down: steps before and after the rules of its
// Firewall change.
type Plan struct {
	Name          string
	Before, After []Step
	Notes         []string     // what the network's XML wants and no step does, and why
	Faults        []string     // what keeps guests from what they should have, and no step fixes
	Lacks         []state.Lack // steps left out because the kernel couldn't do them before
	// Forwarding lists the sysctls that the network needs to be 1 while it is up; ForwardingBefore
	// those that it needs as it is before, and so goes on needing if its change fails.
	// ForwardingBefore is empty for a network that is not up.
	Forwarding, ForwardingBefore []string
	// Stepped, if it isn't nil, is called when one of the steps is over. Those that are left out
	// because one before them failed are not told.
	Stepped func()
}

// Lines returns the plan as lines of a dry run, with what is shared among networks in its place:
// rules says what is done to the rules, empty for nothing, and forwarding what to the sysctls; see
// [Forwarding.Missing].
func (p Plan) Lines(rules string, forwarding []string) []string {
	var lines []string
	for _, s := range p.Before {
		lines = append(lines, s.String())
	}
	if rules != "" {
		lines = append(lines, rules)
	}
	lines = append(lines, forwarding...)
	for _, s := range p.After {
		lines = append(lines, s.String())
	}
	return lines
}

// Firewall is the rules of the networks at hand, beside those of others that are in force.
type Firewall interface {
	// Load puts the rules in force, without those of the networks named: these have the rules they
	// had before, or none.
	Load(without []string) error
	// Loaded says what the last Load did for a network, as a line of a dry run; empty for nothing.
	Loaded(network string) string
}

// Outcome is what became of one network.
type Outcome struct {
	Name     string
	Steps    []string // what was done, in order
	Warnings []error
	// Err is nil if the network is as it should be; else it is as it was before, unless Err says
	// otherwise.
	Err error
}

// Up carries out the plans. Each network comes up whole or is left as it was; the others don't
// suffer. Rules are before links come up. The outcomes are in the order of the plans.
func Up(plans []Plan, rules Firewall, forwarding *Forwarding) []Outcome {
	runs := make([]run, len(plans))
	for i, p := range plans {
		runs[i].Name, runs[i].stepped = p.Name, p.Stepped
		runs[i].do(p.Before)
	}
	without := failed(runs)
	err := rules.Load(without)
	loaded := err == nil
	missing := make([][]string, len(plans))
	for i, p := range plans {
		missing[i] = forwarding.Missing(p.Forwarding)
	}
	if loaded {
		err = forwarding.hold(needs(plans, runs))
	}
	for i, p := range plans {
		if err != nil && runs[i].Err == nil {
			runs[i].fail(err)
		}
		if runs[i].Err == nil {
			runs[i].tell(append([]string{rules.Loaded(p.Name)}, missing[i]...)...)
		}
		runs[i].do(p.After)
	}
	for i := range runs {
		runs[i].wait()
	}
	// Also if they weren't loaded: that may have failed behind them, over rules that were to go
	// from elsewhere. If so, its failure was reported before.
	if left := failed(runs); len(left) > len(without) {
		if err := rules.Load(left); err != nil && loaded {
			blame(runs, fmt.Errorf("undo the rules: %w", err))
		}
	}
	if err := forwarding.release(append(needs(plans, runs), held(plans, runs)...)); err != nil {
		blame(runs, err)
	}
	return outcomes(runs)
}

// Down carries out plans that take networks away. What can't be removed is reported and left; the
// rest goes all the same, and a second Down finds what is left.
func Down(plans []Plan, rules Firewall, forwarding *Forwarding) []Outcome {
	runs := make([]run, len(plans))
	for i, p := range plans {
		runs[i].Name, runs[i].stepped = p.Name, p.Stepped
		runs[i].clear(p.Before)
	}
	for i := range runs {
		runs[i].settle()
	}
	err := rules.Load(succeeded(runs)) // one whose bridge is still there keeps its rules, else it would be open
	for i, p := range plans {
		if err != nil {
			runs[i].note(fmt.Errorf("remove the rules: %w", err))
		}
		if runs[i].Err == nil {
			runs[i].tell(rules.Loaded(p.Name))
			runs[i].clear(p.After)
		}
	}
	for i := range runs {
		runs[i].settle()
	}
	if err := forwarding.release(nil); err != nil {
		for i := range runs {
			runs[i].note(err)
		}
	}
	return outcomes(runs)
}

// failed returns the names of the networks that will not be up.
func failed(runs []run) []string {
	var names []string
	for _, r := range runs {
		if r.Err != nil {
			names = append(names, r.Name)
		}
	}
	return names
}

// succeeded returns the names of the networks of which nothing has failed.
func succeeded(runs []run) []string {
	var names []string
	for _, r := range runs {
		if r.Err == nil {
			names = append(names, r.Name)
		}
	}
	return names
}

// needs returns the sysctls that networks which have not failed need.
func needs(plans []Plan, runs []run) []string {
	var paths []string
	for i, p := range plans {
		for _, path := range p.Forwarding {
			if runs[i].Err == nil && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// forwardingBefore returns the sysctls that networks whose change has failed need as before.
func held(plans []Plan, runs []run) (paths []string) {
	for i, p := range plans {
		if runs[i].Err != nil {
			paths = append(paths, p.ForwardingBefore...)
		}
	}
	return paths
}

// blame adds err to the networks that failed before: it is their undoing that is not complete.
func blame(runs []run, err error) {
	for i := range runs {
		if runs[i].Err != nil {
			runs[i].note(err)
		}
	}
}

func outcomes(runs []run) []Outcome {
	var all []Outcome
	for _, r := range runs {
		all = append(all, r.Outcome)
	}
	return all
}
