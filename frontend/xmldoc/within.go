package xmldoc

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir/diag"
)

// Within returns where a part of a text or value stands that another language is written in: the
// text of [Node.TextAt] or the value of [Attribute.ValueAt], from one byte of it up to and without
// another. XML may write them in other words: with entities, CDATA sections, comments between and
// two characters at the end of a line. Who asks for many parts of one text asks a [Writing].
func (s *Source) Within(at Extent, from, to int) Extent {
	return within(at, mark{raw: written{text: s.Text[at.Start:at.End]}}, from, to)
}

// within is [Source.Within] that begins at a mark, which lies before the part.
func within(at Extent, m mark, from, to int) Extent {
	part, begun := Extent{at.End, at.End}, false
	to = max(from, to)
	for raw, n := m.raw, m.offset; raw.next(); n += raw.size {
		if !begun && n+raw.size > from {
			part.Start, begun = at.Start+int32(raw.from), true
		}
		if n >= to {
			break
		}
		part.End = at.Start + int32(raw.to)
	}
	if to == from {
		part.End = part.Start
	}
	return part
}

// Writing is a text as a document has it written. It finds parts like [Source.Within], at a cost
// that does not depend on the length of the text.
type Writing struct {
	src   *Source
	at    Extent
	marks []mark
}

// mark is a place in a text and in what is written for it.
type mark struct {
	offset int
	raw    written
}

// markEvery is how many bytes of the text are between two marks, at least.
const markEvery = 512

// Writing returns the text of [Node.TextAt] or the value of [Attribute.ValueAt] as it is written.
func (s *Source) Writing(at Extent) *Writing { return &Writing{src: s, at: at} }

// Span returns where the text stands from one byte up to and without another.
func (w *Writing) Span(from, to int) diag.Span {
	if w.marks == nil {
		w.marks = []mark{{raw: written{text: w.src.Text[w.at.Start:w.at.End]}}}
		for m := w.marks[0]; m.raw.next(); {
			if m.offset += m.raw.size; m.offset >= w.marks[len(w.marks)-1].offset+markEvery {
				w.marks = append(w.marks, m)
			}
		}
	}
	i := sort.Search(len(w.marks), func(i int) bool { return w.marks[i].offset > from }) - 1
	return w.src.Span(within(w.at, w.marks[max(i, 0)], from, to))
}

// written walks character data as it is written.
type written struct {
	text     []byte
	from, to int  // the piece that stands for the next characters
	size     int  // how many bytes of the text that piece stands for
	cdata    bool // to is inside of a CDATA section
}

const (
	cdataBegin, cdataEnd     = "<![CDATA[", "]]>"
	commentBegin, commentEnd = "<!--", "-->"
)

// next goes to the next piece; it is false at the end.
func (w *written) next() bool {
	w.markup()
	rest := w.text[w.to:]
	if len(rest) == 0 {
		return false
	}
	w.from = w.to
	_, w.size = utf8.DecodeRune(rest)
	length := w.size
	switch {
	case rest[0] == '\r': // XML reads all ends of lines as one character
		length = len(rest) - len(bytes.TrimPrefix(rest, []byte("\r\n")))
		length = max(length, 1)
	case rest[0] == '&' && !w.cdata:
		if end := bytes.IndexByte(rest, ';'); end > 0 {
			length, w.size = end+1, entitySize(string(rest[1:end]))
		}
	}
	w.to += length
	return true
}

// markup goes past what stands for no character.
func (w *written) markup() {
	for {
		rest := w.text[w.to:]
		switch {
		case w.cdata && bytes.HasPrefix(rest, []byte(cdataEnd)):
			w.to, w.cdata = w.to+len(cdataEnd), false
		case w.cdata:
			return
		case bytes.HasPrefix(rest, []byte(cdataBegin)):
			w.to, w.cdata = w.to+len(cdataBegin), true
		case bytes.HasPrefix(rest, []byte(commentBegin)):
			end := bytes.Index(rest[len(commentBegin):], []byte(commentEnd))
			if end < 0 {
				w.to = len(w.text)
				return
			}
			w.to += len(commentBegin) + end + len(commentEnd)
		default:
			return
		}
	}
}

// entitySize returns how many bytes an entity stands for: one of XML's five, or a number.
func entitySize(name string) int {
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return 1
	}
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 1
	}
	return len(string(rune(n)))
}
