package iptables

import (
	"strings"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir"
)

// maxComment is the longest comment in bytes, XT_MAX_COMMENT_LEN without its NUL.
const maxComment = 255

// comment appends -m comment, if r has something to say: its own comment, and its origin if that was asked for.
func (l *lowering) comment(r *ir.Rule) {
	text := r.Comment
	if l.options.Comments {
		text = join("; ", text, origin(&r.Origin))
	}
	if text = oneLine(text); text != "" {
		l.text = appendQuoted(append(l.text, " -m comment --comment "...), text)
	}
}

// origin returns who asked for a rule and why: network lab, lab.xml:7:5: guests may open connections.
func origin(o *ir.Origin) string {
	network := ""
	if o.Network != "" {
		network = "network " + o.Network
	}
	return join(", ", network, join(": ", o.Span.String(), o.Reason))
}

// join joins the parts that are not empty.
func join(sep string, parts ...string) string {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}

// oneLine returns text without control characters and bytes that are no UTF-8, cut to what a comment can hold.
func oneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > maxComment {
		cut := maxComment
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	return strings.TrimSpace(text)
}

// appendQuoted appends text as iptables-save prints a string: bare if it holds letters, digits, _ and - only, else in
// quotes, with a backslash before each quote and backslash.
func appendQuoted(b []byte, text string) []byte {
	bare := true
	for i := 0; i < len(text); i++ {
		bare = bare && isBare(text[i])
	}
	if bare {
		return append(b, text...)
	}
	b = append(b, '"')
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == '"' || c == '\'' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"')
}

func isBare(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
