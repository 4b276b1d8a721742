package main

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/golden"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/spread"
)

// builtIn is the PATH that stands for libvirt's default network where there is no file of that name.
const builtIn = "default"

// stdin is what the text that comes from there is called.
const stdin = "<stdin>"

// readSources reads every PATH: files, directories (their *.xml in order of name), - for stdin, and the network that is
// built in. A file is read no further than one byte past what the front end takes.
func readSources(in io.Reader, paths []string) (*diag.Sources, error) {
	src := &diag.Sources{}
	var files []string
	for _, path := range paths {
		if path == "-" {
			if src.Has(stdin) {
				return nil, usagef("%s is given twice, and stdin is read once", path)
			}
			text, err := readLimited(in)
			if err != nil {
				return nil, hostf("read stdin: %v", err)
			}
			src.Add(stdin, text)
			continue
		}
		if _, err := os.Lstat(path); path == builtIn && errors.Is(err, fs.ErrNotExist) {
			if src.Has(builtIn) {
				return nil, usagef("%s is given twice", path)
			}
			src.Add(builtIn, golden.DefaultNetwork())
			continue
		}
		more, err := xmlFiles(path)
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
	spread.Over(len(files), func(i int) { texts[i], errs[i] = readFile(files[i]) })
	for i, file := range files {
		if errs[i] != nil {
			return nil, errs[i]
		}
		src.Add(file, texts[i])
	}
	return src, nil
}

// xmlFiles returns path itself, or the XML files in it if it is a directory.
func xmlFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s: there is no such file or directory", path)
	}
	if err != nil {
		return nil, hostf("%v", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := golden.XMLFiles(path)
	if err != nil {
		return nil, hostf("%v", err)
	}
	if len(files) == 0 {
		return nil, usagef("%s: no *.xml in this directory", path)
	}
	return files, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hostf("%v", err)
	}
	defer f.Close()
	text, err := readLimited(f)
	if err != nil {
		return nil, hostf("%v", err) // which names the file
	}
	return text, nil
}

func readLimited(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, netxml.MaxSize+1))
}

// compileSources runs the front end: XML to a verified program. The program is nil if the list has errors.
func compileSources(src *diag.Sources, opts netxml.Options) (*ir.Program, diag.List) {
	nets, found := netxml.Parse(src, opts)
	if found.HasErrors() {
		return nil, found
	}
	p := netxml.Lower(nets)
	found = append(found, ir.Verify(p)...)
	if found.HasErrors() {
		return nil, found
	}
	return p, found
}
