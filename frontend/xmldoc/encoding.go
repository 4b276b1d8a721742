package xmldoc

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// encodings are those that are read, by the names that documents give them, in lower case. ASCII is
// a part of UTF-8; the characters of Latin-1 are the first of Unicode.
var encodings = map[string]encoding{
	"utf-8": asUTF8, "utf8": asUTF8,
	"us-ascii": asASCII, "ascii": asASCII, "ansi_x3.4-1968": asASCII, "iso646-us": asASCII, "iso_646.irv:1991": asASCII,
	"iso-8859-1": asLatin1, "iso_8859-1": asLatin1, "iso8859-1": asLatin1, "iso_8859-1:1987": asLatin1,
	"iso-latin-1": asLatin1,
	"latin1":      asLatin1, "latin-1": asLatin1, "l1": asLatin1,
}

type encoding int

const (
	unknownEncoding encoding = iota
	asUTF8
	asASCII
	asLatin1
)

// UTF8 returns a document whose XML declaration says Latin-1 as the same in UTF-8, declaration
// included, and any other as it is. Places in a document are places in what UTF8 returns.
func UTF8(text []byte) []byte {
	name, at := declared(text)
	if encodings[strings.ToLower(name)] != asLatin1 || len(text) > MaxSize {
		return text
	}
	out := append(make([]byte, 0, len(text)+len(text)/8), text[:at.Start]...)
	out = append(out, "UTF-8"...)
	quote := text[at.End]
	out = append(out, quote)
	out = append(out, strings.Repeat(" ", max(0, len(name)-len("UTF-8")))...) // what follows keeps its columns
	for _, c := range text[at.End+1:] {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// declared returns the encoding that the XML declaration names, and where; empty if it names none.
// A byte order mark says UTF-8 by itself, whatever is declared.
func declared(text []byte) (name string, at Extent) {
	if !bytes.HasPrefix(text, []byte("<?xml")) {
		return "", Extent{}
	}
	line, _, _ := bytes.Cut(text, []byte("?>"))
	_, rest, ok := bytes.Cut(line, []byte("encoding"))
	rest, eq := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("="))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if !ok || !eq || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return "", Extent{}
	}
	start := len(line) - len(rest) + 1
	value, _, closed := bytes.Cut(rest[1:], rest[:1])
	if !closed {
		return "", Extent{}
	}
	return string(value), Extent{int32(start), int32(start + len(value))}
}

// The diagnostics about encodings that are not read.
const (
	encodingsRead = "documents are read in UTF-8, and in ASCII and Latin-1 where their first line says so"
	saveAsUTF8    = "save the file as UTF-8 and say so in its first line"
)

// utf16 is true for a text that begins as XML in UTF-16 does, with a mark or without.
func utf16(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	switch [2]byte(text) {
	case [2]byte{0xff, 0xfe}, [2]byte{0xfe, 0xff}, [2]byte{0, '<'}, [2]byte{'<', 0}:
		return true
	}
	return false
}

// readable reports a document in an encoding that is not read, or not in the one that it declares.
func (r *Report) readable() bool {
	text := r.Source.Text
	name, at := declared(text)
	switch known := encodings[strings.ToLower(name)]; {
	case name != "" && known == unknownEncoding:
		r.Fault("xml-utf8", at, fmt.Sprintf("the file says that it is in %s", Quote(name)), encodingsRead, saveAsUTF8)
		return false
	case known == asASCII:
		if i := slices.IndexFunc(text, func(c byte) bool { return c >= utf8.RuneSelf }); i >= 0 {
			r.Fault("xml-utf8", r.Source.character(int32(i)),
				fmt.Sprintf("byte 0x%02x is not ASCII, which the first line says the file is", text[i]), encodingsRead,
				saveAsUTF8)
			return false
		}
	}
	if i, ok := firstInvalid(text); !ok {
		r.Fault("xml-utf8", Extent{i, i + 1}, fmt.Sprintf("byte 0x%02x is not UTF-8", text[i]),
			"XML without another encoding is UTF-8, and names must be the same for every reader",
			"save the file as UTF-8")
		return false
	}
	return true
}

// firstInvalid returns the offset of the first byte that is not UTF-8; ok is true if there is none.
func firstInvalid(text []byte) (at int32, ok bool) {
	if utf8.Valid(text) {
		return 0, true
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return int32(i), false
		}
		i += size
	}
	return 0, true
}

// charsets lets encoding/xml read on in an encoding that [Report.readable] took: the text is UTF-8
// by then.
func charsets(label string, in io.Reader) (io.Reader, error) {
	if encodings[strings.ToLower(label)] == unknownEncoding {
		return nil, fmt.Errorf("%s is not read", Quote(label))
	}
	return in, nil
}
