package main

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelForeignDrop: foreign tables that drop by policy are left as they are, with their
// counters, and audit tells of those that forwarded packets meet.
func TestKernelForeignDrop(t *testing.T) {
	h := newHost(t)
	h.ns.Feed([]byte(`
		table inet admin {
			chain forward { type filter hook forward priority -5; policy drop; iifname "eth7" counter packets 3 bytes 4 accept; }
			chain input { type filter hook input priority 0; policy drop; }
		}
		table ip6 strict { chain late { type filter hook postrouting priority 300; policy drop; }; }
		table bridge b { chain forward { type filter hook forward priority 0; policy drop; }; }
		table ip open { chain forward { type filter hook forward priority 0; policy accept; }; }
	`), "nft", "-f", "-")
	foreign := h.ns.Exec("nft", "-a", "list", "ruleset")
	h.vnetc(0, "apply", networks+"default.xml")
	out := h.vnetc(0, "audit")
	h.wants(out, `! ahead    inet admin forward: policy drop`, `! ahead    ip6 strict late: policy drop`,
		`(?m)^in step`)
	if n := strings.Count(out, "ahead"); n != 2 {
		t.Errorf("%d chains are told of, want 2:\n%s", n, out)
	}
	if code := strings.Count(h.vnetc(0, "apply", networks+"default.xml"), "nothing to change"); code != 1 {
		t.Error("apply changes something again")
	}
	h.vnetc(0, "remove", "--all")
	if got := h.ns.Exec("nft", "-a", "list", "ruleset"); got != foreign {
		t.Errorf("foreign rules were\n%s\nand are\n%s", foreign, got)
	}
}

// TestKernelForeignIncompatible: that others have made rules with nft in the tables of iptables,
// which iptables-save then refuses to list, is no matter for networks in nftables.
func TestKernelForeignIncompatible(t *testing.T) {
	h := newHost(t)
	h.ns.Feed([]byte(`table ip filter {
		chain FORWARD { type filter hook forward priority 0; meter m { ip saddr limit rate 1/second } accept; }
	}`), "nft", "-f", "-")
	h.wants(h.ns.Exec("iptables-nft-save"), "incompatible") // iptables 1.8
	foreign := h.ns.Exec("nft", "-a", "list", "ruleset")
	for _, args := range [][]string{
		{"apply", "--backend", "nftables", networks + "default.xml"},
		{"apply", "--take-over", networks + "default.xml"},
		{"apply", "--confirm", "1h", networks + "isolated.xml"}, {"confirm", "--undo"}, {"audit"}, {"status"},
		{"remove", "--all"},
	} {
		h.vnetc(0, args...)
	}
	// Where iptables is asked for, there is a way out.
	for _, args := range [][]string{{"apply"}, {"up"}} {
		said := h.vnetc(3, append(args, "--backend", "iptables", networks+"default.xml")...)
		h.wants(said, "IPv4 table filter holds rules made with nft", "--backend nftables")
	}
	if got := h.ns.Exec("nft", "-a", "list", "ruleset"); got != foreign {
		t.Errorf("foreign rules were\n%s\nand are\n%s", foreign, got)
	}
}

// TestKernelCapability: a process without CAP_NET_ADMIN is told that it lacks it, by each verb and
// back end, and has changed nothing.
func TestKernelCapability(t *testing.T) {
	netnstest.Require(t, "setpriv")
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml")
	before := h.ns.Exec("nft", "-a", "list", "ruleset")
	for _, args := range [][]string{
		{"apply", networks + "isolated.xml"}, {"apply", "--backend", "nftables", networks + "isolated.xml"},
		{"apply", "--backend", "iptables", networks + "isolated.xml"}, {"audit"}, {"remove", "default"},
		{"remove", "--all"},
		{"apply", "--dry-run", networks + "isolated.xml"},
	} {
		var said strings.Builder
		cmd := h.ns.Command("setpriv", append([]string{"--bounding-set=-net_admin", "--inh-caps=-net_admin", "vnetc",
			"--state-dir", h.state}, args...)...)
		cmd.Stderr = &said
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(said.String(), "CAP_NET_ADMIN") {
			t.Errorf("%v: exit code %d, want 3, and CAP_NET_ADMIN named:\n%s", args, code, &said)
		}
	}
	if got := h.ns.Exec("nft", "-a", "list", "ruleset"); got != before {
		t.Errorf("rules were\n%s\nand are\n%s", before, got)
	}
	h.vnetc(0, "audit")
}

// TestKernelNoLegacyTables: no verb leaves tables of iptables-legacy on a host that has none. The
// kernel makes one when it is first looked at, iptables-nft warns of it from then on, and only
// unloading the module takes it away.
func TestKernelNoLegacyTables(t *testing.T) {
	h := provisional{host: newHost(t), backend: "nftables"}
	h.run(0, "apply", networks+"default.xml")
	h.apply("60s")
	h.run(0, "confirm", "--undo")
	h.run(0, "audit")
	h.run(0, "status")
	h.run(0, "apply", "--take-over", "--dry-run", networks+"default.xml")
	h.run(0, "apply", "--backend", "iptables", networks+"default.xml")
	h.run(0, "audit")
	h.run(0, "remove", "--all")
	if tables := h.ns.Exec("sh", "-c",
		"cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true"); tables != "" {
		t.Errorf("there are now tables of iptables-legacy:\n%s", tables)
	}
}
