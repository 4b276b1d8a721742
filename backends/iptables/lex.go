package iptables

import (
	"errors"
	"strings"
)

// token is one word of a line.
type token struct {
	text     string // without quotes and escapes
	from, to int    // where it stands in the line, quotes included
	quoted   bool   // quoted is true if the word, or part of it, stood in quotes
}

// is is true if t is this word, unquoted.
func (t token) is(word string) bool { return t.text == word && !t.quoted }

var errQuote = errors.New("a quote is not closed")

// split appends the words of line from a place on to into, as iptables-restore splits them
// (iptables/xshared.c): blanks and tabs between words, double quotes around a word or a part of
// one, ending it, and in quotes a backslash before any character. A quote that is not closed, which
// errQuote reports, ends with the line and has the line's end in it. A NUL ends the line.
func split(into []token, line string, from int) ([]token, error) {
	for i := from; i < len(line); {
		if c := line[i]; c == ' ' || c == '\t' {
			i++
			continue
		}
		end := i
		for end < len(line) && line[end] > ' ' && line[end] != '"' {
			end++
		}
		if end < len(line) && line[end] != ' ' && line[end] != '\t' {
			if line[i] == 0 {
				return into, nil
			}
			t, err := splitOdd(line, i)
			if into, i = append(into, t), t.to; err != nil {
				return into, err
			}
			continue
		}
		into = append(into, token{text: line[i:end], from: i, to: end})
		i = end
	}
	return into, nil
}

// splitOdd returns the word that begins at from and has quotes or control characters in it.
func splitOdd(line string, from int) (token, error) {
	var b strings.Builder
	var err error
	quoted := false
	open := false
	i := from
scan:
	for ; i < len(line) && line[i] != 0; i++ {
		switch c := line[i]; {
		case open && c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
		case open && c == '"':
			open = false
			i++
			break scan
		case open:
			b.WriteByte(c)
		case c == '"':
			open, quoted = true, true
		case c == ' ' || c == '\t':
			break scan
		default:
			b.WriteByte(c)
		}
	}
	if open {
		b.WriteByte('\n')
		err = errQuote
	}
	return token{text: b.String(), from: from, to: i, quoted: quoted}, err
}
