package netxml

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		at := min(7, len(text))
		if name := scanTag(text, int32(at), nil).name; int(name.start) < at || name.end < name.start || int(name.end) > len(text) {
			t.Fatalf("name at %v of %d bytes", name, len(text))
		}
		dec := xml.NewDecoder(bytes.NewReader(text))
		token, err := dec.RawToken()
		start, ok := token.(xml.StartElement)
		scanned := scanTag(text, 0, nil)
		if err != nil || !ok {
			if len(text) > 0 && text[0] == '<' && scanned.plain && scanned.end > 0 {
				t.Fatalf("%q is no plain tag, since encoding/xml has %v, %v", text, token, err)
			}
			return // beyond that all that counts is that the scanner came back
		}
		tag := text[:dec.InputOffset()]
		if int(scanned.end) != len(tag) || len(scanned.attrs) != len(start.Attr) {
			t.Fatalf("%q: %d bytes and %d attributes, encoding/xml has %d", tag, scanned.end, len(scanned.attrs), len(start.Attr))
		}
		for i, a := range start.Attr {
			full := a.Name.Local
			if a.Name.Space != "" {
				full = a.Name.Space + ":" + full
			}
			if got := string(tag[scanned.attrs[i].name.start:scanned.attrs[i].name.end]); got != full {
				t.Errorf("%q: name %q, encoding/xml has %q", tag, got, full)
			}
			raw := tag[scanned.attrs[i].value.start:scanned.attrs[i].value.end]
			if (scanned.plain || !bytes.ContainsAny(raw, "&\r")) && string(raw) != a.Value {
				t.Errorf("%q: value %q, encoding/xml has %q", tag, raw, a.Value)
			}
		}
	})
}

// FuzzPlain: what is read as plain markup makes the tree, and the faults, that encoding/xml alone makes.
func FuzzPlain(f *testing.F) {
	for _, seed := range documents(f) {
		f.Add([]byte(seed))
	}
	for _, seed := range []string{"<a b='1' b='2'/>", "<a></b>", "<a>x]]>y</a>", "<a b='<'/>", "<a", "<a/", "</", "<a b='", "<a>\r\n</a >", "<a/><a/>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, ok := firstInvalid(text); !ok || len(text) > MaxSize {
			return
		}
		src := &source{name: "a.xml", text: text}
		both := &tokens{report: &report{src: src}, string: string(text)}
		one := &tokens{report: &report{src: src}, string: string(text)}
		got, want := both.read(), true
		for want && int(one.at) < len(text) {
			want = one.foreign()
		}
		want = want && one.end()
		if got != want {
			t.Fatalf("%q: read is %v, with encoding/xml alone %v", text, got, want)
		}
		if diff := cmp.Diff(one.list, both.list); diff != "" {
			t.Errorf("%q: faults (-encoding/xml +got):\n%s", text, diff)
		}
		if diff := cmp.Diff(dump(one.root, ""), dump(both.root, "")); diff != "" {
			t.Errorf("%q: tree (-encoding/xml +got):\n%s", text, diff)
		}
	})
}

// dump writes a tree, an element and an attribute a line.
func dump(n *node, indent string) string {
	if n == nil {
		return ""
	}
	text := fmt.Sprintf("%s%q %q %v %v %q %v\n", indent, n.space, n.name, n.tag, n.inner, n.text, n.textAt)
	for _, a := range n.attrs {
		text += fmt.Sprintf("%s @%q %q %v %v\n", indent, a.name, a.value, a.nameAt, a.valueAt)
	}
	for _, k := range n.kids {
		text += dump(k, indent+"  ")
	}
	return text
}
