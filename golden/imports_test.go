package golden

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/vnetc/vnetc/"

// arrows says what the packages below each folder may import of the project's own. Folders that are not named may import
// nothing of it; tests may also import what is in testOnly.
var arrows = []struct {
	folder string
	may    []string // packages, and folders if they end in a slash
	why    string
}{
	{"ir/diag", nil, "diagnostics are for everybody, so they depend on nobody"},
	{"ir/spread", nil, "many processors are for everybody's work, so it knows nobody's"},
	{"ir/prove/bdd", nil, "Boolean functions know nothing of what they are about"},
	{"ir/prove", []string{"ir", "ir/diag", "ir/prove/bdd"}, "the prover knows programs, and neither XML nor netfilter syntax nor the host"},
	{"ir", []string{"ir/diag", "ir/spread"}, "the IR knows neither its sources nor its targets"},
	{"frontend/xmldoc", []string{"ir/diag"}, "documents are read without knowing what any element means"},
	{"frontend/docpath", []string{"ir/diag", "ir/spread", "frontend/xmldoc"}, "files are found without knowing what stands in them"},
	{"frontend/netxml", []string{"ir", "ir/diag", "ir/spread", "frontend/xmldoc"}, "a front end makes programs and knows no back end and no host"},
	{"frontend/netconf", []string{"ir/diag"}, "a configuration file is read without knowing what it chooses from"},
	{"backends/iptables", []string{"ir", "ir/diag", "ir/prove", "backends"}, "a back end knows no XML and no other back end"},
	{"backends/nftables/wire", []string{"ir"}, "bytes have no meaning here; of a program only the rule to blame is known"},
	{"backends/nftables/decode", []string{"ir", "backends", "backends/nftables/wire"}, "what reads rules back shares nothing with what lowers them"},
	{"backends/nftables/delta", []string{"ir", "backends", "backends/nftables/wire"}, "messages are compared without knowing what they mean"},
	{"backends/nftables", []string{"ir", "ir/diag", "backends", "backends/nftables/"}, "a back end knows no XML and no other back end"},
	{"backends/backendtest", []string{"ir", "ir/diag", "ir/prove", "backends"}, "the contract is checked without knowing who keeps it"},
	{"backends/netnstest", nil, "namespaces and packets serve the tests of every package"},
	{"backends/verify", []string{"ir", "ir/diag", "ir/prove", "backends"}, "what rules mean is decided without knowing whose they are"},
	{"backends", []string{"ir", "ir/diag"}, "the contract knows no concrete back end"},
	{"netsetup/inforce", []string{"ir", "ir/diag", "backends", "netsetup", "netsetup/"}, "the engine gets its front end as an interface and its back ends as a list"},
	{"netsetup", []string{"ir", "ir/diag", "ir/prove", "ir/spread", "backends", "netsetup/"}, "the host side knows links and back ends by their contract only"},
	{"golden", []string{"ir/", "frontend/", "backends/", "netsetup/", "golden/", "ir", "backends", "netsetup", "golden"}, "the corpus may see everything but cmd"},
	{"cmd/vnetc", []string{"ir", "ir/diag", "ir/spread", "frontend/", "backends", "backends/", "golden", "netsetup", "netsetup/dnsmasq", "netsetup/firewall", "netsetup/inforce", "netsetup/libvirt", "netsetup/link"}, "verbs turn flags into calls: of netsetup/inforce, which alone reads and writes state files, and of backends/verify, which asks for proofs"},
	{"cmd", []string{"ir/", "frontend/", "backends/", "netsetup/", "golden", "ir", "backends", "netsetup"}, "commands name the concrete parts; nothing imports a command"},
}

// testOnly may be imported by tests, beside what their package may.
var testOnly = []string{"backends/backendtest", "backends/netnstest", "ir", "ir/diag", "ir/prove"}

// TestImports holds every file against arrows.
func TestImports(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if pkg, own := strings.CutPrefix(name, module); own {
				checkImport(t, path, folder, pkg)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImport(t *testing.T, path, folder, pkg string) {
	t.Helper()
	isTest := strings.HasSuffix(path, "_test.go")
	if pkg == folder || isTest && slices.Contains(testOnly, pkg) {
		return
	}
	if isTest && folder == "cmd/vnetc" && pkg == "netsetup/state" {
		return // what verbs leave behind is looked at
	}
	if isTest && strings.HasPrefix(folder, "netsetup/") && strings.HasPrefix(pkg, "backends/") {
		return // what is done to a kernel is tested with the back ends that do it
	}
	for _, a := range arrows {
		if folder != a.folder && !strings.HasPrefix(folder, a.folder+"/") {
			continue
		}
		allowed := func(may string) bool {
			return may == pkg || strings.HasSuffix(may, "/") && strings.HasPrefix(pkg, may)
		}
		if !slices.ContainsFunc(a.may, allowed) {
			t.Errorf("%s imports %s: %s", path, pkg, a.why)
		}
		return
	}
	t.Errorf("%s is in a folder that golden/imports_test.go does not know; say there what it may import", path)
}

// TestTopLevel: beside hidden files and LICENSE the repository's root holds the agreed folders and files only.
func TestTopLevel(t *testing.T) {
	want := []string{"LICENSE", "README.md", "backends", "cmd", "frontend", "go.mod", "go.sum", "golden", "ir", "netsetup", "vnetc"} // vnetc: what go build leaves; git ignores it
	entries, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := filepath.Base(e); !slices.Contains(want, name) && !strings.HasPrefix(name, ".") {
			t.Errorf("%s stands at the top level, which holds %s only", name, strings.Join(want, ", "))
		}
	}
}
