package nftables

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// adminScript is what an administrator may put into our table: rules that use everything that a
// rule can use.
const adminScript = `table ip vnetc {
	set friends { type ipv4_addr; elements = { 10.9.0.1, 10.9.0.2 }; }
	set seen { type ipv4_addr; flags dynamic; size 100; timeout 1h; }
	map ways { type inet_service : verdict; elements = { 80 : jump web, 81 : drop }; }
	map tallies { type inet_service : counter; elements = { 82 : "third" }; }
	counter first { }
	counter third { }
	quota second { over 10 mbytes }
	chain web { counter accept; }
	chain deep { tcp dport vmap @ways; }
	chain mine { ip saddr @friends counter jump deep; counter return; }
	chain admin_forward {
		ip daddr { 10.0.0.1, 10.0.0.7 } counter accept
		counter jump mine
		ip saddr @friends counter name first accept
		update @seen { ip saddr } counter
		quota name "second" drop
		counter name tcp dport map @tallies
		counter accept comment "twice"
		counter accept comment "twice"
	}
	chain admin_prerouting { iifname "eth0" tcp dport 2222 counter dnat to 10.0.0.7:22; }
}
table ip6 vnetc {
	chain admin_input { iifname "eth0" tcp dport 22 counter drop; }
}`

// adminsOwn lists everything of adminScript as the kernel has it, with handles and counters. What
// ours use is not in it, nor is the place among ours.
func adminsOwn(ns *netnstest.NS) string {
	var out strings.Builder
	for _, what := range []string{
		"chain ip vnetc admin_forward", "chain ip vnetc admin_prerouting", "chain ip6 vnetc admin_input",
		"chain ip vnetc web", "chain ip vnetc deep", "chain ip vnetc mine", "set ip vnetc friends", "set ip vnetc seen",
		"map ip vnetc ways", "map ip vnetc tallies", "counter ip vnetc first", "counter ip vnetc third",
		"quota ip vnetc second",
	} {
		out.WriteString(ns.Exec("sh", "-c", "nft -a list "+what+" 2>&1 || true"))
	}
	return out.String()
}

// loadAs loads p in a layout.
func loadAs(t *testing.T, ns *netnstest.NS, p *ir.Program, layout backends.Layout) backends.Report {
	t.Helper()
	rules := layOut(t, p, layout)
	var report backends.Report
	var err error
	ns.Do(func() { report, err = Loader{}.Load(rules) })
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return report
}

// TestKernelAdminStays: what the administrator has in his chains stays as it is, handles and
// counters included, with all that his rules use and behind the first jump of its hook, whatever is
// done to our rules. What his rules use no longer goes with the next load.
func TestKernelAdminStays(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	first := loadAs(t, ns, networks(1), backends.Chains)
	var before []backends.Document
	ns.Do(func() { before, _ = Loader{}.Dump(backends.VnetcNames) })
	ns.Feed([]byte(adminScript), "nft", "-f", "-")
	own := adminsOwn(ns)
	if strings.Contains(own, "Error") {
		t.Fatal(own)
	}
	script := filepath.Join(t.TempDir(), "rules.nft")
	do := func(what string, f func() error) {
		t.Helper()
		var err error
		ns.Do(func() { err = f() })
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(own, adminsOwn(ns)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", what, diff)
		}
		for _, base := range []string{"ip vnetc forward", "ip vnetc prerouting", "ip6 vnetc inp"} {
			rules := strings.Split(ns.Exec("nft", "-s", "list", "chain", strings.Fields(base)[0], "vnetc",
				strings.Fields(base)[2]), "\n")
			if len(rules) < 4 || !strings.Contains(rules[3], "jump admin_") {
				t.Errorf("%s: chain %s has not his jump first:\n%s", what, base, strings.Join(rules, "\n"))
			}
		}
	}
	load := func(p *ir.Program, layout backends.Layout) func() error {
		return func() error { _, err := Loader{}.Load(layOut(t, p, layout)); return err }
	}
	if again := loadAs(t, ns, networks(1), backends.Chains); again.Changed != 0 ||
		again.Kept >= first.Changed {
		t.Errorf("the same again: %+v; of our own there are %d", again, first.Changed)
	}
	for _, layout := range []backends.Layout{backends.Sets, backends.Chains, backends.Sets} {
		do("other networks", load(networks(4), layout))
		do("more networks", load(networks(7), layout))
		do("no network", load(&ir.Program{}, layout))
	}
	var image []backends.Document
	ns.Do(func() { image, _ = Loader{}.Dump(backends.VnetcNames) })
	do("load", load(networks(5), backends.Sets))
	do("what stood before", func() error { return Loader{}.Restore(backends.VnetcNames, before) })
	do("what stood with his rules", func() error { return Loader{}.Restore(backends.VnetcNames, image) })
	do("what an older vnetc left", func() error { return Loader{}.Restore(backends.VnetcNames, olderImage(t)) })
	ns.Exec("nft", "flush", "chain", "ip", "vnetc", "forward") // an accident
	do("after the accident", load(networks(2), backends.Sets))
	for _, layout := range []backends.Layout{backends.Chains, backends.Sets} {
		for n := range 2 {
			if err := os.WriteFile(script, layOut(t, networks(n+1), layout).Emit()[0].Text, 0o600); err != nil {
				t.Fatal(err)
			}
			do("the script", func() error { ns.Exec("nft", "-f", script); return nil })
		}
	}
	do("load over the script", load(networks(2), backends.Sets))
	ns.Exec("nft", "add table ip vnetc { flags dormant; }")
	do("waking the table", load(networks(2), backends.Sets))
	if text := ns.Exec("nft", "list", "table", "ip", "vnetc"); strings.Contains(text, "dormant") {
		t.Errorf("the table sleeps on:\n%s", text)
	}
	do("unload", func() error { return Loader{}.Unload(backends.VnetcNames) })
	if text := ns.Exec("nft", "list", "ruleset"); strings.Contains(text, "fwx") || strings.Contains(text, "prt") {
		t.Errorf("after Unload there is more than his:\n%s", text)
	}
	do("unload again", func() error { return Loader{}.Unload(backends.VnetcNames) })
	do("load over what is left", load(networks(1), backends.Chains))

	for _, chain := range []string{"ip vnetc admin_forward", "ip vnetc admin_prerouting", "ip6 vnetc admin_input"} {
		ns.Exec("sh", "-c", "nft flush chain "+chain)
	}
	loadAs(t, ns, networks(1), backends.Chains)
	if text := ns.Exec("nft", "list", "ruleset"); strings.Contains(text, "friends") || strings.Contains(text, "mine") {
		t.Errorf("what nothing uses stays:\n%s", text)
	}
	ns.Do(func() {
		if err := (Loader{}).Unload(backends.VnetcNames); err != nil {
			t.Error(err)
		}
	})
	if text := ns.Exec("nft", "list", "ruleset"); text != "" {
		t.Errorf("left after Unload of all:\n%s", text)
	}
}

// olderImage is a dump of what a vnetc loaded that had no chains for the administrator.
func olderImage(t *testing.T) (image []backends.Document) {
	t.Helper()
	ns := netnstest.New(t)
	ns.Feed([]byte(`table ip vnetc {
		chain fwx { }
		chain forward { type filter hook forward priority filter; policy accept; counter jump fwx; }
		chain prt { type nat hook postrouting priority srcnat; policy accept; }
	}`), "nft", "-f", "-")
	ns.Do(func() {
		var err error
		if image, err = (Loader{}).Dump(backends.VnetcNames); err != nil {
			t.Fatal(err)
		}
	})
	return image
}

// TestKernelAdminRead: what is read from a host says which chains and sets are the administrator's.
func TestKernelAdminRead(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	loadAs(t, ns, networks(2), backends.Sets)
	ns.Feed([]byte(adminScript), "nft", "-f", "-")
	ns.Exec("nft", "add rule ip vnetc admin_forward jump fwo")
	var p *ir.Program
	ns.Do(func() {
		docs, err := Loader{}.Dump(backends.VnetcNames)
		if err == nil {
			p, err = Loader{}.Read(docs)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	var got []string
	for _, c := range p.Chains {
		if c.Admin {
			got = append(got, c.Label())
		}
	}
	for _, s := range p.Sets {
		if s.Admin {
			got = append(got, "set "+s.Label())
		}
	}
	want := []string{"ip vnetc admin_prerouting", "ip vnetc admin_input", "ip vnetc admin_forward",
		"ip vnetc admin_postrouting", "ip vnetc web", "ip vnetc deep", "ip vnetc mine", "ip6 vnetc admin_prerouting",
		"ip6 vnetc admin_input", "ip6 vnetc admin_forward", "ip6 vnetc admin_postrouting", "set ip vnetc friends"}
	got = slices.DeleteFunc(got, func(g string) bool { return strings.HasPrefix(g, "set ip vnetc __set") })
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the administrator's (-want +got):\n%s", diff)
	}
}
