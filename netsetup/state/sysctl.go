package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Sysctl is the note about one sysctl that was changed: what it was, and what it was set to.
type Sysctl struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Sysctls returns the notes about sysctls, by their path below /proc/sys; never nil without an error. A damaged file is an
// error: it can't be made anew, as what the sysctls were is known nowhere else.
func (d *Dir) Sysctls() (map[string]Sysctl, error) {
	path := d.sysctlFile()
	text, err := os.ReadFile(path)
	notes := make(map[string]Sysctl)
	if errors.Is(err, fs.ErrNotExist) {
		return notes, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &notes)
	}
	if err != nil {
		return nil, fmt.Errorf("notes about sysctls %s: %w; remove the file if their values are as you want them", path, err)
	}
	return notes, nil
}

// SaveSysctls makes notes be those about sysctls; without any the file goes.
func (d *Dir) SaveSysctls(notes map[string]Sysctl) error {
	if err := saveNotes(d.sysctlFile(), notes); err != nil {
		return fmt.Errorf("notes about sysctls: %w", err)
	}
	return nil
}

// saveNotes writes notes as JSON; without any it removes the file.
func saveNotes[N any](path string, notes map[string]N) error {
	if len(notes) == 0 {
		return gone(path)
	}
	text, err := json.MarshalIndent(notes, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path, append(text, '\n'))
}

func (d *Dir) sysctlFile() string { return filepath.Join(d.path, "sysctls.json") }
