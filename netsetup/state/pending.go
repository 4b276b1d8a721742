package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Pending is the file about a change that waits for its confirmation, with the way back. The
// process that would undo the change has it in memory, too: see [Ended].
type Pending struct {
	ID        string          `json:"id"`        // its own, which no other change has
	Namespace string          `json:"namespace"` // the network namespace that was changed, as [Namespace] has it
	Boot      string          `json:"boot"`      // the boot that Deadline counts from
	Deadline  time.Duration   `json:"deadline"`  // when it is undone, by the clock of [Since]
	Made      bool            `json:"made"`      // Made is true if the change was made: it was not interrupted.
	Networks  []Network       `json:"networks"`  // the state files from before the change
	Policies  []Policy        `json:"policies"`  // the policy files from before the change
	Rules     json.RawMessage `json:"rules"`     // the rules from before, as the caller wrote them
}

// Give lets the change wait for as long as wait, from now.
func (p *Pending) Give(wait time.Duration) error {
	boot, now, err := Since()
	p.Boot, p.Deadline = boot, now+wait
	return err
}

// Left returns how long the change still waits; nothing or less if it is overdue. A change from
// before the last boot is.
func (p *Pending) Left() (time.Duration, error) {
	boot, now, err := Since()
	if err != nil || boot != p.Boot {
		return 0, err
	}
	return p.Deadline - now, nil
}

// Files of a change: while it waits, and then how it ended.
const (
	pendingFile   = "pending.json"
	confirmedFile = "confirmed"
	undoneFile    = "undone"
	watchingFile  = "watching" // locked, shared, by those who would undo a change
)

// PendingPath returns where the folder at path keeps its file about a change that waits.
func PendingPath(path string) string { return filepath.Join(path, pendingFile) }

// ReadPending returns the file of the folder at path about a change that waits, nil if none does.
// It needs no lock: the file is always whole.
func ReadPending(path string) (*Pending, error) {
	text, err := readTrusted(PendingPath(path), maxPending)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Pending{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w); to keep what is in force: vnetc confirm --force", PendingPath(path),
			err)
	}
	return p, nil
}

// PendingPath returns where the folder keeps its file about a change that waits.
func (f folder) PendingPath() string { return PendingPath(f.path) }

// Pending returns the file about a change that waits, nil if none does.
func (f folder) Pending() (*Pending, error) { return ReadPending(f.path) }

// SavePending writes the file about a change that waits.
func (d *Dir) SavePending(p *Pending) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = d.write(PendingPath(d.path), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("file about what is to be confirmed: %w", err)
	}
	return nil
}

// Confirmed ends the waiting of the change with that ID: what is in force stays.
func (d *Dir) Confirmed(id string) error {
	return d.ended(id, confirmedFile, undoneFile, time.Now())
}

// Undone ends the waiting of the change with that ID, which was undone at that time.
func (d *Dir) Undone(id string, at time.Time) error {
	return d.ended(id, undoneFile, confirmedFile, at)
}

// ended renames the file of the change to mark, and removes the mark of how an earlier one ended.
// So it says at every moment that the change waits or how it ended, also where the disk has no room
// for another file; a process that finds neither knows that the file was lost. What the mark needs
// not say goes if it can.
func (d *Dir) ended(id, mark, other string, at time.Time) error {
	if err := d.Begin(); err != nil {
		return err
	}
	path := filepath.Join(d.path, mark)
	err := os.Rename(PendingPath(d.path), path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if text, err := json.Marshal(Pending{ID: id}); err == nil {
		_ = d.write(path, append(text, '\n'))
	}
	_ = os.Chtimes(path, at, at)
	return d.remove(filepath.Join(d.path, other))
}

// Ended is true if the folder at path says that the change with that ID was confirmed or undone.
func Ended(path, id string) bool {
	for _, mark := range []string{confirmedFile, undoneFile} {
		var p Pending
		text, err := readTrusted(filepath.Join(path, mark), maxPending)
		if err == nil && json.Unmarshal(text, &p) == nil && p.ID == id {
			return true
		}
	}
	return false
}

// LastUndone returns when a change was undone for want of a confirmation; ok is false if the last
// one was confirmed.
func (f folder) LastUndone() (at time.Time, ok bool) {
	info, err := os.Lstat(filepath.Join(f.path, undoneFile))
	if err != nil {
		return at, false
	}
	return info.ModTime().UTC(), true
}
