package policy

import (
	"github.com/vnetc/vnetc/ir/diag"
)

// Document is a policy that the document of a network has.
type Document struct {
	Network string
	Text    string
	Span    func(from, to int) diag.Span // of a part of the text, where the document has it
}

// ParseAll reads all policies of one compilation. The list is in the order in which statements
// decide: those of files, which are texts of src, as the files are given; then those of documents.
// With errors there are no statements.
func ParseAll(src *diag.Sources, files []string, documents []Document) ([]Statement, diag.List) {
	var all []Statement
	var found diag.List
	for _, name := range files {
		list, more := Parse(name, src.Text(name))
		all, found = append(all, list...), append(found, more...)
	}
	for _, d := range documents {
		list, more := ParseIn(d.Network, d.Text, d.Span)
		all, found = append(all, list...), append(found, more...)
	}
	Conceal(src, found)
	if found.HasErrors() {
		return nil, found
	}
	return all, found
}

// Conceal takes out of a list whatever quotes a text that src hides: only kinds of faults and
// places remain.
func Conceal(src *diag.Sources, list diag.List) {
	for i := range list {
		if d := &list[i]; src.Hidden(d.Span.File) {
			info, _ := diag.Find(d.Code)
			d.What = info.Title
			d.Why = "the file is reached by a link that leads out of the folder, so nothing of it is shown"
			d.Fix = "name the file itself to see it"
		}
	}
}
