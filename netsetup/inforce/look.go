package inforce

import (
	"errors"
	"os"
	"time"

	"github.com/vnetc/vnetc/netsetup/state"
)

// Times of those who only look.
const (
	timeout = 2 * time.Second       // for another process that changes the host meanwhile, unless the user has less
	between = 20 * time.Millisecond // between two looks
)

// Look has read look at the host, without the lock: it delays no other process, and needs no write
// permission. If another process changed the host meanwhile read is called again; after some tries
// it reports that what was read may be of two moments. Events come once, from the last call.
// Nothing is undone here that was not confirmed in time.
func Look(dir string, o Options, read func(*Host) error) error {
	if o.Machine == nil {
		o.Machine = thisMachine{}
	}
	tell, until := o.Tell, time.Now().Add(min(timeout, o.Wait))
	for {
		var told []Event
		o.Tell = func(e Event) { told = append(told, e) }
		last := !time.Now().Before(until)
		still, err := look(dir, o, last, read)
		if still && !last {
			time.Sleep(between)
			continue
		}
		if still {
			told = append(told, Changing{})
		}
		for _, e := range told {
			if tell != nil {
				tell(e)
			}
		}
		return err
	}
}

// look is one try of Look; moved is true if another process changes the host. Unless it is the last
// try nothing is read then.
func look(dir string, o Options, last bool, read func(*Host) error) (moved bool, err error) {
	view, err := state.Look(dir)
	if errors.Is(err, os.ErrPermission) {
		return false, failf("%w; run as root, or choose a folder with --state-dir", err)
	}
	if err != nil {
		return false, failed(err)
	}
	if view.Changing() && !last {
		return true, nil
	}
	h := &Host{o: o, dir: view}
	defer h.Close()
	h.lookAtPending()
	if err = h.readFiles(); err == nil {
		err = read(h)
	}
	moved, unreadable := view.Moved()
	if err == nil {
		err = failed(unreadable)
	}
	return moved || view.Changing(), err
}

// lookAtPending reports a change that waits for its confirmation, or a file about one that can't be
// read.
func (h *Host) lookAtPending() {
	p, err := h.dir.Pending()
	left := time.Duration(0)
	if p != nil {
		left, err = p.Left()
	}
	switch {
	case err != nil:
		h.tell(BadPending{err})
	case p != nil:
		h.tell(Waits{left})
	}
}
