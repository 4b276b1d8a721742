package xmldoc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of one document. A network of thousands of DHCP hosts stays well within them; what goes
// beyond was written by no person but is an attempt on the reader's memory.
const (
	// MaxSize is the length of the longest document that is read, in bytes. Who reads files for
	// [Language.Read] need not read further than one byte past it.
	MaxSize = 1 << 20

	maxDepth    = 64 // nested elements
	maxElements = 20000
	maxAttrs    = 64 // of one element
)

// tokens builds the tree of one document from a single pass over its tokens. It checks what makes a
// document well formed and safe to read.
type tokens struct {
	*Report
	lang     *Language
	dec      *xml.Decoder
	root     *Node
	top      *Node // the innermost open element
	depth    int
	elements int
	scopes   []scope
	scanned  []tagAttr
	text     []byte // character data since the last start or end tag
	textAt   Extent
}

// scope is one namespace declaration and the depth of the element that made it.
type scope struct {
	prefix, url string
	depth       int
}

// Read returns the tree of the report's source, or nil after reporting the fault that makes it
// unreadable.
func (l *Language) Read(r *Report) *Node {
	text := r.Source.Text
	if len(text) > MaxSize {
		r.Fault("xml-limit", Extent{}, fmt.Sprintf("the file has more than %d bytes", MaxSize),
			fmt.Sprintf("no %s description is that long, and it is not read", l.Noun),
			fmt.Sprintf("split the %s, or move data out of it", l.Noun))
		return nil
	}
	if !l.begins(r) {
		return nil
	}
	if !r.readable() {
		l.conceal(r)
		return nil
	}
	t := &tokens{Report: r, lang: l, dec: xml.NewDecoder(bytes.NewReader(text))}
	t.dec.CharsetReader = charsets
	if !t.read() {
		if t.root == nil {
			l.conceal(r)
		}
		return nil
	}
	if t.root == nil {
		r.Fault("xml-empty", Extent{}, fmt.Sprintf("there is no <%s> in it", l.Roots[0].Name),
			fmt.Sprintf("each file describes one %s", l.Noun), l.Begin)
		return nil
	}
	return t.root
}

// begins reports a text that doesn't begin as XML does. It may be any file of the host, so nothing
// of it is quoted.
func (l *Language) begins(r *Report) bool {
	text := start(r.Source.Text)
	switch {
	case utf16(r.Source.Text):
		r.Alien = true
		r.Fault("xml-utf8", Extent{0, 2}, "the file is in UTF-16, by its first bytes", encodingsRead, saveAsUTF8)
		return false
	case len(text) == 0 || text[0] == '<':
		return true
	}
	at := int32(len(r.Source.Text) - len(text))
	r.Alien = true
	r.Fault("xml-syntax", r.Source.character(at), "the file is not XML: its first character is not <",
		fmt.Sprintf("each file describes one %s", l.Noun), l.Begin)
	return false
}

// conceal marks a document that can't be read and doesn't begin like one of the language: it may be
// any file of the host, too.
func (l *Language) conceal(r *Report) {
	text := start(r.Source.Text)
	begins := func(s string) bool { return bytes.HasPrefix(text, []byte(s)) }
	if len(text) == 0 || begins("<?xml") || begins("<!") || slices.ContainsFunc(l.Roots,
		func(e *Element) bool { return begins("<" + e.Name) }) {
		return
	}
	r.Alien = true
	r.Conceal("the file is not XML, so none of it is shown", l.Begin)
}

// start returns text from its first character on that means something.
func start(text []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(text, []byte(byteOrderMark)), " \t\r\n")
}

// read walks all tokens; ok is false if a fault ended it.
func (t *tokens) read() (ok bool) {
	for {
		from := int32(t.dec.InputOffset())
		token, err := t.dec.RawToken()
		at := Extent{from, int32(t.dec.InputOffset())}
		if errors.Is(err, io.EOF) {
			return t.end()
		}
		if err != nil {
			t.syntax(err, at)
			return false
		}
		switch token := token.(type) {
		case xml.StartElement:
			ok = t.open(token, at)
		case xml.EndElement:
			ok = t.close(token, at)
		case xml.CharData:
			ok = t.chars(token, at)
		case xml.Comment:
			ok = true
		case xml.ProcInst:
			ok = t.instruction(token, at)
		case xml.Directive:
			ok = t.directive(at)
		default:
			panic(fmt.Sprintf("xmldoc: unknown token %T", token))
		}
		if !ok {
			return false
		}
	}
}

func (t *tokens) open(e xml.StartElement, at Extent) bool {
	t.depth++
	t.elements++
	name, scanned := scanTag(t.Source.Text[at.Start:at.End], at.Start, t.scanned[:0])
	t.scanned = scanned
	switch {
	case t.root != nil && t.top == nil:
		t.Fault("xml-trailing", name, fmt.Sprintf("<%s> follows after the end of the %s", Short(e.Name.Local),
			t.lang.Noun),
			"a document has one root element, and libvirt's XML reader refuses a second",
			fmt.Sprintf("put each %s in a file of its own", t.lang.Noun))
		return false
	case t.depth > maxDepth:
		t.Fault("xml-limit", name, fmt.Sprintf("<%s> is %d elements deep", Short(e.Name.Local), t.depth),
			fmt.Sprintf("no more than %d nested elements are read", maxDepth), "remove the nesting")
		return false
	case t.elements > maxElements || len(e.Attr) > maxAttrs:
		t.Fault("xml-limit", name, fmt.Sprintf("<%s> is one too many, or has too many attributes", Short(e.Name.Local)),
			fmt.Sprintf("no more than %d elements, with %d attributes each, are read", maxElements, maxAttrs),
			fmt.Sprintf("split the %s", t.lang.Noun))
		return false
	}
	n := &Node{Parent: t.top, inherited: t.inherited(), Name: e.Name.Local, Tag: name, Inner: Extent{at.End, at.End}}
	t.attributes(n, e.Attr)
	n.Space = t.namespace(e.Name.Space)
	if t.top == nil {
		t.root = n
	} else {
		t.endText(false)
		t.top.Kids = append(t.top.Kids, n)
	}
	t.top = n
	return true
}

// inherited returns the default namespace of the innermost open element.
func (t *tokens) inherited() string {
	if t.top == nil {
		return ""
	}
	return t.top.inherited
}

// attributes copies the token's attributes with their places, and remembers namespace declarations.
func (t *tokens) attributes(n *Node, attrs []xml.Attr) {
	if len(attrs) == 0 {
		return
	}
	n.Attrs = make([]Attribute, 0, len(attrs))
	for i, a := range attrs {
		full := a.Name.Local
		if a.Name.Space != "" {
			full = a.Name.Space + ":" + full
		}
		switch {
		case a.Name.Space == "xmlns":
			t.scopes = append(t.scopes, scope{a.Name.Local, a.Value, t.depth})
		case full == "xmlns":
			n.inherited = a.Value
		}
		place := tagAttr{n.Tag, n.Tag}
		if i < len(t.scanned) {
			place = t.scanned[i]
		}
		if first := n.Attr(full); first != nil {
			t.Fault("attribute-twice", place.name, fmt.Sprintf("%s appears twice in <%s>", Short(full), Short(n.Name)),
				"an element has each attribute at most once", "remove one of the two",
				t.Related(first.NameAt, "the first"))
			continue
		}
		n.Attrs = append(n.Attrs, Attribute{Name: full, Value: a.Value, NameAt: place.name, ValueAt: place.value})
	}
}

// namespace resolves a prefix. An undeclared one yields "?" and the prefix, which no schema knows.
func (t *tokens) namespace(prefix string) string {
	if prefix == "" {
		return ""
	}
	for i := len(t.scopes) - 1; i >= 0; i-- {
		if t.scopes[i].prefix == prefix {
			return t.scopes[i].url
		}
	}
	return "?" + prefix
}

func (t *tokens) close(e xml.EndElement, at Extent) bool {
	n := t.top
	if n == nil || n.Name != e.Name.Local {
		what := fmt.Sprintf("</%s> closes nothing", Short(e.Name.Local))
		var related = t.Related(at, "here")
		if n != nil {
			what = fmt.Sprintf("</%s> is where <%s> must be closed", Short(e.Name.Local), Short(n.Name))
			related = t.Related(n.Tag, "opened here")
		}
		t.Fault("xml-syntax", at, what, "elements are closed in the reverse order of opening", "correct the end tag",
			related)
		return false
	}
	n.Inner.End = max(n.Inner.Start, at.Start)
	t.endText(len(n.Kids) == 0)
	for len(t.scopes) > 0 && t.scopes[len(t.scopes)-1].depth == t.depth {
		t.scopes = t.scopes[:len(t.scopes)-1]
	}
	t.depth--
	t.top = n.Parent
	return true
}

func (t *tokens) chars(text xml.CharData, at Extent) bool {
	if t.top != nil {
		if len(t.text) == 0 {
			t.textAt = at
		}
		t.text, t.textAt.End = append(t.text, text...), at.End
		return true
	}
	outside := string(text)
	if at.Start == 0 {
		outside = strings.TrimPrefix(outside, byteOrderMark)
	}
	if Blank(outside) {
		return true
	}
	t.Fault("xml-trailing", at, fmt.Sprintf("%s is outside of the %s", Quote(outside), t.lang.Noun),
		"a document is one element and nothing around it", "remove the text")
	return false
}

// endText gives the innermost element the text gathered. A leaf keeps all of it; of an element with
// children only the first piece that is not blank is kept, since it is an error there.
func (t *tokens) endText(leaf bool) {
	if len(t.text) == 0 {
		return
	}
	if n := t.top; leaf || n.Text == "" && len(bytes.TrimSpace(t.text)) > 0 {
		n.Text, n.TextAt = string(t.text), t.textAt
	}
	t.text = t.text[:0]
}

// byteOrderMark may begin a UTF-8 file.
const byteOrderMark = "\ufeff"
