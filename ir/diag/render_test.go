package diag_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

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
		{Severity: diag.Error, Code: "name-twice", Span: span("'ü'"), What: "name \x1b[2J\u009b\u202e<ü> is taken", Why: "why", Fix: "fix",
			Related: []diag.Related{{Span: span("'x'"), Text: "first"}}},
		{Severity: diag.Note, Code: "lost", What: "no place"},
		{Severity: diag.Warning, Code: "far", Span: diag.Span{File: "/etc/x.xml"}, What: "no line"},
	}, src
}

func TestJSON(t *testing.T) {
	l, _ := found(t)
	want := `[
  {
    "severity": "error",
    "code": "name-twice",
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
     "ruleId": "name-twice"
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
		Code: "name-twice", Title: "two things have one name",
		Text: "A name names one thing. Whoever asks for it by name must know which of the two he gets, and so must the host.\n\nTake another.",
		Bad:  "<a name='x'/>\n\n<b name='x'/>\n",
	}
	want := `name-twice: two things have one name

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
		{"plain ä 网", "plain ä 网"}, {"a\nb\tc", `a\nb\tc`}, {"\x1b[31m", `\x1b[31m`}, {"\xff\u202e\u009b", `\xff\u202e\u009b`}, {"'\"\\", "'\"\\"},
	}
	for _, tt := range tests {
		if got := diag.Visible(tt.in); got != tt.want {
			t.Errorf("Visible(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}
