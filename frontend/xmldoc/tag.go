package xmldoc

// tagAttr says where an attribute stands in the bytes of a start tag: its name, and its value
// without the quotes.
type tagAttr struct{ name, value Extent }

// scanTag finds the attributes of a start tag, which encoding/xml reads without telling where. raw
// is the tag from its < on, already accepted by encoding/xml; offsets are counted from its
// beginning and added to base. The attributes are appended to attrs. A tag that is not well formed
// yields what was found before the fault.
func scanTag(raw []byte, base int32, attrs []tagAttr) (name Extent, _ []tagAttr) {
	i := 1
	for i < len(raw) && !isSpace(raw[i]) && raw[i] != '/' && raw[i] != '>' {
		i++
	}
	name = Extent{base + min(1, int32(len(raw))), base + min(int32(i), int32(len(raw)))}
	for {
		i = skipSpace(raw, i)
		if i >= len(raw) || raw[i] == '/' || raw[i] == '>' {
			return name, attrs
		}
		from := i
		for i < len(raw) && !isSpace(raw[i]) && raw[i] != '=' {
			i++
		}
		a := tagAttr{name: Extent{base + int32(from), base + int32(i)}}
		i = skipSpace(raw, i)
		if i >= len(raw) || raw[i] != '=' {
			return name, attrs
		}
		i = skipSpace(raw, i+1)
		if i >= len(raw) || raw[i] != '\'' && raw[i] != '"' {
			return name, attrs
		}
		quote := raw[i]
		from = i + 1
		for i = from; i < len(raw) && raw[i] != quote; {
			i++
		}
		if i >= len(raw) {
			return name, attrs
		}
		a.value = Extent{base + int32(from), base + int32(i)}
		attrs = append(attrs, a)
		i++
	}
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && isSpace(raw[i]) {
		i++
	}
	return i
}

// isSpace is XML's white space, https://www.w3.org/TR/xml/#NT-S.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
