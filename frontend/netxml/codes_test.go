package netxml

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// sources reads an example: one document, or a txtar archive of several.
func sources(text string) *diag.Sources {
	src := &diag.Sources{}
	archive := txtar.Parse([]byte(text))
	if len(archive.Files) == 0 {
		src.Add("lab.xml", []byte(text))
	}
	for _, f := range archive.Files {
		src.Add(f.Name, f.Data)
	}
	return src
}

func codesOf(list diag.List) []diag.Code {
	var codes []diag.Code
	for _, d := range list {
		codes = append(codes, d.Code)
	}
	return codes
}

// Each bad example draws its code and no other, each good one draws nothing.
func TestExamples(t *testing.T) {
	for _, info := range diag.Codes() {
		if !info.AboutXML() {
			continue
		}
		t.Run(string(info.Code), func(t *testing.T) {
			if info.Bad == "" || info.Good == "" || info.Title == "" || info.Text == "" {
				t.Fatal("a code needs title, text and two examples")
			}
			_, list := Parse(sources(info.Bad), Options{})
			if diff := cmp.Diff([]diag.Code{info.Code}, codesOf(list)); diff != "" {
				t.Errorf("bad example (-want +got):\n%s%v\n%s", diff, list, info.Bad)
			}
			for _, d := range list {
				checkDiagnostic(t, d, sources(info.Bad))
				for _, text := range []string{d.What, d.Why, d.Fix} {
					if strings.HasSuffix(text, ".") || unicode.IsUpper([]rune(text)[0]) && !startsWithName(text) {
						t.Errorf("%q does not read like the other messages: lower case, no full stop", text)
					}
				}
			}
			networks, list := Parse(sources(info.Good), Options{})
			if len(list) > 0 {
				t.Fatalf("good example draws\n%v\n%s", list, info.Good)
			}
			if wrong := ir.Verify(Lower(networks)); len(wrong) > 0 {
				t.Errorf("the good example becomes a wrong program: %v", wrong)
			}
		})
	}
}

// checkDiagnostic checks the form of a diagnostic: three texts, each of one line, and places in the
// input.
func checkDiagnostic(t *testing.T, d diag.Diagnostic, src *diag.Sources) {
	t.Helper()
	for name, text := range map[string]string{"what": d.What, "why": d.Why, "fix": d.Fix} {
		if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%s of %s: %q is empty or has control characters", name, d.Code, text)
		}
	}
	checkSpan(t, d.Span, src)
	for _, r := range d.Related {
		checkSpan(t, r.Span, src)
	}
}

// startsWithName is true if the first word has more than one capital, as names like DHCP have.
func startsWithName(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	return strings.ToUpper(word) == word || strings.HasPrefix(word, "IPv") || strings.HasPrefix(word, "DHCPv") ||
		word == "XML's" || word == "PCI"
}

func checkSpan(t *testing.T, s diag.Span, src *diag.Sources) {
	t.Helper()
	size := len(src.Text(s.File))
	if !slices.Contains(src.Names(), s.File) || !s.IsValid() || s.Start.Offset > s.End.Offset || s.End.Offset > size ||
		s.Start.Offset < 0 {
		t.Errorf("span %v to %v is not inside of %q (%d bytes)", s.Start, s.End, s.File, size)
	}
}

// Every code that this package and xmldoc report stands in the table, and every code of the table
// is reported by one of them.
func TestCodesAreInTable(t *testing.T) {
	used := map[diag.Code]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../xmldoc/*.go")
	if err != nil || len(more) == 0 {
		t.Fatalf("no files of xmldoc: %v", err)
	}
	for _, name := range append(files, more...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				v, _ := strconv.Unquote(lit.Value)
				if _, known := diag.Find(diag.Code(v)); known {
					used[diag.Code(v)] = true
				}
			}
			for _, code := range reported(n) {
				if _, known := diag.Find(diag.Code(code)); !known {
					t.Errorf("code %q is not in the table; add it to ir/diag/codes_*.go", code)
				}
			}
			return true
		})
	}
	for _, info := range diag.Codes() {
		if info.AboutXML() && !used[info.Code] {
			t.Errorf("code %q is reported nowhere; remove it from ir/diag/codes_*.go", info.Code)
		}
	}
}

// reported returns the codes that are literal first arguments of the functions which report, or
// first fields of a Problem.
func reported(n ast.Node) []string {
	var first ast.Expr
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch fun := n.Fun.(type) {
		case *ast.SelectorExpr:
			name = fun.Sel.Name
		case *ast.Ident:
			name = fun.Name
		}
		if len(n.Args) > 1 && slices.Contains([]string{"Fault", "Warn", "Unknown", "Wrong", "Named", "DeviceName",
			"dnsName", "inLine"}, name) {
			first = n.Args[0]
		}
	case *ast.CompositeLit:
		if id, ok := n.Type.(*ast.Ident); ok && id.Name == "Problem" && len(n.Elts) > 0 {
			first = n.Elts[0]
		}
	}
	if lit, ok := first.(*ast.BasicLit); ok {
		v, err := strconv.Unquote(lit.Value)
		if err != nil {
			panic(fmt.Sprintf("literal %s", lit.Value))
		}
		return []string{v}
	}
	return nil
}
