package golden

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/frontend/docpath"
	"github.com/vnetc/vnetc/ir/diag"
)

// diagnostics renders found as compile prints it for people, without notes and without a limit.
func diagnostics(src *diag.Sources, found diag.List) []byte {
	var shown diag.List
	for _, d := range found {
		if d.Severity != diag.Note {
			shown = append(shown, d)
		}
	}
	var text bytes.Buffer
	if err := diag.Text(&text, shown, src, diag.TextOptions{}); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return text.Bytes()
}

// Scenario is one txtar archive, taken apart.
type Scenario struct {
	Prose    string // why the scenario exists
	Sources  *diag.Sources
	Sections []Section // the recorded outputs
}

// ParseScenario reads a txtar archive: its comment is the prose, its *.xml and *.policy files the
// input in the order given, the rest are sections.
func ParseScenario(text []byte) *Scenario {
	a := txtar.Parse(text)
	s := &Scenario{Prose: strings.TrimSpace(string(a.Comment)), Sources: &diag.Sources{}}
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".xml") || docpath.IsPolicy(f.Name) {
			s.Sources.Add(f.Name, f.Data)
		} else {
			s.Sections = append(s.Sections, Section{f.Name, f.Data})
		}
	}
	return s
}

// Format is the inverse of ParseScenario.
func (s *Scenario) Format() []byte {
	a := &txtar.Archive{Comment: []byte(s.Prose + "\n")}
	for _, name := range s.Sources.Names() {
		a.Files = append(a.Files, txtar.File{Name: name, Data: s.Sources.Text(name)})
	}
	for _, sec := range s.Sections {
		a.Files = append(a.Files, txtar.File{Name: sec.Name, Data: sec.Text})
	}
	return txtar.Format(a)
}

// Diff compares recorded sections with those made now and returns a unified diff, by section in the
// order of stages so that the earliest stage that differs comes first; empty if all are equal. A
// section on one side only counts as empty on the other.
func Diff(name string, recorded, now []Section) []byte {
	var out bytes.Buffer
	for _, section := range sectionNames(now, recorded) {
		was, is := textOf(recorded, section), textOf(now, section)
		label := fmt.Sprintf("%s (%s)", name, section)
		out.Write(diff.Diff(label+" recorded", was, label+" now", is))
	}
	return out.Bytes()
}

func sectionNames(lists ...[]Section) []string {
	var names []string
	seen := make(map[string]bool)
	for _, l := range lists {
		for _, s := range l {
			if !seen[s.Name] {
				seen[s.Name] = true
				names = append(names, s.Name)
			}
		}
	}
	return names
}

func textOf(sections []Section, name string) []byte {
	for _, s := range sections {
		if s.Name == name {
			return s.Text
		}
	}
	return nil
}
