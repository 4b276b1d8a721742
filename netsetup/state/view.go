package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// View is the state folder for those who only read it: it takes no lock, so it delays no other
// process, needs no write permission, and is not delayed. What was read together is from one moment
// if [View.Moved] is false afterwards.
type View struct {
	folder
	seen generation
}

// Look returns the state folder at path as it is now; one that is missing is empty. A folder in
// which others may write is refused with an [UntrustedError].
func Look(path string) (*View, error) {
	full, err := resolve(path)
	if errors.Is(err, fs.ErrNotExist) {
		full, err = filepath.Abs(path)
		return &View{folder: folder{path: full, boot: here()}}, err
	}
	if err == nil {
		err = trustFolder(full)
	}
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	v := &View{folder: folder{path: full, boot: here()}}
	v.seen, err = v.generation()
	return v, err
}

// Changing is true if a change had begun and not ended when the View was made: another process
// works, or was killed.
func (v *View) Changing() bool { return v.seen.changing() }

// Moved is true if a change began or ended since the View was made: what was read from the folder
// and from the kernel since may be of two moments.
func (v *View) Moved() (bool, error) {
	now, err := v.generation()
	return now != v.seen, err
}

// generation counts the beginnings and ends of changes: it is odd while one is made. It is the
// first line of the lock file, of fixed length, so that it is rewritten in place and needs no room
// on a full disk.
type generation uint64

func (g generation) changing() bool { return g%2 == 1 }

func (g generation) text() string { return fmt.Sprintf("generation %020d\n", uint64(g)) }

// readGeneration returns the generation that the lock file has; 0 for a new file.
func readGeneration(f io.ReaderAt) generation {
	line := make([]byte, len(generation(0).text()))
	if n, _ := f.ReadAt(line, 0); n < len(line) {
		return 0
	}
	digits, ok := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), "generation ")
	g, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return generation(g)
}

func (f folder) generation() (generation, error) {
	file, err := openTrusted(f.lockFile(), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("lock: %w", err)
	}
	defer file.Close()
	return readGeneration(file), nil
}
