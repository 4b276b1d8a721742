package inforce

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vnetc/vnetc/netsetup/state"
)

// Confirm keeps the change that waits, and returns how many networks are in force then. With force
// it keeps the change although the time is over and the undo failed, or although the state before
// is unknown.
func Confirm(dir string, o Options, force bool) (int, error) {
	if force {
		return keepAnyhow(dir, o)
	}
	return end(dir, o, func(h *Host, p *state.Pending, left time.Duration) error {
		if !p.Made { // as by SIGKILL
			return refuse(No, fmt.Sprintf("it is undone in %s; vnetc confirm --undo undoes it now", seconds(left)),
				"the last apply was interrupted, so there is no complete change to keep")
		}
		return h.files.Confirmed(p.ID)
	})
}

// keepAnyhow ends the waiting, whatever the file of the change says.
func keepAnyhow(dir string, o Options) (int, error) {
	h, err := locked(dir, o)
	if err != nil {
		return 0, err
	}
	defer h.ended()
	id := ""
	p, err := h.dir.Pending()
	switch {
	case p != nil:
		id = p.ID
	case err == nil:
		return 0, &Error{Kind: No, What: errNothingWaits.Error()}
	}
	if err := h.files.Confirmed(id); err != nil {
		return 0, failed(err)
	}
	now, _, err := h.dir.Networks()
	return len(now), failed(err)
}

// ended gives the lock back and waits for the process that would undo the change, so that it knows
// how the change ended even if the folder is lost.
func (h *Host) ended() {
	h.Close()
	state.AwaitWatchers(h.dir.Path(), time.Second)
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
	defer h.ended()
	if p == nil {
		if at, ok := h.dir.LastUndone(); ok {
			return 0, refuse(No, "", "%v: the last apply was undone at %s",
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
	lookEvery = 100 * time.Millisecond // between two looks at whether the change was confirmed
	longest   = time.Minute            // for the lock; and the most between two tries to undo
)

// errNothingWaits says that no change waits for its confirmation.
var errNothingWaits = errors.New("no change waits for confirmation")

// Watch undoes the change that waits in the state folder dir when it is overdue, or when ctx ends.
// It returns when no change waits. It calls begun once it knows the way back: by memory, so that
// the change is undone though its file is lost, or the whole folder. Only the mark of how the
// change ended, which its confirmation leaves, keeps it.
func Watch(ctx context.Context, dir string, o Options, begun func()) error {
	o.Wait = longest
	w := watched{path: dir, o: o}
	defer w.close()
	if err := w.begin(); err != nil {
		return failed(err)
	}
	begun()
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
	file os.FileInfo // of the change, as it was when it was read
	lock *os.File    // says that this process waits
	*state.Pending
}

// begin reads the file of the change.
func (w *watched) begin() error {
	file, err := os.Stat(state.PendingPath(w.path))
	if err != nil {
		return err
	}
	if w.Pending, err = state.ReadPending(w.path); err != nil {
		return err
	}
	if w.Pending == nil {
		return errNothingWaits
	}
	w.file = file
	return w.sign()
}

// sign says that this process waits.
func (w *watched) sign() error {
	lock, err := state.Watching(w.path)
	if err == nil {
		w.close()
		w.lock = lock
	}
	return err
}

func (w *watched) close() {
	if w.lock != nil {
		w.lock.Close()
	}
}

// left returns how long the change still waits. Its file is read again only if it has changed: it
// may be large. One that is lost or damaged is written again.
func (w *watched) left() (time.Duration, error) {
	file, err := os.Stat(state.PendingPath(w.path))
	if err == nil && os.SameFile(file, w.file) && file.ModTime().Equal(w.file.ModTime()) {
		return w.Left()
	}
	p, _ := state.ReadPending(w.path)
	switch {
	case p != nil && p.ID != w.ID, state.Ended(w.path, w.ID):
		return 0, errNothingWaits
	case p != nil && file != nil:
		w.file, w.Pending = file, p
	case p == nil:
		w.rewrite() // another try follows, and the way back is known all the same
	}
	return w.Left()
}

// rewrite writes the file of the change again, so that others know that it waits and can end it.
func (w *watched) rewrite() {
	dir, err := state.Open(w.path, 0)
	if err != nil {
		return
	}
	defer dir.Close()
	if p, _ := dir.Pending(); p != nil || state.Ended(w.path, w.ID) {
		return // it is there again, or the change has ended
	}
	if dir.SavePending(w.Pending) != nil {
		return
	}
	_ = w.sign()
	if file, err := os.Stat(state.PendingPath(w.path)); err == nil {
		w.file = file
	}
}

// undo takes the lock and undoes the change if it is overdue, or at once. It returns how long the
// change still waits: its time may have started over since it was looked at.
func (w *watched) undo(atOnce bool) (time.Duration, error) {
	h, err := locked(w.path, w.o)
	if err != nil {
		return 0, err
	}
	defer h.Close()
	p, _ := h.dir.Pending()
	switch {
	case p != nil && p.ID != w.ID, state.Ended(w.path, w.ID):
		return 0, errNothingWaits
	case p == nil: // lost or damaged
		p = w.Pending
	}
	left, err := p.Left()
	if err != nil || left > 0 && !atOnce {
		return left, err
	}
	if err := h.undo(p); err != nil {
		return 0, err
	}
	return 0, errNothingWaits
}
