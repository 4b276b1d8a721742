package state

import (
	"fmt"
	"path/filepath"
)

// Lack is a step that the kernel couldn't do for a network, which works without it.
type Lack struct {
	Step    string   `json:"step"`
	Modules []string `json:"modules"` // that the kernel lacks, as modprobe(8) names them
}

// Lacks returns what the kernel lacks, by network; never nil. A file that can't be read, or is of
// another boot or network namespace, counts as none: the kernel will report it again.
func (f folder) Lacks() map[string][]Lack {
	lacks, err := readNotes[[]Lack](f, f.lacksFile())
	if err != nil {
		return make(map[string][]Lack)
	}
	return lacks
}

// SaveLacks makes lacks be the notes about what the kernel lacks; without any the file goes.
func (d *Dir) SaveLacks(lacks map[string][]Lack) error {
	if err := saveNotes(d, d.lacksFile(), lacks); err != nil {
		return fmt.Errorf("notes about the kernel: %w", err)
	}
	return nil
}

func (f folder) lacksFile() string { return filepath.Join(f.path, "lacks.json") }
