package inforce

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/vnetc/vnetc/netsetup/state"
)

// Confirm keeps the change that waits, and returns how many networks are in force then.
func Confirm(dir string, o Options) (int, error) {
	return end(dir, o, func(h *Host, p *state.Pending, left time.Duration) error {
		if !p.Made { // as by SIGKILL
			return refuse(No, fmt.Sprintf("it is undone in %s, and vnetc confirm --undo goes back now", seconds(left)),
				"the last apply was cut short, so there is nothing whole to keep")
		}
		return h.files.Confirmed()
	})
}

// Undo goes back from the change that waits at once, and returns how many networks are in force
// then.
func Undo(dir string, o Options) (int, error) {
	return end(dir, o, func(h *Host, p *state.Pending, _ time.Duration) error { return h.undo(p) })
}

// end ends the waiting of the change that waits.
func end(dir string, o Options, how func(*Host, *state.Pending, time.Duration) error) (int, error) {
	h, p, left, err := settled(dir, o)
	if err != nil {
		return 0, err
	}
	defer h.Close()
	if p == nil {
		if at, ok := h.dir.LastUndone(); ok {
			return 0, refuse(No, "", "%v: the last apply was undone at %s, and what was in force before is in force",
				errNothingWaits, at.Format("2006-01-02 15:04:05Z"))
		}
		return 0, &Error{Kind: No, What: errNothingWaits.Error()}
	}
	if err := how(h, p, left); err != nil {
		return 0, failed(err)
	}
	now, _, err := h.dir.Networks()
	return len(now), failed(err)
}

// Times of a process that waits.
const (
	lookEvery = 250 * time.Millisecond // between two looks at whether the change was confirmed
	longest   = time.Minute            // for the lock; and the most between two tries to undo
)

// errNothingWaits says that no change waits for its confirmation.
var errNothingWaits = errors.New("nothing waits for a confirmation")

// Watch undoes the change that waits in the state folder dir when it is overdue, or when ctx ends.
// It returns when no change waits.
func Watch(ctx context.Context, dir string, o Options) error {
	o.Wait = longest
	w := watched{path: dir, o: o}
	for pause := lookEvery; ; {
		left, err := w.left()
		ending := ctx.Err() != nil
		if err == nil && (ending || left <= 0) {
			left, err = w.undo(ending)
		}
		switch {
		case errors.Is(err, errNothingWaits):
			return nil
		case ending:
			return failed(err)
		case err != nil:
			pause = min(max(2*pause, lookEvery), longest)
		default:
			pause = min(left, lookEvery)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// watched is the change that a process waits for.
type watched struct {
	path string // of the state folder
	o    Options
	file os.FileInfo
	*state.Pending
}

// left returns how long the change still waits. Its file is read anew only if it is another: it may
// be large.
func (w *watched) left() (time.Duration, error) {
	file, err := os.Stat(state.PendingPath(w.path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNothingWaits
	}
	if err != nil {
		return 0, err
	}
	if w.file == nil || !os.SameFile(file, w.file) || !file.ModTime().Equal(w.file.ModTime()) {
		p, err := state.ReadPending(w.path)
		if err != nil {
			return 0, err
		}
		if p == nil || w.file != nil && p.ID != w.ID {
			return 0, errNothingWaits // this one was confirmed or undone
		}
		w.file, w.Pending = file, p
	}
	return w.Left()
}

// undo takes the lock and undoes the change if it is overdue, or at once. It returns how long the
// change still waits: its time may have begun anew since it was looked at.
func (w *watched) undo(atOnce bool) (time.Duration, error) {
	h, p, left, err := settled(w.path, w.o)
	if err != nil {
		return 0, err
	}
	defer h.Close()
	switch {
	case p == nil || p.ID != w.ID:
		return 0, errNothingWaits
	case atOnce:
		return 0, h.undo(p)
	}
	return left, nil
}
