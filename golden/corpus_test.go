package golden

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

var update = flag.Bool("update", false, "rewrite the recorded sections of the corpus")

const howToUpdate = "if the change is meant: go test ./golden -update, and read the diff before you commit it"

// corpusFiles calls f for each txtar file in dir whose name, less its ending, is chosen, as a
// subtest of that name.
func corpusFiles(t *testing.T, dir string, choose func(name string) bool,
	f func(t *testing.T, name string, s *Scenario)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios in %s (%v)", dir, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		if !choose(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := ParseScenario(text)
			if len(s.Sources.Names()) == 0 {
				t.Fatalf("%s has no network: add a section -- NAME.xml --", path)
			}
			f(t, name, s)
		})
	}
}

// corpus is corpusFiles for scenarios of our own, which say why they exist.
func corpus(t *testing.T, dir string, f func(t *testing.T, path string, s *Scenario)) {
	t.Helper()
	corpusFiles(t, dir, func(string) bool { return true }, func(t *testing.T, name string, s *Scenario) {
		path := filepath.Join(dir, name+".txtar")
		if len(s.Prose) < 40 {
			t.Errorf("%s has no prose: say above the first file why the scenario exists", path)
		}
		f(t, path, s)
	})
}

// compare compares the recorded sections with those made now, or records the latter.
func compare(t *testing.T, path string, s *Scenario, now []Section) {
	t.Helper()
	for _, rec := range s.Sections {
		if textOf(now, rec.Name) == nil && !*update {
			t.Errorf("section %q is an orphan: no stage makes it; %s", rec.Name, howToUpdate)
		}
	}
	for _, sec := range now {
		if textOf(s.Sections, sec.Name) == nil && !*update {
			t.Errorf("section %q is missing; %s", sec.Name, howToUpdate)
		}
	}
	delta := Diff(filepath.Base(path), s.Sections, now)
	if len(delta) == 0 {
		return
	}
	if !*update {
		t.Errorf("%s\n%s", delta, howToUpdate)
		return
	}
	s.Sections = now
	if err := os.WriteFile(path, s.Format(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCases(t *testing.T) {
	n := 0
	corpus(t, "cases", func(t *testing.T, path string, s *Scenario) {
		n++
		now, err := Outputs(s.Sources, AllStages())
		if err != nil {
			t.Fatal(err)
		}
		if _, found := Compile(s.Sources); found.HasErrors() {
			t.Fatalf("a scenario in cases must compile; move it to bad:\n%s", diagnostics(s.Sources, found))
		}
		compare(t, path, s, now)
	})
	if n < 35 {
		t.Errorf("only %d scenarios; the corpus promises at least 35", n)
	}
}

// TestBad compares each bad input with the exact text of its diagnostics. The file is named after
// the code that it is about, with an optional suffix after a dot.
func TestBad(t *testing.T) {
	shown := make(map[diag.Code]bool)
	corpus(t, "bad", func(t *testing.T, path string, s *Scenario) {
		_, found := Compile(s.Sources)
		code := diag.Code(strings.Split(filepath.Base(path), ".")[0])
		for _, d := range found {
			shown[d.Code] = true
			if d.Code == code {
				code = ""
			}
		}
		if code != "" {
			t.Errorf("the input does not draw %s, after which the file is named; got %v", code, found)
		}
		compare(t, path, s, []Section{{"diagnostics", diagnostics(s.Sources, found)}})
	})
	if t.Failed() {
		return
	}
	for _, info := range diag.Codes() {
		// a policy that is too large makes no case, and strict isolation is no part of one
		about := info.AboutXML() || strings.HasPrefix(string(info.Code), "policy-") && info.Bad != "" &&
			info.Code != "policy-strict"
		if about && !shown[info.Code] {
			t.Errorf("code %s has no case: write golden/bad/%s.txtar", info.Code, info.Code)
		}
	}
}

// TestBackendCodes tries the examples of the codes that back ends report, on all of them.
func TestBackendCodes(t *testing.T) {
	for _, info := range diag.Codes() {
		if !strings.HasPrefix(string(info.Code), "backend-") {
			continue
		}
		for _, want := range []struct {
			text  string
			drawn bool
		}{{info.Bad, true}, {info.Good, false}} {
			p, found := ir.Parse(string(info.Code), []byte(want.text))
			if found.HasErrors() {
				t.Fatal(found)
			}
			for _, b := range []backends.Backend{iptables.Backend{}, nftables.Backend{}} {
				_, more := b.Lower(p, options(ir.Both, backends.Chains))
				found = append(found, more...)
			}
			if drawn := slices.ContainsFunc(found, func(d diag.Diagnostic) bool {
				return d.Code == info.Code
			}); drawn != want.drawn {
				t.Errorf("%s: drawn is %v by\n%s", info.Code, drawn, want.text)
			}
		}
	}
}
