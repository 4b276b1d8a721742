package netxml

import (
	"bytes"
	"encoding/xml"
	"fmt"
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
// and safe to read; of networks it knows nothing. Plain markup, which is nearly all there is, it reads by itself (plain.go);
// encoding/xml reads the rest, and finds all that is wrong.
type tokens struct {
	*report
	string   string // the text again, for names and values to be pieces of
	at       int32  // how far it is read
	root     *node
	top      *node // the innermost open element
	depth    int
	elements int
	scopes   []scope
	scanned  []tagAttr
	text     []byte // character data since the last start or end tag
	textAt   extent

	nodes []node      // room for nodes
	room  []attribute // room for attributes
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
	t := &tokens{report: r, string: string(text)}
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
	for int(t.at) < len(t.string) {
		taken, ok := t.plain()
		if !taken {
			ok = t.foreign()
		}
		if !ok {
			return false
		}
	}
	return t.end()
}

// foreign has encoding/xml read one token; ok is false if there is a fault in it.
func (t *tokens) foreign() (ok bool) {
	dec := xml.NewDecoder(bytes.NewReader(t.src.text[t.at:]))
	token, err := dec.RawToken()
	at := extent{t.at, t.at + int32(dec.InputOffset())}
	t.at = at.end
	if err != nil {
		t.syntax(err, at)
		return false
	}
	switch token := token.(type) {
	case xml.StartElement:
		return t.start(token, at) && (t.string[at.end-2] != '/' || t.close(token.Name.Local, extent{at.end, at.end}))
	case xml.EndElement:
		return t.close(token.Name.Local, at)
	case xml.CharData:
		return t.chars(token, at)
	case xml.Comment:
		return true
	case xml.ProcInst:
		return t.instruction(token, at)
	case xml.Directive:
		return t.directive(at)
	}
	panic(fmt.Sprintf("netxml: unknown token %T", token))
}

// start opens an element whose tag encoding/xml has read.
func (t *tokens) start(e xml.StartElement, at extent) bool {
	tag := scanTag(t.src.text[:at.end], at.start, t.scanned[:0])
	t.scanned = tag.attrs
	n := t.open(e.Name.Local, len(e.Attr), tag.name, at)
	if n == nil {
		return false
	}
	for i, a := range e.Attr {
		full := a.Name.Local
		if a.Name.Space != "" {
			full = a.Name.Space + ":" + full
		}
		if a.Name.Space == "xmlns" {
			t.scopes = append(t.scopes, scope{a.Name.Local, a.Value, t.depth})
		}
		place := tagAttr{n.tag, n.tag}
		if i < len(tag.attrs) {
			place = tag.attrs[i]
		}
		t.attribute(n, full, a.Value, place)
	}
	n.space = t.namespace(e.Name.Space)
	return true
}

// open adds an element; at is where its start tag stands, and nameAt its name. It is nil after a fault.
func (t *tokens) open(name string, attrs int, nameAt, at extent) *node {
	t.depth++
	t.elements++
	switch {
	case t.root != nil && t.top == nil:
		t.fault("xml-trailing", nameAt, fmt.Sprintf("<%s> follows after the end of the network", short(name)),
			"a document has one root, and libvirt reads the first only", "put each network in a file of its own")
		return nil
	case t.depth > maxDepth:
		t.fault("xml-limit", nameAt, fmt.Sprintf("<%s> stands %d elements deep", short(name), t.depth),
			fmt.Sprintf("no more than %d nested elements are read", maxDepth), "remove the nesting")
		return nil
	case t.elements > maxElements || attrs > maxAttrs:
		t.fault("xml-limit", nameAt, fmt.Sprintf("<%s> is one too many, or has too many attributes", short(name)),
			fmt.Sprintf("no more than %d elements, with %d attributes each, are read", maxElements, maxAttrs),
			"split the network")
		return nil
	}
	n := t.newNode(attrs)
	n.parent, n.name, n.tag, n.inner = t.top, name, nameAt, extent{at.end, at.end}
	if t.top == nil {
		t.root = n
	} else {
		t.endText(false)
		t.top.kids = append(t.top.kids, n)
	}
	t.top = n
	return n
}

// newNode returns an empty node with room for attributes. Nodes and attributes are cut from larger pieces, of which most
// documents need one.
func (t *tokens) newNode(attrs int) *node {
	if len(t.nodes) == cap(t.nodes) {
		t.nodes = make([]node, 0, 12)
	}
	if cap(t.room)-len(t.room) < attrs {
		t.room = make([]attribute, 0, max(attrs, 12))
	}
	t.nodes = append(t.nodes, node{attrs: t.room[len(t.room) : len(t.room) : len(t.room)+attrs]})
	t.room = t.room[:len(t.room)+attrs]
	return &t.nodes[len(t.nodes)-1]
}

// attribute adds an attribute to n, unless it has one of that name.
func (t *tokens) attribute(n *node, name, value string, at tagAttr) {
	if first := n.attr(name); first != nil {
		t.fault("attribute-twice", at.name, fmt.Sprintf("%s stands twice in <%s>", short(name), short(n.name)),
			"an element has each attribute at most once", "remove one of the two", t.related(first.nameAt, "the first"))
		return
	}
	n.attrs = append(n.attrs, attribute{name: name, value: value, nameAt: at.name, valueAt: at.value})
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

// close ends the innermost open element, whose end tag stands at at.
func (t *tokens) close(name string, at extent) bool {
	n := t.top
	if n == nil || n.name != name {
		what := fmt.Sprintf("</%s> closes nothing", short(name))
		var related = t.related(at, "here")
		if n != nil {
			what = fmt.Sprintf("</%s> stands where <%s> must be closed", short(name), short(n.name))
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

// chars adds character data.
func (t *tokens) chars(text []byte, at extent) bool {
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
