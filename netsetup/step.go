// Package netsetup brings whole networks up on this host, and takes them down: bridge, addresses,
// routes and traffic control (netsetup/link), rules (through [Firewall]), DHCP and DNS
// (netsetup/dnsmasq).
//
// What is to be done is a list of steps, made from what the networks want and what the host has: a
// network that is up already has none, and one that was left half-made has the ones that are
// missing. So nothing but facts needs to be remembered: after a kill at any moment the next up goes
// on, and down takes away whatever is there. All calls work on the network namespace of the calling
// thread.
package netsetup

import (
	"errors"
	"fmt"

	"github.com/vnetc/vnetc/netsetup/link"
)

// Step is one change of the host, and its way back.
type Step interface {
	// String says what the step does, as a line of a dry run.
	String() string
	Do() error
	// Undo takes back a Do that worked, or that failed half-way. That there is nothing to take back
	// is no error.
	Undo() error
}

// Waiter is a Step whose Do only begins something, so that other steps can be done meanwhile; Wait
// ends it.
type Waiter interface {
	Step
	Wait() error
}

// isWarning is true if err is to be reported, and the work goes on: the network works without.
func isWarning(err error) bool {
	var w *link.Warning
	return errors.As(err, &w)
}

// run does the steps of one network, and remembers them.
type run struct {
	Outcome
	done    []Step
	stepped func()
}

// tick reports that a step is over, now or, of one that has to be waited for, when it was waited
// for.
func (r *run) tick(s Step, waited bool) {
	if _, waits := s.(Waiter); waits == waited && r.stepped != nil {
		r.stepped()
	}
}

// do does steps until one fails; then it undoes all that was done.
func (r *run) do(steps []Step) {
	for _, s := range steps {
		if r.Err != nil {
			return
		}
		r.done = append(r.done, s) // before it is done: half a step is undone as well
		r.Steps = append(r.Steps, s.String())
		r.judge(s, s.Do())
		r.tick(s, false)
	}
}

// wait ends what the steps only began.
func (r *run) wait() {
	for _, s := range r.done {
		if w, ok := s.(Waiter); ok && r.Err == nil {
			r.judge(s, w.Wait())
			r.tick(s, true)
		}
	}
}

// tell adds what was done for all networks at once; empty lines are nothing.
func (r *run) tell(lines ...string) {
	for _, line := range lines {
		if line != "" {
			r.Steps = append(r.Steps, line)
		}
	}
}

func (r *run) judge(s Step, err error) {
	switch {
	case err == nil:
	case isWarning(err):
		r.Warnings = append(r.Warnings, err)
	default:
		r.fail(fmt.Errorf("%s: %w", s, err))
	}
}

// fail undoes the steps, last first, and keeps err as the reason.
func (r *run) fail(err error) {
	for i := len(r.done) - 1; i >= 0; i-- {
		if undo := r.done[i].Undo(); undo != nil {
			err = errors.Join(err, fmt.Errorf("undo %q: %w", r.done[i], undo))
		}
	}
	r.Err, r.done = err, nil
}

// note adds err to what went wrong and goes on.
func (r *run) note(err error) { r.Err = errors.Join(r.Err, err) }

// clear does steps that take things away: what fails is noted, and the rest is done all the same.
func (r *run) clear(steps []Step) {
	r.done = append(r.done, steps...)
	for _, s := range steps {
		r.Steps = append(r.Steps, s.String())
		if err := s.Do(); err != nil {
			r.note(fmt.Errorf("%s: %w", s, err))
		}
		r.tick(s, false)
	}
}

// settle ends what clear only began.
func (r *run) settle() {
	for _, s := range r.done {
		if w, ok := s.(Waiter); ok {
			if err := w.Wait(); err != nil {
				r.note(fmt.Errorf("%s: %w", s, err))
			}
			r.tick(s, true)
		}
	}
	r.done = nil
}
