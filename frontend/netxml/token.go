package netxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of one document. A network of thousands of DHCP hosts stays well within them; what goes beyond is no network
// description but an attempt on the reader's memory.
const (
	// MaxSize is the length of the longest document that is read, in bytes. Who reads files for Parse need not read further
	// than one byte past it.
	MaxSize = 1 << 20

	maxDepth    = 64 // nested elements
	maxElements = 20000
	maxAttrs    = 64 // of one element
)

// tokens builds the tree of one document from a single pass over its tokens. It checks what makes a document well formed
// and safe to read; of networks it knows nothing.
type tokens struct {
	*report
	dec      *xml.Decoder
	root     *node
	top      *node // the innermost open element
	depth    int
	elements int
	scopes   []scope
	scanned  []tagAttr
	text     []byte // character data since the last start or end tag
	textAt   extent
}

// scope is one namespace declaration and the depth of the element that made it.
type scope struct {
	prefix, url string
	depth       int
}

// readTree returns the tree of the report's source, or nil after reporting the fault that makes it unreadable.
func readTree(r *report) *node {
	text := r.src.text
	if len(text) > MaxSize {
		r.fault("xml-limit", extent{}, fmt.Sprintf("the file has more than %d bytes", MaxSize),
			"no network description is that long, and it is not read",
			"split the network, or move data out of it")
		return nil
	}
	if at, ok := firstInvalid(text); !ok {
		r.fault("xml-utf8", extent{at, at + 1}, fmt.Sprintf("byte 0x%02x is not UTF-8", text[at]),
			"XML without another encoding is UTF-8, and names must be the same for every reader", "save the file as UTF-8")
		return nil
	}
	t := &tokens{report: r, dec: xml.NewDecoder(bytes.NewReader(text))}
	if !t.read() {
		return nil
	}
	if t.root == nil {
		r.fault("xml-empty", extent{}, "there is no <network> in it", "each file describes one network",
			"write <network> with a <name> in it")
		return nil
	}
	return t.root
}

// firstInvalid returns the offset of the first byte that is not UTF-8; ok is true if there is none.
func firstInvalid(text []byte) (at int32, ok bool) {
	if utf8.Valid(text) {
		return 0, true
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return int32(i), false
		}
		i += size
	}
	return 0, true
}

// read walks all tokens; ok is false if a fault ended it.
func (t *tokens) read() (ok bool) {
	for {
		from := int32(t.dec.InputOffset())
		token, err := t.dec.RawToken()
		at := extent{from, int32(t.dec.InputOffset())}
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
			panic(fmt.Sprintf("netxml: unknown token %T", token))
		}
		if !ok {
			return false
		}
	}
}

func (t *tokens) open(e xml.StartElement, at extent) bool {
	t.depth++
	t.elements++
	name, scanned := scanTag(t.src.text[at.start:at.end], at.start, t.scanned[:0])
	t.scanned = scanned
	switch {
	case t.root != nil && t.top == nil:
		t.fault("xml-trailing", name, fmt.Sprintf("<%s> follows after the end of the network", short(e.Name.Local)),
			"a document has one root, and libvirt reads the first only", "put each network in a file of its own")
		return false
	case t.depth > maxDepth:
		t.fault("xml-limit", name, fmt.Sprintf("<%s> stands %d elements deep", short(e.Name.Local), t.depth),
			fmt.Sprintf("no more than %d nested elements are read", maxDepth), "remove the nesting")
		return false
	case t.elements > maxElements || len(e.Attr) > maxAttrs:
		t.fault("xml-limit", name, fmt.Sprintf("<%s> is one too many, or has too many attributes", short(e.Name.Local)),
			fmt.Sprintf("no more than %d elements, with %d attributes each, are read", maxElements, maxAttrs),
			"split the network")
		return false
	}
	n := &node{parent: t.top, name: e.Name.Local, tag: name, inner: extent{at.end, at.end}}
	t.attributes(n, e.Attr)
	n.space = t.namespace(e.Name.Space)
	if t.top == nil {
		t.root = n
	} else {
		t.endText(false)
		t.top.kids = append(t.top.kids, n)
	}
	t.top = n
	return true
}

// attributes copies the token's attributes with their places, and remembers namespace declarations.
func (t *tokens) attributes(n *node, attrs []xml.Attr) {
	if len(attrs) == 0 {
		return
	}
	n.attrs = make([]attribute, 0, len(attrs))
	for i, a := range attrs {
		full := a.Name.Local
		if a.Name.Space != "" {
			full = a.Name.Space + ":" + full
		}
		if a.Name.Space == "xmlns" {
			t.scopes = append(t.scopes, scope{a.Name.Local, a.Value, t.depth})
		}
		place := tagAttr{n.tag, n.tag}
		if i < len(t.scanned) {
			place = t.scanned[i]
		}
		if first := n.attr(full); first != nil {
			t.fault("attribute-twice", place.name, fmt.Sprintf("%s stands twice in <%s>", short(full), short(n.name)),
				"an element has each attribute at most once", "remove one of the two", t.related(first.nameAt, "the first"))
			continue
		}
		n.attrs = append(n.attrs, attribute{name: full, value: a.Value, nameAt: place.name, valueAt: place.value})
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

func (t *tokens) close(e xml.EndElement, at extent) bool {
	n := t.top
	if n == nil || n.name != e.Name.Local {
		what := fmt.Sprintf("</%s> closes nothing", short(e.Name.Local))
		var related = t.related(at, "here")
		if n != nil {
			what = fmt.Sprintf("</%s> stands where <%s> must be closed", short(e.Name.Local), short(n.name))
			related = t.related(n.tag, "opened here")
		}
		t.fault("xml-syntax", at, what, "elements are closed in the reverse order of opening", "correct the end tag",
			related)
		return false
	}
	n.inner.end = max(n.inner.start, at.start)
	t.endText(len(n.kids) == 0)
	for len(t.scopes) > 0 && t.scopes[len(t.scopes)-1].depth == t.depth {
		t.scopes = t.scopes[:len(t.scopes)-1]
	}
	t.depth--
	t.top = n.parent
	return true
}

func (t *tokens) chars(text xml.CharData, at extent) bool {
	if t.top != nil {
		if len(t.text) == 0 {
			t.textAt = at
		}
		t.text, t.textAt.end = append(t.text, text...), at.end
		return true
	}
	outside := string(text)
	if at.start == 0 {
		outside = strings.TrimPrefix(outside, byteOrderMark)
	}
	if blank(outside) {
		return true
	}
	t.fault("xml-trailing", at, fmt.Sprintf("%s stands outside of the network", quote(outside)),
		"a document is one element and nothing around it", "remove the text")
	return false
}

// endText gives the innermost element the text gathered. A leaf keeps all of it; of an element with children only the
// first piece that is not blank is kept, since it is an error there.
func (t *tokens) endText(leaf bool) {
	if len(t.text) == 0 {
		return
	}
	if n := t.top; leaf || n.text == "" && len(bytes.TrimSpace(t.text)) > 0 {
		n.text, n.textAt = string(t.text), t.textAt
	}
	t.text = t.text[:0]
}

// byteOrderMark may begin a UTF-8 file.
const byteOrderMark = "\ufeff"
