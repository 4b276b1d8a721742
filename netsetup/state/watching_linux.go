package state

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Watching says, until the file is closed, that this process would undo a change that waits in the
// folder at path.
func Watching(path string) (*os.File, error) {
	f, err := openTrusted(filepath.Join(path, watchingFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// AwaitWatchers waits until no process would undo a change that waits in the folder at path, but no
// longer than wait. The process that has ended a change calls it: if the folder were lost before
// such a process has looked, it would undo the change all the same.
func AwaitWatchers(path string, wait time.Duration) {
	f, err := openTrusted(filepath.Join(path, watchingFile), os.O_RDWR)
	if err != nil {
		return
	}
	defer f.Close()
	for until := time.Now().Add(wait); time.Now().Before(until); time.Sleep(between) {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return
		}
	}
}
