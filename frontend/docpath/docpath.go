// Package docpath reads the documents that a command line names: each PATH is a file, a directory, - for stdin, or the word
// default for the network that is built in. It knows nothing of what the documents mean.
package docpath

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/spread"
)

// Default is the PATH that stands for [DefaultNetwork] where there is no file of that name.
const Default = "default"

// Stdin is what the text that comes from there is called.
const Stdin = "<stdin>"

//go:embed default.xml
var defaultXML string

// DefaultNetwork returns the XML of the network that libvirt calls default: NAT on virbr0, 192.168.122.0/24.
func DefaultNetwork() []byte { return []byte(defaultXML) }

// UsageError is an error of whoever wrote the PATHs. All other errors of this package are the host's.
type UsageError struct{ text string }

// Error implements error.
func (e UsageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return UsageError{fmt.Sprintf(format, args...)} }

// Read reads every PATH: files, directories (their *.xml in order of name), - for stdin, and the network that is built in. A
// document is read no further than one byte past what the front ends take.
func Read(stdin io.Reader, paths []string) (*diag.Sources, error) {
	src := &diag.Sources{}
	var files []string
	for _, path := range paths {
		if path == "-" {
			if src.Has(Stdin) {
				return nil, usagef("%s is given twice, and stdin is read once", path)
			}
			text, err := readLimited(stdin)
			if err != nil {
				return nil, fmt.Errorf("read stdin: %w", err)
			}
			src.Add(Stdin, text)
			continue
		}
		if _, err := os.Lstat(path); path == Default && errors.Is(err, fs.ErrNotExist) {
			if src.Has(Default) {
				return nil, usagef("%s is given twice", path)
			}
			src.Add(Default, DefaultNetwork())
			continue
		}
		more, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, file := range more {
			if src.Has(file) {
				return nil, usagef("%s is given twice", file)
			}
			src.Add(file, nil) // its place; the text follows
		}
		files = append(files, more...)
	}
	texts, errs := make([][]byte, len(files)), make([]error, len(files))
	spread.Over(len(files), func(i int) { texts[i], errs[i] = ReadFile(files[i]) })
	for i, file := range files {
		if errs[i] != nil {
			return nil, errs[i]
		}
		src.Add(file, texts[i])
	}
	return src, nil
}

// expand returns path itself, or the XML files in it if it is a directory.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s: there is no such file or directory", path)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := XMLFiles(path)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, usagef("%s: no *.xml in this directory", path)
	}
	return files, nil
}

// XMLFiles returns what the shell's *.xml means in dir, sorted by name: no folder, and nothing hidden, as an editor leaves beside
// the file that it has open.
func XMLFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".xml" && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// ReadFile reads one document. Errors name the file.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f)
}

func readLimited(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, xmldoc.MaxSize+1))
}
