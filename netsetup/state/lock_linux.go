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

// takeLock opens the file and locks it, trying for as long as wait. The kernel gives the lock back
// when the process ends, however it ends. The file says who holds it, behind the generation (see
// [generation]).
func takeLock(path string, wait time.Duration) (*os.File, error) {
	f, err := openTrusted(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := waitFor(f, path, wait); err != nil {
		f.Close()
		return nil, err
	}
	if err := sign(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

func waitFor(f *os.File, path string, wait time.Duration) error {
	begin := time.Now()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("lock %s: %w", path, err)
		}
		waited := time.Since(begin)
		if waited >= wait {
			return &LockedError{Path: path, Holder: holder(path), Waited: waited.Round(time.Millisecond)}
		}
		time.Sleep(min(between, wait-waited))
	}
}

// sign writes who holds the lock. A file with a second name isn't a lock that vnetc made: nothing
// is written to it.
func sign(f *os.File) error {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return err
	}
	if s.Nlink != 1 {
		return fmt.Errorf("it has %d names (hard links), and a write would change all of them; remove it", s.Nlink)
	}
	g := readGeneration(f)
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(g.text()+fmt.Sprintf("pid %d: %s\n", os.Getpid(), strings.Join(os.Args, " "))), 0)
	return err
}

// holder returns what the holder of the lock wrote into it.
func holder(path string) string {
	text, err := readTrusted(path, maxSmall)
	_, line, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); err == nil && line != "" {
		return line
	}
	return "unknown"
}
