package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// outside gives the host a way out, and forwarding.
func (h *host) outside() {
	h.ns.Exec("ip", "link", "add", "eth0", "type", "bridge")
	h.ns.Exec("ip", "addr", "add", "198.51.100.1/24", "dev", "eth0")
	h.ns.Exec("ip", "link", "set", "eth0", "up")
	h.ns.Exec("ip", "route", "add", "default", "via", "198.51.100.2")
	h.ns.Sysctl("ipv4/ip_forward", "1")
}

const dockersForward = `*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -j ACCEPT
COMMIT
`

// TestKernelDoctor: without other rules nothing is told and nothing is wrong; with Docker's policy
// each verb says what guests can't do, and what doctor says to type ends it.
func TestKernelDoctor(t *testing.T) {
	netnstest.Require(t, "iptables-nft-restore")
	h := newHost(t)
	h.outside()
	if out := h.vnetc(0, "doctor"); !strings.Contains(out, "no network is in force") {
		t.Errorf("without a network: %s", out)
	}
	quiet := h.vnetc(0, "apply", "--backend", "nftables", "--require-reach", networks+"default.xml")
	if strings.Contains(quiet, "guests can't") {
		t.Errorf("apply on a plain host: %s", quiet)
	}
	h.wants(h.vnetc(0, "doctor"), `^network default: guests have what it promises\n`)
	h.wants(h.vnetc(0, "doctor", "-v", "default"), `yes +guests can reach the outside by eth0 over tcp, udp, icmp`)

	h.ns.Feed([]byte(dockersForward), "iptables-nft-restore", "--noflush")
	cut := `guests can't reach the outside by eth0 over tcp, udp, icmp`
	h.wants(h.vnetc(1, "doctor"), `network default: guests are cut off`, cut, `Docker: chain FORWARD of table ip filter: policy drop`)
	h.wants(h.vnetc(0, "status", "default"), cut)
	h.wants(h.vnetc(0, "audit"), cut)
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), cut, `nothing to change`)
	h.wants(h.vnetc(1, "apply", "--require-reach", networks+"default.xml"), cut)
	h.wants(h.vnetc(1, "doctor", "--format", "sarif"), `"doctor-cut-off"`)

	var doc struct {
		CutOff  bool `json:"cut_off"`
		Answers []struct {
			Kind, Answer string
			Blocks       []struct {
				Owner  string
				Cure   []string
				Proved bool
			}
		}
	}
	if err := json.Unmarshal([]byte(h.vnetc(1, "doctor", "--format", "json")), &doc); err != nil || !doc.CutOff {
		t.Fatalf("JSON: %v, %+v", err, doc)
	}
	typed := make(map[string]bool)
	for _, a := range doc.Answers {
		for _, b := range a.Blocks {
			for _, command := range b.Cure {
				if b.Owner != "Docker" || !b.Proved {
					t.Errorf("%s: %+v, want Docker's and proved", a.Kind, b)
				}
				if !typed[command] {
					typed[command] = true
					h.ns.Exec("sh", "-c", command)
				}
			}
		}
	}
	h.wants(h.vnetc(0, "doctor"), `^network default: guests have what it promises\n`)
}

// TestKernelDoctorExits: what depends is no fault unless --strict says so; what can't be read is
// the host's.
func TestKernelDoctorExits(t *testing.T) {
	h := newHost(t)
	h.outside()
	h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml")
	h.ns.Exec("nft", "table inet corp { chain gate { type filter hook forward priority 0; policy accept; meta length 1000-2000 drop; }; }")
	h.wants(h.vnetc(0, "doctor"), `may or may not reach the outside`, `chain gate of table inet corp, rule 1`)
	h.vnetc(1, "doctor", "--strict")
	h.wants(h.vnetc(2, "doctor", "--format", "yaml"), `one of text, json, sarif`)
}

// TestKernelPrefer: where nothing is in force the back end is the one under which guests are not
// cut off, and it stays.
func TestKernelPrefer(t *testing.T) {
	h := newHost(t)
	h.outside()
	h.ns.Feed([]byte(dockersForward), "iptables-nft-restore", "--noflush")
	h.wants(h.vnetc(0, "apply", "--require-reach", networks+"default.xml"), `in force \(iptables\)`, `with nftables guests can't .*: Docker`)
	h.ns.Exec("iptables-nft", "-P", "FORWARD", "ACCEPT")
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), `in force \(iptables\): nothing to change`)

	h = newHost(t)
	h.outside()
	h.ns.Exec("nft", "table inet corp { chain gate { type filter hook forward priority 0; policy drop; }; }")
	// which of the two makes no difference
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), `in force \(nftables\)`)
}

// TestKernelDoctorHost: what of the host itself keeps guests from the outside, as the kernel has
// it.
func TestKernelDoctorHost(t *testing.T) {
	h := newHost(t)
	h.outside()
	h.ns.Exec("ip", "link", "add", "virbr0", "type", "bridge")
	h.ns.Exec("ip", "link", "set", "virbr0", "up")
	h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml")
	h.wants(h.vnetc(0, "doctor"), `^network default: guests have what it promises\n`)
	h.ns.Exec("ip", "route", "change", "default", "via", "198.51.100.2", "mtu", "1280")
	h.wants(h.vnetc(0, "doctor"), `may or may not send large packets to the outside by eth0`,
		`the route by eth0 carries packets of 1280 bytes, and guests on virbr0 send 1500`)
	h.vnetc(1, "doctor", "--strict")
	h.ns.Exec("nft", `table ip corp { chain o { type filter hook output priority 0; oifname "virbr0" icmp type destination-unreachable drop; }; }`)
	h.wants(h.vnetc(1, "doctor"), `guests can't send large packets to the outside by eth0`, `chain o of table ip corp`)
	h.ns.Exec("nft", "delete", "table", "ip", "corp")
	h.ns.Exec("ip", "route", "change", "default", "via", "198.51.100.2")

	lab := h.state + "/lab.xml"
	text := "<network><name>lab</name><forward mode='nat' dev='eth7'/><bridge name='virbr7'/><ip address='10.9.0.1' prefix='24'/></network>"
	if err := os.WriteFile(lab, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.wants(h.vnetc(1, "doctor", lab), `guests can't reach the outside by eth7`, `there is no device eth7, which is the only way out`)
	h.wants(h.vnetc(1, "doctor", "--format", "json", lab), `"why": "there is no device eth7`)
	h.vnetc(1, "doctor", "--format", "sarif", lab)
}

// TestKernelDoctorLong: a chain of many rules is looked at at the end of apply, too.
func TestKernelDoctorLong(t *testing.T) {
	h := newHost(t)
	h.outside()
	rules := strings.Builder{}
	rules.WriteString("table inet corp { chain gate { type filter hook forward priority 0; ")
	for i := range 600 {
		fmt.Fprintf(&rules, "ip saddr 172.16.%d.%d counter accept; ", i/256, i%256)
	}
	h.ns.Feed([]byte(rules.String()+"}; }"), "nft", "-f", "-")
	if out := h.vnetc(0, "apply", "--backend", "nftables", networks+"default.xml"); strings.Contains(out, "guests can't") {
		t.Errorf("beside accepts: %s", out)
	}
	h.ns.Exec("nft", "add rule inet corp gate drop")
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), `guests can't reach the outside by eth0`, `chain gate of table inet corp, rule 601`)
}
