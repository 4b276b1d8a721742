package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestKernelAuditDiff: the diff says where drift stands in the words of the target's own tool: what
// it takes away stood in the listing before, what it adds stands there now.
func TestKernelAuditDiff(t *testing.T) {
	const nft, ipt = "nft -s list ruleset", "iptables -S; iptables -t nat -S; ip6tables -S"
	for _, c := range []struct {
		name, listing, tamper string
		args                  []string
		want                  []string // whole lines of the diff
	}{
		{"chains", nft,
			`nft insert rule ip vnetc fwi ip saddr 10.0.0.1 counter accept; nft flush chain ip vnetc fwx; nft add rule ip vnetc fwo meta cpu 1 drop`,
			[]string{"--backend", "nftables", "--layout", "chains"},
			[]string{"@@ -.* @@ table ip vnetc.*", "\\+\t\tip saddr 10.0.0.1 counter accept",
				"-\t\tiifname \"virbr0\" oifname \"virbr0\" counter accept", "\\+.*unknown.*cpu 1.*"}},
		{"sets", nft, `nft delete element ip vnetc fwx_accept_iif_oif '{ "virbr0" . "virbr0" }'`,
			[]string{"--backend", "nftables"},
			[]string{"@@ -.* @@ table ip vnetc set fwx_accept_iif_oif", "-.*\"virbr0\" . \"virbr0\".*"}},
		{"iptables", ipt,
			`iptables -I VNETC_FWI -s 10.0.0.1/32 -j ACCEPT; iptables -D VNETC_FWX -i virbr0 -o virbr0 -j ACCEPT; iptables -A VNETC_FWO -m limit --limit 3/sec -j DROP`,
			[]string{"--backend", "iptables"},
			[]string{"--- meant rules.v4", "\\+-A VNETC_FWI -s 10.0.0.1/32 -j ACCEPT",
				"--A VNETC_FWX -i virbr0 -o virbr0 -j ACCEPT", "\\+.*--limit 3/sec.*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.vnetc(0, append([]string{"apply", networks + "default.xml", networks + "isolated.xml",
				networks + "routed.xml"}, c.args...)...)
			before := h.ns.Exec("sh", "-c", c.listing)
			if strings.Contains(h.vnetc(0, "audit"), "@@") {
				t.Error("a diff where nothing differs")
			}
			h.ns.Exec("sh", "-ec", c.tamper)
			after := h.ns.Exec("sh", "-c", c.listing)

			text := h.vnetc(1, "audit")
			_, text, _ = strings.Cut(text, "where that is")
			text, _, _ = strings.Cut(text, "what that does")
			for _, line := range c.want {
				h.wants(text, "(?m)^"+line+"$")
			}
			for line := range strings.Lines(text) {
				listing := map[byte]string{'-': before, '+': after}[line[0]]
				if listing == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") ||
					strings.Contains(line, " unknown ") { // what no back end lowers is in the words of the program
					continue
				}
				if rule := strings.TrimSpace(strings.Trim(strings.TrimSpace(line[1:]),
					",{} ")); !strings.Contains(listing, rule) {
					t.Errorf("the diff has %q, and the listing has not:\n%s", rule, listing)
				}
			}
		})
	}
}

// TestKernelAuditFormats: SARIF has a result for each drift and each fate, at the XML that asks for
// the rule; JSON has the diff.
func TestKernelAuditFormats(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", "--layout", "chains", networks+"default.xml")
	var log struct {
		Runs []struct {
			Results []struct {
				RuleID    string
				Locations []struct {
					PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
				}
			}
		}
	}
	read := func(text string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &log); err != nil || len(log.Runs) != 1 {
			t.Fatalf("%v in:\n%s", err, text)
		}
	}
	if read(h.vnetc(0, "audit", "--format", "sarif")); len(log.Runs[0].Results) > 0 {
		t.Errorf("in step, and there is something to say: %+v", log.Runs[0].Results)
	}
	h.ns.Exec("nft", "flush", "chain", "ip", "vnetc", "fwx")
	h.ns.Exec("nft", "add", "rule", "ip", "vnetc", "fwx", "accept")
	read(h.vnetc(1, "audit", "--format", "sarif"))
	count := map[string]int{}
	for _, r := range log.Runs[0].Results {
		count[r.RuleID]++
		if r.RuleID == "audit-missing" && (len(r.Locations) != 1 ||
			!strings.HasSuffix(r.Locations[0].PhysicalLocation.ArtifactLocation.URI, "default.xml")) {
			t.Errorf("the missing rule is placed at %+v", r.Locations)
		}
	}
	if count["audit-missing"] != 1 || count["audit-extra"] != 1 || count["audit-packets"] == 0 {
		t.Errorf("results by rule: %v", count)
	}
	var doc struct{ Diff string }
	if err := json.Unmarshal([]byte(h.vnetc(1, "audit", "--format", "json")), &doc); err != nil ||
		!strings.Contains(doc.Diff, "+\t\tcounter accept\n") {
		t.Errorf("diff %q, %v", doc.Diff, err)
	}
}

// TestKernelAuditForeign: what drift does to packets with foreign addresses only is told once for
// each fate, behind the rest; JSON has all of it.
func TestKernelAuditForeign(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml", networks+"isolated.xml", networks+"routed.xml")
	h.ns.Exec("nft", "insert", "rule", "ip", "vnetc", "fwi", "accept")
	text := h.vnetc(1, "audit")
	h.wants(text, `(?s)any protocol from outside to network lab.*should be rejected.*what it does only to packets with an address`)
	_, lies, _ := strings.Cut(text, "what it does only")
	var doc struct {
		Packets []struct {
			Foreign bool
			Is      string
		}
	}
	if err := json.Unmarshal([]byte(h.vnetc(1, "audit", "--format", "json")), &doc); err != nil {
		t.Fatal(err)
	}
	kinds, count := map[string]bool{}, 0
	for _, p := range doc.Packets {
		if p.Foreign {
			kinds[p.Is] = true
			count++
		}
	}
	if got := strings.Count(lies, "such as"); got != len(kinds) || count <= len(kinds) {
		t.Errorf("%d lines for %d kinds of %d changes:\n%s", got, len(kinds), count, lies)
	}
}

// TestKernelAuditOrigins: in the layout that merges rules, too, what is missing is told with the
// line of XML that asks for it: an element of a set, and a rule that is merged with no other.
func TestKernelAuditOrigins(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml", networks+"isolated.xml", networks+"routed.xml")
	h.ns.Exec("nft", "delete", "element", "ip", "vnetc", "fwx_accept_iif_oif", `{ "virbr0" . "virbr0" }`)
	h.ns.Exec("nft", "flush", "chain", "ip", "vnetc", "fwi")
	text := h.vnetc(1, "audit")
	h.wants(text,
		`- missing +ip vnetc set fwx_accept_iif_oif: iifname "virbr0" oifname "virbr0"\n +\S*default.xml:\d+:\d+, network default: `,
		`- missing +ip vnetc fwi: .*daddr 192.168.122.0/24 ct state established,related accept\n +\S*default.xml:\d+:\d+, network default: `)
}
