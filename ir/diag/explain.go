package diag

import (
	"fmt"
	"io"
	"strings"
)

// explainWidth is the width of the prose that Explain prints, in characters.
const explainWidth = 80

// Explain writes what i.Code means: its title, why the rule exists, and an input that draws it
// beside one that does not.
func Explain(w io.Writer, i Info) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", i.Code, i.Title)
	if i.Text != "" {
		fmt.Fprintf(&b, "\n%s\n", wrap(i.Text, explainWidth))
	}
	example := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s:\n\n%s\n", title, indent(text))
		}
	}
	example("Bad", i.Bad)
	example("Good", i.Good)
	_, err := io.WriteString(w, b.String())
	return err
}

// UnknownCode returns the error for a code that no diagnostic has, with the one that was probably
// meant.
func UnknownCode(code string) error {
	var known []string
	for _, i := range Codes() {
		known = append(known, string(i.Code))
	}
	return unknownCode(code, known)
}

func unknownCode(code string, known []string) error {
	if near, ok := Near(code, known); ok {
		return fmt.Errorf("no diagnostic has the code %q; did you mean %s?", code, near)
	}
	var kin []string
	subject, _, _ := strings.Cut(code, "-")
	for _, k := range known {
		if first, _, _ := strings.Cut(k, "-"); first == subject {
			kin = append(kin, k)
		}
	}
	if len(kin) > 0 {
		return fmt.Errorf("no diagnostic has the code %q; about %s there are %s", code, subject,
			strings.Join(kin, ", "))
	}
	return fmt.Errorf("no diagnostic has the code %q; vnetc explain lists them all", code)
}

// wrap breaks text into lines of at most width characters. Paragraphs, with an empty line between
// them, stay apart.
func wrap(text string, width int) string {
	var paragraphs []string
	for _, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		var b strings.Builder
		column := 0
		for _, word := range strings.Fields(p) {
			n := len([]rune(word))
			switch {
			case column == 0:
			case column+1+n > width:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		paragraphs = append(paragraphs, b.String())
	}
	return strings.Join(paragraphs, "\n\n")
}

func indent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = "    " + l
		}
	}
	return strings.Join(lines, "\n")
}
