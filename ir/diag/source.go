package diag

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// Sources is the input text by file name, in the order in which the files were given. The zero
// value is empty and ready.
type Sources struct {
	names  []string
	place  map[string]int // in names
	text   [][]byte       // in the order of names
	hidden map[string]bool
}

// Hide says that nothing of the text under name may be shown in diagnostics: it is not known to be
// theirs to read. Renderers then leave the lines out; who makes diagnostics must not quote it.
func (s *Sources) Hide(name string) {
	if s.hidden == nil {
		s.hidden = make(map[string]bool)
	}
	s.hidden[name] = true
}

// Hidden is true if nothing of the text under name may be shown.
func (s *Sources) Hidden(name string) bool { return s != nil && s.hidden[name] }

// Add keeps text under name. A name given twice keeps its first place and takes the new text.
func (s *Sources) Add(name string, text []byte) {
	if s.place == nil {
		s.place = make(map[string]int)
	}
	if i, ok := s.place[name]; ok {
		s.text[i] = text
		return
	}
	s.place[name] = len(s.names)
	s.names, s.text = append(s.names, name), append(s.text, text)
}

// Text returns what was added under name, nil if nothing was.
func (s *Sources) Text(name string) []byte {
	if !s.Has(name) {
		return nil
	}
	return s.text[s.place[name]]
}

// index returns the place of name in the order of adding; unknown names come last.
func (s *Sources) index(name string) int {
	if !s.Has(name) {
		return math.MaxInt
	}
	return s.place[name]
}

// Line returns the text of the line that holds offset, without its line end, and the offset at
// which it begins.
func (s *Sources) Line(name string, offset int) (line []byte, start int) {
	text := s.Text(name)
	if offset < 0 || offset > len(text) {
		return nil, 0
	}
	start = bytes.LastIndexByte(text[:offset], '\n') + 1
	end := bytes.IndexByte(text[start:], '\n')
	if end < 0 {
		return bytes.TrimSuffix(text[start:], []byte{'\r'}), start
	}
	return bytes.TrimSuffix(text[start:start+end], []byte{'\r'}), start
}

// Lines finds places in one text: it turns byte offsets into a [Pos]. Asking in rising order costs
// one walk over the text in all.
type Lines struct {
	text []byte
	last Pos
}

// NewLines returns a Lines over text.
func NewLines(text []byte) *Lines {
	return &Lines{text: text, last: Pos{Offset: 0, Line: 1, Col: 1}}
}

// Pos returns the place of offset, which is clamped to the text.
func (l *Lines) Pos(offset int) Pos {
	offset = max(0, min(offset, len(l.text)))
	if offset < l.last.Offset {
		l.last = Pos{Offset: 0, Line: 1, Col: 1}
	}
	p := l.last
	for p.Offset < offset {
		c := l.text[p.Offset]
		switch {
		case c == '\n':
			p.Line, p.Col = p.Line+1, 1
			p.Offset++
		case c < utf8.RuneSelf:
			p.Col++
			p.Offset++
		default:
			_, size := utf8.DecodeRune(l.text[p.Offset:])
			if p.Offset+size > offset { // inside a character: its beginning counts
				return Pos{Offset: offset, Line: p.Line, Col: p.Col}
			}
			p.Col++
			p.Offset += size
		}
	}
	l.last = p
	return p
}

// Names returns the file names in the order in which they were added.
func (s *Sources) Names() []string { return s.names }

// Has is true if something was added under name.
func (s *Sources) Has(name string) bool {
	if s == nil {
		return false
	}
	_, ok := s.place[name]
	return ok
}
