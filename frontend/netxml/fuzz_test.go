package netxml

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// documents are all documents at hand: the examples of the codes, the vectors, the golden corpus.
func documents(t testing.TB) []string {
	t.Helper()
	all := []string{document, small, "", "\ufeff<network/>", "<network><name>a\xff</name></network>"}
	for _, info := range diag.Codes() {
		for _, src := range []*diag.Sources{sources(info.Bad), sources(info.Good)} {
			for _, name := range src.Names() {
				all = append(all, string(src.Text(name)))
			}
		}
	}
	archives, err := filepath.Glob("../../golden/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../golden/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(archives, more...), "testdata/vectors.txtar") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			if filepath.Ext(file.Name) == ".xml" {
				all = append(all, string(file.Data))
			}
		}
	}
	return all
}

// FuzzParse: no input makes the front end panic, and all that it says is about a place in the
// input. What has no error can be lowered, and every rule has an origin in the input.
func FuzzParse(f *testing.F) {
	for _, seed := range documents(f) {
		f.Add([]byte(seed), false)
	}
	f.Add(inMetadata(policyTag+"deny &#x74;o<!-- -->\r\nä<![CDATA[&&]]>\n</vnetc:policy>").Text("lab.xml"), false)
	f.Fuzz(func(t *testing.T, text []byte, lax bool) {
		src := &diag.Sources{}
		src.Add("a.xml", text)
		src.Add("b.xml", []byte(small))
		networks, list := Parse(src, Options{Lax: lax})
		for _, d := range list {
			checkDiagnostic(t, d, src)
		}
		if list.HasErrors() {
			return
		}
		for _, n := range networks {
			checkPolicy(t, n, src)
		}
		p := Lower(networks)
		if wrong := ir.Verify(p); len(wrong) > 0 {
			t.Errorf("the program is wrong: %v", wrong)
		}
		for _, c := range p.Chains {
			for _, r := range c.Rules {
				checkSpan(t, r.Origin.Span, src)
				if r.Origin.Reason == "" || r.Origin.Element == "" || r.Origin.Network == "" {
					t.Errorf("rule without origin: %+v", r)
				}
			}
		}
	})
}

// checkPolicy looks for the characters of a policy in the document, in order.
func checkPolicy(t *testing.T, n *Network, src *diag.Sources) {
	t.Helper()
	text, span, ok := n.Policy()
	if !ok {
		return
	}
	last := 0
	for i := range text {
		s := span(i, i+1)
		checkSpan(t, s, src)
		if s.Start.Offset < last || s.End.Offset <= s.Start.Offset {
			t.Fatalf("byte %d of the policy %q is at %v, behind %d", i, text, s, last)
		}
		last = s.Start.Offset
	}
}
