package xmldoc

import (
	"fmt"
	"sort"
	"strings"
	"unicode"

	"github.com/vnetc/vnetc/ir/diag"
)

// Report collects the diagnostics of one document.
type Report struct {
	Source *Source
	List   diag.List
	Lax    bool // Lax is true if what the table of the language doesn't know draws warnings, not errors.
	Alien  bool // Alien is true if the text is no XML at all, so that it may be anything, and must not be shown.
}

// Fault adds an error. What, why and fix are as in [diag.Diagnostic].
func (r *Report) Fault(code diag.Code, at Extent, what, why, fix string, related ...diag.Related) {
	r.add(diag.Error, code, at, what, why, fix, related)
}

// Warn adds a warning.
func (r *Report) Warn(code diag.Code, at Extent, what, why, fix string, related ...diag.Related) {
	r.add(diag.Warning, code, at, what, why, fix, related)
}

func (r *Report) add(severity diag.Severity, code diag.Code, at Extent, what, why, fix string, related []diag.Related) {
	r.List = append(r.List, diag.Diagnostic{
		Severity: severity, Code: code, Span: r.Source.Span(at), What: what, Why: why, Fix: fix, Related: related,
	})
}

// Unknown adds what the language has no place for: an error, or a warning if the user is lax.
func (r *Report) Unknown(code diag.Code, at Extent, what, why, fix string) {
	if r.Lax {
		r.Warn(code, at, what, why, fix)
		return
	}
	r.Fault(code, at, what, why, fix)
}

// Conceal takes out of the list whatever quotes the text: only kinds of faults and places remain.
func (r *Report) Conceal(why, fix string) {
	for i := range r.List {
		d := &r.List[i]
		info, _ := diag.Find(d.Code)
		d.What, d.Why, d.Fix = info.Title, why, fix
	}
}

// Related points at a second place of the same file.
func (r *Report) Related(at Extent, text string) diag.Related {
	return diag.Related{Span: r.Source.Span(at), Text: text}
}

// Sort puts the list in the order of the file.
func (r *Report) Sort() {
	sort.SliceStable(r.List, func(i, j int) bool {
		return r.List[i].Span.Start.Offset < r.List[j].Span.Start.Offset
	})
}

// maxQuote is how many characters of a value a message shows.
const maxQuote = 60

// Quote returns v in double quotes on one line, shortened if it is long, with everything that can't
// be seen written as Go escapes, so that a message never carries control characters to a terminal.
func Quote(v string) string { return fmt.Sprintf("%q", Short(v)) }

// Short cuts v after maxQuote characters.
func Short(v string) string {
	n := 0
	for i := range v {
		if n == maxQuote {
			return v[:i] + "…"
		}
		n++
	}
	return v
}

// Words joins names as prose does: "a", "a or b", "a, b or c".
func Words(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}

// Nearest returns the one of names that was probably meant by word, whatever its case; empty if
// none is near.
func Nearest(word string, names []string) string {
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

// Blank is true if s holds white space only.
func Blank(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }
