package dnsmasq

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// AllowedFile is where the administrator of a host lists the options of dnsmasq that networks may
// set though they reach beyond the network.
const AllowedFile = "/etc/vnetc/dnsmasq-options"

// Allowed is what such a file lists. The zero value allows nothing.
type Allowed struct{ options map[[2]string]bool } // by network, * for all, and option

// Allows is true if the network may set the option.
func (a Allowed) Allows(network, option string) bool {
	return a.options[[2]string{network, option}] || a.options[[2]string{"*", option}]
}

// ReadAllowed reads the file at path: a line names a network, or * for all, and behind a blank an
// option; # begins a comment. That there is no file is no error. A file that another user but root
// could have written is one: it decides over the host.
func ReadAllowed(path string) (Allowed, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) // nor waits for a FIFO
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return Allowed{}, nil
	}
	if err != nil {
		return Allowed{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if err := rootOnly(f); err != nil {
		return Allowed{}, err
	}
	const limit = 1 << 20
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	if err != nil {
		return Allowed{}, err
	}
	a := Allowed{options: make(map[[2]string]bool)}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 2 {
			return Allowed{}, fmt.Errorf("%s:%d: a network and an option are wanted, such as %q", path, n,
				"lab dhcp-script")
		}
		option := words[len(words)-1]
		network := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line),
			option)) // a name may have blanks in it
		a.options[[2]string{network, option}] = true
	}
	return a, nil
}

// rootOnly returns an error unless f is a regular file that only root, or who runs this process,
// can write, in a folder of which the same is true.
func rootOnly(f *os.File) error {
	var file, folder unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &file); err != nil {
		return &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if file.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s: this is no regular file", f.Name())
	}
	dir := filepath.Dir(f.Name())
	if err := unix.Stat(dir, &folder); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	for _, at := range []struct {
		path string
		stat unix.Stat_t
	}{{f.Name(), file}, {dir, folder}} {
		if at.stat.Uid != 0 && int(at.stat.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to user %d, who could allow everything by it: chown root %s", at.path,
				at.stat.Uid, at.path)
		}
		if at.stat.Mode&(unix.S_IWGRP|unix.S_IWOTH) != 0 {
			return fmt.Errorf("others than root may write %s, and could allow everything by it: chmod go-w %s", at.path,
				at.path)
		}
	}
	return nil
}
