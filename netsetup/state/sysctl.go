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
	path := d.sysctlFile()
	if len(notes) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("notes about sysctls: %w", err)
		}
		return nil
	}
	text, err := json.MarshalIndent(notes, "", "  ")
	if err != nil {
		return err
	}
	if err := writeWhole(path, append(text, '\n')); err != nil {
		return fmt.Errorf("notes about sysctls: %w", err)
	}
	return nil
}

func (d *Dir) sysctlFile() string { return filepath.Join(d.path, "sysctls.json") }
