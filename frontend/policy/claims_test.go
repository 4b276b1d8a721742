package policy_test

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// site is a NAT network lab, a routed one dmz with both families, and an isolated one safe, with
// libvirt's rules.
const site = `
link "lab" { mode nat  bridge { name virbr0 }  addresses { prefix 10.0.0.1/24 } }
link "dmz" { mode route  bridge { name virbr1 }  addresses { prefix 10.0.1.1/24 }  addresses { prefix fd00:1::1/64 } }
link "safe" { mode none  bridge { name virbr2 }  addresses { prefix 10.0.2.1/24 } }
group FWX {
    inet iifname "virbr0" oifname "virbr0" accept
    inet iifname "virbr1" oifname "virbr1" accept
    inet iifname "virbr2" oifname "virbr2" accept
}
group FWI {
    ip oifname "virbr0" daddr 10.0.0.0/24 ct state established,related accept
    inet oifname "virbr0" reject with port-unreachable
    ip oifname "virbr1" daddr 10.0.1.0/24 accept
    ip6 oifname "virbr1" daddr fd00:1::/64 accept
    inet oifname "virbr1" reject with port-unreachable
    inet oifname "virbr2" reject with port-unreachable
}
group FWO {
    ip iifname "virbr0" saddr 10.0.0.0/24 accept
    inet iifname "virbr0" reject with port-unreachable
    ip iifname "virbr1" saddr 10.0.1.0/24 accept
    ip6 iifname "virbr1" saddr fd00:1::/64 accept
    inet iifname "virbr1" reject with port-unreachable
    inet iifname "virbr2" reject with port-unreachable
}`

func siteProgram(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, list := ir.Parse("site", []byte(text))
	if p != nil {
		list = append(list, ir.Verify(p)...)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestClaims: what the words of a statement claim is decided of programs, with ir.Eval as the
// referee.
func TestClaims(t *testing.T) {
	closed := strings.Replace(site, "group FWI {", "group FWI {\n    inet iifname \"virbr2\" oifname \"virbr1\" drop",
		1)
	bound := strings.Replace(site, `saddr 10.0.0.0/24 accept`, `oifname "eth0" saddr 10.0.0.0/24 accept`, 1)
	filtered := strings.Replace(site, "group FWO {", `group FWO {
    ip iifname "virbr0" l4proto tcp dport 25 drop
    ip iifname "virbr0" l4proto icmp icmp type 8 drop`, 1)
	for _, c := range []struct {
		name, site, line string
		want             bool
		packet           string // part of the packet that shows it
	}{
		{"NAT keeps out", site, "deny from outside to network lab", true, ""},
		{"routed lets in", site, "deny from outside to network dmz", false, "on other0 to 10.0.1."},
		{"routed lets in IPv6", site, "deny ipv6 from outside to network dmz", false, "out virbr1"},
		{"the known leak", site, "deny from network safe to network dmz", false, "from 10.0.2."},
		{"closed", closed, "deny from network safe to network dmz", true, ""},
		{"the leak, but not of a port that is none", site, "deny tcp from network safe to network dmz port 22", false,
			":22 "},
		{"guests may lie about their address", strings.Replace(closed, `saddr 10.0.0.0/24 accept`,
			`saddr != 10.0.0.0/24 accept`, 1),
			"deny from network lab to outside", false, "on virbr0"},
		{"out", site, "allow from network lab to outside", true, ""}, // lab has no IPv6 address, so IPv6 is not asked
		{"out by one port", site, "allow tcp from network lab to outside port 443", true, ""},
		{"but not IPv6", site, "allow ipv6 from network lab to outside", false, ""},
		{"isolated is not let out", site, "allow udp from network safe to outside port 53", false, "udp from 10.0.2."},
		{"an address of the network", site, "allow from 10.0.0.7 in network lab to network dmz", true, ""},
		{"an address that it has not", site, "allow from 10.9.0.7 in network lab to network dmz", false, ""},
		{"no rule refuses IPv6 here, but the bridge does not speak it",
			strings.ReplaceAll(site, "inet iifname \"virbr2\" reject", "ip iifname \"virbr2\" reject"),
			"deny from network safe to outside", true, ""},
		{"bound to a device", bound, "allow from network lab to outside", false, "out other0"},
		{"by that device", bound, "allow from network lab to outside by eth0", true, ""},
		{"by another", bound, "allow from network lab to outside by eth1", false, "out eth1"},
		{"to the host", site, "allow from network safe to host", true, ""},
		{"isolated is not, by the leak", site, "isolated network safe", false, "out virbr1"},
		{"isolated is, closed", closed, "isolated network safe", true, ""},
		{"a list of ports, one of them open", filtered, "deny tcp from network lab to outside port 25,80", false, ":80 "},
		{"a list of ports, one of them closed", filtered, "allow tcp from network lab to outside port 80,20-30", false,
			":25 "},
		{"a list of ports, all open", filtered, "allow tcp from network lab to outside port 80,443", true, ""},
		{"a type", filtered, "deny icmp type echo-request from network lab to outside", true, ""},
		{"two types", filtered, "deny icmp type echo-request,13 from network lab to outside", false,
			"icmp type 13 "},
		{"addresses", site, "allow from 10.0.0.7,10.0.0.9 in network lab to outside", true, ""},
		{"addresses, one of which the network has not", site,
			"allow from 10.0.0.7,10.9.0.9 in network lab to outside", false, ""},
		{"of a set the addresses of the other family are not meant", site,
			"let s = 10.0.1.7, fd00:9::1\nallow ipv4 from network lab to s in network dmz", true, ""},
		{"to anywhere, and one network is closed", site, "allow from network lab", false, "out virbr2"},
		{"from anywhere", site, "allow to network dmz", true, ""},
		{"from anywhere but the network itself", site + ` group OUT { inet oifname "virbr2" drop }`,
			"deny to network safe", true, ""},
		{"from anywhere, the host too", site, "deny to network lab", false, "to 10.0.0."},
		{"NAT is not isolated", closed, "isolated network lab", false, "on virbr0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := siteProgram(t, c.site)
			list, found := policy.Parse("a.policy", []byte(c.line))
			found = append(found, policy.CheckNames(list, p.Links)...)
			all, unfit := policy.Claims(list)
			if found = append(found, unfit...); len(found) > 0 {
				t.Fatal(found)
			}
			answer, packet := prove.NewReacher(p).Check(all[0])
			ok := answer == prove.Proved
			if ok != c.want {
				t.Fatalf("%s: got %v, want %v; packet %s", c.line, ok, c.want, packet)
			}
			if ok || c.packet == "" {
				if packet != (ir.Packet{}) {
					t.Errorf("a packet comes with it: %s", packet)
				}
				return
			}
			if !strings.Contains(packet.String(), c.packet) {
				t.Errorf("packet %s, want %q in it", packet, c.packet)
			}
			fate, err := ir.Eval(p, packet) // the referee must agree
			accepted, wanted := fate.Outcome == ir.Accepted, all[0].Kind == prove.Allow
			if err != nil || packet.State != ir.StateNew || accepted == wanted {
				t.Errorf("%s shows nothing: %s %v", packet, fate, err)
			}
		})
	}
}
