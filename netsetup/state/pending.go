package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// Pending is the note about a change that waits for its confirmation, with the way back.
type Pending struct {
	ID        string          `json:"id"`        // its own, which no other change has
	Namespace string          `json:"namespace"` // the network namespace that was changed, as [Namespace] has it
	Boot      string          `json:"boot"`      // the boot that Deadline counts from
	Deadline  time.Duration   `json:"deadline"`  // when it is undone, by the clock of [Since]
	Made      bool            `json:"made"`      // Made is true if the change was made: it was not cut short.
	Networks  []Network       `json:"networks"`  // the notes from before the change
	Rules     json.RawMessage `json:"rules"`     // the rules from before, as the caller wrote them
}

// Give lets the change wait for as long as wait, from now.
func (p *Pending) Give(wait time.Duration) error {
	boot, now, err := Since()
	p.Boot, p.Deadline = boot, now+wait
	return err
}

// Left returns how long the change still waits; nothing or less if it is overdue. A change from before the last boot is.
func (p *Pending) Left() (time.Duration, error) {
	boot, now, err := Since()
	if err != nil || boot != p.Boot {
		return 0, err
	}
	return p.Deadline - now, nil
}

const (
	pendingFile = "pending.json"
	undoneFile  = "undone"
)

// PendingPath returns where the folder at path keeps its note about a change that waits.
func PendingPath(path string) string { return filepath.Join(path, pendingFile) }

// ReadPending returns the note of the folder at path about a change that waits, nil if none does. It needs no lock: the note
// is always whole.
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
		return nil, fmt.Errorf("%s is damaged (%w); remove it to keep what is in force", PendingPath(path), err)
	}
	return p, nil
}

// PendingPath returns where the folder keeps its note about a change that waits.
func (f folder) PendingPath() string { return PendingPath(f.path) }

// Pending returns the note about a change that waits, nil if none does.
func (f folder) Pending() (*Pending, error) { return ReadPending(f.path) }

// SavePending writes the note about a change that waits.
func (d *Dir) SavePending(p *Pending) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = d.write(PendingPath(d.path), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("note about what is to be confirmed: %w", err)
	}
	return nil
}

// Confirmed ends the waiting: what is in force stays.
func (d *Dir) Confirmed() error {
	return errors.Join(d.remove(PendingPath(d.path)), d.remove(filepath.Join(d.path, undoneFile)))
}

// Undone ends the waiting of a change that was undone, and keeps when that was, if the disk has room for it.
func (d *Dir) Undone(at time.Time) error {
	_ = d.write(filepath.Join(d.path, undoneFile), []byte(at.UTC().Format(time.RFC3339)+"\n"))
	return d.remove(PendingPath(d.path))
}

// LastUndone returns when a change was undone for want of a confirmation; ok is false if the last one was confirmed.
func (f folder) LastUndone() (at time.Time, ok bool) {
	text, err := readTrusted(filepath.Join(f.path, undoneFile), maxSmall)
	if err != nil {
		return at, false
	}
	at, err = time.Parse(time.RFC3339+"\n", string(text))
	return at, err == nil
}
