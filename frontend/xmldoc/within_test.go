package xmldoc

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// A part of a text is found where it is written, whatever XML makes of it.
func TestWithin(t *testing.T) {
	for _, tt := range []struct{ name, written, part, want string }{
		{"plain", "deny from lab", "from", "from"},
		{"behind an entity", "a &lt; b port 7", "port", "port"},
		{"an entity", "a &lt; b", "<", "&lt;"},
		{"a number", "a&#233;&#xe9;b", "éé", "&#233;&#xe9;"},
		{"two ends of lines", "a\r\nb\rc port", "b\nc", "b\rc"},
		{"over an end of line", "a\r\nb", "a\nb", "a\r\nb"},
		{"CDATA", "x <![CDATA[a < b &amp;]]> y", "&amp;", "&amp;"},
		{"out of CDATA", "x<![CDATA[a]]>b", "ab", "a]]>b"},
		{"behind CDATA", "x<![CDATA[a]]>b", "b", "b"},
		{"behind a comment", "one <!-- two --> three", "three", "three"},
		{"over a comment", "on<!-- - -->e", "one", "on<!-- - -->e"},
		{"beyond ASCII", "über alle", "alle", "alle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const before, after = "<farm>\n<animal>", "</animal></farm>"
			root, r := read(before+tt.written+after, true)
			if root == nil {
				t.Fatal(r.List)
			}
			n := root.Kid("animal")
			from := strings.Index(n.Text, tt.part)
			at := r.Source.Within(n.TextAt, from, from+len(tt.part))
			if got := string(r.Source.Text[at.Start:at.End]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Nothing is found at the end of a text, and no part of it beyond.
func TestWithinEnd(t *testing.T) {
	s := &Source{Text: []byte("<a>12345</a>")}
	for _, tt := range []struct {
		from, to int
		want     Extent
	}{{5, 5, Extent{8, 8}}, {0, 0, Extent{3, 3}}, {2, 9, Extent{5, 8}}, {7, 9, Extent{8, 8}}, {3, 2, Extent{6, 6}}} {
		if got := s.Within(Extent{3, 8}, tt.from, tt.to); got != tt.want {
			t.Errorf("%d to %d: got %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}

// checkWithin decodes what is written for each character of value and finds that character.
func checkWithin(t *testing.T, s *Source, at Extent, value string) {
	t.Helper()
	if len(value) > 200 || strings.Contains(string(s.Text[at.Start:at.End]), "<") {
		return // what stands in CDATA can't be decoded by itself
	}
	last := at.Start
	for i, char := range value {
		e := s.Within(at, i, i+utf8.RuneLen(char))
		if e.Start < last || e.End <= e.Start || e.End > at.End {
			t.Fatalf("character %d of %q is at %v of %v", i, value, e, at)
		}
		last = e.End
		if got := decoded(string(s.Text[e.Start:e.End])); got != string(char) {
			t.Fatalf("character %d of %q is written %q", i, value, got)
		}
	}
	if value != "" && last != at.End {
		t.Errorf("%q ends at %d, what is written at %d", value, last, at.End)
	}
}

// decoded is what encoding/xml makes of character data.
func decoded(raw string) string {
	dec := xml.NewDecoder(strings.NewReader("<a>" + raw + "</a>"))
	var text []byte
	for {
		switch token, err := dec.Token(); data := token.(type) {
		case xml.CharData:
			text = append(text, data...)
		case nil:
			if err != io.EOF {
				return "error: " + err.Error()
			}
			return string(text)
		}
	}
}

// A text of many pieces is found as it is by a look at the whole, from everywhere.
func TestWriting(t *testing.T) {
	piece := "deny &lt;a&#x20;<![CDATA[&lt;]]> é\r\n<!-- & -->"
	s := &Source{Name: "a", Text: []byte("<a>" + strings.Repeat(piece, 200) + "</a>")}
	at := Extent{3, int32(len(s.Text) - 4)}
	w := s.Writing(at)
	for from := 0; from < 200*20; from += 7 {
		for _, to := range []int{from, from + 1, from + 30, from + 3*markEvery} {
			if got, want := w.Span(from, to), s.Span(s.Within(at, from, to)); got != want {
				t.Fatalf("%d to %d: got %v, want %v", from, to, got, want)
			}
		}
	}
	if len(w.marks) < 5 {
		t.Errorf("only %d marks", len(w.marks))
	}
}
