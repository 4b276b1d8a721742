package diag_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// spanOf returns the span of the n-th occurrence (from 0) of piece in text, called f.
func spanOf(t *testing.T, text, piece string, n int) diag.Span {
	t.Helper()
	at := 0
	for ; n >= 0; n-- {
		i := strings.Index(text[at:], piece)
		if i < 0 {
			t.Fatalf("%q is not in the text", piece)
		}
		at += i
		if n > 0 {
			at += len(piece)
		}
	}
	lines := diag.NewLines([]byte(text))
	return diag.Span{File: "f", Start: lines.Pos(at), End: lines.Pos(at + len(piece))}
}

func TestText(t *testing.T) {
	long := "<a " + strings.Repeat("x='y' ", 40) + "bad='value' " + strings.Repeat("x='y' ", 40) + "/>"
	tests := []struct {
		name string
		text string
		mark string // the first occurrence is what is wrong
		want string // without the first line
	}{
		{"in the middle", "<a>\n  <b c='d'/>\n</a>\n", "'d'",
			"    2 |   <b c='d'/>\n      |        ^~~\n"},
		{"one character", "<a/>", "<", "    1 | <a/>\n      | ^\n"},
		{"last line without its end", "a\nbc", "c", "    2 | bc\n      |  ^\n"},
		{"line end of Windows", "ab\r\ncd\r\n", "b", "    1 | ab\n      |  ^\n"},
		{"over the line end", "ab\ncd", "b\nc", "    1 | ab\n      |  ^\n"},
		{"tabs", "\t<a\tb='c'/>", "b", "    1 |     <a  b='c'/>\n      |         ^\n"},
		{"many bytes, one column", "<ä é='ö'/>", "'ö'", "    1 | <ä é='ö'/>\n      |      ^~~\n"},
		{"wide characters", "<a 名='网络' x/>", "网络", "    1 | <a 名='网络' x/>\n      |        ^~~~\n"},
		{"behind wide characters", "<a 名='网络' x/>", "x", "    1 | <a 名='网络' x/>\n      |              ^\n"},
		{"combining mark", "e\u0301x", "x", "    1 | e\u0301x\n      |  ^\n"},
		{"escape sequence", "<a b='\x1b[2J'/>", "\x1b[2J", "    1 | <a b='\\x1b[2J'/>\n      |       ^~~~~~~\n"},
		{"no UTF-8", "<a b='\xff'/>", "\xff", "    1 | <a b='\\xff'/>\n      |       ^~~~\n"},
		{"direction of writing", "a\u202eb", "b", "    1 | a\\u202eb\n      |        ^\n"},
		{"long line", long, "bad",
			"    1 | …" + strings.Repeat("x='y' ", 7)[2:] + "bad='value' " + strings.Repeat("x='y' ", 12)[:68] + "…\n" +
				"      | " + strings.Repeat(" ", 41) + "^~~\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var src diag.Sources
			src.Add("f", []byte(tt.text))
			d := diag.Diagnostic{Severity: diag.Error, Code: "c", What: "w", Span: spanOf(t, tt.text, tt.mark, 0)}
			var b bytes.Buffer
			if err := diag.Text(&b, diag.List{d}, &src, diag.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d.String()+"\n"+tt.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTextVeryLongLine: what is shown of a line does not grow with it.
func TestTextVeryLongLine(t *testing.T) {
	text := strings.Repeat("ü", 1<<20) + "!" + strings.Repeat("\x1b", 1<<20)
	var src diag.Sources
	src.Add("f", []byte(text))
	var b bytes.Buffer
	d := diag.Diagnostic{Severity: diag.Error, Code: "c", What: "w", Span: spanOf(t, text, "!", 0)}
	if err := diag.Text(&b, diag.List{d}, &src, diag.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if n := len([]rune(lines[1])); n > 140 {
		t.Errorf("the line is shown in %d characters", n)
	}
	if got, want := strings.IndexRune(lines[2], '^'), len([]rune(lines[1][:strings.IndexByte(lines[1],
		'!')])); got != want {
		t.Errorf("marker in column %d, want %d", got, want)
	}
}

func TestTextWhole(t *testing.T) {
	text := "<a name='x'/>\n<b name='x'/>\n"
	var src diag.Sources
	src.Add("f", []byte(text))
	l := diag.List{
		{Severity: diag.Error, Code: "test-code", Span: spanOf(t, text, "'x'", 1), What: `name "x" is taken`,
			Why: "a name names one thing",
			Fix: "take another", Related: []diag.Related{{Span: spanOf(t, text, "'x'", 0), Text: "it was given here"}}},
		{Severity: diag.Warning, Code: "far", Span: diag.Span{File: "other",
			Start: diag.Pos{Offset: 0, Line: 3, Col: 4}}, What: "no source\nfor \x1b[31mthis"},
		{Severity: diag.Note, Code: "lost", What: "no place"},
		{Severity: diag.Error, Code: "e", What: "1"}, {Severity: diag.Error, Code: "e", What: "2"},
		{Severity: diag.Warning, Code: "e", What: "3"},
	}
	want := `f:2:9: error: name "x" is taken [test-code]
    2 | <b name='x'/>
      |         ^~~
  why: a name names one thing
  fix: take another
f:1:9: note: it was given here
    1 | <a name='x'/>
      |         ^~~
other:3:4: warning: no source\nfor \x1b[31mthis [far]
note: no place [lost]
and 3 more: 2 errors, 1 warning
`
	var b bytes.Buffer
	if err := diag.Text(&b, l, &src, diag.TextOptions{Max: 3}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTextColor(t *testing.T) {
	text := "ab"
	var src diag.Sources
	src.Add("f", []byte(text))
	var b bytes.Buffer
	l := diag.List{{Severity: diag.Warning, Code: "c", What: "w", Why: "y", Span: spanOf(t, text, "b", 0)}}
	if err := diag.Text(&b, l, &src, diag.TextOptions{Color: true}); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1mf:1:2:\x1b[0m \x1b[1;33mwarning:\x1b[0m w \x1b[2m[c]\x1b[0m\n    1 | ab\n      |  \x1b[1;33m^\x1b[0m\n  \x1b[1mwhy:\x1b[0m y\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ExampleText() {
	text := "<ip address='192.168.123.1'>\n  <range start='192.168.123.200' end='192.168.123.10'/>\n</ip>\n"
	var src diag.Sources
	src.Add("lab.xml", []byte(text))
	at, lines := strings.Index(text, "192.168.123.10'"), diag.NewLines([]byte(text))
	l := diag.List{{
		Severity: diag.Error,
		Code:     "dhcp-range-order",
		Span:     diag.Span{File: "lab.xml", Start: lines.Pos(at), End: lines.Pos(at + len("192.168.123.10"))},
		What:     "DHCP range ends (192.168.123.10) before it starts (192.168.123.200)",
		Why:      "addresses are leased upward from start to end, so this range holds none",
		Fix:      "swap the two, or end the range at 192.168.123.254",
	}}
	if err := diag.Text(os.Stdout, l, &src, diag.TextOptions{}); err != nil {
		panic(err)
	}
	// Output:
	// lab.xml:2:39: error: DHCP range ends (192.168.123.10) before it starts (192.168.123.200) [dhcp-range-order]
	//     2 |   <range start='192.168.123.200' end='192.168.123.10'/>
	//       |                                       ^~~~~~~~~~~~~~
	//   why: addresses are leased upward from start to end, so this range holds none
	//   fix: swap the two, or end the range at 192.168.123.254
}
