package state

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

// Largest state files that are read, in bytes. A network's file holds its XML, whose characters
// JSON spells with up to six bytes.
const (
	maxNetwork = 8 << 20
	maxSmall   = 8 << 20
	maxPending = 256 << 20
)

// UntrustedError says why a file or folder that is there is not used: somebody else could have
// written it.
type UntrustedError struct{ Path, Why string }

func (e *UntrustedError) Error() string { return e.Path + ": " + e.Why }

// trustFolder returns an error for a folder, named by its full path without symbolic links, that
// somebody other than root and the caller can change or exchange: what is in it becomes rules, and
// a link laid there would have files written elsewhere.
func trustFolder(path string) error {
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &UntrustedError{path, "it is not a folder"}
	}
	if why := untrusted(&s); why != "" {
		return &UntrustedError{path, why}
	}
	for above := filepath.Dir(path); ; above = filepath.Dir(above) {
		if err := unix.Lstat(above, &s); err != nil {
			return &fs.PathError{Op: "stat", Path: above, Err: err}
		}
		if s.Uid == overflowUID && inUserNamespace() {
			s.Uid = 0 // the host's root, whom this namespace does not map
		}
		if why := untrusted(&s); why != "" {
			return &UntrustedError{above, why}
		}
		if above == "/" {
			return nil
		}
	}
}

// untrusted says why what s describes could have been written by others; empty if only root and the
// caller can. In a sticky folder others can add files, and those have another owner, but exchange
// none.
func untrusted(s *unix.Stat_t) string {
	sticky := s.Mode&unix.S_IFMT == unix.S_IFDIR && s.Mode&unix.S_ISVTX != 0
	switch uid := int(s.Uid); {
	case uid != 0 && uid != os.Geteuid():
		return fmt.Sprintf("it belongs to user %d, who could have changed it", uid)
	case sticky:
		return ""
	case s.Mode&unix.S_IWOTH != 0:
		return "all users may write there; chmod o-w it"
	case s.Mode&unix.S_IWGRP != 0 && s.Gid != 0:
		return fmt.Sprintf("group %d may write there; chmod g-w it", s.Gid)
	}
	return ""
}

// overflowUID is the user that a user namespace shows for those it does not map
// (user_namespaces(7)).
const overflowUID = 65534

// inUserNamespace is true if this process does not see every user of the host: the root of the host
// has another number here.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && !(len(fields) == 3 && fields[0] == "0" && fields[1] == "0" && fields[2] == "4294967295")
}

// openTrusted opens a regular file that only root or the caller can have written. It follows no
// symbolic link and does not block, as the opening of a FIFO would.
func openTrusted(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0o644)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, &UntrustedError{path, "it is a symbolic link"}
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EISDIR):
		return nil, &UntrustedError{path, "it is not a regular file"} // a socket, a FIFO, a device or a folder
	case err != nil:
		return nil, err
	}
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	why := untrusted(&s)
	if s.Mode&unix.S_IFMT != unix.S_IFREG {
		why = "it is not a regular file"
	}
	if why != "" {
		f.Close()
		return nil, &UntrustedError{path, why}
	}
	return f, nil
}

// readTrusted returns the text of a file that [openTrusted] opens, if it has at most limit bytes.
func readTrusted(path string, limit int64) ([]byte, error) {
	f, err := openTrusted(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, &UntrustedError{path, fmt.Sprintf("it has more than %d bytes", limit)}
	}
	return text, err
}
