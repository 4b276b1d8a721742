package iptables

import (
	"errors"
	"strings"
)

// token is one word of a line.
type token struct {
	text     string // without quotes and escapes
	from, to int    // where it stands in the line, quotes included
	quoted   bool   // quoted is true if the word, or part of it, stood in quotes: it is no option then
}

// is is true if t is this word, unquoted.
func (t token) is(word string) bool { return t.text == word && !t.quoted }

// isOption is true if t begins as an option does.
func (t token) isOption() bool { return !t.quoted && len(t.text) > 1 && t.text[0] == '-' }

var errQuote = errors.New("a quote is not closed")

// split appends the words of line to into, as iptables-restore splits them (iptables/xshared.c): blanks and tabs between
// words, double quotes around a word or a part of one, ending it, and in quotes a backslash before any character.
func split(into []token, line string) ([]token, error) {
	for i := 0; i < len(line); {
		if c := line[i]; c == ' ' || c == '\t' || c == '\r' {
			i++
			continue
		}
		end := i
		for end < len(line) && line[end] > ' ' && line[end] != '"' {
			end++
		}
		if end < len(line) && line[end] != ' ' && line[end] != '\t' && line[end] != '\r' {
			t, err := splitOdd(line, i)
			if err != nil {
				return into, err
			}
			into, i = append(into, t), t.to
			continue
		}
		into = append(into, token{text: line[i:end], from: i, to: end})
		i = end
	}
	return into, nil
}

// splitOdd returns the word that begins at from and has quotes or control characters in it.
func splitOdd(line string, from int) (token, error) {
	t := token{from: from}
	var b strings.Builder
	open := false
	i := from
scan:
	for ; i < len(line); i++ {
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
			open, t.quoted = true, true
		case c == ' ' || c == '\t' || c == '\r':
			break scan
		default:
			b.WriteByte(c)
		}
	}
	if open {
		return t, errQuote
	}
	t.text, t.to = b.String(), i
	return t, nil
}
