package xmldoc

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir/diag"
)

// Source is one document and the places in it.
type Source struct {
	Name string
	Text []byte

	// Made when a place is first asked for, so that places cost the same in files of one long line
	// and of many.
	starts []int32 // offset at which each line begins
	// characters before every runeBlock bytes; made for the first place that lies far behind its
	// line's begin
	runes []int32
}

// runeBlock is how many bytes are counted again for each place.
const runeBlock = 512

// Extent is a piece of a source by byte offsets, from Start up to and without End.
type Extent struct{ Start, End int32 }

// character returns the character that the byte at offset belongs to; the end of the text if there
// is none.
func (s *Source) character(offset int32) Extent {
	e := Extent{offset, min(offset+1, int32(len(s.Text)))}
	for e.Start > 0 && int(e.Start) < len(s.Text) && !utf8.RuneStart(s.Text[e.Start]) {
		e.Start--
	}
	for int(e.End) < len(s.Text) && !utf8.RuneStart(s.Text[e.End]) {
		e.End++
	}
	return e
}

// Span returns e as a place for people.
func (s *Source) Span(e Extent) diag.Span {
	return diag.Span{File: s.Name, Start: s.pos(e.Start), End: s.pos(e.End)}
}

func (s *Source) pos(offset int32) diag.Pos {
	if s.starts == nil {
		s.index()
	}
	at := max(0, min(int(offset), len(s.Text)))
	line, found := slices.BinarySearch(s.starts, int32(at))
	if found {
		line++
	}
	return diag.Pos{Offset: at, Line: line, Col: 1 + s.runesBetween(int(s.starts[line-1]), at)}
}

// index finds the lines.
func (s *Source) index() {
	s.starts = append(make([]int32, 0, 1+bytes.Count(s.Text, []byte{'\n'})), 0)
	for i, c := range s.Text {
		if c == '\n' {
			s.starts = append(s.starts, int32(i+1))
		}
	}
}

// runesBetween counts the characters that begin in the text from one offset up to and without
// another.
func (s *Source) runesBetween(from, to int) int {
	if to-from <= runeBlock {
		return runes(s.Text[from:to])
	}
	if s.runes == nil {
		for count, i := 0, 0; i <= len(s.Text); i += runeBlock {
			s.runes = append(s.runes, int32(count))
			count += runes(s.Text[i:min(i+runeBlock, len(s.Text))])
		}
	}
	return s.runesBefore(to) - s.runesBefore(from)
}

// runesBefore counts the characters that begin before offset.
func (s *Source) runesBefore(offset int) int {
	block := offset / runeBlock
	return int(s.runes[block]) + runes(s.Text[block*runeBlock:offset])
}

// runes counts the characters that begin in text.
func runes(text []byte) int {
	count := 0
	for _, c := range text {
		if utf8.RuneStart(c) {
			count++
		}
	}
	return count
}
