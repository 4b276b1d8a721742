package inforce

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// provisionally makes a change that is undone after wait unless it is confirmed. What was in force
// is written down, and a process to undo the change waits, before the change begins, so that
// neither this process nor its terminal is needed. The lock is given back, and the time begins,
// when the change is made; the events of change come then: a blocked terminal must not keep the
// lock from the process that undoes it.
func (h *Host) provisionally(wait time.Duration, taking *takingOver, change func() error) error {
	names := append([]backends.Names{h.target.Options.Names}, h.oldNames(h.target.Options.Names)...)
	if taking != nil {
		if !taking.claim.Frame {
			return refuse(No, "", "--take-over with --confirm is refused while a libvirt daemon runs: it may "+
				"change its rules meanwhile, and the undo would revert that too; no rule was changed")
		}
		names = append(names, backends.LibvirtNames)
	}
	p := &state.Pending{ID: rand.Text(), Networks: h.networks, Policies: h.policies}
	if err := h.prepare(p, wait, names); err != nil {
		return failf("%w; no rule was changed", errors.Join(err, h.files.Confirmed(p.ID)))
	}
	tell := h.o.Tell
	var told []Event
	h.o.Tell = func(e Event) { told = append(told, e) }
	err := change()
	if p.Made = err == nil; p.Made {
		err = failed(h.savePending(wait, p))
	}
	if err != nil {
		if undoing := h.undo(p); undoing != nil {
			err = failed(errors.Join(err, undoing))
		}
	}
	h.Close()
	h.o.Tell = tell
	for _, e := range told {
		h.tell(e)
	}
	return err
}

// prepare writes the way back into p and its file, and starts the process that would go it.
func (h *Host) prepare(p *state.Pending, wait time.Duration, names []backends.Names) error {
	before, err := firewall.Keep(h.o.Places, names)
	if err != nil {
		return err
	}
	if p.Namespace, err = state.Namespace(); err != nil {
		return err
	}
	if p.Rules, err = json.Marshal(before); err != nil {
		return err
	}
	if err := h.savePending(wait, p); err != nil {
		return err
	}
	return h.o.Guard(h.dir.Path())
}

// savePending writes the file about the change, whose time begins now.
func (h *Host) savePending(wait time.Duration, p *state.Pending) error {
	if err := p.Give(wait); err != nil {
		return err
	}
	return h.files.SavePending(p)
}

// undo puts back the rules from before the change, and then the state files. The file of the change
// goes last: until then the undoing can be done again, by whatever is left of vnetc.
func (h *Host) undo(p *state.Pending) error {
	here, err := state.Namespace()
	if err != nil {
		return err
	}
	if here != p.Namespace {
		return fmt.Errorf("it was made in another network namespace, %s, and this is %s: "+
			"run vnetc there, or give each its own --state-dir", p.Namespace, here)
	}
	boot, _, err := state.Since()
	if err != nil {
		return err
	}
	_ = h.writer.Begin() // for those who look; the rules go back all the same
	if boot == p.Boot {  // else the kernel has forgotten the rules of before and after alike
		if err := h.restore(p); err != nil {
			return err
		}
	}
	if h.networks, _, err = h.dir.Networks(); err != nil {
		return err
	}
	h.readPolicies()
	h.dropPolicies = h.lostPolicies
	if err := errors.Join(h.writePolicies(p.Policies), h.write(p.Networks)); err != nil {
		return err
	}
	return h.files.Undone(p.ID, time.Now())
}

// restore puts back the rules from before the change.
func (h *Host) restore(p *state.Pending) error {
	var before firewall.Before
	if err := json.Unmarshal(p.Rules, &before); err != nil {
		return fmt.Errorf("rules from before the change: %w", err)
	}
	return before.Restore(h.o.Places)
}

// settle undoes the change that waits if it is overdue, and reports that. It returns the change if
// it still waits, and for how long.
func (h *Host) settle() (*state.Pending, time.Duration, error) {
	p, err := h.dir.Pending()
	if p == nil || err != nil {
		return nil, 0, err
	}
	left, err := p.Left()
	if left > 0 || err != nil {
		return p, left, err
	}
	if err := h.undo(p); err != nil {
		return nil, 0, fmt.Errorf("the last apply was not confirmed in time and can't be undone: %w; "+
			"to keep what is in force: vnetc confirm --force", err)
	}
	h.tell(Overdue{})
	return nil, 0, nil
}

// seconds is d as people read it, at least a second.
func seconds(d time.Duration) time.Duration { return max(d.Round(time.Second), time.Second) }
