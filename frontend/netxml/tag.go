package netxml

// tag is a start tag taken apart by its bytes.
type tag struct {
	name  extent
	attrs []tagAttr
	end   int32 // behind the >; 0 if the tag is not well formed, and then what was found before the fault is there
	empty bool  // empty is true if the tag ends in />.
	plain bool  // plain is true if its bytes mean themselves: names of ASCII letters without a prefix, values of plain text.
}

// tagAttr says where an attribute stands in the bytes of a start tag: its name, and its value without the quotes.
type tagAttr struct{ name, value extent }

// scanTag takes the start tag apart that begins at offset at of text. The attributes are appended to attrs.
func scanTag(text []byte, at int32, attrs []tagAttr) tag {
	t := tag{attrs: attrs, plain: true}
	i := min(int(at)+1, len(text))
	t.name, i = t.scanName(text, i)
	for {
		i = skipSpace(text, i)
		if i < len(text) && text[i] == '/' {
			t.empty = true
			i++
		}
		if i < len(text) && text[i] == '>' {
			t.end = int32(i + 1)
			return t
		}
		var a tagAttr
		a.name, i = t.scanName(text, i)
		i = skipSpace(text, i)
		if t.empty || i >= len(text) || text[i] != '=' {
			return t
		}
		i = skipSpace(text, i+1)
		if i >= len(text) || text[i] != '\'' && text[i] != '"' {
			return t
		}
		a.value, i = t.scanValue(text, i)
		if i >= len(text) {
			return t
		}
		t.attrs = append(t.attrs, a)
		i++
	}
}

// scanName finds the name that begins at text[i], and where it ends.
func (t *tag) scanName(text []byte, i int) (name extent, end int) {
	from := i
	t.plain = t.plain && i < len(text) && class[text[i]]&nameStart != 0
	for i < len(text) && class[text[i]]&nameRest != 0 {
		i++
	}
	for i < len(text) && !isSpace(text[i]) && text[i] != '/' && text[i] != '>' && text[i] != '=' {
		t.plain = false
		i++
	}
	return extent{int32(from), int32(i)}, i
}

// scanValue finds the value whose opening quote is text[i], and where the closing one is.
func (t *tag) scanValue(text []byte, i int) (value extent, end int) {
	quote, from := text[i], i+1
	for i++; i < len(text) && text[i] != quote; i++ {
		if class[text[i]]&plainText == 0 {
			t.plain = false
		}
	}
	return extent{int32(from), int32(i)}, i
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && isSpace(text[i]) {
		i++
	}
	return i
}

// isSpace is XML's white space, https://www.w3.org/TR/xml/#NT-S.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
