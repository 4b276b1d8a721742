package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// setting is all that the tests of cures compare of a host.
func (h *host) setting() string {
	return h.ns.Exec("nft", "-s", "list", "ruleset") + h.ns.Exec("cat", "/proc/sys/net/ipv4/ip_forward")
}

// TestKernelCure: doctor runs what it proved after a yes, guests are no longer cut off, and the end
// of the network leaves the host as it was.
func TestKernelCure(t *testing.T) {
	netnstest.Require(t, "iptables-nft-restore")
	for _, tt := range []struct {
		name    string
		cut     func(h *host)
		command string
	}{
		{"Docker's chain", func(h *host) { h.ns.Feed([]byte(dockersForward), "iptables-nft-restore", "--noflush") },
			`run, for network default: iptables-nft -I DOCKER-USER -i virbr0`},
		{"a policy of nft", func(h *host) {
			h.ns.Exec("nft", "table inet corp { chain gate { type filter hook forward priority 0; policy drop; tcp dport 22 accept; }; }")
		}, `run, for network default: nft insert rule inet corp gate iifname virbr0 .* comment vnetc_doctor\.default`},
		{"forwarding", func(h *host) { h.ns.Sysctl("ipv4/ip_forward", "0") },
			`run, for network default: sysctl -w net\.ipv4\.ip_forward=1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			h.outside()
			h.ns.Exec("ip", "link", "add", "virbr0", "type", "bridge")
			h.ns.Exec("ip", "addr", "add", "192.168.122.1/24", "dev", "virbr0")
			h.ns.Exec("ip", "link", "set", "virbr0", "up")
			tt.cut(h)
			before := h.setting()
			h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml")
			applied := h.setting()

			h.wants(h.vnetc(1, "doctor", "--cure"), tt.command, `run \d commands?\? \[y/N\]`, `nothing was run`)
			if now := h.setting(); now != applied {
				t.Fatalf("doctor without a yes changed the host:\n%s", now)
			}
			out := h.vnetc(0, "doctor", "--cure", "--yes")
			h.wants(out, tt.command, `ran \d commands?; vnetc down or vnetc remove`, `afterwards:\nnetwork default: guests have what it promises`)
			h.wants(h.vnetc(0, "doctor", "--cure", "--yes"), `no command to run`)
			if now := h.setting(); now == applied {
				t.Error("cured, and nothing changed")
			}
			notes, err := os.ReadFile(filepath.Join(h.state, "cures.json"))
			if err != nil || !bytes.Contains(notes, []byte(`"undo"`)) {
				t.Errorf("notes: %s, %v", notes, err)
			}
			h.vnetc(0, "remove", "default")
			if now := h.setting(); now != before {
				t.Errorf("the network is gone, and the host was\n%s\nand is\n%s", before, now)
			}
			if _, err := os.Stat(filepath.Join(h.state, "cures.json")); err == nil {
				t.Error("the notes about cures are left")
			}
		})
	}
}

// TestKernelCureGone: what somebody else took away meanwhile is no error, and what is not in force
// is not cured.
func TestKernelCureGone(t *testing.T) {
	h := newHost(t)
	h.outside()
	h.ns.Feed([]byte(dockersForward), "iptables-nft-restore", "--noflush")
	h.wants(h.vnetc(2, "doctor", "--cure", "--yes", networks+"default.xml"), `network default is not in force`)
	h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml")
	h.vnetc(0, "doctor", "--cure", "--yes")
	h.ns.Exec("iptables-nft", "-F", "DOCKER-USER")
	h.vnetc(0, "remove", "default")
	h.wants(h.vnetc(2, "doctor", "--yes"), `--yes and --try belong to --cure`)
	h.wants(h.vnetc(2, "doctor", "--cure", "--format", "json"), `--cure asks and answers in text`)
}

// TestKernelCureTries: a command that is not proved is named as such, and runs with --try alone.
func TestKernelCureTries(t *testing.T) {
	h := newHost(t)
	h.outside()
	h.ns.Exec("nft", `table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; reject with icmpx admin-prohibited; }; }`)
	h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml")
	out := h.vnetc(1, "doctor", "--cure", "--yes")
	h.wants(out, `not run, for you to do or with --try: firewall-cmd --permanent --new-zone=vnetc`, `no command to run`)
	if strings.Contains(out, "afterwards") {
		t.Errorf("something was run: %s", out)
	}
	out = h.vnetc(1, "doctor", "--cure", "--try")
	h.wants(out, `try, not proved, for network default: firewall-cmd --permanent --new-zone=vnetc\n(.*\n)*try, not proved, for network default: firewall-cmd --reload\n`,
		`nothing was run`)
}
