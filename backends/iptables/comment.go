package iptables

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// maxComment is the longest comment in bytes, XT_MAX_COMMENT_LEN without its NUL.
const maxComment = 255

// comment appends -m comment, if r has something to say: its own comment, and its origin if that
// was asked for.
func (l *lowering) comment(r *ir.Rule) {
	if text := backends.Comment(r, l.options.Comments, maxComment); text != "" {
		l.text = appendQuoted(append(l.text, " -m comment --comment "...), text)
	}
}

// appendQuoted appends text as iptables-save prints a string: bare if it holds letters, digits, _
// and - only, else in quotes, with a backslash before each quote and backslash.
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
