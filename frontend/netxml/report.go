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

// nearest returns the one of names that was probably meant by word: equal but for case, or at most a third of its
// letters away; empty if none is near.
func nearest(word string, names []string) string {
	if len(word) > 40 {
		return ""
	}
	best, limit := "", 1+len(word)/3
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name), limit); d <= limit && d < len(name) {
			best, limit = name, d-1
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour to get from a to b (optimal
// string alignment); anything above limit is limit+1.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit+1)
}

// blank is true if s holds white space only.
func blank(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }
