package iptables_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// loading is a namespace with a loader of one variant.
type loading struct {
	*netnstest.NS
	t       *testing.T
	variant string
	loader  iptables.Loader
	path    string // stands first in PATH
}

func newLoading(t *testing.T, variant string) *loading {
	t.Helper()
	for _, stem := range []string{"iptables-", "ip6tables-"} {
		netnstest.Require(t, stem+variant, stem+variant+"-restore", stem+variant+"-save")
	}
	h := &loading{NS: netnstest.New(t), t: t, variant: variant, path: t.TempDir()}
	h.loader.Variant = iptables.Variant(variant)
	t.Setenv("PATH", h.path+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	t.Setenv("XTABLES_LOCKFILE", filepath.Join(t.TempDir(), "lock"))
	for _, table := range []string{"filter", "nat", "mangle"} { // which can't be taken away again
		h.both("-t "+table, "-A OUTPUT -o eth9")
		h.both("-t "+table, "-D OUTPUT -o eth9")
	}
	return h
}

// eachVariant runs a test in both worlds.
func eachVariant(t *testing.T, test func(*testing.T, *loading)) {
	t.Helper()
	for _, variant := range kernels {
		t.Run(variant, func(t *testing.T) { test(t, newLoading(t, variant)) })
	}
}

// both runs a command of iptables in both families.
func (h *loading) both(args ...string) {
	h.t.Helper()
	for _, stem := range []string{"iptables-", "ip6tables-"} {
		h.Exec(stem+h.variant, strings.Fields(strings.Join(args, " "))...)
	}
}

var (
	comments = regexp.MustCompile(`(?m)^#.*\n`)
	policies = regexp.MustCompile(`(?m)^(:\w+ \S+) \[\d+:\d+\]$`)
)

// save lists both families; the counters of policies, which are not rules, are left out.
func (h *loading) save(args ...string) string {
	h.t.Helper()
	out := ""
	for _, stem := range []string{"iptables-", "ip6tables-"} {
		out += stem + "\n" + policies.ReplaceAllString(comments.ReplaceAllString(h.Exec(stem+h.variant+"-save",
			args...), ""), "$1")
	}
	return out
}

// exact is save with counters, but for those of IPv6 in iptables-nft: ip6tables-nft-restore 1.8.9
// reads the counters that a rule brings along, and forgets them.
func (h *loading) exact() string {
	h.t.Helper()
	saved := h.save("-c")
	if h.variant == "nft" {
		four, six, _ := strings.Cut(saved, "ip6tables-\n")
		saved = four + regexp.MustCompile(`(?m)^\[\d+:\d+\] `).ReplaceAllString(six, "")
	}
	return tables(saved)
}

// tables brings the tables of each family in order; iptables-nft lists them in any.
func tables(saved string) string {
	four, six, _ := strings.Cut(saved, "ip6tables-\n")
	var out []string
	for _, family := range []string{four, six} {
		parts := strings.SplitAfter(family, "COMMIT\n")
		slices.Sort(parts)
		out = append(out, strings.Join(parts, ""))
	}
	return strings.Join(out, "ip6tables-\n")
}

// handles lists both families as nft does, each rule with the number that the kernel gave it; empty
// for iptables-legacy.
func (h *loading) handles() string {
	h.t.Helper()
	if h.variant != "nft" {
		return ""
	}
	netnstest.Require(h.t, "nft")
	return regexp.MustCompile(`packets \d+ bytes \d+`).ReplaceAllString(h.Exec("nft", "-a", "list", "ruleset"), "")
}

// load loads networks, without an error.
func (h *loading) load(p *ir.Program) backends.Report {
	h.t.Helper()
	report, err := h.try(p)
	if err != nil {
		h.t.Fatal(err)
	}
	return report
}

func (h *loading) try(p *ir.Program) (report backends.Report, err error) {
	h.t.Helper()
	set := lower(h.t, p, backends.VnetcNames)
	h.Do(func() { report, err = h.loader.Load(set) })
	return report, err
}

func (h *loading) unload() (err error) {
	h.Do(func() { err = h.loader.Unload(backends.VnetcNames) })
	return err
}

// networks are networks of the given numbers, the last on top.
func networks(ids ...int) *ir.Program {
	p := &ir.Program{}
	for i := len(ids) - 1; i >= 0; i-- {
		id := ids[i]
		bridge := fmt.Sprintf("virbr%d", id)
		origin := ir.Origin{Span: diag.Span{File: fmt.Sprintf("net%d.xml", id), Start: diag.Pos{Line: 3, Col: 5},
			End: diag.Pos{Line: 3, Col: 9}}}
		add := func(g ir.Group, v ir.Verdict, m ...ir.Match) {
			p.Add(g, ir.Rule{Family: ir.Both, Matches: m, Verdict: v, Origin: origin})
		}
		out, in := ir.OIfName{Name: bridge}, ir.IIfName{Name: bridge}
		add(ir.INP, ir.Accept{}, in, ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 67, To: 67})
		add(ir.OUT, ir.Accept{}, out, ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 68, To: 68})
		add(ir.FWX, ir.Accept{}, in, out)
		add(ir.FWI, ir.Reject{With: ir.PortUnreachable}, out)
		add(ir.FWO, ir.Reject{With: ir.PortUnreachable}, in)
		for _, subnet := range []string{fmt.Sprintf("10.%d.%d.0/24", id/256, id%256),
			fmt.Sprintf("2001:db8:%x::/64", id)} {
			prefix := netip.MustParsePrefix(subnet)
			add(ir.FWO, ir.Accept{}, ir.SAddr{Prefix: prefix}, in, ir.L4Proto{Proto: 47})
			add(ir.PRT, ir.Masquerade{}, ir.SAddr{Prefix: prefix}, ir.DAddr{Prefix: prefix, Not: true})
		}
		add(ir.PRT, ir.ChecksumFill{}, out, ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 68, To: 68})
	}
	return p
}

// with returns p with a rule on top of the group that counts what comes in by lo.
func with(p *ir.Program, g ir.Group) *ir.Program {
	p.Group(g).Rules = append(p.Group(g).Rules, ir.Rule{Family: ir.Both, Matches: []ir.Match{ir.IIfName{Name: "lo"}},
		Verdict: ir.Accept{}})
	return p
}

// traffic sends a few packets over lo, for counters to count.
func (h *loading) traffic() {
	h.t.Helper()
	h.Do(func() {
		for _, to := range []string{"127.0.0.1:9", "[::1]:9"} {
			c, err := net.Dial("udp", to)
			if err != nil {
				h.t.Fatal(err)
			}
			for range 3 {
				c.Write([]byte("x")) // the port is closed, and says so in between
			}
			c.Close()
		}
	})
}

// check compares what iptables-save lists in our chains with the rules of p.
func (h *loading) check(p *ir.Program) {
	h.t.Helper()
	set := lower(h.t, p, backends.VnetcNames)
	for stem, f := range map[string]ir.Family{"iptables-": ir.IPv4, "ip6tables-": ir.IPv6} {
		got := listing(rules(h.Exec(stem + h.variant + "-save")))
		for chain := range got {
			if !strings.Contains(chain, "VNETC_") {
				delete(got, chain)
			}
		}
		if diff := cmp.Diff(emitted(set, f), got); diff != "" {
			h.t.Errorf("rules of family %s (-want +got):\n%s", f, diff)
		}
	}
}

// rowsAlways is how many rows of the groups' table have a chain though they have no rules, with the
// chains for the administrator's.
func rowsAlways() (n int) {
	n = len(ir.AdminChains)
	for _, row := range ir.GroupTable {
		if !row.Optional {
			n++
		}
	}
	return n
}

// TestKernelLoaderTwice loads the same rules twice. The second time no tool that writes is run.
func TestKernelLoaderTwice(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		p := with(networks(1, 2, 3), ir.INP)
		first := h.load(p)
		if !first.Rebuilt || first.Kept != 0 || first.Changed == 0 {
			t.Errorf("the first load reports %+v", first)
		}
		h.check(p)
		h.traffic()
		saved, handles := h.save("-c"), h.handles()
		if !regexp.MustCompile(`\[[1-9]\d*:\d+\] -A VNETC_INP -i lo`).MatchString(saved) {
			t.Fatalf("no packet was counted:\n%s", saved)
		}
		h.wrap("iptables", "restore", "exit 9")
		h.wrap("ip6tables", "restore", "exit 9")
		second := h.load(p)
		if want := (backends.Report{Kept: first.Changed - 2*rowsAlways()}); !cmp.Equal(want,
			second) { // without the chains of each family
			t.Errorf("the second load reports %+v, want %+v", second, want)
		}
		if diff := cmp.Diff(saved+handles, h.save("-c")+h.handles()); diff != "" {
			t.Errorf("after the second load (-before +after):\n%s", diff)
		}
	})
}

// wrap puts a script before a tool of the loader's. In it $tool is the tool, and $flag a file that
// is there from the second run on.
func (h *loading) wrap(stem, tail, script string) {
	h.t.Helper()
	name := stem + "-" + h.variant + "-" + tail
	flag := filepath.Join(h.path, "."+name)
	os.Remove(flag)
	text := "#!/bin/sh\ntool=/usr/sbin/" + name + "\nflag=" + flag + "\n" + script + "\n"
	netnstest.Program(h.t, filepath.Join(h.path, name), text)
}

func (h *loading) unwrap() {
	for _, stem := range []string{"iptables", "ip6tables"} {
		os.Remove(filepath.Join(h.path, stem+"-"+h.variant+"-restore"))
	}
}

// TestKernelLoaderFresh loads into a namespace in which no table was made yet, and unloads.
func TestKernelLoaderFresh(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.NS = netnstest.New(t)
		if err := h.unload(); err != nil {
			t.Errorf("unload what was never loaded: %v", err)
		}
		if report := h.load(networks(1, 2)); !report.Rebuilt {
			t.Errorf("the load reports %+v", report)
		}
		h.check(networks(1, 2))
		if err := h.unload(); err != nil {
			t.Error(err)
		}
		if saved := h.save(); regexp.MustCompile(`(?m)^-A|VNETC`).MatchString(saved) {
			t.Errorf("after unloading:\n%s", saved)
		}
	})
}

// TestKernelLoaderFamily loads rules of one family; the other's stay.
func TestKernelLoaderFamily(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		_, six, _ := strings.Cut(h.save("-c"), "ip6tables-")
		set, found := iptables.Backend{}.Lower(networks(2), backends.Options{Families: ir.IPv4,
			Names: backends.VnetcNames, Layout: backends.Chains})
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
		var err error
		h.Do(func() { _, err = h.loader.Load(set) })
		if err != nil {
			t.Fatal(err)
		}
		four, after, _ := strings.Cut(h.save("-c"), "ip6tables-")
		if diff := cmp.Diff(six, after); diff != "" || !strings.Contains(four, "virbr2") ||
			strings.Contains(four, "virbr1") {
			t.Errorf("IPv6 (-before +after):\n%s\nIPv4:\n%s", diff, four)
		}
	})
}

// TestKernelLoaderOne changes one network of many: the foreign rules stay the kernel's own, with
// their counters.
func TestKernelLoaderOne(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		ids := make([]int, 40)
		for i := range ids {
			ids[i] = i
		}
		h.load(with(networks(ids...), ir.INP))
		h.traffic()
		saved, handles := h.save("-c"), h.handles()
		ids[20] = 777
		p := with(networks(ids...), ir.INP)
		report := h.load(p)
		h.check(p)
		if want := 2 * 2 * 8; report.Changed != want ||
			report.Rebuilt { // eight rules of a family, once away and once new
			t.Errorf("the load reports %+v, want %d changes", report, want)
		}
		others := func(text string) string {
			return regexp.MustCompile(`(?m)^.*virbr(20|777)\b.*$\n|^.*(10\.0\.20\.|10\.3\.9\.|2001:db8:(14|309):).*$\n`).ReplaceAllString(text, "")
		}
		if diff := cmp.Diff(others(saved+handles), others(h.save("-c")+h.handles())); diff != "" {
			t.Errorf("rules of other networks (-before +after):\n%s", diff)
		}
	})
}

// TestKernelLoaderForeign has foreign rules around ours, which stay as they are in their places
// through every change.
func TestKernelLoaderForeign(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		for _, rule := range []string{
			"-N FOREIGN", "-A FOREIGN -i eth9 -j DROP", "-A FORWARD -j FOREIGN", "-A INPUT -i eth9 -j DROP",
			"-P FORWARD DROP",
			"-t nat -A POSTROUTING -o eth9 -j MASQUERADE", "-t mangle -A POSTROUTING -o eth9 -j ACCEPT",
			"-t raw -A PREROUTING -i eth9 -j ACCEPT",
		} {
			h.both(rule)
		}
		h.traffic()
		before := h.exact()
		h.load(networks(1, 2))
		h.both("-I FORWARD 3 -i between -j ACCEPT")
		h.both("-I FORWARD 1 -i before -j ACCEPT")
		h.load(networks(2, 3))
		h.check(networks(2, 3))
		want := []string{
			"-A FORWARD -i before -j ACCEPT", "-A FORWARD -j VNETC_ADMIN_FORWARD", "-A FORWARD -j VNETC_FWX",
			"-A FORWARD -i between -j ACCEPT",
			"-A FORWARD -j VNETC_FWI", "-A FORWARD -j VNETC_FWO", "-A FORWARD -j FOREIGN",
		}
		if diff := cmp.Diff(want, rules(h.Exec("iptables-" + h.variant + "-save"))["filter FORWARD"]); diff != "" {
			t.Errorf("forward chain (-want +got):\n%s", diff)
		}
		if err := h.unload(); err != nil {
			t.Fatal(err)
		}
		h.both("-D FORWARD -i between -j ACCEPT")
		h.both("-D FORWARD -i before -j ACCEPT")
		if diff := cmp.Diff(before, h.exact()); diff != "" {
			t.Errorf("after unloading (-before +after):\n%s", diff)
		}
		if err := h.unload(); err != nil {
			t.Errorf("unload again: %v", err)
		}
	})
}

// TestKernelLoaderReference has a foreign rule lead to one of our chains: it can't be unloaded, and
// says why.
func TestKernelLoaderReference(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		h.Exec("ip6tables-"+h.variant, "-A", "FORWARD", "-i", "eth9", "-j", "VNETC_FWX")
		before := h.exact()
		err := h.unload()
		if err == nil || !strings.Contains(err.Error(), `"-A FORWARD -i eth9 -j VNETC_FWX"`) {
			t.Errorf("unload says %v", err)
		}
		if diff := cmp.Diff(before, h.exact()); diff != "" {
			t.Errorf("after the refusal (-before +after):\n%s", diff)
		}
		h.load(networks(1, 2))
	})
}

// TestKernelLoaderSamples loads a sample of everything in every group, with comments of all kinds,
// twice: what iptables-save prints is known as what was meant.
func TestKernelLoaderSamples(t *testing.T) {
	programs := map[string]*ir.Program{"groups": groupSamples(), "comments": {}}
	for _, s := range backendtest.NetworkSamples() {
		programs[s.Name] = s.Program
	}
	for _, text := range []string{"word", "two words", `it's "so" \`, " -p gre -j DROP", "-j VNETC_FWO", "#", "COMMIT",
		"[1:2]", "Grüße"} {
		programs["comments"].Add(ir.FWX, ir.Rule{Family: ir.Both, Verdict: ir.Accept{}, Comment: text})
	}
	eachVariant(t, func(t *testing.T, h *loading) {
		for name, p := range programs {
			h.load(p)
			if report := h.load(p); report.Changed != 0 {
				t.Errorf("%s: loaded again: %+v", name, report)
			}
		}
	})
}

// TestKernelLoaderLineBreak has a foreign rule with a line break in its comment, and words of ours
// behind it.
func TestKernelLoaderLineBreak(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.Exec("iptables-"+h.variant, "-A", "FORWARD", "-m", "comment", "--comment",
			"a\n-A FORWARD -j VNETC_FWX\nCOMMIT", "-j", "ACCEPT")
		before := h.exact()
		h.load(networks(1, 2))
		h.load(networks(2, 3))
		if err := h.unload(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, h.exact()); diff != "" {
			t.Errorf("after unloading (-before +after):\n%s", diff)
		}
	})
}

// TestKernelLoaderRandom goes from one set of networks to another, in any order, many times: the
// kernel then holds what was meant.
func TestKernelLoaderRandom(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		random := rand.New(rand.NewPCG(3, 4))
		for range 25 {
			ids := random.Perm(12)[:1+random.IntN(11)]
			h.load(networks(ids...))
			h.check(networks(ids...))
			if report := h.load(networks(ids...)); report.Changed != 0 {
				t.Fatalf("loaded again: %+v", report)
			}
		}
	})
}

// TestKernelLoaderMany adds a network to many, and one in their midst, and takes them away.
// iptables-nft sends a table in one message, whose size has a limit for users who are not root
// outside of the namespace: two hundred networks are too many.
func TestKernelLoaderMany(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		ids := make([]int, 80)
		for i := range ids {
			ids[i] = i
		}
		for _, test := range []struct {
			ids     []int
			changed int
		}{
			{ids, 2*8*80 + 2*2*rowsAlways()}, // with chains and jumps
			{ids, 0},
			{append(slices.Clone(ids), 2000), 2 * 8},
			{slices.Insert(slices.Clone(ids), 40, 2000), 2 * 2 * 8},
			{ids, 2 * 8},
		} {
			if report := h.load(networks(test.ids...)); report.Changed != test.changed {
				t.Errorf("%d changes, want %d", report.Changed, test.changed)
			}
			h.check(networks(test.ids...))
		}
		if err := h.unload(); err != nil {
			t.Error(err)
		}
	})
}
