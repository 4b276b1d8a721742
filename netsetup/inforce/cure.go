package inforce

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/cure"
	"github.com/vnetc/vnetc/netsetup/doctor"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Cure is a command that opens another's firewall, or the host itself, for a network.
type Cure struct {
	Network string
	cure.Step
	Proved bool // Proved is true if it was shown to let through what is meant, and nothing else.
}

// Cure runs the steps, each noted first with what takes it back, so that the end of its network
// takes it back. It stops at the first that fails, which is not noted then.
func (h *Host) Cure(cures []Cure) (done int, err error) {
	noted, err := h.dir.Cures()
	if err != nil {
		return 0, failed(err)
	}
	if err := h.writer.Begin(); err != nil {
		return 0, failed(err)
	}
	for _, c := range cures {
		if find(h.networks, c.Network) == nil {
			return done, refuse(Usage, "vnetc status shows those that are", "network %s is not in force, so nothing would take the command back",
				c.Network)
		}
		step, err := c.Prepare()
		if err != nil {
			return done, failed(err)
		}
		before := noted[c.Network]
		noted[c.Network] = append(before[:len(before):len(before)], state.Cure(step))
		if err := h.writer.SaveCures(noted); err != nil {
			return done, failed(err)
		}
		if err := step.Run(); err != nil {
			if noted[c.Network] = before; len(before) == 0 {
				delete(noted, c.Network)
			}
			return done, failed(errors.Join(err, h.writer.SaveCures(noted)))
		}
		done++
	}
	return done, nil
}

// takeBack undoes what was run for networks that are gone, the last first. What can't be undone
// stays noted.
func (h *Host) takeBack(gone []string) error {
	noted, err := h.dir.Cures()
	if err != nil {
		return err
	}
	var failures []error
	changed := false
	for _, name := range gone {
		var left []state.Cure
		for _, c := range undoing(noted[name]) {
			changed = true
			if shared(noted, name, c) {
				continue // the last of its networks takes it back
			}
			if err := (cure.Step(c)).TakeBack(); err != nil {
				failures = append(failures,
					fmt.Errorf("what doctor --cure did for network %s: %w", diag.Visible(name), err))
				left = append(left, c)
			}
		}
		slices.Reverse(left)
		if noted[name] = left; len(left) == 0 {
			delete(noted, name)
		}
	}
	if changed {
		failures = append(failures, h.writer.SaveCures(noted))
	}
	return errors.Join(failures...)
}

// undoing returns cures in the order in which they are undone: the last first, but for reloads.
func undoing(all []state.Cure) []state.Cure {
	all = slices.Clone(all)
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b state.Cure) int {
		return cmp.Compare(Cure{Step: cure.Step(a)}.last(), Cure{Step: cure.Step(b)}.last())
	})
	return all
}

// shared is true if another network needs what c did, such as a sysctl.
func shared(noted map[string][]state.Cure, name string, c state.Cure) bool {
	for other, all := range noted {
		if other != name && slices.ContainsFunc(all, func(o state.Cure) bool { return slices.Equal(o.Do, c.Do) }) {
			return true
		}
	}
	return false
}

// Prescribe returns the commands that cure what is broken for certain in a report: those that are
// proved, with tries also those that are not, and those that vnetc does not run itself.
func Prescribe(found doctor.Report, tries bool) (run []Cure, byHand []string) {
	for _, a := range found.Answers {
		if !a.Refuses() {
			continue
		}
		lines, proved := a.Cures()
		for _, line := range lines {
			steps, ok := cure.Parse(line)
			if !ok || !proved && !tries {
				if !slices.Contains(byHand, line) {
					byHand = append(byHand, line)
				}
				continue
			}
			for _, s := range steps {
				if c := (Cure{a.Network, s, proved}); !slices.ContainsFunc(run, c.same) {
					run = append(run, c)
				}
			}
		}
	}
	slices.SortStableFunc(run, func(a, b Cure) int { return cmp.Compare(a.last(), b.last()) })
	return run, byHand
}

// same is true if o is the same command, for whichever network: once is enough.
func (c Cure) same(o Cure) bool { return slices.Equal(c.Do, o.Do) }

// last orders steps: a reload comes behind all that it is for.
func (c Cure) last() int {
	if c.Reload() {
		return 1
	}
	return 0
}
