package xmldoc

import (
	"bytes"
	"encoding/xml"
	"testing"
)

// FuzzAttr: the scanner of start tags finds the attributes that encoding/xml reads, with their
// values.
func FuzzAttr(f *testing.F) {
	for _, seed := range []string{
		`<a b='1' c="2">`, "<a\n\tb = '>' c='\"'/>", `<a:b c:d='&lt;'>`, `<a b='1'c='2'>`, `<a/>`, `<é ü='ß'>`,
		`<a b=''>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name, _ := scanTag(text, 7, nil)
		if name.Start < 7 || name.End < name.Start || int(name.End) > 7+len(text) {
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
			if got := string(tag[scanned[i].name.Start:scanned[i].name.End]); got != full {
				t.Errorf("%q: name %q, encoding/xml has %q", tag, got, full)
			}
			raw := tag[scanned[i].value.Start:scanned[i].value.End]
			if !bytes.ContainsAny(raw, "&\r") && string(raw) != a.Value {
				t.Errorf("%q: value %q, encoding/xml has %q", tag, raw, a.Value)
			}
		}
	})
}
