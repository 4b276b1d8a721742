package main

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
)

var (
	everyStep = flag.Bool("every-step", false, "tests that kill at steps: leave out no step (minutes)")
	everyCall = flag.Bool("every-call", false,
		"tests that kill at steps: kill before calls of the kernel that only read, too")
)

// world is where rules of a back end stand, and the commands that vnetc finds there.
type world struct{ backend, variant string }

var worlds = map[string]world{"nftables": {"nftables", "nft"}, "iptables-nft": {"iptables", "nft"},
	"iptables-legacy": {"iptables", "legacy"}}

// elementLists finds the elements of a set, which the kernel lists in any order.
var elementLists = regexp.MustCompile(`elements = \{([^}]*)\}`)

// stepping is a host of which each state is compared with what it may be.
type stepping struct {
	*host
	variants []string       // of iptables, that are looked at
	stride   int            // of how many steps one is tried
	foreign  string         // foreign rules
	listed   *regexp.Regexp // finds what listings of libvirt's tables have beside what is compared
	kills    int
	steps    map[string]int // kills by what was not done any more
}

// command returns vnetc with the iptables of a world.
func (h *stepping) command(w world, args ...string) *exec.Cmd {
	h.t.Helper()
	cmd := h.ns.Command("vnetc", append(args, "--state-dir", h.state)...)
	cmd.Env = append(cmd.Env, "PATH="+h.tools(w.variant)+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	return cmd
}

// tools returns a folder in which the commands without a variant in their names are those of the
// variant.
func (h *stepping) tools(variant string) string {
	h.t.Helper()
	dir := filepath.Join(h.state, "..", "tools-"+variant)
	if os.Mkdir(dir, 0o755) != nil {
		return dir // it is there
	}
	for _, stem := range []string{"iptables", "ip6tables"} {
		for _, tail := range []string{"", "-save", "-restore"} {
			path := strings.TrimSpace(h.ns.Exec("sh", "-c", "command -v "+stem+"-"+variant+tail))
			if err := os.Symlink(path, filepath.Join(dir, stem+tail)); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	return dir
}

// run runs vnetc to its end and returns its exit code and what it said.
func (h *stepping) run(w world, args ...string) (int, string) {
	h.t.Helper()
	cmd := h.command(w, args...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

func (h *stepping) must(w world, args ...string) {
	h.t.Helper()
	if code, out := h.run(w, args...); code != 0 {
		h.t.Fatalf("%v: exit code %d\n%s", args, code, out)
	}
}

// holding is what the kernel has of ours and of libvirt's, by the pieces that change in one
// transaction each, and the notes.
type holding struct {
	rules map[string]string // by world, family and table; no entry for what is not there
	notes string
}

// What the names of some pieces end in.
const (
	libvirts = " of libvirt's"
	probe    = " probe" // a chain that nothing leads to, which is gone again when a change is done
)

// part is the pieces that are libvirt's, or those that are ours.
func (h holding) part(ofLibvirt bool) map[string]string {
	out := maps.Clone(h.rules)
	maps.DeleteFunc(out, func(piece, _ string) bool { return strings.HasSuffix(piece, libvirts) != ofLibvirt })
	return out
}

var (
	tableHandle = regexp.MustCompile(`(?m)^(table .*) # handle [0-9]+$`) // another one for each table that is made
	anyHandle   = regexp.MustCompile(`(?m)() # handle [0-9]+$`)
)

// look lists everything. Foreign rules must be as they were.
func (h *stepping) look() holding {
	h.t.Helper()
	now := holding{rules: map[string]string{}}
	script := "nft -s list table inet admin; echo OURS; nft -s list table ip vnetc 2>/dev/null; nft -s list table ip6 vnetc 2>/dev/null; " +
		"echo LIBVIRTS; nft -a -s list table ip libvirt_network 2>/dev/null; nft -a -s list table ip6 libvirt_network 2>/dev/null; echo SAVES; "
	for _, variant := range h.variants {
		for _, stem := range []string{"iptables-", "ip6tables-"} {
			script += "echo " + stem + variant + "; " + stem + variant + "-save; "
		}
	}
	text := h.ns.Exec("sh", "-c", script+"echo NOTES; cd "+h.state+
		" 2>/dev/null && find . -name '*.json' && grep -h -v '\"applied\"' networks/*.json 2>/dev/null; true")
	foreign, text, _ := strings.Cut(text, "OURS\n")
	ours, text, _ := strings.Cut(text, "LIBVIRTS\n")
	theirs, text, _ := strings.Cut(text, "SAVES\n")
	saves, notes, _ := strings.Cut(text, "NOTES\n")
	if ours != "" {
		now.rules["nftables"] = sortElements(ours)
	}
	if theirs != "" {
		now.rules["nftables"+libvirts] = h.listed.ReplaceAllString(theirs, "$1")
	}
	tool, table := "", ""
	for line := range strings.Lines(saves) {
		switch {
		case strings.HasPrefix(line, "iptables-"), strings.HasPrefix(line, "ip6tables-"):
			tool = strings.TrimSpace(line)
		case line[0] == '*':
			table = tool + " " + strings.TrimSpace(line[1:])
		case strings.Contains(line, "VNETC_PROBE"):
			now.rules[table+probe] += line
		case strings.Contains(line, "VNETC_"):
			now.rules[table] += line
		case strings.Contains(line, "LIBVIRT_"):
			now.rules[table+libvirts] += line
		case strings.HasPrefix(line, "-A"):
			foreign += table + line
		}
	}
	now.notes = notes
	if h.foreign == "" {
		h.foreign = foreign
	}
	if diff := cmp.Diff(h.foreign, foreign); diff != "" {
		h.t.Fatalf("foreign rules changed (-before +after):\n%s", diff)
	}
	return now
}

// sortElements gives a listing in which the elements of sets are in the order of their text.
func sortElements(listing string) string {
	return elementLists.ReplaceAllStringFunc(listing, func(list string) string {
		parts := strings.Split(elementLists.FindStringSubmatch(list)[1], ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		slices.Sort(parts)
		return "elements = { " + strings.Join(parts, ", ") + " }"
	})
}

// newStepping makes a host ready, and has foreign rules there.
func newStepping(on *host, stride int, variants ...string) *stepping {
	netnstest.Require(on.t, "find", "grep")
	if !mayTrace() {
		netnstest.Require(on.t, "leave to trace processes (ptrace)")
	}
	if *everyStep {
		stride = 1
	}
	h := &stepping{host: on, stride: stride, variants: variants, listed: tableHandle, steps: map[string]int{}}
	h.state = filepath.Join(h.state, "state")
	h.ns.Feed([]byte("table inet admin { chain forward { type filter hook forward priority 5; ip saddr 192.0.2.66 counter drop; }; }"), "nft", "-f", "-")
	for _, variant := range variants {
		for _, stem := range []string{"iptables-", "ip6tables-"} {
			h.ns.Feed([]byte("*filter\n-A FORWARD -i eth7 -j DROP\n-A FORWARD -o eth8 -j DROP\nCOMMIT\n*nat\n-A POSTROUTING -o eth9 -j MASQUERADE\nCOMMIT\n"),
				stem+variant+"-restore", "--noflush")
		}
	}
	h.look()
	return h
}

// change is a command line that brings a host from one state to another.
type change struct {
	world world
	args  []string // none for what a test does by itself
	audit []string // reports whether it is done
	end   func()   // ends what was begun; nil for the same command line once more

	// done tells what audit has to find; nil where that is whether now is as fresh.
	done func(now, old, fresh holding) bool
}

// finish ends a change.
func (h *stepping) finish(c change) {
	h.t.Helper()
	if c.end != nil {
		c.end()
	} else {
		h.must(c.world, c.args...)
	}
}

// loop goes there and back again, and is killed before one step later each time, until there is no
// such step. After each kill each piece is as before or as after, the audit tells which, and the
// same command ends what was begun.
func (h *stepping) loop(there, back change, may func(now, old, fresh holding) string) {
	h.t.Helper()
	var ends [2]holding
	for i, c := range []change{there, back} {
		h.finish(c)
		ends[i] = h.look()
	}
	open := [2]bool{there.args != nil, back.args != nil}
	first := 1
	if h.stride > 1 {
		first += rand.IntN(h.stride)
	}
	for n := first; open[0] || open[1]; n += h.stride {
		for i, c := range []change{there, back} {
			if open[i] {
				open[i] = h.step(n, c, ends[1-i], ends[i], may)
			}
			if now := h.look(); maps.Equal(ends[i].rules, now.rules) && ends[i].notes == now.notes {
				continue // it was killed when all was done
			}
			h.finish(c)
			if diff := cmp.Diff(ends[i], h.look(), cmp.AllowUnexported(holding{})); diff != "" {
				h.t.Fatalf("%v once more, after a kill at step %d (-want +got):\n%s", c.args, n, diff)
			}
		}
	}
}

// step is one kill; it returns whether there was such a step.
func (h *stepping) step(n int, c change, old, fresh holding, may func(now, old, fresh holding) string) bool {
	h.t.Helper()
	var said strings.Builder
	cmd := h.command(c.world, c.args...)
	cmd.Stderr = &said
	steps, killed, code := (&stepper{t: h.t, cmd: cmd, every: *everyCall}).kill(n)
	if !killed {
		if code != 0 || len(steps) < 3 {
			h.t.Fatalf("%v, traced: exit code %d after steps %q\n%s", c.args, code, steps, &said)
		}
		return false
	}
	h.kills++
	h.steps[strings.Fields(steps[n-1])[0]]++
	at := fmt.Sprintf("%v, killed before step %d (%s)", c.args, n, steps[n-1])
	now := h.look()
	if wrong := may(now, old, fresh); wrong != "" {
		h.t.Fatalf("%s: %s\nbefore %v\nafter %v", at, wrong, cmp.Diff(old.rules, now.rules),
			cmp.Diff(fresh.rules, now.rules))
	}
	done := maps.Equal(now.rules, fresh.rules) && (len(c.audit) > 1 || now.notes == fresh.notes) ||
		len(c.audit) == 1 && maps.Equal(now.rules, old.rules) && now.notes == old.notes
	if c.done != nil {
		done = c.done(now, old, fresh)
	}
	want := 1
	if done {
		want = 0
	}
	if code, out := h.run(c.world, c.audit...); code != want {
		h.t.Fatalf("%s: %v: exit code %d, want %d\n%s%s", at, c.audit, code, want, out,
			cmp.Diff(fresh.rules, now.rules))
	}
	return true
}

// pieces says which piece is neither as before nor as after.
func pieces(now, old, fresh holding) string {
	for _, all := range []holding{now, old, fresh} {
		for piece := range all.rules {
			if now.rules[piece] != old.rules[piece] && now.rules[piece] != fresh.rules[piece] &&
				!strings.HasSuffix(piece, probe) {
				return piece + " is neither as before nor as after"
			}
		}
	}
	return ""
}

// oneWhole says that rules are neither whole where they were nor where they go.
func oneWhole(now, old, fresh holding) string {
	whole := func(want holding) bool {
		return !slices.ContainsFunc(slices.Collect(maps.Keys(want.rules)),
			func(piece string) bool { return now.rules[piece] != want.rules[piece] })
	}
	if !whole(old) && !whole(fresh) {
		return "rules are whole neither where they were nor where they go"
	}
	return pieces(now, old, fresh)
}

// TestKernelSteps kills vnetc with SIGKILL before each step that changes something, on disk or in
// the kernel, its own steps and those of the tools that it runs: apply on a clean host and remove;
// an update and a prune; going from each back end to each other. With iptables a step costs some
// tenths of a second, so a test run takes every few of them, from a random one on. For all: go test
// ./cmd/vnetc -run KernelSteps -v -every-step
func TestKernelSteps(t *testing.T) {
	one, _ := ofNetworks(t, 0, 1)
	two, _ := ofNetworks(t, 1, 1)
	edited := filepath.Join(t.TempDir(), "net00.xml")
	xml, err := os.ReadFile(filepath.Join(one, "net00.xml"))
	if err == nil {
		err = os.WriteFile(edited, []byte(strings.Replace(string(xml), "10.9.0.1", "10.8.0.1", 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	apply := func(name string, paths ...string) change {
		w := worlds[name]
		return change{
			world: w, args: append([]string{"apply", "--backend", w.backend, "--prune"}, paths...),
			audit: append([]string{"audit", "--backend", w.backend, "--prune"}, paths...),
		}
	}
	type loop struct {
		stride      int
		variants    []string
		there, back change
		may         func(now, old, fresh holding) string
	}
	both := []string{"nft", "legacy"}
	loops := map[string]loop{
		"switch from nftables to iptables-nft": {3, both, apply("nftables", one), apply("iptables-nft", one),
			oneWhole},
		"switch from nftables to iptables-legacy": {5, both, apply("nftables", one), apply("iptables-legacy", one),
			oneWhole},
		"switch from one iptables to the other": {7, both, apply("iptables-nft", one), apply("iptables-legacy", one),
			oneWhole},
	}
	loops["remove one of two in nftables"] = loop{1, []string{"nft"}, apply("nftables", one, two),
		change{world: worlds["nftables"], args: []string{"remove", "net01"}, audit: []string{"audit"}}, pieces}
	for name, w := range worlds {
		stride := map[string]int{"nftables": 1, "iptables-nft": 2, "iptables-legacy": 4}[name]
		loops["update and prune in "+name] = loop{stride, []string{w.variant}, apply(name, edited, two),
			apply(name, one), pieces}
		loops["apply and remove in "+name] = loop{stride, []string{w.variant}, apply(name, one),
			change{world: w, args: []string{"remove", "--all"}, audit: []string{"audit"}}, pieces}
	}
	for name, l := range loops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newStepping(newHost(t), l.stride, l.variants...)
			h.loop(l.there, l.back, l.may)
			t.Logf("killed %d times, before: %v", h.kills, h.steps)
		})
	}
}
