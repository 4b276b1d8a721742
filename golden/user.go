package golden

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/frontend"
	"github.com/vnetc/vnetc/frontend/docpath"
	"github.com/vnetc/vnetc/ir/diag"
)

// Result is what became of one XML file of a user's directory.
type Result struct {
	File   string `json:"file"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"` // a unified diff, or the diagnostics
}

// State is the outcome of a comparison.
type State string

const (
	Same    State = "same"    // the outputs are as recorded
	Differs State = "differs" // they are not; Detail is the diff
	Missing State = "missing" // nothing is recorded yet
	Broken  State = "broken"  // the XML has errors; Detail shows them
	Orphan  State = "orphan"  // a record whose XML is gone
	Updated State = "updated" // the record was written
)

// wholeRecord is the record of a directory's networks together. A host loads them so: layout sets
// merges rules of several networks.
const wholeRecord = "_together.golden"

// Regress compiles each of the XML files of dir by itself, without policies, and compares the rules
// with those recorded beside it, NAME.golden for NAME.xml; and, where there are several or
// policies, all of them together, with the policies, with _together.golden. With update it writes
// the records that are missing or differ and removes orphans. A last result with the directory's
// name is there if the networks collide with each other. An error is the host's.
func Regress(dir string, update bool) ([]Result, error) {
	files, err := docpath.Files(dir)
	if err != nil {
		return nil, err
	}
	all := &diag.Sources{}
	var results []Result
	for _, file := range files {
		addFile(all, file.Path, file)
		if docpath.IsPolicy(file.Path) {
			continue
		}
		r, err := regressFile(file, update)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	collision, bad := together(dir, all, results)
	several := len(files) > 1 || hasPolicy(all)
	whole := several && !bad && !slices.ContainsFunc(results, func(r Result) bool { return r.State == Broken })
	if whole {
		r, err := regressWhole(dir, files, update)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	orphans, err := regressOrphans(dir, all, update, several)
	if err != nil {
		return nil, err
	}
	results = append(results, orphans...)
	if bad {
		results = append(results, collision)
	}
	return results, nil
}

// hasPolicy is true if a policy is among the sources or in their metadata.
func hasPolicy(src *diag.Sources) bool {
	parsed, _ := frontend.Parse(src, frontend.Options{})
	return len(parsed.Policy) > 0
}

// regressWhole compares the rules of all networks together with those recorded.
func regressWhole(dir string, files []docpath.File, update bool) (Result, error) {
	src := &diag.Sources{}
	for _, f := range files {
		addFile(src, filepath.Base(f.Path), f)
	}
	now, err := Outputs(src, Rules())
	if err != nil {
		return Result{}, err
	}
	return compareRecord(filepath.Join(dir, wholeRecord), fmt.Sprintf("%s (all networks together)", dir), now, update)
}

// escapeGlob makes dir match itself in a pattern of filepath.Match.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// addFile adds f to src under name.
func addFile(src *diag.Sources, name string, f docpath.File) {
	src.Add(name, f.Text)
	if f.Linked {
		src.Hide(name)
	}
}

func regressFile(f docpath.File, update bool) (Result, error) {
	file, src := f.Path, &diag.Sources{}
	addFile(src, filepath.Base(file), f)
	alone := frontend.Options{OwnRules: true} // a policy speaks of networks in other files, too
	now, err := outputs(src, Rules(), alone)
	if err != nil {
		return Result{}, err
	}
	if _, found := frontend.Compile(src, alone); found.HasErrors() {
		return Result{file, Broken, string(diagnostics(src, found))}, nil
	}
	return compareRecord(strings.TrimSuffix(file, ".xml")+".golden", file, now, update)
}

// compareRecord compares what file compiles to with its record, and writes the record if that is
// wanted. Of a first record there is no diff: nobody reads one against nothing.
func compareRecord(record, file string, now []Section, update bool) (Result, error) {
	old, err := os.ReadFile(record)
	missing := os.IsNotExist(err)
	if err != nil && !missing {
		return Result{}, err
	}
	delta := Diff(filepath.Base(file), recordSections(old), now)
	switch {
	case missing && update:
		return Result{file, Updated, ""}, writeRecord(record, now)
	case missing:
		return Result{file, Missing, ""}, nil
	case len(delta) == 0:
		return Result{file, Same, ""}, nil
	case update:
		return Result{file, Updated, string(delta)}, writeRecord(record, now)
	}
	return Result{file, Differs, string(delta)}, nil
}

func recordSections(text []byte) []Section {
	var out []Section
	for _, f := range txtar.Parse(text).Files {
		out = append(out, Section{f.Name, f.Data})
	}
	return out
}

// writeRecord writes sections beside their place and renames, so that a record is whole or as
// before.
func writeRecord(path string, sections []Section) error {
	a := &txtar.Archive{Comment: []byte("Rules of the network beside this file, or of all together. Compare: vnetc golden DIR; accept a change: vnetc golden --update DIR.\n")}
	for _, s := range sections {
		a.Files = append(a.Files, txtar.File{Name: s.Name, Data: s.Text})
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, txtar.Format(a), 0o644); err != nil {
		os.Remove(tmp)
		return err
	}
	return os.Rename(tmp, path)
}

// regressOrphans finds records without XML; that of all networks together has one if there are
// several. Only files that begin as writeRecord's do are taken for records.
func regressOrphans(dir string, all *diag.Sources, update, several bool) ([]Result, error) {
	records, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.golden"))
	if err != nil {
		return nil, err
	}
	var out []Result
	for _, record := range records {
		if all.Has(strings.TrimSuffix(record, ".golden")+".xml") || several && filepath.Base(record) == wholeRecord {
			continue
		}
		text, err := os.ReadFile(record)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(text, []byte("Rules of the network beside this file")) {
			continue
		}
		if !update {
			out = append(out, Result{record, Orphan, ""})
			continue
		}
		if err := os.Remove(record); err != nil {
			return nil, err
		}
		out = append(out, Result{record, Updated, "removed: its XML is gone\n"})
	}
	return out, nil
}

// together compiles all files as one and reports what only shows then: collisions between networks.
func together(dir string, all *diag.Sources, single []Result) (Result, bool) {
	for _, r := range single {
		if r.State == Broken {
			return Result{}, false
		}
	}
	if _, found := Compile(all); found.HasErrors() {
		return Result{fmt.Sprintf("%s (all networks together)", dir), Broken, string(diagnostics(all, found))}, true
	}
	return Result{}, false
}
