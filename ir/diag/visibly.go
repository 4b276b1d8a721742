package diag

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visibly returns a writer to w that escapes what [Visible] escapes, but for ends of lines and
// tabs. What a program says to people goes through it, so that no name of a device, process or file
// that came from a host reaches the terminal as it is; JSON means the same behind it as before.
func Visibly(w io.Writer) io.Writer { return &visibly{w: w} }

// Exactly returns the writer below one of [Visibly], for bytes that are the product itself or
// escapes of the program's own; w itself if it is no such writer.
func Exactly(w io.Writer) io.Writer {
	if v, ok := w.(*visibly); ok {
		return v.w
	}
	return w
}

type visibly struct {
	w    io.Writer
	part []byte // of a character whose other bytes are yet to come
}

// Write implements io.Writer.
func (v *visibly) Write(text []byte) (int, error) {
	if len(v.part) == 0 && plainText(text) {
		return v.w.Write(text)
	}
	rest := append(v.part, text...)
	v.part = nil
	out := make([]byte, 0, len(rest)+16)
	for len(rest) > 0 {
		if !utf8.FullRune(rest) {
			v.part = append([]byte(nil), rest...)
			break
		}
		r, size := utf8.DecodeRune(rest)
		out = appendVisibly(out, r, rest[:size])
		rest = rest[size:]
	}
	if _, err := v.w.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}

// plainText is true for text that most output is: ASCII with nothing to escape.
func plainText(text []byte) bool {
	for _, c := range text {
		if (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}

// appendVisibly appends the form of r, which stands as raw in the text. Above ASCII it is the one
// that JSON has too.
func appendVisibly(out []byte, r rune, raw []byte) []byte {
	switch {
	case r == '\n' || r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError:
		return append(out, raw...)
	case r < 0x7f || r == utf8.RuneError:
		return append(out, visibleRune(r, string(raw))...)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
