package diag

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

// What a terminal would obey comes out escaped, however the text is cut into writes; ends of lines
// and tabs remain.
func TestVisibly(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "NAME\tBRIDGE\nlab\tvirbr0\n", "NAME\tBRIDGE\nlab\tvirbr0\n"},
		{"letters", "b\u00e9lier \U0001f411 \u3042\n", "b\u00e9lier \U0001f411 \u3042\n"},
		{"escape sequence", "a\x1b[31mb\r\x07\n", `a\x1b[31mb\r\a` + "\n"},
		{"C1 and delete", "a\u009bb\x7f", `a\u009bb\u007f`},
		{"directions", "a\u202eb\u2066c\u061c", `a\u202eb\u2066c\u061c`},
		{"beyond 16 bits", "a\U000e0041", `a\udb40\udc41`},
		{"no UTF-8", "a\x9bb\xff", `a\x9bb\xff`},
		{"the sign for no UTF-8", "a\ufffdb", "a\ufffdb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []func(io.Writer) io.Writer{func(w io.Writer) io.Writer { return w },
				func(w io.Writer) io.Writer { return oneByte{w} }} {
				var out bytes.Buffer
				w := cut(Visibly(&out))
				if n, err := io.WriteString(w, tt.text); n != len(tt.text) || err != nil {
					t.Fatal(n, err)
				}
				if got := out.String(); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}

// oneByte writes one byte at a time.
type oneByte struct{ io.Writer }

func (o oneByte) Write(p []byte) (n int, err error) {
	for i := range p {
		if _, err := o.Writer.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// The writer below takes what is exact, and its errors come up.
func TestExactly(t *testing.T) {
	var out bytes.Buffer
	if _, err := io.WriteString(Exactly(Visibly(&out)), "\x1b"); err != nil || out.String() != "\x1b" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if Exactly(&out) != io.Writer(&out) {
		t.Error("a plain writer is not itself")
	}
	broken := iotest.TruncateWriter(&out, 0)
	if _, err := io.WriteString(Visibly(failing{broken}), "a\x1b"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ io.Writer }

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzVisibly: no text leaves the writer with something to obey, and JSON means the same behind it.
func FuzzVisibly(f *testing.F) {
	for _, seed := range []string{"a", "\x1b[2J", "\u202e", "\U000e0041", "\xff\xfe", "\u007f", "\u2028"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var plain, doc bytes.Buffer
		at = max(0, min(at, len(text)))
		w := Visibly(&plain)
		io.WriteString(w, text[:at])
		io.WriteString(w, text[at:]+"\n")
		Visibly(&doc).Write(encoded)
		for _, r := range plain.String() {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) || r == utf8.RuneError &&
				!utf8.ValidString(plain.String()) {
				t.Fatalf("%q comes out as %q", text, plain.String())
			}
		}
		var want, got string
		if json.Unmarshal(encoded, &want) != nil || json.Unmarshal(doc.Bytes(), &got) != nil || want != got {
			t.Fatalf("%s comes out as %s", encoded, doc.Bytes())
		}
	})
}
