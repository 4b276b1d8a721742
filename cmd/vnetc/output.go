package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/diag"
)

// maxShown is how many diagnostics are printed for people; the rest are counted.
const maxShown = 20

// report prints found to stderr, without notes unless verbose, and returns the error that ends the
// verb if there is one among them.
func report(s streams, src *diag.Sources, found diag.List, verbose bool) error {
	return reportEnd(s, src, found, verbose, "")
}

// reportEnd is report, and ends the error with what did not happen.
func reportEnd(s streams, src *diag.Sources, found diag.List, verbose bool, not string) error {
	shown := found
	if !verbose {
		shown = nil
		for _, d := range found {
			if d.Severity != diag.Note {
				shown = append(shown, d)
			}
		}
	}
	shown = once(shown)
	if err := diag.Text(s.err, shown, src, diag.TextOptions{Color: s.color, Max: maxShown}); err != nil {
		return hostf("%v", err)
	}
	if n := shown.Count(diag.Error); n > 0 {
		return exitError{exitNo, plural(n, "error") + not}
	}
	return nil
}

// once returns found without what is reported again of the same place, as back ends do of each rule
// that has a value they can't say.
func once(found diag.List) diag.List {
	type key struct {
		code string
		span diag.Span
		what string
	}
	seen := make(map[key]bool)
	var out diag.List
	for _, d := range found {
		if k := (key{string(d.Code), d.Span, d.What}); !seen[k] {
			seen[k] = true
			out = append(out, d)
		}
	}
	return out
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// isDir is true if the user means a directory by path: it ends in a slash, or is one.
func isDir(path string) bool {
	if strings.HasSuffix(path, "/") {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// writeDocuments puts each document into dir, which is made if it is missing. All are written
// beside their names first and renamed only when every one is complete, so that a full disk leaves
// the old files.
func writeDocuments(dir string, docs []backends.Document) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return hostf("%v", err)
	}
	return replaceFiles(dir, docs)
}

// replaceFiles is writeDocuments for a directory that is there.
func replaceFiles(dir string, docs []backends.Document) error {
	var staged []string
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // gone already if it was renamed
		}
	}()
	for _, d := range docs {
		tmp, err := stage(filepath.Join(dir, d.File), d.Text)
		if tmp != "" {
			staged = append(staged, tmp)
		}
		if err != nil {
			return err
		}
	}
	for i, d := range docs {
		if err := os.Rename(staged[i], filepath.Join(dir, d.File)); err != nil {
			return hostf("%v", err)
		}
	}
	return nil
}

// writeFile puts text into path, whole or not at all. It makes no directory: a path that is
// mistyped is an error. What is no file, such as /dev/null or a pipe, is written to and stays what
// it is; so does a link, whose file gets the text.
func writeFile(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return orHost(os.WriteFile(path, text, 0))
	}
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
	}
	return replaceFiles(filepath.Dir(path), []backends.Document{{File: filepath.Base(path), Text: text}})
}

// modeOf returns who may read and write the file at path: as it is, or for a new one as the user's
// umask has it.
func modeOf(path string) os.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	mask := unix.Umask(0)
	unix.Umask(mask)
	return 0o666 &^ os.FileMode(mask)
}

// stage writes text to a new file beside path and returns its name.
func stage(path string, text []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", hostf("%v", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(modeOf(path))
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return f.Name(), hostf("%v", err)
	}
	return f.Name(), nil
}
