package xmldoc

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// This file holds what the token pass refuses to read at all.

// instruction accepts the XML declaration, which encoding/xml has checked, and nothing else.
func (t *tokens) instruction(p xml.ProcInst, at Extent) bool {
	if p.Target == "xml" && (at.Start == 0 || at.Start == 3 &&
		strings.HasPrefix(string(t.Source.Text[:3]), byteOrderMark)) {
		return true
	}
	t.Fault("xml-instruction", at, fmt.Sprintf("<?%s?> is a processing instruction", Short(p.Target)),
		fmt.Sprintf("a %s description is data; the XML declaration at the very beginning is the only instruction allowed", t.lang.Noun),
		"remove it")
	return false
}

// directive refuses document types: they are how XML brings in other files and how a short text
// becomes a long one.
func (t *tokens) directive(at Extent) bool {
	t.Fault("xml-entity", at, "the document has a document type declaration (<!DOCTYPE ...> or the like)",
		fmt.Sprintf("entities can read files of the host and fill its memory; %ss need none", t.lang.Noun),
		"remove the declaration and write the values out")
	return false
}

func (t *tokens) end() bool {
	if t.top == nil {
		return true
	}
	t.Fault("xml-syntax", t.top.Tag, fmt.Sprintf("<%s> is never closed", Short(t.top.Name)),
		"the file ends inside of the element",
		fmt.Sprintf("write </%s>", Short(t.top.Name)))
	return false
}

// syntax reports what encoding/xml refuses.
func (t *tokens) syntax(err error, at Extent) {
	message := err.Error()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		message = syntax.Msg
	}
	message = fmt.Sprintf("the XML reader says %q", Short(strings.TrimPrefix(message, "xml: ")))
	at = t.Source.character(max(at.Start, at.End-1))
	switch {
	case strings.Contains(message, "unexpected EOF") && t.top != nil:
		t.end()
	case strings.Contains(message, "character entity"):
		t.Fault("xml-entity", at, message,
			"XML's own entities are &lt; &gt; &amp; &apos; and &quot;; others are not read",
			"write the character itself, or &amp; for a plain &")
	case strings.Contains(message, "encoding"):
		t.Fault("xml-utf8", at, message, "XML is read as UTF-8", "save the file as UTF-8 and say so in its first line")
	default:
		t.Fault("xml-syntax", at, message, "the text is not well-formed XML, and nothing after this place is read",
			"correct it")
	}
}
