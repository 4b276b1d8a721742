package firewall

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
)

// meddled is a loader beside which somebody else writes right after it has, as often as is told.
type meddled struct {
	backends.Loader
	times  *int
	meddle func()
}

func (m meddled) Load(rules backends.Ruleset) (backends.Report, error) {
	report, err := m.Loader.Load(rules)
	if *m.times > 0 {
		*m.times--
		m.meddle()
	}
	return report, err
}

// TestMeddled: rules that somebody changes between the load and the proof are loaded once more; if
// he does so again, the old ones come back.
func TestMeddled(t *testing.T) {
	eachTarget(t, func(t *testing.T, ns *netnstest.NS, target Target) {
		meddle := func() { ns.Exec("nft", "insert rule ip vnetc fwi accept") }
		if variant, found := strings.CutPrefix(t.Name(), "TestMeddled/iptables-"); found {
			meddle = func() { ns.Exec("iptables-"+variant, "-I", "VNETC_FWI", "-j", "ACCEPT") }
		}
		for times, want := range []string{"", "", "is accepted and should be"} {
			if _, err := apply(ns, filters(2), target); err != nil {
				t.Fatal(err)
			}
			before, left := everything(ns), times
			bad := target
			bad.Loader = meddled{target.Loader, &left, meddle}
			_, err := apply(ns, filters(3), bad)
			if got := fmt.Sprint(err); (err == nil) != (want == "") || !strings.Contains(got, want) {
				t.Errorf("meddled with %d times: got %v, want %q", times, err, want)
			}
			if a := compare(t, ns, filters(3), target); err == nil && !a.InStep() {
				t.Errorf("meddled with %d times:\n%s", times, told(a))
			}
			if diff := cmp.Diff(before, everything(ns)); err != nil && diff != "" {
				t.Errorf("meddled with %d times: the old rules are not back (-before +after):\n%s", times, diff)
			}
		}
	})
}

// TestWriterBetween: somebody puts rules of his own before ours between the reading and the
// writing, so that the places that were chosen are others now: his rules stay, in their order, and
// ours come to stand in theirs.
func TestWriterBetween(t *testing.T) {
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			netnstest.Require(t, "iptables-"+variant, "nft")
			ns, dir := netnstest.New(t), t.TempDir()
			t.Setenv("PATH", dir+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
			t.Setenv("XTABLES_LOCKFILE", filepath.Join(t.TempDir(), "lock"))
			target := targets()["iptables-"+variant]
			if _, err := apply(ns, filters(2), target); err != nil {
				t.Fatal(err)
			}
			for _, stem := range []string{"iptables", "ip6tables"} {
				tool := stem + "-" + variant
				ns.Exec(tool, "-D", "FORWARD", "-j", "VNETC_FWI")
				path := strings.TrimSpace(ns.Exec("sh", "-c", "command -v "+tool+"-restore"))
				script := fmt.Sprintf(`#!/bin/sh
					if mkdir %[1]s/%[2]s-done 2>/dev/null; then
						%[2]s -I FORWARD -i new1 -j DROP; %[2]s -I FORWARD -i new0 -j DROP
					fi
					exec %[3]s "$@"
				`, dir, tool, path)
				netnstest.Program(t, filepath.Join(dir, tool+"-restore"), script)
			}
			if _, err := apply(ns, filters(3), target); err != nil {
				t.Fatal(err)
			}
			if a := compare(t, ns, filters(3), target); !a.InStep() {
				t.Errorf("drift:\n%s", told(a))
			}
			for _, stem := range []string{"iptables-", "ip6tables-"} {
				var ours, others []string
				for line := range strings.Lines(ns.Exec(stem + variant + "-save")) {
					if rule, found := strings.CutPrefix(strings.TrimSpace(line), "-A FORWARD "); found &&
						strings.Contains(rule, "VNETC") {
						ours = append(ours, rule)
					} else if found {
						others = append(others, rule)
					}
				}
				want := [][]string{{"-j VNETC_ADMIN_FORWARD", "-j VNETC_FWX", "-j VNETC_FWI", "-j VNETC_FWO"},
					{"-i new0 -j DROP", "-i new1 -j DROP"}}
				if diff := cmp.Diff(want, [][]string{ours, others}); diff != "" {
					t.Errorf("%s rules (-want +got):\n%s", stem, diff)
				}
			}
		})
	}
}
