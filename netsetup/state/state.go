// Package state keeps what vnetc did on this host: one file for each network in force, under a lock that one process at a
// time holds. The folder is on a file system that dies with the boot, as the kernel's rules do. What stands there is a
// note, not the truth: callers compare it with the kernel.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir/spread"
)

// DefaultDir is where state lives unless the user says otherwise.
const DefaultDir = "/run/vnetc"

// Network is the note about one network in force.
type Network struct {
	Name    string    `json:"name"`
	File    string    `json:"file"`    // the XML file, as the user named it
	XML     string    `json:"xml"`     // its text when it was applied
	Backend string    `json:"backend"` // nftables or iptables
	Layout  string    `json:"layout"`
	Names   string    `json:"names"`
	Leaving string    `json:"leaving,omitempty"` // names that its rules may have, too, while they are moved from there
	Strict  bool      `json:"strict_isolation"`
	Bridge  string    `json:"bridge,omitempty"` // as it was given or chosen; it stays
	MAC     string    `json:"mac,omitempty"`    // of the bridge, if it was brought up
	Up      bool      `json:"up"`               // true if its bridge, addresses and services are vnetc's too
	Order   int       `json:"order"`            // place among the networks: rules of later ones stand above those of earlier ones
	Applied time.Time `json:"applied"`
}

// Dir is the state folder, locked by this process. Close gives it back.
type Dir struct {
	path  string
	lock  *os.File
	place place
}

// Unused is a note that Networks leaves out, and why it is not trusted.
type Unused struct{ Path, Why string }

// Open makes the folder if it is missing and takes its lock, for which it waits as long as wait. Another process that holds
// it longer is named by a *[LockedError]. A folder in which other users may write is refused.
func Open(path string, wait time.Duration) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("state folder %s: %w", path, err)
	}
	lock, err := takeLock(filepath.Join(path, "lock"), wait)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock, place: here()}
	if err := d.sweep(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// resolve returns the one full path of a folder, without symbolic links: what is known by its path, such as a process in whose
// command line it stands, is known however the folder was spelled.
func resolve(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(full)
}

// private returns an error for a folder that another user but root can change: what stands there becomes rules, and a link laid
// there would have files written elsewhere.
func private(path string) error {
	var folder unix.Stat_t
	if err := unix.Stat(path, &folder); err != nil {
		return err
	}
	if uid := int(folder.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, who could have written the notes in it; choose a folder of your own with --state-dir", uid)
	}
	if folder.Mode&(unix.S_IWOTH|unix.S_ISVTX) == unix.S_IWOTH { // what is mounted there without options is sticky
		return fmt.Errorf("everybody may write there, and could have written the notes in it; chmod o-w it, or choose another with --state-dir")
	}
	return nil
}

// Path returns the folder's one full path, without symbolic links.
func (d *Dir) Path() string { return d.path }

// Close gives the lock back.
func (d *Dir) Close() error { return d.lock.Close() }

// sweep removes files that a process was killed over while it wrote them, here and in the folders below.
func (d *Dir) sweep() error {
	left, err := filepath.Glob(filepath.Join(escape(d.path), ".*.new"))
	if err != nil {
		return err
	}
	more, err := filepath.Glob(filepath.Join(escape(d.path), "*", ".*.new"))
	if err != nil {
		return err
	}
	left = append(left, more...)
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// escape makes path match itself in a pattern of [filepath.Match].
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// file returns the path of a network's note. Names come from checked XML; one that could lead elsewhere is refused all the
// same.
func (d *Dir) file(name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("network %q: this can't be the name of a file", name)
	}
	return filepath.Join(d.path, "networks", name+".json"), nil
}

// Save writes the note about n, beside its place and then renamed: it is whole or as before.
func (d *Dir) Save(n Network) error {
	path, err := d.file(n.Name)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(note{n, d.place}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("state of %s: %w", n.Name, err)
	}
	if err := writeWhole(path, append(text, '\n')); err != nil {
		return fmt.Errorf("state of %s: %w", n.Name, err)
	}
	return nil
}

// writeWhole writes beside path and renames. It doesn't wait for the disk: notes are of no use after a boot.
func writeWhole(path string, text []byte) error {
	dir, base := filepath.Split(path)
	tmp := filepath.Join(dir, "."+base+".new")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// Remove deletes the note about the network called name; that there is none is no error.
func (d *Dir) Remove(name string) error {
	path, err := d.file(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state of %s: %w", name, err)
	}
	return nil
}

// Networks returns the notes about this boot and network namespace, in the order of their networks. The others are returned
// as unused, for the caller to say so; they are replaced when their network is applied again. A note of another boot is
// removed as well: what it tells of has gone with that boot.
func (d *Dir) Networks() (networks []Network, unused []Unused, err error) {
	paths, err := filepath.Glob(filepath.Join(escape(d.path), "networks", "*.json"))
	if err != nil {
		return nil, nil, err
	}
	notes, errs := make([]note, len(paths)), make([]error, len(paths))
	spread.Over(len(paths), func(i int) { notes[i], errs[i] = read(paths[i]) })
	for i, path := range paths {
		if errs[i] != nil {
			return nil, nil, errs[i]
		}
		switch n := &notes[i]; {
		case n.Name == "":
			unused = append(unused, Unused{path, "is damaged"})
		case n.Boot != d.place.Boot:
			unused = append(unused, Unused{path, "is from before the host was booted"})
			if err := os.Remove(path); err != nil {
				return nil, nil, err
			}
		case n.NetNS != d.place.NetNS:
			unused = append(unused, Unused{path, "is about another network namespace, which should have a --state-dir of its own,"})
		default:
			networks = append(networks, n.Network)
		}
	}
	sort.SliceStable(networks, func(i, j int) bool { return networks[i].Order < networks[j].Order })
	return networks, unused, nil
}

// read returns the note in the file, the zero note if it is damaged.
func read(path string) (n note, err error) {
	text, err := os.ReadFile(path)
	if err == nil && (json.Unmarshal(text, &n) != nil || n.Name+".json" != filepath.Base(path)) {
		n = note{}
	}
	return n, err
}
