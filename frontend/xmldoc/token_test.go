package xmldoc

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// Every name and value is found where it is written, however the lines end and however long they
// are.
func TestPlaces(t *testing.T) {
	text := "\ufeff<?xml version='1.0'?>\r\n<zoo\r\n\tname = 'é'><!-- ü -->\r\r\n" +
		"<cage   size=\"&#x31;\"><animal>" + strings.Repeat("ö", 700) +
		"</animal><animal legs='4'>&lt;</animal></cage></zoo>\n"
	root, r := read(text, false)
	if len(r.List) > 0 {
		t.Fatal(r.List)
	}
	var got []string
	note := func(at Extent) {
		span := r.Source.Span(at)
		checkSpan(t, r, span)
		got = append(got, fmt.Sprintf("%d:%d %s", span.Start.Line, span.Start.Col, Short(text[at.Start:at.End])))
	}
	walk(root, func(n *Node) {
		note(n.Tag)
		for _, a := range n.Attrs {
			note(a.NameAt)
			note(a.ValueAt)
		}
		if n.Text != "" {
			note(n.TextAt)
		}
	})
	want := []string{"2:2 zoo", "3:2 name", "3:10 é", "4:2 cage", "4:9 size", "4:15 &#x31;", "4:24 animal",
		"4:31 " + Short(strings.Repeat("ö", 700)), "4:741 animal", "4:748 legs", "4:754 4", "4:757 &lt;"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// walk calls f for n and all below it.
func walk(n *Node, f func(*Node)) {
	f(n)
	for _, k := range n.Kids {
		walk(k, f)
	}
}

// What would make the reader do more than read is refused, and what is no document.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("<a>", maxDepth+1)
	for name, tt := range map[string]struct {
		text string
		want diag.Code
	}{
		"document type": {"<!DOCTYPE zoo [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><zoo name='&a;'/>",
			"xml-entity"},
		"entity":                {"<zoo name='&a;'/>", "xml-entity"},
		"instruction":           {"<zoo name='a'><?php 1?></zoo>", "xml-instruction"},
		"declaration elsewhere": {"<zoo name='a'><?xml version='1.0'?></zoo>", "xml-instruction"},
		"two documents":         {"<zoo name='a'/><zoo name='b'/>", "xml-trailing"},
		"text behind":           {"<zoo name='a'/>text", "xml-trailing"},
		"text before":           {"text<zoo name='a'/>", "xml-syntax"},
		"not closed":            {"<zoo name='a'><cage>", "xml-syntax"},
		"closed crosswise":      {"<zoo name='a'><cage></zoo></cage>", "xml-syntax"},
		"closed too often":      {"<zoo name='a'/></zoo>", "xml-syntax"},
		"attribute twice":       {"<zoo name='a' name='b'/>", "attribute-twice"},
		"not UTF-8":             {"<zoo name='\xff'/>", "xml-utf8"},
		"too deep":              {deep, "xml-limit"},
		"too many":              {"<zoo>" + strings.Repeat("<a/>", maxElements) + "</zoo>", "xml-limit"},
		"too many attributes":   {"<zoo" + strings.Repeat(" a='1'", maxAttrs+1) + "/>", "xml-limit"},
		"too long":              {"<zoo name='" + strings.Repeat("a", MaxSize) + "'/>", "xml-limit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := read(tt.text, true)
			if len(r.List) == 0 || r.List[0].Code != tt.want || r.List[0].Severity != diag.Error {
				t.Errorf("got %v, want %s", said(r), tt.want)
			}
		})
	}
}

// What is no XML may be any file of the host: nothing of it is quoted. What was meant to be a
// document is.
func TestAlien(t *testing.T) {
	const secret = "hunter2"
	for text, quotes := range map[string]bool{
		"root:hunter2:20228:0:99999:7:::\n":              false,
		"\ufeff hunter2":                                 false,
		"<hunter2:x y z>":                                false,
		"<VirtualHost hunter2>\n</VirtualHost>":          false,
		"<?xml version='1.0'?>hunter2":                   true,
		"<zoo hunter2>":                                  true,
		"<zoo name='a'><cage size='hunter2'/></zoo>":     true,
		"<!-- a --><hunter2/>":                           true,
		"\x7fELF hunter2 \xff":                           false,
		"<k\xff>hunter2":                                 false,
		"<?hunter2 secret?>":                             false,
		"&hunter2;":                                      false,
		"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n": false,
		"{\"auth\": \"hunter2\"}":                        false,
		"<key xmlns='urn:x'>hunter2</key>":               true, // XML, whatever else
	} {
		_, r := read(text, false)
		if len(r.List) == 0 {
			t.Fatalf("%q is taken", text)
		}
		quoted := strings.Contains(fmt.Sprint(r.List), secret) || !r.Alien
		if quoted != quotes || r.Alien == quotes {
			t.Errorf("%q: quoted is %t, alien is %t: %+v", text, quoted, r.Alien, r.List)
		}
		if info, _ := diag.Find(r.List[0].Code); info.Title == "" || r.List[0].What == "" || r.List[0].Fix == "" {
			t.Errorf("%q: %+v", text, r.List[0])
		}
	}
}

// A fault is at a whole character, though the reader may stop in the middle of one.
func TestFaultAtCharacter(t *testing.T) {
	_, r := read("<zoo name='a'>\n&é</zoo>", false)
	if diff := cmp.Diff([]string{`error xml-entity 2:2-2:3 the XML reader says "invalid character entity &é (no semicolon)"`}, said(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A decoder of encoding/xml makes of a tree what it makes of the text, but for what the table
// doesn't know and numbers that may be hexadecimal.
func TestTokens(t *testing.T) {
	type thing struct {
		XMLName xml.Name
		Name    string  `xml:"name,attr"`
		Size    string  `xml:"size,attr"`
		Label   string  `xml:"urn:test:label label"`
		Text    string  `xml:",chardata"`
		Cages   []thing `xml:"cage"`
		Animals []thing `xml:"animal"`
	}
	decode := func(text string) (direct, replayed thing) {
		t.Helper()
		root, r := read(text, true)
		if r.List.HasErrors() {
			t.Fatal(r.List)
		}
		if err := xml.Unmarshal([]byte(text), &direct); err != nil {
			t.Fatal(err)
		}
		if err := xml.NewTokenDecoder(root.Tokens()).Decode(&replayed); err != nil {
			t.Fatal(err)
		}
		return direct, replayed
	}
	want, got := decode("<zoo name='a&amp;b'><cage size='7'><animal>o<!-- -->x</animal><animal><![CDATA[<]]></animal></cage></zoo>")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, got := decode("<zoo name='a'><cage size='0x10' colour='red'/><den><cage/></den></zoo>"); len(got.Cages) != 1 || got.Cages[0].Size != "16" {
		t.Errorf("got %+v, want one cage of size 16", got)
	}
}

// FuzzRead: no input makes the reader panic; it reports an error for what it can't read; and every
// span lies in the input, at the lines and columns that diag counts, one inside of the other.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"<zoo name='a'><cage size='0x1'><animal legs='4'>cow &amp; ox</animal></cage></zoo>",
		"\ufeff<?xml version='1.0' encoding='utf-8'?>\r\n<zoo\tname=\"é\"/>\n",
		"<zoo name='a'><notes><x:l xmlns:x='urn:x'/>t</notes></zoo>",
		"<farm><animal>a<!-- b --><![CDATA[<c>&amp;]]>\r\nd</animal></farm>", "<!DOCTYPE a><a/>", "<a><b></a>", "",
		"\xff", "&ո",
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, lax bool) {
		r := &Report{Source: &Source{Name: "zoo.xml", Text: text}, Lax: lax}
		root := zoos.Read(r)
		if root == nil && !r.List.HasErrors() {
			t.Fatal("no tree and no error")
		}
		if root != nil && zoos.Check(r, root) {
			Place(root, wet, Misplaced{Forbidden: func(string, Extent, Who) {}, Idle: func(string, Extent, Who) {}})
		}
		for _, d := range r.List {
			checkSpan(t, r, d.Span)
		}
		if root != nil {
			walk(root, func(n *Node) { checkNode(t, r, n) })
		}
	})
}

// checkNode checks the places of one node.
func checkNode(t *testing.T, r *Report, n *Node) {
	t.Helper()
	inside := func(what string, e, of Extent) {
		t.Helper()
		if e.Start > e.End || e.Start < of.Start || e.End > of.End {
			t.Errorf("%s of <%s> at %v is not inside of %v", what, n.Name, e, of)
		}
	}
	all := Extent{0, int32(len(r.Source.Text))}
	inside("tag", n.Tag, all)
	inside("content", n.Inner, all)
	if written := string(r.Source.Text[n.Tag.Start:n.Tag.End]); written != n.Name &&
		!strings.HasSuffix(written, ":"+n.Name) {
		t.Errorf("<%s> is at %q", n.Name, written)
	}
	for _, a := range n.Attrs {
		inside("name", a.NameAt, all)
		inside("value", a.ValueAt, all)
		checkWithin(t, r.Source, a.ValueAt, a.Value)
	}
	if n.Text != "" {
		inside("text", n.TextAt, n.Inner)
		checkWithin(t, r.Source, n.TextAt, n.Text)
	}
	for i, k := range n.Kids {
		inside("child", k.Inner, n.Inner)
		if i > 0 && k.Tag.Start < n.Kids[i-1].Inner.End {
			t.Errorf("<%s> begins before the one before it ends", k.Name)
		}
	}
}
