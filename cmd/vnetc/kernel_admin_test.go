package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelAdmin: every verb names the administrator's own rules, and none takes them away.
func TestKernelAdmin(t *testing.T) {
	for backend, rule := range map[string]string{
		"nftables": "nft add rule ip vnetc admin_forward oifname virbr-lab tcp dport 22 accept",
		"iptables": "iptables -A VNETC_ADMIN_FORWARD -o virbr-lab -p tcp --dport 22 -j ACCEPT",
	} {
		t.Run(backend, func(t *testing.T) {
			netnstest.Require(t, "nft", "iptables")
			h := newHost(t)
			other := map[string]string{"nftables": "iptables", "iptables": "nftables"}[backend]
			chain := map[string]string{"nftables": `admin_forward \(ip vnetc\)`,
				"iptables": `VNETC_ADMIN_FORWARD \(ip filter\)`}[backend]
			flush := map[string]string{"nftables": "nft flush chain ip vnetc admin_forward",
				"iptables": "iptables(-nft|-legacy)? -F VNETC_ADMIN_FORWARD"}[backend]
			text := h.vnetc(0, "apply", networks+"isolated.xml", "--backend", backend)
			h.wants(text, "read back and proved\n")
			h.wants(h.vnetc(0, "audit"), "^in step\n")
			h.ns.Exec("sh", "-ec", rule)

			h.wants(h.vnetc(0, "apply", networks+"routed.xml"), "proved, but for 1 rule in "+chain+"\n")
			text = h.vnetc(0, "audit")
			h.wants(text, "^in step, but for 1 rule in "+chain+"\n", "what your own rules do to packets",
				"tcp port 22 from outside to network lab .*: is accepted, without them rejected")
			if strings.Contains(text, "port 80") {
				t.Errorf("audit tells of others:\n%s", text)
			}
			var doc struct {
				InStep bool `json:"in_step"`
				Admin  []struct {
					Chain string
					Rules int
				} `json:"admin_rules"`
				Packets []struct{ Is string } `json:"admin_packets"`
			}
			text = h.vnetc(0, "audit", "--format", "json")
			if err := json.Unmarshal([]byte(text), &doc); err != nil || !doc.InStep || len(doc.Admin) != 1 ||
				doc.Admin[0].Rules != 1 || len(doc.Packets) == 0 {
				t.Errorf("%v, %+v", err, doc)
			}
			h.wants(h.vnetc(0, "apply", "--format", "json", networks+"routed.xml"), `"admin_rules": \[`)
			h.vnetc(0, "status")

			h.wants(h.vnetc(0, "apply", networks+"routed.xml", "--backend", other),
				"kept 1 rule of yours in .*; still in force. To remove them: "+flush+"\n", "our rules in "+backend+" are removed")
			h.wants(h.vnetc(0, "audit"), "^in step\nrules of your own are in force in "+backend)
			h.wants(h.vnetc(0, "apply", networks+"routed.xml", "--backend", backend), "proved, but for 1 rule in "+chain+"\n")

			h.wants(h.vnetc(0, "remove", "dmz"), "removed; 1 network in force")
			h.wants(h.vnetc(0, "remove", "--all"), "kept 1 rule of yours", flush, "removed; 0 networks in force")
			h.wants(h.vnetc(0, "audit"),
				"^in step(, but for 1 rule in "+chain+"|\nrules of your own are in force in "+backend+")")
			text = h.vnetc(0, "remove", "--all")
			h.wants(text, "kept 1 rule of yours")
			_, command, _ := strings.Cut(text, "To remove them: ")
			command, _, _ = strings.Cut(command, "\n")
			h.ns.Exec("sh", "-ec", command)
			h.vnetc(0, "remove", "--all")
			if left := h.ns.Exec("sh", "-c", "nft list ruleset; iptables-legacy-save"); strings.Contains(
				strings.ToLower(left), "vnetc") {
				t.Errorf("left at the end:\n%s", left)
			}
		})
	}
}
