package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// host is a namespace in which command lines are run.
type host struct {
	t     *testing.T
	ns    *netnstest.NS
	state string
}

func newHost(t *testing.T) *host {
	netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
	return &host{t: t, ns: netnstest.New(t), state: t.TempDir()}
}

// vnetc runs a command line and wants that exit code; it returns what was printed on both streams.
func (h *host) vnetc(want int, args ...string) string {
	h.t.Helper()
	var out, errs bytes.Buffer
	var code int
	args = append(args, "--state-dir", h.state)
	h.ns.Do(func() { code = run(streams{in: strings.NewReader(""), out: &out, err: &errs}, args) })
	if code != want {
		h.t.Errorf("vnetc %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, &out, &errs)
	}
	return out.String() + errs.String()
}

func (h *host) wants(text string, patterns ...string) {
	h.t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			h.t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

const networks = "../../golden/networks/"

// TestKernelApplyAuditRemove is a day in the life of a host, with each back end.
func TestKernelApplyAuditRemove(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			h := newHost(t)
			clean := h.ns.Exec("nft", "list", "ruleset")
			h.wants(h.vnetc(0, "audit", "--backend", backend), `^in step`)
			h.vnetc(1, "audit", "--backend", backend, networks+"default.xml")
			h.wants(h.vnetc(0, "apply", "--backend", backend, networks+"default.xml", networks+"isolated.xml"),
				`^2 networks in force \(`+backend, `proved`)
			h.wants(h.vnetc(0, "apply", networks+"default.xml", "--backend", backend),
				`2 networks in force .*nothing to change`)
			h.wants(h.vnetc(0, "apply", networks+"default.xml", "--format", "json"), `"removed_from": \[\]`)
			h.wants(h.vnetc(0, "audit"), `^in step`)
			h.wants(h.vnetc(0, "list"), `default +no +virbr0 +`+backend, `lab +no +\S+ +`+backend)

			if backend == "nftables" {
				h.ns.Exec("nft", "insert", "rule", "ip", "vnetc", "fwi", "accept")
			} else {
				h.ns.Exec("iptables", "-I", "VNETC_FWI", "-j", "ACCEPT")
			}
			h.wants(h.vnetc(1, "audit"), `\+ extra`, `from outside to network lab .*is accepted, should be rejected`)
			h.vnetc(1, "audit", "--format", "json")
			h.vnetc(0, "apply", "--backend", backend, networks+"routed.xml")
			h.wants(h.vnetc(0, "audit"), `^in step`)

			h.wants(h.vnetc(0, "apply", "--prune", "--backend", backend, networks+"default.xml"), `^1 network in force`)
			h.vnetc(2, "remove", "lab")
			h.vnetc(0, "remove", "default")
			if backend == "nftables" {
				if left := h.ns.Exec("nft", "list", "ruleset"); left != clean {
					t.Errorf("this stays:\n%s", left)
				}
			} else if left := h.ns.Exec("iptables-save"); strings.Contains(left, "VNETC") {
				t.Errorf("this stays:\n%s", left)
			}
		})
	}
}

// TestKernelStrictStays: how strict a network was applied stays with it when others come and go,
// and so does what --lax let pass.
func TestKernelStrictStays(t *testing.T) {
	h := newHost(t)
	odd := filepath.Join(t.TempDir(), "odd.xml")
	if err := os.WriteFile(odd,
		[]byte("<network><name>odd</name><colour/><bridge name='odd0'/><ip address='10.9.0.1' prefix='24'/></network>"),
		0o644); err != nil {
		t.Fatal(err)
	}
	confined := `iifname "virbr-lab" .*reject`
	fwx := func() string { return h.ns.Exec("nft", "-s", "list", "chain", "ip", "vnetc", "fwx") }
	h.vnetc(0, "apply", "--layout", "chains", "--strict-isolation", networks+"isolated.xml")
	h.wants(fwx(), confined)
	h.vnetc(1, "apply", "--layout", "chains", odd)
	h.vnetc(0, "apply", "--layout", "chains", "--lax", odd)
	h.vnetc(0, "apply", "--layout", "chains", networks+"routed.xml")
	h.wants(fwx(), confined)
	h.wants(h.vnetc(0, "audit"), `^in step`)
	h.vnetc(0, "remove", "odd")
	h.wants(fwx(), confined)
	h.vnetc(0, "apply", "--layout", "chains", networks+"isolated.xml")
	if strings.Contains(fwx(), "reject") {
		t.Errorf("applied without --strict-isolation:\n%s", fwx())
	}
}

// TestKernelSwitchBackend: one back end's rules follow the other's.
func TestKernelSwitchBackend(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml")
	h.wants(h.vnetc(0, "apply", "--backend", "iptables", networks+"default.xml"), `our rules in nftables are removed`)
	h.wants(h.ns.Exec("iptables-save"), `VNETC_FWI`)
	h.wants(h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml"), `our rules in iptables are removed`)
	if left := h.ns.Exec("iptables-save"); strings.Contains(left, "VNETC") {
		t.Errorf("this stays:\n%s", left)
	}
	h.vnetc(0, "remove", "--all")
}

// Without a flag that says otherwise an apply goes where the networks in force are, laid out as
// they are and under their names; with one all networks move along, and nothing of theirs is left
// behind.
func TestKernelApplyFollows(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", "--backend", "iptables", networks+"default.xml")
	h.wants(h.vnetc(0, "apply", networks+"routed.xml"), `^2 networks in force \(iptables`)
	h.wants(h.vnetc(0, "apply", "--dry-run", networks+"routed.xml"), `in step`)
	h.wants(h.vnetc(0, "apply", "--backend", "auto", networks+"routed.xml"), `^2 networks in force \(iptables`) // never moves
	h.wants(h.vnetc(0, "apply", "--backend", "nftables", networks+"routed.xml"), `^2 networks in force \(nftables`,
		`our rules in iptables are removed`)
	h.wants(h.ns.Exec("nft", "list", "table", "ip", "vnetc"),
		`elements = `) // the layout of a list of rules stayed behind

	h.vnetc(0, "apply", "--layout", "chains", networks+"routed.xml")
	h.wants(h.vnetc(0, "apply", networks+"routed.xml"), `nothing to change`)
	h.wants(h.vnetc(0, "apply", "--names", "libvirt", networks+"isolated.xml"), `^3 networks in force`,
		`our rules in nftables are removed`)
	h.wants(h.vnetc(0, "apply", networks+"isolated.xml"), `nothing to change`)
	h.wants(h.vnetc(1, "apply", "--dry-run", "--names", "vnetc", networks+"isolated.xml"),
		`- nftables \(names of libvirt\)`)
	h.wants(h.vnetc(0, "apply", "--names", "vnetc", networks+"isolated.xml"),
		`our rules in nftables \(names of libvirt\) are removed`)
	if tables := h.ns.Exec("nft", "list", "tables"); strings.Contains(tables, "libvirt") {
		t.Errorf("rules under the old names are still there:\n%s", tables)
	}
}

// TestKernelApplyRefused: errors in the input, collisions with what is in force, and notes that
// can't be written leave everything as it was.
func TestKernelApplyRefused(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml")
	before := h.ns.Exec("nft", "-a", "list", "ruleset")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h.wants(h.vnetc(1, "apply", write("bad.xml", "<network><name>x</name><bridge name='a b'/></network>")),
		`bad.xml:1:`)
	h.wants(h.vnetc(1, "apply", write("same.xml",
		"<network><name>x</name><bridge name='virbr0'/><ip address='10.0.0.1' prefix='24'/></network>")),
		`same.xml:1:.*virbr0`, `default.xml:5:`)
	h.vnetc(3, "apply", dir+"/nowhere.xml")
	h.state = "/proc/nowhere"
	h.vnetc(3, "apply", networks+"isolated.xml")
	if after := h.ns.Exec("nft", "-a", "list", "ruleset"); after != before {
		t.Errorf("the rules changed:\n%s\n%s", before, after)
	}
}

// TestKernelBridgeStays: a network whose bridge was chosen keeps it when the one before it goes.
func TestKernelBridgeStays(t *testing.T) {
	h := newHost(t)
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		text := "<network><name>" + name + "</name><forward/><ip address='10.7." + map[string]string{"a": "1",
			"b": "2"}[name] + ".1' prefix='24'/></network>"
		if err := os.WriteFile(filepath.Join(dir, name+".xml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h.vnetc(0, "apply", dir)
	h.vnetc(0, "remove", "a")
	if rules := h.ns.Exec("nft", "list", "ruleset"); !strings.Contains(rules, "virbr1") ||
		strings.Contains(rules, "virbr0") {
		t.Errorf("b has no longer virbr1:\n%s", rules)
	}
	h.wants(h.vnetc(0, "apply", filepath.Join(dir, "b.xml")), "nothing to change")
}
