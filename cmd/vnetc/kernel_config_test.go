package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKernelConfig: --config chooses the back end as libvirt's network.conf does, --backend wins
// over it, and a file that libvirt would refuse changes nothing.
func TestKernelConfig(t *testing.T) {
	h := newHost(t)
	conf := func(text string) string {
		path := filepath.Join(t.TempDir(), "network.conf")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	iptables := conf("# libvirt\nfirewall_backend = \"iptables\"\n")
	xml := networks + "default.xml"
	h.wants(h.vnetc(0, "apply", "--config", iptables, xml), `in force \(iptables`)
	h.wants(h.vnetc(0, "audit", "--config", iptables), "in step")
	h.wants(h.vnetc(0, "apply", "--config", iptables, "--backend", "nftables", xml), `in force \(nftables`,
		"our rules in iptables are removed")
	for _, open := range []string{"", "# firewall_backend = \"iptables\"\n",
		"other = 1\n"} { // of which only libvirt knows what it makes
		h.wants(h.vnetc(0, "apply", "--config", conf(open), xml), "nothing to change",
			"warning: .*network.conf sets no firewall_backend: .*--backend")
	}
	for _, sure := range [][]string{{"--config", conf(""), "--backend", "nftables"},
		{"--config", conf(`firewall_backend = "nftables"`)}} {
		if said := h.vnetc(0, append([]string{"apply", xml}, sure...)...); strings.Contains(said, "warning") {
			t.Errorf("%v draws a warning:\n%s", sure, said)
		}
	}
	h.wants(h.vnetc(0, "apply", "--config", conf(`firewall_backend = "none"`), "--backend", "nftables", xml),
		"nothing to change")
	for text, want := range map[string]string{
		"\nfirewall_backend = iptables\n": `network.conf:2:20: error: .*no quotes`,
		`firewall_backend = "ntfables"`:   `network.conf:1:20: error: .*"ntfables".*(?s:.*)did you mean "nftables"`,
		strings.Repeat("#", 1<<20+1):      `has more than 1048576 bytes`,
		`firewall_backend = "none"`:       `network.conf:1:20: error: .*(?s:.*)fix: `,
	} {
		h.wants(h.vnetc(1, "apply", "--config", conf(text), "--prune", networks+"routed.xml"), want)
	}
	h.wants(h.vnetc(3, "apply", "--config", "nowhere.conf", xml), "no such file")
	if listed := h.vnetc(0, "list"); !strings.Contains(listed, "default") || strings.Contains(listed, "dmz") {
		t.Errorf("what is in force changed:\n%s", listed)
	}
}
