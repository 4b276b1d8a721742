package netxml

import (
	"fmt"
	"sort"
	"strings"
	"unicode"

	"github.com/vnetc/vnetc/ir/diag"
)

// report gathers what is to be said about one file.
type report struct {
	src  *source
	list diag.List
}

// fault adds an error. what, why and fix are as in [diag.Diagnostic].
func (r *report) fault(code diag.Code, at extent, what, why, fix string, related ...diag.Related) {
	r.add(diag.Error, code, at, what, why, fix, related)
}

// warn adds a warning.
func (r *report) warn(code diag.Code, at extent, what, why, fix string, related ...diag.Related) {
	r.add(diag.Warning, code, at, what, why, fix, related)
}

func (r *report) add(severity diag.Severity, code diag.Code, at extent, what, why, fix string, related []diag.Related) {
	r.list = append(r.list, diag.Diagnostic{
		Severity: severity, Code: code, Span: r.src.span(at), What: what, Why: why, Fix: fix, Related: related,
	})
}

// related points at a second place of the same file.
func (r *report) related(at extent, text string) diag.Related {
	return diag.Related{Span: r.src.span(at), Text: text}
}

// sort puts the list in the order of the file.
func (r *report) sort() {
	sort.SliceStable(r.list, func(i, j int) bool {
		return r.list[i].Span.Start.Offset < r.list[j].Span.Start.Offset
	})
}

// maxQuote is how many characters of a value a message shows.
const maxQuote = 60

// quote returns v in double quotes on one line, shortened if it is long, with everything that can't be seen written as
// Go escapes, so that a message never carries control characters to a terminal.
func quote(v string) string { return fmt.Sprintf("%q", short(v)) }

// short cuts v after maxQuote characters.
func short(v string) string {
	n := 0
	for i := range v {
		if n == maxQuote {
			return v[:i] + "…"
		}
		n++
	}
	return v
}

// words joins names as prose does: "a", "a or b", "a, b or c".
func words(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}

// nearest returns the one of names that was probably meant by word, whatever its case; empty if none is near.
func nearest(word string, names []string) string {
	for _, name := range names {
		if strings.EqualFold(word, name) {
			return name
		}
	}
	if len(word) > maxQuote {
		return ""
	}
	near, _ := diag.Near(word, names)
	return near
}

// blank is true if s holds white space only.
func blank(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }
