package xmldoc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// A language of the tests' own: a zoo, or a farm, and who lives there.

// kinds are the zoos that differ in what they may hold.
type kinds int

const (
	wet kinds = 1 << iota
	dry
)

func (k kinds) Includes(doc any) bool { return k&doc.(kinds) != 0 }

const labelSpace = "urn:test:label"

var zoo = &Element{
	Name:  "zoo",
	Attrs: []Attr{{Name: "name", Check: OneLine, Need: true}, {Name: "depth", Check: Number(1, 9), May: wet}},
	Kids: []*Element{
		{Name: "cage", Many: true, Attrs: []Attr{{Name: "size", Check: HexNumber(0, 255), Hex: true}},
			Kids: []*Element{animal}},
		{Name: "pool", May: wet, Kids: []*Element{animal}},
		{Name: "lamp", Works: dry, Attrs: []Attr{{Name: "on", Check: YesNo}}},
		{Name: "notes", Free: true, Kids: []*Element{
			{Name: "label", Space: labelSpace, Many: true, Text: Anything,
				Attrs: []Attr{{Name: "lang", Check: OneOf("en", "de")}}},
		}},
		{Name: "papers", Free: true, FreeAttrs: true},
	},
}

var animal = &Element{Name: "animal", Many: true, Text: OneLine, Attrs: []Attr{{Name: "legs", Check: Number(0, 100)}}}

var farm = &Element{Name: "farm", Kids: []*Element{animal}}

var zoos = &Language{Noun: "zoo", Roots: []*Element{zoo, farm}, Begin: "write <zoo name='...'>",
	Undeclared: func(prefix string) string { return fmt.Sprintf("declare xmlns:%s", prefix) }}

// read returns the tree of text, with what the token pass and the table say of it.
func read(text string, lax bool) (*Node, *Report) {
	r := &Report{Source: &Source{Name: "zoo.xml", Text: []byte(text)}, Lax: lax}
	root := zoos.Read(r)
	if root != nil && !zoos.Check(r, root) {
		root = nil
	}
	r.Sort()
	return root, r
}

// said is what r has, as severity, code, place and what.
func said(r *Report) []string {
	var lines []string
	for _, d := range r.List {
		at := d.Span
		lines = append(lines, fmt.Sprintf("%s %s %d:%d-%d:%d %s", d.Severity, d.Code, at.Start.Line, at.Start.Col,
			at.End.Line, at.End.Col, d.What))
	}
	return lines
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		lax        bool
		want       []string
	}{
		{name: "good",
			text: "<zoo name='a' depth='3'><cage size='0x1f'><animal legs='4'>cow</animal><animal>ox</animal></cage><cage/><pool/></zoo>"},
		{name: "the other root", text: "<farm><animal/></farm>"},
		{name: "no root", text: "<house/>", want: []string{"error xml-root 1:2-1:7 the document is a <house>"}},
		{name: "empty", text: " \n", want: []string{"error xml-empty 1:1-1:1 there is no <zoo> in it"}},
		{name: "missing and unknown attribute", text: "<zoo nmae='a'/>", want: []string{
			"error attribute-missing 1:2-1:5 <zoo> has no attribute name",
			"error attribute-unknown 1:6-1:10 <zoo> has no attribute nmae"}},
		{name: "a bad value", text: "<zoo name='a'>\n<cage size='256'/></zoo>", want: []string{
			`error value-number 2:13-2:16 size of <cage> is "256", not from 0 to 255`}},
		{name: "a bad text", text: "<farm><animal>a\nb</animal></farm>", want: []string{
			`error value-control 1:15-2:2 <animal> is "a\nb", with the character U+000A in it`}},
		{name: "text where none belongs", text: "<farm>hay<animal/></farm>", want: []string{
			`warning text-unknown 1:7-1:10 "hay" is in <farm>`}},
		{name: "twice", text: "<zoo name='a'><pool/><pool size='x'/></zoo>", want: []string{
			"error element-twice 1:23-1:27 <pool> appears twice in <zoo>"}},
		{name: "unknown elements are not looked into", text: "<zoo name='a'><poll x=''><pool/></poll></zoo>",
			want: []string{
				"error element-unknown 1:16-1:20 <poll> is not allowed in <zoo>"}},
		{name: "lax", lax: true, text: "<zoo name='a' x=''>text<poll/></zoo>", want: []string{
			"warning attribute-unknown 1:15-1:16 <zoo> has no attribute x",
			`warning text-unknown 1:20-1:24 "text" is in <zoo>`,
			"warning element-unknown 1:25-1:29 <poll> is not allowed in <zoo>"}},
		{name: "free content",
			text: "<zoo name='a'><notes>text<any x='1'/><animal legs='many'/></notes><papers a='1'><b/></papers></zoo>"},
		{name: "free content has no free attributes", text: "<zoo name='a'><notes x='1'/></zoo>", want: []string{
			"error attribute-unknown 1:22-1:23 <notes> has no attribute x"}},
		{name: "known in free content", text: "<zoo name='a' xmlns:l='" + labelSpace +
			"'><notes><any/><l:label lang='fr'/></notes></zoo>", want: []string{
			`error value-unknown 1:68-1:70 lang of <label> is "fr", not en or de`}},
		{name: "known by its default namespace", text: "<zoo name='a'><notes><label xmlns='" + labelSpace +
			"' lang='fr'/><sub xmlns='" + labelSpace + "'><label lang='fr'/></sub></notes></zoo>", want: []string{
			`error value-unknown 1:58-1:60 lang of <label> is "fr", not en or de`}},
		{name: "another default namespace",
			text: "<zoo name='a'><notes><label xmlns='urn:x' lang='fr'/><label lang='fr'/></notes></zoo>"},
		{name: "undeclared prefix", text: "<zoo name='a'><l:cage/></zoo>", want: []string{
			`error xml-namespace 1:16-1:22 prefix "l" of <cage> is not declared`}},
		{name: "default namespace", text: "<zoo name='a' xmlns='urn:x'/>", want: []string{
			`error xml-namespace 1:15-1:20 <zoo> sets the default namespace "urn:x"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, r := read(tt.text, tt.lax)
			if diff := cmp.Diff(tt.want, said(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Advice names what the language has: the element that was meant, where it belongs, what a document
// is.
func TestAdvice(t *testing.T) {
	for text, want := range map[string]string{
		"<zoo name='a'><poll/></zoo>":          "did you mean <pool>?",
		"<zoo name='a'><animal/></zoo>":        "put it into <cage>, where it belongs",
		"<zoo name='a'><xyz/></zoo>":           "remove it",
		"<zoo name='a'><l:x/></zoo>":           "declare xmlns:l",
		"<zoo name='a' dept='1'/>":             "did you mean depth?",
		"<zoo name='a'><pool x=''/></zoo>":     "<pool> has no attributes; remove it",
		"<zoo name='a' waterDepth='1'/>":       "did you mean depth?",
		"<zoo name='a' depthname='1'/>":        "remove it; <zoo> has name and depth",
		"<zoo name='a'><lamps2/></zoo>":        "did you mean <lamp>?",
		"<house/>":                             "write <zoo name='...'>",
		"":                                     "write <zoo name='...'>",
		"<zoo name='a'/><zoo/>":                "put each zoo in a file of its own",
		"<zoo name='a'><lamp on='YES'/></zoo>": `did you mean "yes"?`,
	} {
		_, r := read(text, false)
		if len(r.List) != 1 || r.List[0].Fix != want {
			t.Errorf("%s: got %q, want %q", text, r.List, want)
		}
	}
	_, r := read("<house/>", false)
	if got, want := r.List[0].Why, "a zoo is described by <zoo> or <farm>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a document can't have is found with those who may, and nothing below it; what has no effect
// there likewise.
func TestPlace(t *testing.T) {
	const text = "<zoo name='a' depth='3'><pool><animal legs='0'/></pool><cage/><lamp on='no'/></zoo>"
	for doc, want := range map[kinds][]string{
		wet:       {"idle <lamp> 2"},
		dry:       {"forbidden depth of <zoo> 1", "forbidden <pool> 1"},
		wet | dry: nil,
	} {
		root, r := read(text, false)
		if len(r.List) > 0 {
			t.Fatal(r.List)
		}
		var got []string
		note := func(word string) func(string, Extent, Who) {
			return func(what string, at Extent, who Who) {
				got = append(got, fmt.Sprintf("%s %s %d", word, what, who))
				if written := text[at.Start:at.End]; !strings.Contains(what, written) {
					t.Errorf("%s: the place is that of %s", what, written)
				}
			}
		}
		Place(root, doc, Misplaced{Forbidden: note("forbidden"), Idle: note("idle")})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d (-want +got):\n%s", doc, diff)
		}
		if bad := root.Sound("pool") == nil; bad != slices.Contains(want, "forbidden <pool> 1") {
			t.Errorf("%d: the pool is bad: %t", doc, bad)
		}
	}
}

// checkSpan compares a place with what diag counts, character by character.
func checkSpan(t *testing.T, r *Report, s diag.Span) {
	t.Helper()
	if !utf8.Valid(r.Source.Text) {
		return // the wrong byte is at the reported place, whatever a column is there
	}
	lines := diag.NewLines(r.Source.Text)
	if start, end := lines.Pos(s.Start.Offset), lines.Pos(s.End.Offset); s.Start != start || s.End != end ||
		s.Start.Offset > s.End.Offset {
		t.Errorf("span %v to %v, diag counts %v to %v", s.Start, s.End, start, end)
	}
}
