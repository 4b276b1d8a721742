// Package state keeps what vnetc did on this host: one file for each network in force, under a lock
// that one process at a time holds to change them. The folder is on a file system that dies with
// the boot, as the kernel's rules do. State files say what was meant, they are not the truth:
// callers compare them with the kernel. A state file that is lost, damaged or from elsewhere says
// nothing; it never says that a network is gone.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultDir is where state lives unless the user says otherwise.
const DefaultDir = "/run/vnetc"

// Dir is the state folder, locked by this process. Close gives it back.
type Dir struct {
	folder
	lock  *os.File
	begun bool // begun is true if this process changed something.
}

// folder is a state folder to read.
type folder struct {
	path string
	boot bootID
}

// Open makes the folder if it is missing and takes its lock, for which it waits as long as wait.
// Another process that holds it longer is named by a *[LockedError]. A folder in which other users
// may write, or which they could exchange, is refused with an [UntrustedError].
func Open(path string, wait time.Duration) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	path, err := resolve(path)
	if err == nil {
		err = trustFolder(path)
	}
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	d := &Dir{folder: folder{path: path, boot: here()}}
	if d.lock, err = takeLock(d.lockFile(), wait); err != nil {
		return nil, err
	}
	if err := d.sweep(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// resolve returns the one full path of a folder, without symbolic links: what is known by its path,
// such as a process in whose command line it stands, is known however the folder was spelled.
func resolve(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(full)
}

// Path returns the folder's one full path, without symbolic links.
func (f folder) Path() string { return f.path }

func (f folder) lockFile() string { return filepath.Join(f.path, "lock") }

// Begin marks the state as changing, until Close, for those who read it without the lock. What
// writes state files does so by itself; who changes only the kernel calls it before. A process that
// is killed leaves the mark, and the next one that ends takes it away.
func (d *Dir) Begin() error {
	if d.begun {
		return nil
	}
	if g := readGeneration(d.lock); !g.changing() {
		if _, err := d.lock.WriteAt([]byte((g + 1).text()), 0); err != nil {
			return fmt.Errorf("lock %s: %w", d.lockFile(), err)
		}
	}
	d.begun = true
	return nil
}

// Close gives the lock back.
func (d *Dir) Close() error {
	var err error
	if g := readGeneration(d.lock); d.begun && g.changing() {
		_, err = d.lock.WriteAt([]byte((g + 1).text()), 0)
	}
	return errors.Join(err, d.lock.Close())
}

// sweep removes files that a process was killed over while it wrote them, here and in the folders
// below.
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

// save writes what as JSON to path, beside its place and then renamed: it is whole or as before.
func (d *Dir) save(path string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	return d.write(path, append(text, '\n'))
}

// write writes beside path and renames. It doesn't wait for the disk: state files are of no use
// after a boot.
func (d *Dir) write(path string, text []byte) error {
	if err := d.Begin(); err != nil {
		return err
	}
	dir, base := filepath.Split(path)
	tmp := filepath.Join(dir, "."+base+".new")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
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

// remove deletes a file; that there is none is no error.
func (d *Dir) remove(path string) error {
	if err := d.Begin(); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
