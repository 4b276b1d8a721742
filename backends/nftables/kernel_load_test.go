package nftables

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Loader = Loader{}

// loadIn loads p in the namespace.
func loadIn(t *testing.T, ns *netnstest.NS, p *ir.Program) backends.Report {
	t.Helper()
	rules, found := Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
		Layout: backends.Chains})
	if found.HasErrors() {
		t.Fatal(found)
	}
	var report backends.Report
	var err error
	ns.Do(func() { report, err = Loader{}.Load(rules) })
	if err != nil {
		t.Fatal(err)
	}
	return report
}

const foreignTable = "table ip other {\n\tchain vnetc {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tip saddr 10.0.0.1 counter drop\n\t}\n}\n"

// TestKernelLoad: what is loaded is listed as emitted; the second load sends nothing; a change
// touches what differs only; what is not ours stays byte for byte, handles included; after Unload
// the namespace is as before.
func TestKernelLoad(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	ns.Feed([]byte(foreignTable), "nft", "-f", "-")
	foreign := func() string { return ns.Exec("nft", "-a", "list", "table", "ip", "other") }
	before, all := foreign(), ns.Exec("nft", "list", "ruleset")

	if r := loadIn(t, ns, manyRules(100)); r.Changed == 0 {
		t.Errorf("first load: %+v", r)
	}
	first := ns.Exec("nft", "-a", "list", "chain", "ip", "vnetc", "fwo")
	if r := loadIn(t, ns, manyRules(100)); r.Changed != 0 || r.Kept < 100 {
		t.Errorf("second load: %+v, want nothing changed", r)
	}
	if again := ns.Exec("nft", "-a", "list", "chain", "ip", "vnetc", "fwo"); again != first {
		t.Errorf("the second load changed something (-first +second):\n%s", cmp.Diff(first, again))
	}
	if r := loadIn(t, ns, manyRules(101)); r.Changed != 1 || r.Rebuilt {
		t.Errorf("one rule more: %+v, want one change", r)
	}
	lines := regexp.MustCompile(`(?m)^.*handle \d+$`).FindAllString(ns.Exec("nft", "-a", "list", "chain", "ip", "vnetc",
		"fwo"), -1)
	for _, line := range regexp.MustCompile(`(?m)^.*iifname.*handle \d+$`).FindAllString(first, -1) {
		if !slices.Contains(lines, line) {
			t.Errorf("a rule that was right is not as it was: %s", line)
		}
	}
	if after := foreign(); after != before {
		t.Errorf("a foreign table changed:\n%s", cmp.Diff(before, after))
	}
	ns.Do(func() {
		if err := (Loader{}).Unload(backends.VnetcNames); err != nil {
			t.Fatal(err)
		}
	})
	if left := ns.Exec("nft", "list", "ruleset"); left != all {
		t.Errorf("after Unload (-before +after):\n%s", cmp.Diff(all, left))
	}
}

// TestKernelLoadAnyToAny goes from one random choice and order of rules to another: the kernel
// lists what was loaded, in order, and an image taken on the way brings that state back.
func TestKernelLoadAnyToAny(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	r := rand.New(rand.NewPCG(7, 8))
	pool := manyRules(40).Group(ir.FWO).Rules
	names := regexp.MustCompile(`"(vbr\d+)"`)
	listed := func() (out []string) {
		for _, m := range names.FindAllStringSubmatch(ns.Exec("nft", "list", "chain", "ip", "vnetc", "fwo"), -1) {
			out = append(out, m[1])
		}
		return out
	}
	var image []backends.Document
	var imaged []string
	for round := range 60 {
		p := &ir.Program{}
		p.Add(ir.FWO)
		var want []string
		for range r.IntN(30) {
			rule := pool[r.IntN(len(pool))] // some more than once
			p.Add(ir.FWO, rule)
			want = append(want, rule.Matches[0].(ir.IIfName).Name)
		}
		loadIn(t, ns, p)
		if diff := cmp.Diff(want, listed()); diff != "" {
			t.Fatalf("round %d (-loaded +listed):\n%s", round, diff)
		}
		if round%10 == 3 {
			ns.Do(func() { image, _ = Loader{}.Dump(backends.VnetcNames) })
			imaged = want
		}
		if round%10 == 8 {
			ns.Do(func() {
				if err := (Loader{}).Restore(backends.VnetcNames, image); err != nil {
					t.Fatal(err)
				}
			})
			if diff := cmp.Diff(imaged, listed()); diff != "" {
				t.Fatalf("round %d: restored (-image +listed):\n%s", round, diff)
			}
		}
	}
}

// TestKernelRestoreSets: a dump brings back tables of layout sets that are gone, sets and elements
// included.
func TestKernelRestoreSets(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	rules, found := Backend{}.Lower(manyRules(20), backends.Options{Families: ir.Both, Names: backends.VnetcNames,
		Layout: backends.Sets})
	if found.HasErrors() {
		t.Fatal(found)
	}
	var image []backends.Document
	do := func(f func() error) {
		t.Helper()
		ns.Do(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	do(func() error { _, err := Loader{}.Load(rules); return err })
	loaded := ns.Exec("nft", "-s", "list", "ruleset")
	do(func() (err error) { image, err = Loader{}.Dump(backends.VnetcNames); return err })
	do(func() error { return Loader{}.Unload(backends.VnetcNames) })
	do(func() error { return Loader{}.Restore(backends.VnetcNames, image) })
	if diff := cmp.Diff(loaded, ns.Exec("nft", "-s", "list", "ruleset")); diff != "" ||
		!strings.Contains(loaded, "elements") {
		t.Errorf("restored (-loaded +restored):\n%s", diff)
	}
}

// TestKernelLoadMends: rules taken away, added and moved by hand, a chain flushed, everything
// flushed.
func TestKernelLoadMends(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	p := manyRules(20)
	loadIn(t, ns, p)
	ours := func() string {
		return ns.Exec("nft", "-s", "list", "table", "ip", "vnetc") + ns.Exec("nft", "-s", "list", "table", "ip6",
			"vnetc")
	}
	want := ours()
	for _, tamper := range []string{
		"flush chain ip vnetc fwo", "flush ruleset", "delete table ip6 vnetc", "flush table ip vnetc",
		"insert rule ip vnetc fwo drop", "add rule ip vnetc fwx accept", "add chain ip vnetc more",
		"add set ip vnetc more { type ipv4_addr; }", "insert rule ip vnetc forward accept",
		"add chain ip vnetc forward { policy drop; }",
	} {
		ns.Exec("nft", tamper)
		if r := loadIn(t, ns, p); r.Changed == 0 {
			t.Errorf("%s: nothing was changed", tamper)
		}
		if got := ours(); got != want {
			t.Errorf("%s is not mended:\n%s", tamper, cmp.Diff(want, got))
			ns.Exec("nft", "flush", "ruleset")
			loadIn(t, ns, p)
		}
	}
}
