package state

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// LockedError says that another process holds the state folder.
type LockedError struct {
	Path   string
	Holder string // pid and command line, as the holder wrote them
	Waited time.Duration
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is held by another vnetc (%s); waited %s", e.Path, e.Holder, e.Waited)
}

// between is the time between two tries for the lock: short beside what a holder does.
const between = 20 * time.Millisecond

// takeLock opens the file and locks it, trying for as long as wait. The kernel gives the lock back when the process ends,
// however it ends. The file says who holds it.
func takeLock(path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	begin := time.Now()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		waited := time.Since(begin)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || waited >= wait {
			defer f.Close()
			if !errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("lock %s: %w", path, err)
			}
			return nil, &LockedError{Path: path, Holder: holder(path), Waited: waited.Round(time.Millisecond)}
		}
		time.Sleep(min(between, wait-waited))
	}
	text := fmt.Sprintf("pid %d: %s\n", os.Getpid(), strings.Join(os.Args, " "))
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// holder returns what the holder of the lock wrote into it.
func holder(path string) string {
	text, err := os.ReadFile(path)
	if line := strings.TrimSpace(string(text)); err == nil && line != "" {
		return line
	}
	return "unknown"
}
