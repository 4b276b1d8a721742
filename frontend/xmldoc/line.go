package xmldoc

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/vnetc/vnetc/ir/diag"
)

// This file holds the checks of text and names that end up in lines of files, in commands and in
// rules.

// Anything accepts all text.
func Anything(string) Problem { return Problem{} }

// OneLine accepts text without control characters: no line of a configuration made from it becomes
// two.
func OneLine(v string) Problem { return WithoutAny(v, Unprintable) }

// WithoutAny accepts text in which no character is bad.
func WithoutAny(v string, bad func(rune) bool) Problem {
	if r, ok := Find(v, bad); ok {
		return Problem{"value-control", fmt.Sprintf("with the character %U in it", r),
			"the value becomes one line of text elsewhere; a line break in it would begin another",
			"remove the character"}
	}
	return Problem{}
}

// Unprintable is true for what must not be in a line: control characters, line and paragraph
// separators, and the invisible characters that make a line look like another; and the sign that an
// editor leaves for bytes it couldn't read.
func Unprintable(r rune) bool {
	return r == unicode.ReplacementChar || !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r)
}

// Find returns the first bad character of v.
func Find(v string, bad func(rune) bool) (rune, bool) {
	for _, r := range v {
		if bad(r) {
			return r, true
		}
	}
	return 0, false
}

// UnsafeIn is true for what no name may hold: blanks, quotes, the wildcards of iptables, nft and
// the shell, and what cannot be seen.
func UnsafeIn(r rune) bool {
	return unicode.IsSpace(r) || Unprintable(r) || strings.ContainsRune("\"'`\\*+?[]/", r)
}

// UnsafeInDevice adds what iptables, nft and dnsmasq give a meaning, and what the kernel refuses
// (dev_valid_name).
func UnsafeInDevice(r rune) bool { return UnsafeIn(r) || strings.ContainsRune(":,;#!{}()<>|&$%=", r) }

// Named names the character that makes a name unsafe.
func Named(code diag.Code, r rune, place string) Problem {
	what := fmt.Sprintf("with %q in it", string(r))
	if Unprintable(r) {
		what = fmt.Sprintf("with the character %U in it", r)
	}
	return Problem{code, what, fmt.Sprintf("the name is used in %s, where this character has another meaning", place),
		"use letters, digits, dots, dashes and underscores"}
}
