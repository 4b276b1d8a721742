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

// arrows says what each package may import of the project's own. A permission that nothing uses is
// a fault of the table.
var arrows = []struct {
	folder string
	may    []string // packages, and all in a folder if it ends in a slash
	why    string
}{
	{"ir/diag", nil, "diagnostics are for everybody, so they depend on nobody"},
	{"ir/parallel", nil, "many processors are for everybody's work, so it knows nobody's"},
	{"ir", []string{"ir/diag", "ir/parallel"}, "the IR knows neither its sources nor its targets"},
	{"ir/merge", []string{"ir"}, "the pass knows rules and sets, and neither networks nor targets"},
	{"ir/prove/bdd", nil, "Boolean functions know nothing of what they are about"},
	{"ir/prove", []string{"ir", "ir/diag", "ir/prove/bdd"},
		"the prover knows programs, and neither XML nor netfilter syntax nor the host"},
	{"ir/expect", []string{"ir", "ir/prove"},
		"what networks promise is asked of programs, whoever made them and wherever they stand"},
	{"frontend/xmldoc", []string{"ir/diag"}, "documents are read without knowing what any element means"},
	{"frontend/docpath", []string{"ir/diag", "ir/parallel", "frontend/xmldoc"},
		"files are found without knowing what stands in them"},
	{"frontend/netxml", []string{"ir", "ir/diag", "ir/parallel", "frontend/xmldoc"},
		"a front end makes programs and knows no back end and no host"},
	{"frontend/policy", []string{"ir", "ir/diag", "ir/prove", "frontend/xmldoc"},
		"statements are rules or claims about programs, and know no back end, no host and no document but its places"},
	{"frontend", []string{"ir", "ir/diag", "frontend/docpath", "frontend/netxml", "frontend/policy"},
		"front ends know nothing of each other and are joined in one place"},
	{"frontend/netconf", []string{"ir/diag"}, "a configuration file is read without knowing what it chooses from"},
	{"backends", []string{"ir", "ir/diag"}, "the contract knows no concrete back end"},
	{"backends/iptables", []string{"ir", "ir/diag", "backends"}, "a back end knows no XML and no other back end"},
	{"backends/nftables/wire", []string{"ir"},
		"bytes have no meaning here; of a program only the rule to blame is known"},
	{"backends/nftables/decode", []string{"ir", "backends", "backends/nftables/wire"},
		"what reads rules back shares nothing with what lowers them"},
	{"backends/nftables/delta", []string{"ir", "backends", "backends/nftables/wire"},
		"messages are compared without knowing what they mean"},
	{"backends/nftables", []string{"ir", "ir/diag", "ir/merge", "backends", "backends/nftables/"},
		"a back end knows no XML and no other back end"},
	{"backends/backendtest", []string{"ir", "ir/diag", "backends"},
		"the contract is checked without knowing who keeps it"},
	{"backends/netnstest", nil, "namespaces and packets serve the tests of every package"},
	{"backends/translate", []string{"ir", "ir/diag", "ir/prove", "backends"},
		"rules are read, shaped, lowered and proved by the contract of back ends only"},
	{"backends/verify", []string{"ir", "ir/diag", "ir/expect", "ir/prove", "backends"},
		"what rules mean is decided without knowing whose they are"},
	{"netsetup/bus", []string{"ir"}, "D-Bus is told of bridges and knows no rules"},
	{"netsetup/conntrack", []string{"ir"},
		"connections are judged by programs, whoever made them and wherever they stand"},
	{"netsetup/cure", nil, "commands of others' tools are run without knowing why they help"},
	{"netsetup/dnsmasq", []string{"ir"}, "a server is made from a link and knows no rules"},
	{"netsetup/doctor", []string{"ir", "ir/expect", "ir/prove", "backends", "netsetup/firewall"},
		"a host is examined by the contract of back ends, and nothing is changed"},
	{"netsetup/firewall", []string{"ir", "ir/diag", "ir/prove", "backends"},
		"rules are put in force by the contract of back ends only"},
	{"netsetup/host", []string{"ir", "netsetup/link"}, "a host's own facts know no rules"},
	{"netsetup/inforce", []string{"ir", "ir/diag", "ir/expect", "ir/prove", "backends", "netsetup", "netsetup/"},
		"the engine gets its front end as an interface and its back ends as a list"},
	{"netsetup/libvirt", nil, "what libvirt runs is read from files and processes"},
	{"netsetup/link", []string{"ir"}, "devices are made from a link and know no rules"},
	{"netsetup/state", []string{"ir/parallel"}, "state files hold text and know nobody who reads it"},
	{"netsetup/systemd", nil, "units are files"},
	{"netsetup", []string{"ir", "netsetup/bus", "netsetup/dnsmasq", "netsetup/link", "netsetup/state"},
		"the host side of a network; its rules come as a step"},
	{"golden", []string{"ir", "ir/", "frontend", "frontend/", "backends", "backends/", "netsetup", "netsetup/"},
		"the corpus may see everything but cmd"},
	{"golden/vm", nil, "what boots a Debian knows scenarios, and nothing of what they run"},
	{"golden/kernel", nil, "the corpus' tests with a kernel may see everything but cmd"},
	{"cmd/vnetbench", []string{"ir", "ir/diag", "ir/prove", "frontend/netxml", "backends", "backends/iptables",
		"backends/nftables", "backends/nftables/wire"},
		"the benchmarks name the concrete parts; nothing imports a command"},
	{"cmd/vnetc", []string{
		"ir", "ir/diag", "frontend", "frontend/docpath", "frontend/netconf", "frontend/netxml", "frontend/policy", "backends",
		"backends/iptables", "backends/nftables",
		"backends/translate", "backends/verify", "netsetup", "netsetup/dnsmasq", "netsetup/doctor",
		"netsetup/firewall", "netsetup/inforce", "netsetup/libvirt",
		"netsetup/link", "golden",
	}, "verbs turn flags into calls: of netsetup/inforce, which alone reads and writes state files, and of backends/verify, which asks for proofs"},
}

// testArrows says what tests may import, beside what their package may; those of no folder are for
// all tests.
var testArrows = []struct {
	folder string
	may    []string
	why    string
}{
	{"", []string{"backends/backendtest", "backends/netnstest", "ir", "ir/diag", "ir/prove"},
		"tests of every package may have programs, proofs, namespaces and the contract"},
	{"cmd/vnetc", []string{"netsetup/state"}, "what verbs leave behind is looked at"},
	{"frontend/policy", []string{"backends", "backends/iptables", "backends/nftables", "frontend/netxml"},
		"policies are tested with the networks that they are about, in every back end"},
	{"backends/translate", []string{"backends/iptables", "backends/nftables"},
		"a translation is tested between the back ends that there are"},
	{"netsetup/conntrack", []string{"backends", "backends/nftables", "frontend/netxml", "frontend/policy"},
		"what a policy does to connections is seen with its rules in a kernel"},
	{"netsetup/firewall", []string{"backends/iptables", "backends/nftables", "backends/verify"},
		"what is done to a kernel is tested with the back ends that do it, and the words for it"},
	{"golden/kernel", []string{"golden", "ir/", "frontend/", "backends", "backends/", "netsetup/"},
		"the corpus may see everything but cmd"},
}

// own is an import of one package of the project by another.
type own struct {
	folder, pkg, path string
	isTest            bool
}

// imports returns the project's imports of its own packages, and the folders with Go files.
func imports(t *testing.T) (found []own, folders []string) {
	t.Helper()
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
		if !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if pkg, ok := strings.CutPrefix(name, module); ok && pkg != folder {
				found = append(found, own{folder, pkg, path, strings.HasSuffix(path, "_test.go")})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, folders
}

// allows is true if a permission is one for pkg.
func allows(may, pkg string) bool {
	return may == pkg || strings.HasSuffix(may, "/") && strings.HasPrefix(pkg, may)
}

func allowed(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(may string) bool { return allows(may, pkg) })
}

// TestImports compares every import with arrows, and arrows with the imports.
func TestImports(t *testing.T) {
	found, folders := imports(t)
	why, rows := make(map[string]string), make(map[string][]string)
	for _, a := range arrows {
		if why[a.folder] != "" || !slices.Contains(folders, a.folder) {
			t.Errorf("arrows: the row of %s is there twice, or there is no such package; remove it", a.folder)
		}
		why[a.folder], rows[a.folder] = a.why, a.may
		for _, may := range a.may {
			if !slices.ContainsFunc(found, func(o own) bool {
				return o.folder == a.folder && !o.isTest &&
					allows(may, o.pkg)
			}) {
				t.Errorf("arrows: %s may import %s, and only tests do, or nothing does; remove it, or move it to testArrows",
					a.folder, may)
			}
		}
	}
	inTests := make(map[string][]string)
	for _, a := range testArrows {
		inTests[a.folder] = a.may
		for _, may := range a.may {
			needs := func(o own) bool {
				return o.isTest && (o.folder == a.folder || a.folder == "") && allows(may, o.pkg) &&
					!allowed(rows[o.folder], o.pkg)
			}
			if !slices.ContainsFunc(found, needs) {
				t.Errorf("testArrows: tests of %q may import %s, and none needs that; remove it", a.folder, may)
			}
		}
	}
	for _, folder := range folders {
		if why[folder] == "" {
			t.Errorf("arrows of golden/imports_test.go has no row for %s; say there what it may import, and why no more", folder)
		}
	}
	for _, o := range found {
		may := rows[o.folder]
		if o.isTest {
			may = slices.Concat(may, inTests[""], inTests[o.folder])
		}
		if why[o.folder] != "" && !allowed(may, o.pkg) {
			t.Errorf("%s imports %s: %s", o.path, o.pkg, why[o.folder])
		}
	}
}

// TestTopLevel: beside hidden files and LICENSE the repository's root holds the agreed folders and
// files only.
func TestTopLevel(t *testing.T) {
	want := []string{"LICENSE", "README.md", "backends", "cmd", "frontend", "go.mod", "go.sum", "golden", "ir",
		"netsetup", "vnetc"} // vnetc: what go build leaves; git ignores it
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
