package docpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vnetc/vnetc/ir/parallel"
)

// File is one document of a directory.
type File struct {
	Path string
	Text []byte
	// Linked is true if a link leads from here out of the directory: the user who put it there may
	// not be able to read the file, and must not learn its content from a user who can.
	Linked bool
}

// Files reads what the shell's *.xml and *.policy mean in dir, sorted by name: no folder, and
// nothing hidden, as an editor leaves beside the file that it has open. A name that is no file,
// such as a pipe on which a reader would wait for ever, is an error.
func Files(dir string) ([]File, error) {
	entries, err := list(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files, errs := make([]File, len(entries)), make([]error, len(entries))
	parallel.For(len(entries), func(i int) { files[i], errs[i] = readIn(root, dir, entries[i]) })
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// list returns what dir has of documents.
func list(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir) // sorted
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return filepath.Ext(e.Name()) != ".xml" && !IsPolicy(e.Name()) || strings.HasPrefix(e.Name(), ".") || e.IsDir()
	}), err
}

// readIn reads a file of root, which is dir. Opening neither waits for somebody at the other end of
// a pipe nor follows a link out of the directory unnoticed, whatever takes the file's place
// meanwhile.
func readIn(root *os.Root, dir string, e fs.DirEntry) (File, error) {
	file := File{Path: filepath.Join(dir, e.Name())}
	link := e.Type()&fs.ModeSymlink != 0
	if !link && !e.Type().IsRegular() {
		return file, notFile(file.Path, e.Type())
	}
	f, err := root.OpenFile(e.Name(), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil && link {
		if info, err := os.Stat(file.Path); err == nil && !info.Mode().IsRegular() {
			return file, notFile(file.Path, info.Mode())
		}
		file.Linked = true
		f, err = os.OpenFile(file.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	if bad, ok := errors.AsType[*fs.PathError](err); ok {
		return file, &fs.PathError{Op: "open", Path: file.Path, Err: bad.Err} // what root says is about the name alone
	}
	if err != nil {
		return file, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return file, err
	}
	if !info.Mode().IsRegular() {
		return file, notFile(file.Path, info.Mode())
	}
	file.Text, err = readLimited(f)
	return file, err
}

// notFile is the error for a name in a directory that is no file.
func notFile(path string, mode fs.FileMode) error {
	what := "a device"
	switch {
	case mode.IsDir():
		what = "a link to a directory"
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	}
	return fmt.Errorf("%s is %s and no file; a directory's *.xml and *.policy are read, so move it away", path, what)
}
