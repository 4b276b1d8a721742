package netxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// This file holds what the token pass refuses to read at all.

// instruction accepts the XML declaration, which encoding/xml has checked, and nothing else.
func (t *tokens) instruction(p xml.ProcInst, at extent) bool {
	if p.Target == "xml" && (at.start == 0 || at.start == 3 && strings.HasPrefix(string(t.src.text[:3]), byteOrderMark)) {
		return true
	}
	t.fault("xml-instruction", at, fmt.Sprintf("<?%s?> is a processing instruction", short(p.Target)),
		"a network description is data; the XML declaration at the very beginning is the only instruction allowed",
		"remove it")
	return false
}

// directive refuses document types: they are how XML brings in other files and how a short text becomes a long one.
func (t *tokens) directive(at extent) bool {
	t.fault("xml-entity", at, "the document has a document type declaration (<!DOCTYPE ...> or the like)",
		"entities can read files of the host and fill its memory; networks need none",
		"remove the declaration and write the values out")
	return false
}

func (t *tokens) end() bool {
	if t.top == nil {
		return true
	}
	t.fault("xml-syntax", t.top.tag, fmt.Sprintf("<%s> is never closed", short(t.top.name)),
		"the file ends inside of the element",
		fmt.Sprintf("write </%s>", short(t.top.name)))
	return false
}

// syntax reports what encoding/xml refuses.
func (t *tokens) syntax(err error, at extent) {
	message := err.Error()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		message = syntax.Msg
	}
	message = fmt.Sprintf("the XML reader says %q", short(message))
	at.start = max(at.start, at.end-1)
	switch {
	case strings.Contains(message, "unexpected EOF") && t.top != nil:
		t.end()
	case strings.Contains(message, "character entity"):
		t.fault("xml-entity", at, message, "XML's own entities are &lt; &gt; &amp; &apos; and &quot;; others are not read",
			"write the character itself, or &amp; for a plain &")
	case strings.Contains(message, "encoding"):
		t.fault("xml-utf8", at, message, "XML is read as UTF-8", "save the file as UTF-8 and say so in its first line")
	default:
		t.fault("xml-syntax", at, message, "the text is not well-formed XML, and nothing after this place is read",
			"correct it")
	}
}
