package state

import (
	"fmt"
	"path/filepath"
)

// Cure is a command that was run for a network against another's rules, and what takes it back.
type Cure struct {
	Do     []string `json:"do"`
	Undo   []string `json:"undo,omitempty"`
	Before string   `json:"before,omitempty"` // of a sysctl
}

// Cures returns what was run for networks, by network and in order; never nil without an error.
// What was noted in another boot or network namespace is left out.
func (f folder) Cures() (map[string][]Cure, error) {
	cures, err := readNotes[[]Cure](f, f.curesFile())
	if err != nil {
		return nil, fmt.Errorf("notes about cures %s: %w; remove the file if what doctor --cure did is to stay",
			f.curesFile(), err)
	}
	return cures, nil
}

// SaveCures makes cures be the notes about what was run for networks; without any the file goes.
func (d *Dir) SaveCures(cures map[string][]Cure) error {
	if err := saveNotes(d, d.curesFile(), cures); err != nil {
		return fmt.Errorf("notes about cures: %w", err)
	}
	return nil
}

func (f folder) curesFile() string { return filepath.Join(f.path, "cures.json") }
