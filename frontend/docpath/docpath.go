// Package docpath reads the documents that a command line names: each PATH is a file, a directory,
// - for stdin, or the word default for the network that is built in. It knows nothing of what the
// documents mean.
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
	"github.com/vnetc/vnetc/ir/parallel"
)

// Default is the PATH that stands for [DefaultNetwork] where there is no file of that name.
const Default = "default"

// Stdin is what the text that comes from there is called.
const Stdin = "<stdin>"

//go:embed default.xml
var defaultXML string

// DefaultNetwork returns the XML of the network that libvirt calls default: NAT on virbr0,
// 192.168.122.0/24.
func DefaultNetwork() []byte { return []byte(defaultXML) }

// UsageError is an error in the PATHs that the user gave. All other errors of this package are the
// host's.
type UsageError struct{ text string }

// Error implements error.
func (e UsageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return UsageError{fmt.Sprintf(format, args...)} }

// Networks is where the networks of a host stand; a PATH that is no file may be the name of one.
const Networks = "/etc/vnetc/networks"

// policySuffix is how the names of files with a policy end.
const policySuffix = ".policy"

// IsPolicy is true if a source is a policy, by the name of its file; all others are networks.
func IsPolicy(name string) bool { return strings.HasSuffix(name, policySuffix) }

// Read reads every PATH: files, directories (their *.xml and *.policy in order of name), - for
// stdin, the network that is built in, and names of networks in [Networks]. A document is read no
// further than one byte past what the front ends take. The names of files are as [diag.Visible]
// makes them.
func Read(stdin io.Reader, paths []string) (*diag.Sources, error) {
	return read(stdin, paths, Networks)
}

func read(stdin io.Reader, paths []string, networks string) (*diag.Sources, error) {
	src := &diag.Sources{}
	var files []string // to be read at once
	for _, path := range paths {
		if path == "-" && src.Has(Stdin) {
			return nil, usagef("%s is given twice, and stdin is read once", path)
		}
		found, err := find(stdin, path, networks)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			name := diag.Visible(f.Path)
			if src.Has(name) {
				return nil, usagef("%s is given twice", name)
			}
			src.Add(name, f.Text)
			if f.Linked {
				src.Hide(name)
			}
			if f.Text == nil {
				files = append(files, f.Path)
			}
		}
	}
	texts, errs := make([][]byte, len(files)), make([]error, len(files))
	parallel.For(len(files), func(i int) { texts[i], errs[i] = ReadFile(files[i]) })
	for i, file := range files {
		if errs[i] != nil {
			return nil, errs[i]
		}
		src.Add(diag.Visible(file), texts[i])
	}
	return src, nil
}

// find returns what path stands for. Files that are named by themselves have no text yet.
func find(stdin io.Reader, path, networks string) ([]File, error) {
	if path == "-" {
		text, err := readLimited(stdin)
		if err != nil {
			return nil, fmt.Errorf("read stdin: %w", err)
		}
		return []File{{Path: Stdin, Text: text}}, nil
	}
	info, err := os.Stat(path)
	if _, here := os.Lstat(path); errors.Is(here, fs.ErrNotExist) {
		return named(path, networks)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is a link to nowhere", path)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []File{{Path: path}}, nil
	}
	files, err := Files(path)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, usagef("%s: no *.xml and no *.policy in this directory", path)
	}
	return files, nil
}

// named returns the network that a word stands for where there is no such file.
func named(word, networks string) ([]File, error) {
	if word == Default {
		return []File{{Path: Default, Text: DefaultNetwork()}}, nil
	}
	if strings.Contains(word, "/") || strings.HasPrefix(word, ".") || strings.HasSuffix(word, ".xml") ||
		IsPolicy(word) {
		return nil, fmt.Errorf("%s: there is no such file or directory", word)
	}
	path := filepath.Join(networks, word+".xml")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%s: there is no such file or directory, and no network %s", word, path)
	}
	return []File{{Path: path}}, nil
}

// ReadPolicies adds to src the files that are policies whatever their names, and returns what they
// are called there.
func ReadPolicies(src *diag.Sources, paths []string) (names []string, err error) {
	for _, path := range paths {
		name := diag.Visible(path)
		if src.Has(name) {
			return nil, usagef("%s is given twice", name)
		}
		text, err := ReadFile(path)
		if err != nil {
			return nil, err
		}
		src.Add(name, text)
		names = append(names, name)
	}
	return names, nil
}

// IsNetwork is true if the host has a network of this name in [Networks].
func IsNetwork(name string) bool {
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return false
	}
	_, err := os.Stat(filepath.Join(Networks, name+".xml"))
	return err == nil
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
