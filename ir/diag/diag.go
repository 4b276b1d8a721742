// Package diag holds positions in source text and what vnetc has to say about them: one structure,
// rendered as text with the source line, as JSON and as SARIF. It uses the standard library only,
// so that every other package may use it.
package diag

import (
	"fmt"
	"sort"
	"strings"
)

// Severity says whether a Diagnostic stops the work. The zero value is invalid.
type Severity uint8

const (
	// Error stops the work: no output is made.
	Error Severity = iota + 1
	// Warning is about input that works and is hardly meant.
	Warning
	// Note is for the curious: something was left out by nature or by choice, and the output is
	// still complete.
	Note
)

// String returns the word that stands in text output and in JSON.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Note:
		return "note"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// Pos is a place in a text. Line and Col count from 1, Col in characters (Unicode code points),
// Offset in bytes from 0. The zero value means "no place".
type Pos struct {
	Offset, Line, Col int
}

// IsValid is true if p is a place in a text.
func (p Pos) IsValid() bool { return p.Line > 0 }

// Span is a piece of a file, from Start up to and without End. File is the name the user gave.
type Span struct {
	File       string
	Start, End Pos
}

// IsValid is true if s names a place.
func (s Span) IsValid() bool { return s.Start.IsValid() }

// String returns file:line:col, or the file name alone where the place is unknown.
func (s Span) String() string {
	if !s.IsValid() {
		return s.File
	}
	return fmt.Sprintf("%s:%d:%d", s.File, s.Start.Line, s.Start.Col)
}

// Related is a second place that explains a Diagnostic, such as the other of two colliding
// elements.
type Related struct {
	Span Span
	Text string
}

// Diagnostic is one thing to say about the input. What names the user's own value, Why the rule
// behind it, Fix what to type instead; all three are single lines in lower case without a full
// stop.
type Diagnostic struct {
	Severity Severity
	Code     Code
	Span     Span
	What     string
	Why      string
	Fix      string
	Related  []Related
}

// String returns the one-line form, file:line:col: severity: what [code].
func (d Diagnostic) String() string {
	where := d.Span.String()
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%s%s: %s [%s]", where, d.Severity, d.What, d.Code)
}

// List is all that was found. It is an error when it holds at least one Error; see [List.Err].
type List []Diagnostic

// Error joins the one-line forms.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// HasErrors is true if l holds a Diagnostic of severity Error.
func (l List) HasErrors() bool {
	for _, d := range l {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Err returns l as an error, or nil if it holds no Error.
func (l List) Err() error {
	if l.HasErrors() {
		return l
	}
	return nil
}

// Count returns how many diagnostics have severity s.
func (l List) Count(s Severity) int {
	n := 0
	for _, d := range l {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Sort orders l by the order of files in src, then by place; equal places keep their order. Files
// that src does not know come last.
func (l List) Sort(src *Sources) {
	sort.SliceStable(l, func(i, j int) bool {
		a, b := l[i].Span, l[j].Span
		if a.File != b.File {
			return src.index(a.File) < src.index(b.File)
		}
		return a.Start.Offset < b.Start.Offset
	})
}
