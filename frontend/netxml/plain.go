package netxml

// This file reads plain markup: bytes that mean themselves, in tags that are well formed. Whatever else there may be, such as
// entities, comments, prefixes, or a letter that is not ASCII, is not plain.

// What a byte can be in plain markup, as bits of class.
const (
	plainText = 1 << iota // in character data or the value of an attribute
	nameStart             // at the beginning of a name
	nameRest              // in a name
)

// class has for each byte what it can be. Of characters that XML allows in text, & and < begin something else, a carriage
// return is read as a line feed, and ]]> must not be there.
var class = func() (class [256]byte) {
	for c := range byte(0x7f) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if letter {
			class[c] |= nameStart
		}
		if letter || c >= '0' && c <= '9' || c == '-' || c == '.' {
			class[c] |= nameRest
		}
		if (c >= ' ' || c == '\t' || c == '\n') && c != '&' && c != '<' && c != ']' {
			class[c] |= plainText
		}
	}
	return class
}()

// plain reads one token if it is plain; taken is false if it is not, ok if there is a fault in it.
func (t *tokens) plain() (taken, ok bool) {
	text, at := t.string, int(t.at)
	switch {
	case text[at] != '<':
		return t.plainChars()
	case at+1 < len(text) && text[at+1] == '/':
		return t.plainEnd()
	}
	tag := scanTag(t.src.text, t.at, t.scanned[:0])
	t.scanned = tag.attrs
	if !tag.plain || tag.end == 0 {
		return false, false
	}
	n := t.open(t.piece(tag.name), len(tag.attrs), tag.name, extent{t.at, tag.end})
	if n == nil {
		return true, false
	}
	for _, a := range tag.attrs {
		t.attribute(n, t.piece(a.name), t.piece(a.value), a)
	}
	t.at = tag.end
	return true, !tag.empty || t.close(n.name, extent{tag.end, tag.end})
}

// plainChars reads character data up to the next tag.
func (t *tokens) plainChars() (taken, ok bool) {
	text := t.src.text
	at := extent{t.at, t.at}
	for int(at.end) < len(text) && text[at.end] != '<' {
		if class[text[at.end]]&plainText == 0 {
			return false, false
		}
		at.end++
	}
	t.at = at.end
	return true, t.chars(text[at.start:at.end], at)
}

// plainEnd reads an end tag.
func (t *tokens) plainEnd() (taken, ok bool) {
	end := tag{plain: true}
	name, i := end.scanName(t.src.text, int(t.at)+2)
	if i = skipSpace(t.src.text, i); !end.plain || i >= len(t.string) || t.string[i] != '>' {
		return false, false
	}
	at := extent{t.at, int32(i + 1)}
	t.at = at.end
	return true, t.close(t.piece(name), at)
}

// piece returns a piece of the text.
func (t *tokens) piece(e extent) string { return t.string[e.start:e.end] }
