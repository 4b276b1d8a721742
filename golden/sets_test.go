package golden

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
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
	rules, found := nftables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
		Layout: layout})
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

func proveEqual(t testing.TB, what string, a, b *ir.Program) {
	t.Helper()
	if r := prove.Equal(a, b, ir.Both); r.Answer != prove.Proved {
		t.Fatalf("%s: %s: %s is %s or %s; %s\n%s\n%s", what, r.Answer, r.Packet, r.A, r.B, r.Because.Rule, a, b)
	}
}

// TestSetsMeanTheProgram proves, for every scenario, that the batch of layout sets means what the
// program means, and what the batch of layout chains means.
func TestSetsMeanTheProgram(t *testing.T) {
	scenarios(t, func(t *testing.T, _ *Scenario, p *ir.Program) {
		sets := emitted(t, p, backends.Sets)
		proveEqual(t, "program and sets", p, sets)
		proveEqual(t, "chains and sets", emitted(t, p, backends.Chains), sets)
	})
}

// TestSetsOfRandomPrograms does the same for rules that no front end makes.
func TestSetsOfRandomPrograms(t *testing.T) {
	samples := backendtest.Random(400, 7)
	samples = append(samples, backendtest.NetworkSamples()...)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			proveEqual(t, "program and sets", s.Program, emitted(t, s.Program, backends.Sets))
		})
	}
}

// TestSetsOfHostileNetworks does the same for networks that stand in each other's way: on one
// bridge, with overlapping subnets, with prefixes of many lengths, with all kinds of NAT.
func TestSetsOfHostileNetworks(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 9))
		p := backendtest.Networks(hostile(r)...)
		sets := emitted(t, p, backends.Sets)
		proveEqual(t, fmt.Sprintf("seed %d: program and sets", seed), p, sets)
		proveEqual(t, fmt.Sprintf("seed %d: chains and sets", seed), emitted(t, p, backends.Chains), sets)
	}
}

// hostile returns up to a dozen networks that share bridges, subnets and ways out.
func hostile(r *rand.Rand) []backendtest.Network {
	outside := netip.MustParseAddr("203.0.113.4")
	all := make([]backendtest.Network, 2+r.IntN(10))
	for i := range all {
		n := backendtest.Network{
			Name: fmt.Sprint("n", i), Bridge: fmt.Sprint("virbr", r.IntN(5)),
			Mode: oneOf(r, ir.ModeNAT, ir.ModeNAT, ir.ModeRoute, ir.ModeNone),
			Dev:  oneOf(r, "", "", "eth0", "virbr1"), NAT6: r.IntN(2) == 0, IPv6: r.IntN(3) == 0,
		}
		if r.IntN(4) == 0 {
			n.SNAT = ir.AddrRange{From: outside, To: oneOf(r, outside, outside.Next())}
		}
		if r.IntN(4) == 0 {
			n.Ports = ir.PortRange{From: 500, To: oneOf[uint16](r, 500, 1000)}
		}
		for range r.IntN(3) {
			v4 := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(3)), byte(r.IntN(256))})
			n.Subnets = append(n.Subnets, netip.PrefixFrom(v4, oneOf(r, 16, 23, 24, 24, 25, 30)))
			v6 := netip.AddrFrom16([16]byte{0xfd, 5: byte(r.IntN(2)), 7: byte(r.IntN(2))})
			n.Subnets = append(n.Subnets, netip.PrefixFrom(v6, oneOf(r, 48, 64, 64, 61)))
		}
		all[i] = n
	}
	return all
}

func oneOf[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// TestSetsOfAllScenarios proves the same of our own scenarios all together, as many as go together.
func TestSetsOfAllScenarios(t *testing.T) {
	src := &diag.Sources{}
	var p *ir.Program
	networks := 0
	scenarios(t, func(t *testing.T, s *Scenario, _ *ir.Program) {
		more := &diag.Sources{}
		for _, name := range src.Names() {
			more.Add(name, src.Text(name))
		}
		for i, name := range s.Sources.Names() {
			more.Add(fmt.Sprintf("%s%d.xml", filepath.Base(t.Name()), i), elsewhere(s.Sources.Text(name), networks))
		}
		if both, found := Compile(more); !found.HasErrors() {
			src, p = more, both
			networks++
		}
	})
	t.Logf("%d scenarios go together", networks)
	if networks < 30 {
		t.Errorf("only %d scenarios go together", networks)
	}
	sets := emitted(t, p, backends.Sets)
	proveEqual(t, "program and sets", p, sets)
	proveEqual(t, "chains and sets", emitted(t, p, backends.Chains), sets)
}

// elsewhere gives a network a name, bridges and subnets of its own.
func elsewhere(xml []byte, n int) []byte {
	text := regexp.MustCompile(`<name>[^<]*</name>`).ReplaceAllString(string(xml), fmt.Sprintf("<name>net%d</name>", n))
	text = regexp.MustCompile(`<uuid>[^<]*</uuid>`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(bridge name=['"])\w+`).ReplaceAllString(text, fmt.Sprintf("${1}vbr%d-", n))
	text = regexp.MustCompile(`\b192\.168\.`).ReplaceAllString(text, fmt.Sprintf("10.%d.", n))
	return []byte(text)
}
