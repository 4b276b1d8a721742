package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Sysctl is the note about one sysctl that was changed: what it was, and what it was set to.
type Sysctl struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Sysctls returns the notes about sysctls, by their path below /proc/sys; never nil without an
// error. A damaged file is an error: it can't be recreated, as what the sysctls were is known
// nowhere else. What was noted in another boot or network namespace is left out: the sysctls here
// were never changed.
func (f folder) Sysctls() (map[string]Sysctl, error) {
	notes, err := readNotes[Sysctl](f, f.sysctlFile())
	if err != nil {
		return nil, fmt.Errorf("notes about sysctls %s: %w; remove the file if their values are as you want them",
			f.sysctlFile(), err)
	}
	return notes, nil
}

// SaveSysctls makes notes be those about sysctls; without any the file goes.
func (d *Dir) SaveSysctls(notes map[string]Sysctl) error {
	if err := saveNotes(d, d.sysctlFile(), notes); err != nil {
		return fmt.Errorf("notes about sysctls: %w", err)
	}
	return nil
}

func (f folder) sysctlFile() string { return filepath.Join(f.path, "sysctls.json") }

// notes is a file of notes with names, and where they hold.
type notes[N any] struct {
	Notes map[string]N `json:"notes"`
	bootID
}

// readNotes returns the notes in a file; none, and not nil, if there is no file, or if it is of
// another place.
func readNotes[N any](f folder, path string) (map[string]N, error) {
	text, err := readTrusted(path, maxSmall)
	var n notes[N]
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !n.same(f.boot) || n.Notes == nil {
		return make(map[string]N), nil
	}
	return n.Notes, nil
}

// saveNotes writes notes; without any it removes the file.
func saveNotes[N any](d *Dir, path string, all map[string]N) error {
	if len(all) == 0 {
		return d.remove(path)
	}
	return d.save(path, notes[N]{all, d.boot})
}
