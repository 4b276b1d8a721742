package netxml

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir/diag"
)

// source is one input file and the places in it.
type source struct {
	name string
	text []byte

	// Made when a place is first asked for, so that places cost the same in files of one long line and of many.
	starts []int32 // offset at which each line begins
	runes  []int32 // characters before every runeBlock bytes; made for the first place that lies far behind its line's begin
}

// runeBlock is how many bytes are counted anew for each place.
const runeBlock = 512

// extent is a piece of a source by byte offsets, from start up to and without end.
type extent struct{ start, end int32 }

// span returns e as a place for people.
func (s *source) span(e extent) diag.Span {
	return diag.Span{File: s.name, Start: s.pos(e.start), End: s.pos(e.end)}
}

func (s *source) pos(offset int32) diag.Pos {
	if s.starts == nil {
		s.index()
	}
	at := max(0, min(int(offset), len(s.text)))
	line, found := slices.BinarySearch(s.starts, int32(at))
	if found {
		line++
	}
	return diag.Pos{Offset: at, Line: line, Col: 1 + s.runesBetween(int(s.starts[line-1]), at)}
}

// index finds the lines.
func (s *source) index() {
	s.starts = append(make([]int32, 0, 1+bytes.Count(s.text, []byte{'\n'})), 0)
	for i, c := range s.text {
		if c == '\n' {
			s.starts = append(s.starts, int32(i+1))
		}
	}
}

// runesBetween counts the characters that begin in the text from one offset up to and without another.
func (s *source) runesBetween(from, to int) int {
	if to-from <= runeBlock {
		return runes(s.text[from:to])
	}
	if s.runes == nil {
		for count, i := 0, 0; i <= len(s.text); i += runeBlock {
			s.runes = append(s.runes, int32(count))
			count += runes(s.text[i:min(i+runeBlock, len(s.text))])
		}
	}
	return s.runesBefore(to) - s.runesBefore(from)
}

// runesBefore counts the characters that begin before offset.
func (s *source) runesBefore(offset int) int {
	block := offset / runeBlock
	return int(s.runes[block]) + runes(s.text[block*runeBlock:offset])
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
