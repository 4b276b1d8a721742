package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// jsonDiagnostic is the object that [JSON] writes for a Diagnostic. Names are only ever added.
type jsonDiagnostic struct {
	Severity string        `json:"severity"` // error, warning or note
	Code     Code          `json:"code"`
	File     string        `json:"file,omitempty"`
	Start    *jsonPos      `json:"start,omitempty"` // absent where the place is not known
	End      *jsonPos      `json:"end,omitempty"`   // the first character behind
	What     string        `json:"what"`
	Why      string        `json:"why,omitempty"`
	Fix      string        `json:"fix,omitempty"`
	Related  []jsonRelated `json:"related,omitempty"`
}

type jsonPos struct {
	Line   int `json:"line"`   // from 1
	Column int `json:"column"` // from 1, in characters
	Offset int `json:"offset"` // from 0, in bytes
}

type jsonRelated struct {
	File  string   `json:"file,omitempty"`
	Start *jsonPos `json:"start,omitempty"`
	End   *jsonPos `json:"end,omitempty"`
	Text  string   `json:"text"`
}

// JSON writes l as an array of objects, in its order:
//
//	{"severity", "code", "file", "start": {"line", "column", "offset"}, "end", "what", "why", "fix",
//	 "related": [{"file", "start", "end", "text"}]}
//
// What is empty or not known is left out, but for severity, code and what. Lines and columns count
// from 1, columns in characters, offsets from 0 in bytes.
func JSON(w io.Writer, l List) error { return WriteJSON(w, jsonList(l)) }

// MarshalJSON returns the array that [JSON] writes, as a part for a larger document; [WriteJSON]
// writes such a one.
func MarshalJSON(l List) (json.RawMessage, error) {
	var b bytes.Buffer
	err := JSON(&b, l)
	return bytes.TrimSpace(b.Bytes()), err
}

func jsonList(l List) []jsonDiagnostic {
	all := make([]jsonDiagnostic, len(l))
	for i, d := range l {
		j := jsonDiagnostic{Severity: d.Severity.String(), Code: d.Code, File: d.Span.File, What: d.What, Why: d.Why,
			Fix: d.Fix}
		j.Start, j.End = jsonSpan(d.Span)
		for _, r := range d.Related {
			other := jsonRelated{File: r.Span.File, Text: r.Text}
			other.Start, other.End = jsonSpan(r.Span)
			j.Related = append(j.Related, other)
		}
		all[i] = j
	}
	return all
}

func jsonSpan(s Span) (start, end *jsonPos) {
	if !s.IsValid() {
		return nil, nil
	}
	pos := func(p Pos) *jsonPos { return &jsonPos{Line: p.Line, Column: p.Col, Offset: p.Offset} }
	return pos(s.Start), pos(s.End)
}

// WriteJSON writes v as JSON with indents, and with everything that does not print escaped:
// encoding/json leaves DEL, C1 controls and marks of direction as they are, which a terminal may
// obey. They can only stand in strings.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	var out bytes.Buffer
	for _, r := range b.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r) // RFC 8259 section 7
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
