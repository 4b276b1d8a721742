package netxml

import (
	"bytes"
	"sort"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir/diag"
)

// source is one input file and the places in it.
type source struct {
	name   string
	text   []byte
	starts []int32 // offset at which each line begins; made when first asked for
}

// extent is a piece of a source by byte offsets, from start up to and without end.
type extent struct{ start, end int32 }

// span returns e as a place for people.
func (s *source) span(e extent) diag.Span {
	return diag.Span{File: s.name, Start: s.pos(e.start), End: s.pos(e.end)}
}

// pos finds the line by bisection, so that asking for places in any order stays cheap in a file of many lines.
func (s *source) pos(offset int32) diag.Pos {
	if s.starts == nil {
		s.starts = lineStarts(s.text)
	}
	at := max(0, min(int(offset), len(s.text)))
	line := sort.Search(len(s.starts), func(i int) bool { return int(s.starts[i]) > at })
	begin := int(s.starts[line-1])
	return diag.Pos{Offset: at, Line: line, Col: 1 + utf8.RuneCount(s.text[begin:at])}
}

func lineStarts(text []byte) []int32 {
	starts := make([]int32, 1, 1+bytes.Count(text, []byte{'\n'}))
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, int32(i+1))
		}
	}
	return starts
}
