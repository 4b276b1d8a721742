package main

import (
	"encoding/json"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelTrace follows packets in a user's words through a host with Docker's policy, in both
// back ends.
func TestKernelTrace(t *testing.T) {
	netnstest.Require(t, "iptables-nft-restore")
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			h := newHost(t)
			h.outside()
			out := "tcp from network default to outside port 443"
			h.wants(h.vnetc(1, "trace", "--packet", out), `there is no network default: none is in force`)
			h.vnetc(0, "apply", "--backend", backend, networks+"default.xml")
			plain := h.vnetc(0, "trace", "--packet", out)
			h.wants(plain, `^tcp from 192\.168\.122\.2:40000 on virbr0 to 203\.0\.113\.7:443 out eth0 state new\n`,
				`table ip \w+, vnetc \(`, `from .*default\.xml:6:16, network default: guests with an address`,
				`arrives: it leaves by eth0; its source becomes the address of the interface`)
			h.wants(h.vnetc(1, "trace", "--packet", "tcp from outside to network default"), `rejected by vnetc, chain`)
			h.wants(h.vnetc(0, "trace", "--packet", "udp from network default to host port 53"), `to 192\.168\.122\.1:53`,
				`arrives: it goes on to the host itself`)
			h.wants(h.vnetc(1, "trace", "--packet", "tcp from network web to outside"), `the networks are default`)
			h.wants(h.vnetc(1, "trace", "--packet", "tcp from network default"), `the packet has no destination`)

			h.ns.Feed([]byte(dockersForward), "iptables-nft-restore", "--noflush")
			code := 1
			if backend == "iptables" {
				code = 0 // whose jumps stand before what Docker leaves to its policy
			}
			h.vnetc(0, "apply", networks+"default.xml")
			cut := h.vnetc(code, "trace", "--packet", out)
			if code == 1 {
				h.wants(cut, `chain FORWARD of table ip filter \(iptables-nft\)\n.*rule 1: ip jump DOCKER-USER\n    Docker: policy drop`,
					`dropped by Docker, chain FORWARD of table ip filter`)
			}
			var doc struct {
				Answer string
				Path   struct {
					End   string
					Steps []struct{ Kind, Owner, Policy string }
				}
			}
			text := h.vnetc(code, "trace", "--format", "json", "--packet", out)
			if err := json.Unmarshal([]byte(text), &doc); err != nil ||
				doc.Answer != map[int]string{0: "yes", 1: "no"}[code] || len(doc.Path.Steps) == 0 {
				t.Errorf("JSON: %v, %+v", err, doc)
			}

			h.ns.Exec("nft", "table inet corp { chain gate { type filter hook forward priority -10; meta length 1000-2000 drop; }; }")
			h.wants(h.vnetc(code, "trace", "--packet", out), `\? chain gate of table inet corp, rule 1`,
				`if it matches:`, `=> dropped by a rule of nobody known, chain gate`, `if it does not match:`)
			h.wants(h.vnetc(code, "trace", "-v", "--packet", out), `does not match: `)
		})
	}
}
