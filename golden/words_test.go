package golden

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// Lines wrap at these columns; a tab is four wide.
const (
	commentColumns = 100
	codeColumns    = 120
)

// goFiles calls f for each Go file of the repository.
func goFiles(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			f(path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWrap: comments wrap at 100 columns and code at 120. A comment that is set as code (after a
// tab or two blanks), expected output, directives, and lines that a long string alone makes long
// may be longer.
func TestWrap(t *testing.T) {
	goFiles(t, func(path string, text []byte) {
		file := layoutOf(path, text)
		output := false
		for i, line := range strings.Split(string(text), "\n") {
			number, trimmed := i+1, strings.TrimSpace(line)
			output = strings.HasPrefix(trimmed, "// Output:") || output && strings.HasPrefix(trimmed, "//")
			width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
			switch {
			case width <= commentColumns || output || file.strings[number]:
			case file.comments[number] && !preformatted.MatchString(trimmed):
				t.Errorf("%s:%d: a comment of %d columns; wrap it at %d", path, number, width, commentColumns)
			case !file.comments[number] && width > codeColumns:
				t.Errorf("%s:%d: code of %d columns; wrap it at %d", path, number, width, codeColumns)
			}
		}
	})
}

// preformatted are comments whose lines are as they must be: directives, code, tables, one long
// word.
var preformatted = regexp.MustCompile(`^//(go:|\t|  )|^// \S+$|^// \|`)

// fileLayout says of a file's lines, by number, what is in them.
type fileLayout struct {
	comments map[int]bool // nothing but a comment
	strings  map[int]bool // inside of a raw string, or a string reaches the limit
}

func layoutOf(path string, text []byte) fileLayout {
	l := fileLayout{comments: make(map[int]bool), strings: make(map[int]bool)}
	files := token.NewFileSet()
	file := files.AddFile(path, -1, len(text))
	lines := strings.Split(string(text), "\n")
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	for {
		pos, tok, literal := s.Scan()
		at := files.Position(pos)
		switch {
		case tok == token.EOF:
			return l
		case tok == token.COMMENT:
			l.comments[at.Line] = strings.TrimSpace(lines[at.Line-1][:at.Column-1]) == ""
		case tok == token.STRING && strings.Contains(literal, "\n"):
			for i := range strings.Count(literal, "\n") + 1 {
				l.strings[at.Line+i] = true
			}
		case tok == token.STRING:
			before := strings.ReplaceAll(lines[at.Line-1][:at.Column-1], "\t", "    ")
			if utf8.RuneCountInString(before+literal) > codeColumns-16 {
				l.strings[at.Line] = true
			}
		}
	}
}

// oldNames are names and words that were replaced, each with the one to use.
var oldNames = map[string]string{
	"asleep": "dormant", "Strays": "Unexpected", "StrayAhead": "ForeignAhead", "Tallies": "Counters",
	"asker": "query connection", "patience": "timeout", "rules of others": "foreign rules",
	"chains of others": "foreign chains", "rules of ours": "our rules", "chains of ours": "our chains",
	"hangs at": "is attached to", "hangs on": "depends on", "made anew": "recreated", "told apart": "distinguished",
	"no rule was touched": "no rule was changed", "apply mends": "apply fixes", "nobody is told": "without an answer",
	"cut short": "interrupted", "LIBVIRT.md": "golden/libvirt/README.md",
}

// TestOldNames: what was renamed keeps its new name, in code, comments, messages and Markdown.
func TestOldNames(t *testing.T) {
	var all []string
	for old := range oldNames {
		all = append(all, regexp.QuoteMeta(old))
	}
	old := regexp.MustCompile(`\b(` + strings.Join(all, "|") + `)\b`)
	look := func(path string, text []byte) {
		if filepath.Base(path) == "words_test.go" {
			return
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, word := range old.FindAllString(line, -1) {
				t.Errorf("%s:%d: %q is now: %s", path, i+1, word, oldNames[word])
			}
		}
	}
	goFiles(t, look)
	pages, err := filepath.Glob("../*/README.md")
	more, err2 := filepath.Glob("../*/*/README.md")
	if err != nil || err2 != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v, %v", err, err2)
	}
	for _, path := range append(append(pages, more...), "../README.md", "../.github/CONTRIBUTING.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		look(path, text)
	}
}
