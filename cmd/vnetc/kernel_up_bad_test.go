package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/golden"
)

// injections are documents of which some text is to become a line, a word, a name of a file or an
// option of dnsmasq's.
var injections = map[string]string{
	"name that leads elsewhere": `<network><name>../../evil</name>%s</network>`,
	"name is the folder above":  `<network><name>..</name>%s</network>`,
	"name with a line":          "<network><name>a&#10;dhcp-script=/tmp/evil</name>%s</network>",
	"tftp root with a line":     `<network><name>evil</name><ip address='10.99.1.1' prefix='24'><tftp root='/srv&#10;dhcp-script=/tmp/evil'/></ip></network>`,
	"tftp root with a quote":    `<network><name>evil</name><ip address='10.99.1.1' prefix='24'><tftp root='/srv",evil'/></ip></network>`,
	"boot file with a comma":    `<network><name>evil</name><ip address='10.99.1.1' prefix='24'><dhcp><range start='10.99.1.10' end='10.99.1.20'/><bootp file='x,10.0.0.1'/></dhcp></ip></network>`,
	"host name with a comma":    `<network><name>evil</name><ip address='10.99.1.1' prefix='24'><dhcp><host mac='52:54:00:00:00:01' name='a,set:evil' ip='10.99.1.5'/></dhcp></ip></network>`,
	"host name with a line":     `<network><name>evil</name><ip address='10.99.1.1' prefix='24'><dhcp><host mac='52:54:00:00:00:01' name='a&#10;52:54:00:00:00:02,10.99.1.6' ip='10.99.1.5'/></dhcp></ip></network>`,
	"DNS host with a line":      `<network><name>evil</name><dns><host ip='10.99.1.5'><hostname>a&#10;10.99.1.6 b</hostname></host></dns>%s</network>`,
	"domain with a slash":       `<network><name>evil</name><domain name='a/b/10.0.0.1'/>%s</network>`,
	"TXT with a line":           `<network><name>evil</name><dns><txt name='a' value='x&#10;dhcp-script=/tmp/evil'/></dns>%s</network>`,
	"option with a line": `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>evil</name>%s
		<dnsmasq:options><dnsmasq:option value='log-dhcp&#10;dhcp-script=/tmp/evil'/></dnsmasq:options></network>`,
	"bridge with a line":  `<network><name>evil</name><bridge name='a&#10;b'/>%s</network>`,
	"bridge with a slash": `<network><name>evil</name><bridge name='../a'/>%s</network>`,
	"bridge as a pattern": `<network><name>evil</name><bridge name='*'/>%s</network>`,
}

// badDocuments returns the injections, and the documents of the corpus that check refuses; each in
// a folder.
func (g *ground) badDocuments() (injected, refused map[string]string) {
	t := g.host.t
	t.Helper()
	injected, refused = map[string]string{}, map[string]string{}
	for name, text := range injections {
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text,
				"<ip address='10.99.1.1' prefix='24'><dhcp><range start='10.99.1.10' end='10.99.1.20'/></dhcp></ip>")
		}
		injected[name] = g.file(strings.ReplaceAll(name, " ", "-"), text)
	}
	var paths []string
	for _, pattern := range []string{"../../golden/bad/*.txtar", "../../golden/libvirt/bad-*.txtar"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s := golden.ParseScenario(text)
		for _, name := range s.Sources.Names() {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), s.Sources.Text(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		refused[filepath.Base(path)] = dir
	}
	return injected, refused
}

// TestKernelUpBad: of a document that check refuses nothing comes to the host: no file, no process,
// no device, no rule. What is to be smuggled into dnsmasq's files is refused with --lax too.
func TestKernelUpBad(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	injected, corpus := g.badDocuments()
	before := g.still()
	written := func() string { return g.ns.Exec("find", g.state, "-mindepth", "1", "-not", "-name", "lock") }
	tried := 0
	try := func(name, path string, flags ...string) {
		t.Helper()
		tried++
		g.vnetc(1, slices.Concat([]string{"up", path}, flags)...)
		if left := written(); left != "" {
			t.Errorf("%s %v: up wrote %s", name, flags, left)
		}
		if pids := g.servers(); len(pids) > 0 {
			t.Errorf("%s %v: dnsmasq runs: %v", name, flags, pids)
		}
	}
	for name, path := range injected {
		try(name, path)
		try(name, path, "--lax")
		try(name, path, "--dry-run")
	}
	var errs strings.Builder
	for name, path := range corpus {
		for _, flags := range [][]string{nil, {"--lax"}} {
			if run(streams{in: strings.NewReader(""), out: &errs, err: &errs},
				slices.Concat([]string{"check", path}, flags)) == exitNo {
				try(name, path, flags...)
			}
		}
	}
	g.wantStill(before, "refused documents")
	t.Logf("%d refused", tried)
}

// TestKernelUpUnprivileged: who lacks a capability is told which, or which folder is closed, and
// nothing has changed.
func TestKernelUpUnprivileged(t *testing.T) {
	netnstest.Require(t, "setpriv")
	t.Parallel()
	g := newGround(t)
	a, b := g.file("a", victim(false)), g.file("b", bystander)
	g.vnetc(0, "up", "--layout", "chains", b)
	before := g.still()
	for _, args := range [][]string{{"up", a}, {"up", "--backend", "iptables", a}, {"down", "bystander"}} {
		var said strings.Builder
		cmd := g.ns.Command("setpriv", append([]string{"--bounding-set=-net_admin", "--inh-caps=-net_admin", "vnetc",
			"--state-dir", g.state}, args...)...)
		cmd.Stderr = &said
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(said.String(), "CAP_NET_ADMIN") ||
			strings.Contains(said.String(), "--backend") {
			t.Errorf("%v: exit code %d, want 3, and CAP_NET_ADMIN named, and no back end that can't help:\n%s", args,
				code, &said)
		}
		g.wantStill(before, strings.Join(args, " "))
	}
	blocked := filepath.Join(g.dir, "file", "below")
	if err := os.WriteFile(filepath.Dir(blocked), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	usual := g.state
	g.state = blocked
	g.wants(g.vnetc(3, "up", a), `state folder: .*`+filepath.Dir(blocked))
	g.state = usual
}
