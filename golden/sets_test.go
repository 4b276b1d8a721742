package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// scenarios calls f for each scenario that compiles, our own and libvirt's.
func scenarios(t *testing.T, f func(t *testing.T, s *Scenario, p *ir.Program)) {
	t.Helper()
	for _, dir := range []string{"cases", "libvirt"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no scenarios in %s (%v)", dir, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := ParseScenario(text)
			p, found := Compile(s.Sources)
			if found.HasErrors() {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { f(t, s, p) })
		}
	}
}

// emitted lowers p to the layout and reads back what is emitted.
func emitted(t testing.TB, p *ir.Program, layout backends.Layout) *ir.Program {
	t.Helper()
	rules, found := nftables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: layout})
	if found.HasErrors() {
		t.Fatal(found)
	}
	read, err := nftables.Backend{}.Read(rules.Images())
	if err != nil {
		t.Fatal(err)
	}
	if bad := ir.Verify(read); len(bad) > 0 && len(ir.Verify(p)) == 0 {
		t.Fatalf("what was read back: %v", bad)
	}
	return read
}

// without returns p without what nftables leaves out: INP, OUT and checksums.
func without(p *ir.Program) *ir.Program {
	q := &ir.Program{Links: p.Links, Sets: p.Sets}
	for _, c := range p.Chains {
		if c.Group != ir.INP && c.Group != ir.OUT {
			q.Chains = append(q.Chains, c)
		}
	}
	return q
}

func proveEqual(t testing.TB, what string, a, b *ir.Program) {
	t.Helper()
	if r := prove.Equal(a, b, ir.Both); r.Answer != prove.Proved {
		t.Fatalf("%s: %s: %s is %s or %s; %s\n%s\n%s", what, r.Answer, r.Packet, r.A, r.B, r.Because.Rule, a, b)
	}
}

// TestSetsMeanTheProgram proves, for every scenario, that the batch of layout sets means what the program means, and what the
// batch of layout chains means.
func TestSetsMeanTheProgram(t *testing.T) {
	scenarios(t, func(t *testing.T, _ *Scenario, p *ir.Program) {
		sets := emitted(t, p, backends.Sets)
		proveEqual(t, "program and sets", without(p), sets)
		proveEqual(t, "chains and sets", emitted(t, p, backends.Chains), sets)
	})
}

// TestSetsOfRandomPrograms does the same for rules that nobody would write.
func TestSetsOfRandomPrograms(t *testing.T) {
	samples := backendtest.Random(400, 7)
	samples = append(samples, backendtest.NetworkSamples()...)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			proveEqual(t, "program and sets", without(s.Program), emitted(t, s.Program, backends.Sets))
		})
	}
}
