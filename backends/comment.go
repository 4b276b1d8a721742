package backends

import (
	"strings"
	"unicode/utf8"

	"github.com/vnetc/vnetc/ir"
)

// Comment returns what a rule's comment should say: r's own comment and, with origins, who asked
// for r and why, as in "network lab, lab.xml:7:5: guests may open connections". It is one line of
// valid UTF-8 without control characters, cut to at most limit bytes; empty if there is nothing to
// say.
func Comment(r *ir.Rule, origins bool, limit int) string {
	text := r.Comment
	if origins {
		text = join("; ", text, originText(&r.Origin))
	}
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > limit {
		for !utf8.RuneStart(text[limit]) {
			limit--
		}
		text = text[:limit]
	}
	return strings.TrimSpace(text)
}

func originText(o *ir.Origin) string {
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
