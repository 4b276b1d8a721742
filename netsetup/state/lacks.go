package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Lack is a step that the kernel couldn't do for a network, which works without it.
type Lack struct {
	Step    string   `json:"step"`
	Modules []string `json:"modules"` // that the kernel lacks, as modprobe(8) names them
}

// Lacks returns what the kernel lacks, by network. A file that can't be read counts as none: the kernel will tell again.
func (d *Dir) Lacks() map[string][]Lack {
	lacks := make(map[string][]Lack)
	if text, err := os.ReadFile(d.lacksFile()); err == nil {
		if json.Unmarshal(text, &lacks) != nil {
			return make(map[string][]Lack)
		}
	}
	return lacks
}

// SaveLacks makes lacks be the notes about what the kernel lacks; without any the file goes.
func (d *Dir) SaveLacks(lacks map[string][]Lack) error {
	path := d.lacksFile()
	if len(lacks) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("notes about the kernel: %w", err)
		}
		return nil
	}
	text, err := json.MarshalIndent(lacks, "", "  ")
	if err != nil {
		return err
	}
	if err := writeWhole(path, append(text, '\n')); err != nil {
		return fmt.Errorf("notes about the kernel: %w", err)
	}
	return nil
}

func (d *Dir) lacksFile() string { return filepath.Join(d.path, "lacks.json") }
