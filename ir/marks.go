package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// marks is what is done to the mark of a packet and to that of its connection. Each bit of the new
// marks is a sum, without carry, of the old bits at its place and a constant; so of two such
// changes in a row another one comes. The zero value changes nothing. It is a normal form.
type marks struct {
	clear, fromCT, flip       uint32 // mark: old bits taken away, bits of the connection's added, bits turned over
	ctClear, fromMark, ctFlip uint32 // the connection's
}

// then returns what is done if b follows a.
func (a marks) then(b marks) marks {
	keep, ctKeep := ^a.clear, ^a.ctClear
	bKeep, bCTKeep := ^b.clear, ^b.ctClear
	return marks{
		clear:  ^(keep&bKeep ^ a.fromMark&b.fromCT),
		fromCT: a.fromCT&bKeep ^ ctKeep&b.fromCT,
		flip:   a.flip&bKeep ^ a.ctFlip&b.fromCT ^ b.flip,

		ctClear:  ^(a.fromCT&b.fromMark ^ ctKeep&bCTKeep),
		fromMark: keep&b.fromMark ^ a.fromMark&bCTKeep,
		ctFlip:   a.flip&b.fromMark ^ a.ctFlip&bCTKeep ^ b.ctFlip,
	}
}

// of returns both marks after a.
func (a marks) of(mark, ct uint32) (uint32, uint32) {
	return mark&^a.clear ^ ct&a.fromCT ^ a.flip, ct&^a.ctClear ^ mark&a.fromMark ^ a.ctFlip
}

// sets is true if a does nothing but give bits of the packet's mark a value.
func (a marks) sets() bool {
	return a == marks{clear: a.clear, flip: a.flip} && a.flip&^a.clear == 0
}

// String returns a in words, a comma before each part.
func (a marks) String() (words string) {
	part := func(name, other string, clear, from, flip uint32) {
		switch {
		case clear|from|flip == 0:
		case from == 0 && flip&^clear == 0:
			words += fmt.Sprintf(", %s set to %s", name, markWords(flip, clear))
		case from == 0:
			words += fmt.Sprintf(", %s changed by %s", name, markWords(flip, clear))
		default:
			words += fmt.Sprintf(", %s set to %s %s", name, other, markWords(from, clear))
			if flip != 0 {
				words += fmt.Sprintf(" with %#x", flip)
			}
		}
	}
	part("mark", "ctmark", a.clear, a.fromCT, a.flip)
	part("ctmark", "mark", a.ctClear, a.fromMark, a.ctFlip)
	return words
}

// marksOf returns what an action does to the marks.
func marksOf(a Action) marks {
	switch a := a.(type) {
	case SetMark:
		if a.CT {
			return marks{ctClear: a.Mask, ctFlip: a.Value}
		}
		return marks{clear: a.Mask, flip: a.Value}
	case CopyMark:
		if a.Save {
			return marks{ctClear: a.Clear, fromMark: a.Take}
		}
		return marks{clear: a.Clear, fromCT: a.Take}
	}
	return marks{}
}

// Bit is what is done to one bit of both marks: the new bits, by the old ones of the mark and of
// the connection's mark.
func (a Alteration) Bit(bit int) (mark, ct func(mark, ct bool) bool) {
	at := func(word uint32) bool { return word>>bit&1 == 1 }
	m := a.marks
	return func(mark, ct bool) bool {
			return (mark && !at(m.clear)) != (ct && at(m.fromCT)) != at(m.flip)
		}, func(mark, ct bool) bool {
			return (ct && !at(m.ctClear)) != (mark && at(m.fromMark)) != at(m.ctFlip)
		}
}

// SetsMark returns the value of the bits of the packet's mark that are set; the others stay. Ok is
// false if they don't, or that isn't known.
func (a Alteration) SetsMark() (value, mask uint32, ok bool) {
	m := a.marks
	return m.flip, m.clear, a.markText == "" && m.fromCT == 0 && m.flip&^m.clear == 0
}

// MarkBits returns the bits of which either mark may change.
func (a Alteration) MarkBits() uint32 {
	m := a.marks
	if a.markText != "" {
		return 0
	}
	return m.clear | m.fromCT | m.flip | m.ctClear | m.fromMark | m.ctFlip
}

// unclear is actions that touch the marks and of which it isn't known what they do, in order, each
// with what is known to be done behind it.
type unclear []struct {
	text    string
	touches Fields
	after   marks
}

// String returns all as an alteration keeps it: it is comparable then.
func (u unclear) String() string {
	var b strings.Builder
	for _, x := range u {
		m := x.after
		fmt.Fprintf(&b, "%x %x %x %x %x %x %x %s\n", uint16(x.touches), m.clear, m.fromCT, m.flip, m.ctClear,
			m.fromMark, m.ctFlip, x.text)
	}
	return b.String()
}

// parseUnclear is the inverse of String: texts have no control characters.
func parseUnclear(text string) (u unclear) {
	for line := range strings.Lines(text) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 8)
		var n [7]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(words[i], 16, 32)
		}
		w := func(i int) uint32 { return uint32(n[i]) }
		u = append(u, unclear{{words[7], Fields(n[0]), marks{w(1), w(2), w(3), w(4), w(5), w(6)}}}...)
	}
	return u
}

// prune drops actions of which nothing is left in the end, since all bits are set that depend on
// them. First is what is done before all of them.
func (u unclear) prune(first marks) (marks, unclear) {
	var left unclear
	for i, x := range u {
		var mark, ct uint32
		if x.touches&FieldMark != 0 {
			mark = allBits
		}
		if x.touches&FieldCTMark != 0 {
			ct = allBits
		}
		for _, y := range u[i:] {
			mark, ct = mark&^y.after.clear|ct&y.after.fromCT, ct&^y.after.ctClear|mark&y.after.fromMark
		}
		switch n := len(left); {
		case mark|ct != 0:
			left = append(left, x)
		case n > 0:
			left[n-1].after = left[n-1].after.then(x.after)
		default:
			first = first.then(x.after)
		}
	}
	return first, left
}

// touchesCTMark is true if the mark of the connection is touched beside actions of unknown effect
// on marks, or by them: its value is then not known either, as far as is told.
func (a Alteration) touchesCTMark() bool {
	own := func(m marks) bool { return m.ctClear|m.fromMark|m.ctFlip != 0 }
	if own(a.marks) {
		return true
	}
	for _, x := range parseUnclear(a.markText) {
		if own(x.after) || x.touches&FieldCTMark != 0 {
			return true
		}
	}
	return false
}

// words returns all in words.
func (u unclear) words() (text string) {
	for _, x := range u {
		text = joinTexts(joinTexts(text, x.text), strings.TrimPrefix(x.after.String(), ", "))
	}
	return text
}
