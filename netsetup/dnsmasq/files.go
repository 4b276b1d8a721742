package dnsmasq

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

// Files is the text of the files that dnsmasq reads. Hosts is nil if the network has no DHCP,
// AddnHosts if it has no DNS; those that are empty and not nil are there for what may come later.
// Reserved, which libvirt doesn't have, is nil unless the network has both.
type Files struct{ Conf, Hosts, AddnHosts, Reserved []byte }

// All goes over the files by path, the configuration first. A text is nil if there is to be no such
// file.
func (f Files) All(p Paths) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		_ = yield(p.Conf, f.Conf) && yield(p.Hosts, f.Hosts) && yield(p.AddnHosts, f.AddnHosts) &&
			yield(p.Reserved, f.Reserved)
	}
}

// Shown goes over the files that there are to be, as All does, without reserved names if there are
// none.
func (f Files) Shown(p Paths) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for path, text := range f.All(p) {
			if text == nil || path == p.Reserved && len(text) == 0 {
				continue
			}
			if !yield(path, text) {
				return
			}
		}
	}
}

// Print returns the files as one text, each under a line with its path.
func (f Files) Print(p Paths) []byte {
	var text []byte
	for path, content := range f.Shown(p) {
		text = fmt.Appendf(text, "## %s\n%s", path, content)
	}
	return text
}

// Change is what a running dnsmasq needs to take over other files.
type Change string

const (
	Same    Change = "same"    // nothing
	Hosts   Change = "hosts"   // SIGHUP: it reads the hosts of DHCP and of DNS again
	Restart Change = "restart" // to be restarted: it reads its configuration once
)

// Compare returns the least change that leads from old to new.
func Compare(old, new Files) Change {
	switch {
	case !bytes.Equal(old.Conf, new.Conf), (old.Reserved == nil) != (new.Reserved == nil),
		matched(old.Reserved) != matched(new.Reserved): // in the command line
		return Restart
	case sameFile(old.Hosts, new.Hosts) && sameFile(old.AddnHosts, new.AddnHosts) &&
		sameFile(old.Reserved, new.Reserved):
		return Same
	}
	return Hosts
}

// sameFile is true if the texts are equal, and an empty file is not none.
func sameFile(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// ReadFiles returns what the running dnsmasq has read, by its files: hosts that a Reload was cut
// off over are nil, and so differ from any. Files that are missing are nil too.
func ReadFiles(p Paths) (Files, error) {
	var f Files
	var err error
	if f.Conf, err = readFile(p.Conf); err != nil {
		return Files{}, err
	}
	if f.Reserved, err = readFile(p.Reserved); err != nil {
		return Files{}, err
	}
	if _, err := os.Lstat(p.Stale); !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if f.Hosts, err = readFile(p.Hosts); err != nil {
		return Files{}, err
	}
	if f.AddnHosts, err = readFile(p.AddnHosts); err != nil {
		return Files{}, err
	}
	return f, nil
}

func readFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if text == nil {
		text = []byte{}
	}
	return text, err
}

// Write puts the files where a dnsmasq that is started next reads them: Stage and Put.
func (f Files) Write(p Paths) error {
	if err := f.Stage(p); err != nil {
		return err
	}
	return f.Put(p)
}

// Stage writes the files that differ from those that are there, each beside its place: if they
// don't fit on the disk, nothing has changed.
func (f Files) Stage(p Paths) error {
	// Open to all: dnsmasq reads the hosts when it has become another user.
	dir := filepath.Dir(p.Conf)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for path, text := range f.All(p) {
		err := remove(temporary(path))
		if there, _ := readFile(path); err == nil && !sameFile(there, text) && text != nil {
			err = stage(path, text)
		}
		if err != nil {
			for path := range f.All(p) {
				err = errors.Join(err, remove(temporary(path)))
			}
			return err
		}
	}
	return nil
}

// Put renames to their places what Stage wrote. A dnsmasq that runs has to be stopped before: it
// would keep its old configuration unnoticed.
func (f Files) Put(p Paths) error {
	for path, text := range f.All(p) {
		err := os.Rename(temporary(path), path)
		if errors.Is(err, fs.ErrNotExist) { // it is there already
			err = nil
		}
		if text == nil {
			err = remove(path)
		}
		if err != nil {
			return err
		}
	}
	return remove(p.Stale)
}

// replace writes a file, or removes it if text is nil.
func replace(path string, text []byte) error {
	if text == nil {
		return remove(path)
	}
	if err := stage(path, text); err != nil {
		return err
	}
	err := os.Rename(temporary(path), path)
	if err != nil {
		os.Remove(temporary(path))
	}
	return err
}

// stage writes a file beside its place.
func stage(path string, text []byte) error {
	tmp := temporary(path)
	err := os.WriteFile(tmp, text, 0o644)
	if err == nil {
		err = os.Chmod(tmp, 0o644) // whatever the umask is
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// temporary is where a file is written before it is renamed. No network's file has such a name.
func temporary(path string) string {
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base+".new")
}

// left lists all that a network may have: its files, its leases among them, and what a process was
// killed over while it wrote them.
func (p Paths) left() []string {
	var all []string
	for _, path := range []string{p.Conf, p.Hosts, p.AddnHosts, p.Reserved} {
		all = append(all, path, temporary(path))
	}
	return append(all, p.PID, p.Leases, p.Stale)
}

// AnyLeft is true if there is something for Remove to delete.
func AnyLeft(p Paths) bool {
	return slices.ContainsFunc(p.left(), func(path string) bool {
		_, err := os.Lstat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// Remove deletes all files of a network. That there are none is no error.
func Remove(p Paths) error {
	var err error
	for _, path := range p.left() {
		err = errors.Join(err, remove(path))
	}
	return err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
