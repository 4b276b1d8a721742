package iptables_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
)

// once is a script for wrap that does something the first time and is the tool itself from then on,
// and with questions to the kernel.
func once(what string) string {
	return `cat > "$flag.in"; exec < "$flag.in"
		if grep -q PROBE "$flag.in" || [ -e "$flag" ]; then exec "$tool" "$@"; fi; : > "$flag"; ` + what
}

// refusedIn is a line for each table that iptables-restore takes and the kernel refuses.
var refusedIn = map[string]string{
	"filter": "-A VNETC_FWX -p udp -j MASQUERADE",
	"nat":    "-A VNETC_PRT -j REJECT",
	"mangle": "-A VNETC_PRT -j REJECT",
}

// TestKernelLoaderFaults lets a load fail at each table of each family, by the kernel and by the
// tool, before its work and after. The old rules are in force then, with their counters, and the
// next load succeeds.
func TestKernelLoaderFaults(t *testing.T) {
	faults := map[string]string{
		"tool fails at once":    `echo "out of luck" >&2; exit 3`,
		"tool fails afterwards": `"$tool" "$@"; echo "out of luck" >&2; exit 3`,
		"tool is killed":        `"$tool" "$@"; kill -9 $$`,
	}
	for table, line := range refusedIn {
		faults["kernel refuses in "+table] = `sed '/^[*]` + table + `/,/^COMMIT/s/^COMMIT/` + line +
			`\nCOMMIT/' | "$tool" "$@"`
	}
	eachVariant(t, func(t *testing.T, h *loading) {
		for _, rule := range []string{"-A FORWARD -i after -j ACCEPT", "-t nat -A POSTROUTING -o eth9 -j MASQUERADE"} {
			h.both(rule)
		}
		untouched := h.exact()
		for _, old := range []*ir.Program{nil, with(networks(1, 2, 3), ir.INP)} {
			if old != nil {
				h.load(old)
				h.both("-I FORWARD 2 -i between -j ACCEPT")
				h.both("-A FORWARD -j VNETC_FWO") // doubled, which the load would fix
				h.traffic()
			}
			before := h.exact()
			for _, stem := range []string{"iptables", "ip6tables"} {
				for name, script := range faults {
					h.unwrap()
					h.wrap(stem, "restore", once(script))
					_, err := h.try(with(networks(3, 4), ir.INP))
					if err == nil {
						t.Errorf("%s of %s: the load succeeds", name, stem)
					} else if strings.HasPrefix(name, "tool fails") && !strings.Contains(err.Error(), "out of luck") {
						t.Errorf("%s of %s: the error doesn't tell: %v", name, stem, err)
					}
					if diff := cmp.Diff(before, h.exact()); diff != "" {
						t.Fatalf("%s of %s (-before +after):\n%s\n%v", name, stem, diff, err)
					}
				}
			}
			h.unwrap()
		}
		h.load(networks(3, 4))
		h.check(networks(3, 4))
		h.both("-D FORWARD -i between -j ACCEPT")
		if err := h.unload(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(untouched, h.exact()); diff != "" {
			t.Errorf("after unloading (-before +after):\n%s", diff)
		}
	})
}

// TestKernelLoaderQuestionFaults lets the question whether the kernel has CHECKSUM fail.
func TestKernelLoaderQuestionFaults(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		before := h.exact()
		for _, stem := range []string{"iptables", "ip6tables"} {
			for _, script := range []string{"exit 3", `"$tool" "$@"; exit 3`, `"$tool" "$@"; kill -9 $$`} {
				h.unwrap()
				h.wrap(stem, "restore", `if [ -e "$flag" ]; then exec "$tool" "$@"; fi; : > "$flag"; `+script)
				if report, err := h.try(networks(1)); err == nil {
					t.Errorf("%s, %s: the load succeeds: %+v", stem, script, report)
				}
				if diff := cmp.Diff(before, h.exact()); diff != "" {
					t.Errorf("%s, %s (-before +after):\n%s", stem, script, diff)
				}
			}
		}
	})
}

// TestKernelLoaderUnloadFaults lets unloading fail in each family.
func TestKernelLoaderUnloadFaults(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(with(networks(1, 2), ir.INP))
		h.traffic()
		before := h.exact()
		for _, stem := range []string{"iptables", "ip6tables"} {
			h.unwrap()
			h.wrap(stem, "restore", once(`"$tool" "$@"; exit 3`))
			if err := h.unload(); err == nil {
				t.Errorf("%s: unloading succeeds", stem)
			}
			if diff := cmp.Diff(before, h.exact()); diff != "" {
				t.Errorf("%s (-before +after):\n%s", stem, diff)
			}
		}
	})
}

// TestKernelLoaderBlames loads a rule that the kernel refuses: a chain that leads to itself.
func TestKernelLoaderBlames(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		before := h.exact()
		p := networks(1, 2)
		loop := &ir.Chain{Family: ir.Both, Name: "loop", Rules: []ir.Rule{{Family: ir.Both,
			Verdict: ir.Jump{Chain: "loop"}, Origin: p.Group(ir.FWX).Rules[0].Origin}}}
		p.Chains = append(p.Chains, loop)
		p.Group(ir.FWX).Rules = append([]ir.Rule{{Family: ir.Both, Verdict: ir.Jump{Chain: "loop"}}},
			p.Group(ir.FWX).Rules...)
		_, err := h.try(p)
		var refused *iptables.RefusedError
		if !errors.As(err, &refused) {
			t.Fatalf("the error is %v", err)
		}
		if refused.Table != "filter" || refused.Said == "" {
			t.Errorf("the error tells table %q and %q", refused.Table, refused.Said)
		}
		if h.variant == "nft" && !strings.HasPrefix(err.Error(),
			"net2.xml:3:5: iptables-nft-restore refuses \"-A VNETC_loop -j VNETC_loop\" in table filter") {
			t.Errorf("the error is %v", err) // iptables-legacy-restore blames the whole table
		}
		if diff := cmp.Diff(before, h.exact()); diff != "" {
			t.Errorf("after the refusal (-before +after):\n%s", diff)
		}
	})
}

// TestKernelLoaderBlamesRule has the tool refuse one of our lines.
func TestKernelLoaderBlamesRule(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		h.wrap("iptables", "restore", once(`sed '/virbr2.*REJECT/s/REJECT/REJECT --no-such-option/' | "$tool" "$@"`))
		_, err := h.try(networks(1, 2))
		if err == nil || !strings.HasPrefix(err.Error(), "net2.xml:3:5: iptables-"+h.variant+
			"-restore refuses \"-I VNETC_FWI 1 -o virbr2 -j REJECT") {
			t.Errorf("the error is %v", err)
		}
	})
}

// TestKernelLoaderWriters has another writer change rules between reading and writing: the load
// begins again.
func TestKernelLoaderWriters(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		h.both("-A FORWARD -j VNETC_FWX") // to have a jump deleted, which fails when it is gone
		h.wrap("iptables", "restore", once(`/usr/sbin/iptables-`+h.variant+` -F FORWARD; /usr/sbin/iptables-`+h.variant+
			` -A FORWARD -i new -j DROP; exec "$tool" "$@"`))
		h.load(networks(1, 2))
		h.check(networks(1, 2))
		want := []string{"-A FORWARD -j VNETC_ADMIN_FORWARD", "-A FORWARD -j VNETC_FWX", "-A FORWARD -j VNETC_FWI", "-A FORWARD -j VNETC_FWO",
			"-A FORWARD -i new -j DROP"}
		if diff := cmp.Diff(want, rules(h.Exec("iptables-" + h.variant + "-save"))["filter FORWARD"]); diff != "" {
			t.Errorf("forward chain (-want +got):\n%s", diff)
		}
	})
}

// TestKernelLoaderJumps fixes the jumps of the forward chain. F and G are rules of an
// administrator.
func TestKernelLoaderJumps(t *testing.T) {
	words := map[string]string{"X": "-j VNETC_FWX", "I": "-j VNETC_FWI", "O": "-j VNETC_FWO", "F": "-i foreign -j DROP",
		"G": "-o foreign -j ACCEPT", "P": "-j VNETC_INP", "A": "-j VNETC_ADMIN_FORWARD"}
	tests := []struct{ name, have, want string }{
		{"none", "", "A X I O"},
		{"none, before others", "F G", "A X I O F G"},
		{"as they are", "A X I O F", "A X I O F"},
		{"behind an administrator's", "F A X I O G", "F A X I O G"},
		{"with others between", "F A X G I F O", "F A X G I F O"},
		{"without the administrator's", "F X G I F O", "F A X G I F O"},
		{"the administrator's behind", "F X G I F O A", "F A X G I F O"},
		{"first missing", "F A I O G", "F A X I O G"},
		{"second missing", "A X F O", "A X I F O"},
		{"last missing", "F A X I G", "F A X I O G"},
		{"one left", "F I G", "F A X I O G"},
		{"doubled", "A X I O A X I O F", "A X I O F"},
		{"doubled around", "X F X I O I", "A X F I O"},
		{"out of order", "O A X I F", "A X I O F"},
		{"reversed", "F O I X A", "F A X I O"},
		{"of another hook", "P A X I O F", "A X I O F"},
	}
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		for _, test := range tests {
			h.both("-F FORWARD")
			for _, w := range strings.Fields(test.have) {
				h.both("-A FORWARD", words[w])
			}
			report := h.load(networks(1))
			h.check(networks(1))
			if same := test.have == test.want; same != (report.Changed == 0) {
				t.Errorf("%s: %d changes", test.name, report.Changed)
			}
			var want []string
			for _, w := range strings.Fields(test.want) {
				want = append(want, "-A FORWARD "+words[w])
			}
			for _, stem := range []string{"iptables-", "ip6tables-"} {
				if diff := cmp.Diff(want, rules(h.Exec(stem + h.variant + "-save"))["filter FORWARD"]); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s", test.name, stem, diff)
				}
			}
		}
	})
}

// TestKernelLoaderDump restores what was dumped, over other rules and over none.
func TestKernelLoaderDump(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		dump := func() (docs []backends.Document) {
			t.Helper()
			var err error
			h.Do(func() { docs, err = h.loader.Dump(backends.VnetcNames) })
			if err != nil {
				t.Fatal(err)
			}
			return docs
		}
		h.both("-A FORWARD -i foreign -j DROP")
		if docs := dump(); len(docs) != 0 {
			t.Errorf("a dump of nothing: %v", docs)
		}
		h.load(networks(1, 2))
		saved, docs := h.save(), dump()
		if _, err := (iptables.Backend{}).Read(docs); err != nil || len(docs) != 2 {
			t.Errorf("read %d documents: %v", len(docs), err)
		}
		if text := string(docs[0].Text); strings.Contains(text, "foreign") ||
			!strings.Contains(text, "-A FORWARD -j VNETC_FWX\n") {
			t.Errorf("the dump is\n%s", text)
		}
		for _, change := range []func(){
			func() { h.load(networks(2, 3)) },
			func() { h.unload() },
			func() { h.both("-F") },
		} {
			change()
			var err error
			h.Do(func() { err = h.loader.Restore(backends.VnetcNames, docs) })
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(h.save(), "foreign") {
				h.both("-A FORWARD -i foreign -j DROP")
			}
			if diff := cmp.Diff(saved, h.save()); diff != "" {
				t.Errorf("restored (-want +got):\n%s", diff)
			}
		}
	})
}

// TestKernelLoaderElsewhere finds rules in the other world.
func TestKernelLoaderElsewhere(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(networks(1))
		for _, v := range []iptables.Variant{iptables.NFTables, iptables.Legacy} {
			var other backends.Loader
			var err error
			h.Do(func() { other, err = iptables.Loader{Variant: v}.Elsewhere(backends.VnetcNames) })
			if here := string(v) == h.variant; err != nil || here != (other == nil) {
				t.Errorf("looked from %s: %v, %v", v, other, err)
			}
		}
	})
}

// TestKernelLoaderChecksums loads rules into a kernel without the target CHECKSUM, and with it,
// where a load was killed while it asked for it.
func TestKernelLoaderChecksums(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		refuse := `text=$(cat); case "$text" in *CHECKSUM*) echo "line 3 failed" >&2; exit 1;; esac; echo "$text" | "$tool" "$@"`
		h.wrap("iptables", "restore", refuse)
		h.wrap("ip6tables", "restore", refuse)
		p := networks(1, 2)
		for try, changed := range []bool{true, false} {
			h.both("-t mangle -N VNETC_PROBE")
			report := h.load(p)
			if len(report.Left) != 4 || (report.Changed > 0) != changed {
				t.Errorf("load %d: %d warnings, %d changes", try+1, len(report.Left), report.Changed)
			}
		}
		if saved := h.save(); strings.Contains(saved, "PROBE") || strings.Contains(saved, "CHECKSUM") ||
			!strings.Contains(saved, "VNETC_PRT") {
			t.Errorf("loaded:\n%s", saved)
		}
		h.unwrap()
		h.both("-t mangle -N VNETC_PROBE")
		if report := h.load(p); len(report.Left) != 0 || report.Changed != 4 {
			t.Errorf("with the target: %+v", report)
		}
		h.check(p)
	})
}

// TestKernelLoaderCapabilities names what a process lacks.
func TestKernelLoaderCapabilities(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		for capability, needed := range map[string]bool{"CAP_NET_ADMIN": true, "CAP_NET_RAW": h.variant == "legacy"} {
			bit := map[string]int{"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW}[capability]
			answer := make(chan error)
			go func() {
				runtime.LockOSThread() // and never unlocked: the thread ends with its capabilities
				header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
				var data [2]unix.CapUserData
				if err := unix.Capget(&header, &data[0]); err != nil {
					answer <- err
					return
				}
				data[0].Effective &^= 1 << bit
				if err := unix.Capset(&header, &data[0]); err != nil {
					answer <- err
					return
				}
				_, err := h.loader.Dump(backends.VnetcNames)
				answer <- err
			}()
			if err := <-answer; needed != (err != nil && strings.Contains(err.Error(), capability)) {
				t.Errorf("without %s: %v", capability, err)
			}
		}
		var err error
		h.Do(func() { err = h.loader.Available() })
		if err != nil {
			t.Errorf("available: %v", err)
		}
		version, err := h.loader.Version()
		out, _ := exec.Command("iptables-"+h.variant, "--version").Output()
		if number := strings.Split(version, " ")[0]; err != nil || !strings.Contains(string(out), "v"+number) ||
			!strings.HasSuffix(version, "("+h.variant+")") {
			t.Errorf("version %q, %v, of %s", version, err, out)
		}
	})
}

// TestLoaderMissing names the tool that isn't there.
func TestLoaderMissing(t *testing.T) {
	_, err := iptables.Loader{Variant: "none"}.Dump(backends.VnetcNames)
	if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(fmt.Sprint(err), "iptables-none-save") {
		t.Errorf("the error is %v", err)
	}
}
