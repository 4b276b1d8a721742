package netxml

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// documents are all documents at hand: the examples of the codes, the vectors, the golden corpus.
func documents(t testing.TB) []string {
	t.Helper()
	all := []string{document, small, "", "\ufeff<network/>", "<network><name>a\xff</name></network>"}
	for _, info := range diag.Codes() {
		for _, src := range []*diag.Sources{sources(info.Bad), sources(info.Good)} {
			for _, name := range src.Names() {
				all = append(all, string(src.Text(name)))
			}
		}
	}
	archives, err := filepath.Glob("../../golden/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../golden/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(archives, more...), "testdata/vectors.txtar") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			if filepath.Ext(file.Name) == ".xml" {
				all = append(all, string(file.Data))
			}
		}
	}
	return all
}

// FuzzParse: no input makes the front end panic, and all that it says is about a place in the input. What has no error
// can be lowered, and every rule has an origin in the input.
func FuzzParse(f *testing.F) {
	for _, seed := range documents(f) {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, lax bool) {
		src := &diag.Sources{}
		src.Add("a.xml", text)
		src.Add("b.xml", []byte(small))
		networks, list := Parse(src, Options{Lax: lax})
		for _, d := range list {
			checkDiagnostic(t, d, src)
		}
		if list.HasErrors() {
			return
		}
		p := Lower(networks)
		if wrong := ir.Verify(p); len(wrong) > 0 {
			t.Errorf("the program is wrong: %v", wrong)
		}
		for _, c := range p.Chains {
			for _, r := range c.Rules {
				checkSpan(t, r.Origin.Span, src)
				if r.Origin.Reason == "" || r.Origin.Element == "" || r.Origin.Network == "" {
					t.Errorf("rule without origin: %+v", r)
				}
			}
		}
	})
}

// FuzzAttr: the scanner of start tags finds the attributes that encoding/xml reads, with their values.
func FuzzAttr(f *testing.F) {
	for _, seed := range []string{
		`<a b='1' c="2">`, "<a\n\tb = '>' c='\"'/>", `<a:b c:d='&lt;'>`, `<a b='1'c='2'>`, `<a/>`, `<é ü='ß'>`, `<a b=''>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name, _ := scanTag(text, 7, nil)
		if name.start < 7 || name.end < name.start || int(name.end) > 7+len(text) {
			t.Fatalf("name at %v of %d bytes", name, len(text))
		}
		dec := xml.NewDecoder(bytes.NewReader(text))
		token, err := dec.RawToken()
		start, ok := token.(xml.StartElement)
		if err != nil || !ok {
			return // all that counts is that the scanner came back
		}
		tag := text[:dec.InputOffset()]
		_, scanned := scanTag(tag, 0, nil)
		if len(scanned) != len(start.Attr) {
			t.Fatalf("%q: %d attributes, encoding/xml has %d", tag, len(scanned), len(start.Attr))
		}
		for i, a := range start.Attr {
			full := a.Name.Local
			if a.Name.Space != "" {
				full = a.Name.Space + ":" + full
			}
			if got := string(tag[scanned[i].name.start:scanned[i].name.end]); got != full {
				t.Errorf("%q: name %q, encoding/xml has %q", tag, got, full)
			}
			raw := tag[scanned[i].value.start:scanned[i].value.end]
			if !bytes.ContainsAny(raw, "&\r") && string(raw) != a.Value {
				t.Errorf("%q: value %q, encoding/xml has %q", tag, raw, a.Value)
			}
		}
	})
}
