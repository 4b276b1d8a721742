package netxml

import (
	"sort"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir/diag"
)

// source is one input file and the places in it.
type source struct {
	name string
	text []byte

	// Made when a place is first asked for, so that places cost the same in files of one long line and of many.
	starts []int32 // offset at which each line begins
	runes  []int32 // characters before every runeBlock bytes
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
	line := sort.Search(len(s.starts), func(i int) bool { return int(s.starts[i]) > at })
	return diag.Pos{Offset: at, Line: line, Col: 1 + s.runesBefore(at) - s.runesBefore(int(s.starts[line-1]))}
}

func (s *source) index() {
	s.starts = append(make([]int32, 0, 32), 0)
	count := int32(0)
	for i, c := range s.text {
		if i%runeBlock == 0 {
			s.runes = append(s.runes, count)
		}
		if utf8.RuneStart(c) {
			count++
		}
		if c == '\n' {
			s.starts = append(s.starts, int32(i+1))
		}
	}
	s.runes = append(s.runes, count)
}

// runesBefore counts the characters that begin before offset.
func (s *source) runesBefore(offset int) int {
	block := min(offset/runeBlock, len(s.runes)-1)
	count := int(s.runes[block])
	for _, c := range s.text[min(block*runeBlock, len(s.text)):offset] {
		if utf8.RuneStart(c) {
			count++
		}
	}
	return count
}
