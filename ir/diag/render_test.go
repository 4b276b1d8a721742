package diag_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// found is a list with everything that the machine formats write.
func found(t *testing.T) (diag.List, *diag.Sources) {
	t.Helper()
	text := "<a name='x'/>\n<b name='ü'/>\n"
	span := func(piece string) diag.Span {
		s := spanOf(t, text, piece, 0)
		s.File = "nets/a b%ü.xml"
		return s
	}
	src := &diag.Sources{}
	src.Add("nets/a b%ü.xml", []byte(text))
	return diag.List{
		{Severity: diag.Error, Code: "test-code", Span: span("'ü'"), What: "name \x1b[2J\u009b\u202e<ü> is taken",
			Why: "why", Fix: "fix",
			Related: []diag.Related{{Span: span("'x'"), Text: "first"}}},
		{Severity: diag.Note, Code: "lost", What: "no place"},
		{Severity: diag.Warning, Code: "far", Span: diag.Span{File: "/etc/x.xml"}, What: "no line"},
	}, src
}

// TestTextEnds: what quotes a value of any length has an end for people, and is whole for programs.
func TestTextEnds(t *testing.T) {
	l := diag.List{{Severity: diag.Error, Code: "long", What: strings.Repeat("ü", 1<<20),
		Fix: strings.Repeat("\x00", 1<<20)}}
	var text, doc bytes.Buffer
	if err := errors.Join(diag.Text(&text, l, nil, diag.TextOptions{}), diag.JSON(&doc, l)); err != nil {
		t.Fatal(err)
	}
	if text.Len() > 10_000 || !strings.Contains(text.String(), "ü… [long]\n") {
		t.Errorf("the text has %d bytes: %.2000s", text.Len(), &text)
	}
	if doc.Len() < 1<<20 {
		t.Errorf("the JSON has %d bytes only", doc.Len())
	}
}

func TestJSON(t *testing.T) {
	l, _ := found(t)
	want := `[
  {
    "severity": "error",
    "code": "test-code",
    "file": "nets/a b%ü.xml",
    "start": {
      "line": 2,
      "column": 9,
      "offset": 22
    },
    "end": {
      "line": 2,
      "column": 12,
      "offset": 26
    },
    "what": "name \u001b[2J\u009b\u202e<ü> is taken",
    "why": "why",
    "fix": "fix",
    "related": [
      {
        "file": "nets/a b%ü.xml",
        "start": {
          "line": 1,
          "column": 9,
          "offset": 8
        },
        "end": {
          "line": 1,
          "column": 12,
          "offset": 11
        },
        "text": "first"
      }
    ]
  },
  {
    "severity": "note",
    "code": "lost",
    "what": "no place"
  },
  {
    "severity": "warning",
    "code": "far",
    "file": "/etc/x.xml",
    "what": "no line"
  }
]
`
	var b bytes.Buffer
	if err := diag.JSON(&b, l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Reset()
	if err := diag.JSON(&b, nil); err != nil || b.String() != "[]\n" {
		t.Errorf("nothing found is %q, %v", b.String(), err)
	}
}

// TestJSONEscapes: what no terminal should get is escaped, and decodes to what it was.
func TestJSONEscapes(t *testing.T) {
	what := "\x00\x1b\x7f\u0085\u009b\u200f\u2028\u202e\U000e0001ok ä \U0001f600\t"
	var b bytes.Buffer
	if err := diag.JSON(&b, diag.List{{Severity: diag.Error, What: what}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x00\x1b\x7f\u0085\u009b\u200f\u2028\u202e\U000e0001\t") {
		t.Errorf("control characters in %q", b.String())
	}
	var got []struct{ What string }
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got[0].What != what {
		t.Errorf("got %+q, %v; want %+q", got, err, what)
	}
}

func TestSARIF(t *testing.T) {
	l, src := found(t)
	var b bytes.Buffer
	if err := diag.SARIF(&b, l, src, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log["runs"].([]any)[0].(map[string]any)
	driver := run["tool"].(map[string]any)["driver"].(map[string]any)
	rules, _ := driver["rules"].([]any)
	if len(rules) != len(diag.Codes()) {
		t.Errorf("%d rules for %d codes", len(rules), len(diag.Codes()))
	}
	for i, info := range diag.Codes() {
		help, _ := rules[i].(map[string]any)["help"].(map[string]any)
		text, _ := help["text"].(string)
		if !strings.HasPrefix(text, info.Title+"\n") || !strings.Contains(text, strings.TrimSuffix(info.Bad, "\n")) {
			t.Errorf("%s: a page of findings shows %q", info.Code, text)
		}
	}
	delete(driver, "rules")
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(log); err != nil {
		t.Fatal(err)
	}
	// Names and values as section 3 of the OASIS standard has them; keys sorted.
	want := `{
 "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
 "runs": [
  {
   "artifacts": [
    {
     "location": {
      "uri": "nets/a%20b%25%C3%BC.xml"
     }
    }
   ],
   "columnKind": "unicodeCodePoints",
   "results": [
    {
     "level": "error",
     "locations": [
      {
       "physicalLocation": {
        "artifactLocation": {
         "uri": "nets/a%20b%25%C3%BC.xml"
        },
        "region": {
         "endColumn": 12,
         "endLine": 2,
         "startColumn": 9,
         "startLine": 2
        }
       }
      }
     ],
     "message": {
      "text": "name \u001b[2J` + "\u009b\u202e" + `<ü> is taken\nwhy: why\nfix: fix"
     },
     "relatedLocations": [
      {
       "message": {
        "text": "first"
       },
       "physicalLocation": {
        "artifactLocation": {
         "uri": "nets/a%20b%25%C3%BC.xml"
        },
        "region": {
         "endColumn": 12,
         "endLine": 1,
         "startColumn": 9,
         "startLine": 1
        }
       }
      }
     ],
     "ruleId": "test-code"
    },
    {
     "level": "note",
     "message": {
      "text": "no place"
     },
     "ruleId": "lost"
    },
    {
     "level": "warning",
     "locations": [
      {
       "physicalLocation": {
        "artifactLocation": {
         "uri": "file:///etc/x.xml"
        }
       }
      }
     ],
     "message": {
      "text": "no line"
     },
     "ruleId": "far"
    }
   ],
   "tool": {
    "driver": {
     "informationUri": "https://github.com/vnetc/vnetc",
     "name": "vnetc",
     "version": "v1.2.3"
    }
   }
  }
 ],
 "version": "2.1.0"
}
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSARIFNothing: a run without findings has an empty list of results, not none.
func TestSARIFNothing(t *testing.T) {
	var b bytes.Buffer
	if err := diag.SARIF(&b, nil, nil, ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"results": []`) {
		t.Errorf("no results in\n%s", b.String())
	}
}

func TestExplain(t *testing.T) {
	info := diag.Info{
		Code: "test-code", Title: "two things have one name",
		Text: "A name names one thing. Whoever asks for it by name must know which of the two he gets, and so must the host.\n\nTake another.",
		Bad:  "<a name='x'/>\n\n<b name='x'/>\n",
	}
	want := `test-code: two things have one name

A name names one thing. Whoever asks for it by name must know which of the two
he gets, and so must the host.

Take another.

Bad:

    <a name='x'/>

    <b name='x'/>
`
	var b bytes.Buffer
	if err := diag.Explain(&b, info); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNear(t *testing.T) {
	known := []string{"bridge", "forward", "dhcp-range-order", "ip"}
	tests := []struct{ word, want string }{
		{"bridge", "bridge"}, {"brige", "bridge"}, {"birdge", "bridge"}, {"bridges", "bridge"}, {"forwrad", "forward"},
		{"dhcp-range-ordre", "dhcp-range-order"}, {"dhcp-order", ""}, {"ipv", "ip"}, {"xy", ""}, {"", ""},
	}
	for _, tt := range tests {
		if got, ok := diag.Near(tt.word, known); got != tt.want || ok != (tt.want != "") {
			t.Errorf("Near(%q) = %q, %t; want %q", tt.word, got, ok, tt.want)
		}
	}
}

func TestVisible(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain ä 网", "plain ä 网"}, {"a\nb\tc", `a\nb\tc`}, {"\x1b[31m", `\x1b[31m`},
		{"\xff\u202e\u009b", `\xff\u202e\u009b`}, {"'\"\\", "'\"\\"},
	}
	for _, tt := range tests {
		if got := diag.Visible(tt.in); got != tt.want {
			t.Errorf("Visible(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

// TestSARIFRules: a result points at its rule in the driver's table.
func TestSARIFRules(t *testing.T) {
	code := diag.Codes()[len(diag.Codes())/2].Code
	var b bytes.Buffer
	if err := diag.SARIF(&b, diag.List{{Severity: diag.Error, Code: code, What: "w"}}, nil, ""); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID diag.Code } }
			}
			Results []struct{ RuleIndex int }
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if got := run.Tool.Driver.Rules[run.Results[0].RuleIndex].ID; got != code {
		t.Errorf("the result points at %s, want %s", got, code)
	}
}

func TestUnknownCode(t *testing.T) {
	tests := []struct{ code, want string }{
		{"dhcp-range-ordre", `no diagnostic has the code "dhcp-range-ordre"; did you mean dhcp-range-order?`},
		{"dhcp-nothing-like-it", `no diagnostic has the code "dhcp-nothing-like-it"; about dhcp there are `},
		{"\x1b[2J", `no diagnostic has the code "\x1b[2J"; vnetc explain lists them all`},
	}
	for _, tt := range tests {
		if got := diag.UnknownCode(tt.code).Error(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// FuzzText: whatever the input and the place in it, what is printed holds nothing that a terminal
// obeys, and the marker stands within the line above it, or right behind.
func FuzzText(f *testing.F) {
	f.Add([]byte("<a\tname='网\x1b[2J\xff'/>\r\n<b/>"), 9, 3)
	f.Add([]byte(strings.Repeat("ü\t", 300)), 400, 10)
	f.Fuzz(func(t *testing.T, text []byte, offset, size int) {
		offset, size = max(0, min(offset, len(text))), max(0, min(size, len(text)))
		var src diag.Sources
		src.Add("f\n", text)
		lines := diag.NewLines(text)
		at := diag.Span{File: "f\n", Start: lines.Pos(offset), End: lines.Pos(offset + size)}
		var b bytes.Buffer
		if err := diag.Text(&b, diag.List{{Severity: diag.Error, Code: "c", What: string(text), Span: at}}, &src,
			diag.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U in the output", r)
			}
		}
		out := strings.Split(b.String(), "\n")
		if len(out) != 4 || len(out[1]) > 2000 {
			t.Fatalf("%d lines, the second of %d bytes", len(out), len(out[1]))
		}
		if marker := strings.IndexByte(out[2], '^'); marker > 2*len([]rune(out[1])) {
			t.Fatalf("marker in column %d of\n%s", marker, out[1])
		}
	})
}
