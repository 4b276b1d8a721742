package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
)

// lab is a host with a NAT network lab behind virbr0, as vnetc's nftables rules have it in short.
func lab(t *testing.T, rules string) Patient {
	meant := parse(t, `group INP {} group FWI { ip oifname "virbr0" daddr 10.0.0.0/24 ct state established,related accept ip oifname "virbr0" reject with port-unreachable }
group FWO { ip iifname "virbr0" saddr 10.0.0.0/24 accept ip iifname "virbr0" reject with port-unreachable }
link lab { mode nat bridge { name virbr0 } addresses { prefix 10.0.0.1/24 } }`)
	ours := `chain ip vnetc forward hook forward type filter priority 0 policy accept {
ip oifname "virbr0" daddr 10.0.0.0/24 ct state established,related accept ip oifname "virbr0" reject with port-unreachable
ip iifname "virbr0" saddr 10.0.0.0/24 accept ip iifname "virbr0" reject with port-unreachable } `
	return Patient{
		Meant: meant, Survey: Survey{Program: parse(t, ours+rules), worlds: map[*ir.Chain]string{}},
		Host: &ir.Host{
			Devices: []ir.HostDevice{
				{Name: "eth0", Up: true, MTU: 1400, Forwards: ir.Both, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}},
				{Name: "virbr0", Up: true, MTU: 1500, Forwards: ir.Both, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
				{Name: "docker0", Up: true, MTU: 1500, Forwards: ir.Both},
			},
			Routes: []ir.HostRoute{{Dest: netip.MustParsePrefix("0.0.0.0/0"), Device: "eth0"}, {Dest: netip.MustParsePrefix("172.17.0.0/16"), Device: "docker0"}},
		},
	}
}

// find returns the answer about a kind and protocol.
func find(t *testing.T, r Report, k expect.Kind, proto string) expect.Answer {
	t.Helper()
	for _, a := range r.Answers {
		if a.Kind == k && a.Proto == proto {
			return a
		}
	}
	t.Fatalf("no answer about %s %s among %+v", k, proto, r.Answers)
	return expect.Answer{}
}

const dockerForward = `chain ip filter FORWARD hook forward type filter priority 0 policy drop { ip jump DOCKER-USER ip oifname "docker0" ct state established accept }
chain ip filter DOCKER-USER { ip return } `

// TestCureDocker: Docker's policy is told as Docker's, and the cure in its chain for the
// administrator is proved: it lets guests out, and not into containers.
func TestCureDocker(t *testing.T) {
	a := find(t, Examine(lab(t, dockerForward), nil), expect.Out, "tcp")
	if a.Verdict != expect.No || len(a.Blocks) != 1 {
		t.Fatalf("got %+v, want one block", a)
	}
	b := a.Blocks[0]
	if b.Owner != docker || b.Step.Rule != nil || !b.Proved || len(b.Cure) != 2 {
		t.Errorf("got %+v, want Docker's policy with a proved cure of two commands", b)
	}
	for _, c := range b.Cure {
		if !strings.Contains(c, "DOCKER-USER") || !strings.Contains(c, "eth0") || !strings.Contains(c, "10.0.0.0/24") {
			t.Errorf("cure %q is not for DOCKER-USER, eth0 and the guests' subnet alone", c)
		}
	}
}

// TestAnswers: what is in the way of guests of a NAT network that go out, and what is not.
func TestAnswers(t *testing.T) {
	const gate = `chain inet corp gate hook forward type filter priority 0 policy `
	tests := []struct {
		name, rules string
		change      func(*Patient)
		verdict     expect.Verdict
		cure        bool
	}{
		{"nothing", ``, nil, expect.Yes, false},
		{"a policy", gate + `drop {}`, nil, expect.No, true},
		{"a policy behind an accept for us", gate + `drop { inet iifname "virbr0" accept inet oifname "virbr0" accept }`, nil, expect.Yes, false},
		{"answers are dropped", gate + `accept { inet iifname "eth0" oifname "virbr0" ct state established drop }`, nil, expect.No, true},
		{"those with a mark", gate + `accept { inet mark 0x1/0x1 drop }`, nil, expect.Yes, false},
		{"a rule before routing", `chain inet corp pre hook prerouting type filter priority -300 policy accept { inet iifname "virbr0" drop }`, nil, expect.No, false},
		{"a limit", gate + `accept { inet opaque-match "limit" drop }`, nil, expect.Depends, false},
		{"one destination", gate + `accept { ip daddr 198.51.100.7/32 drop }`, nil, expect.Part, false},
		{"containers only", gate + `accept { ip daddr 172.17.0.2/32 drop }`, nil, expect.Yes, false},
		{"two chains", gate + `drop {} chain ip more gate hook forward type filter priority 10 policy drop {}`, nil, expect.No, true},
		{"no forwarding", ``, func(p *Patient) { p.Host.Devices[1].Forwards = 0 }, expect.No, false},
		{"not read", ``, func(p *Patient) { p.Survey.Unread = append(p.Survey.Unread, unreadLegacy) }, expect.Depends,
			false},
		{"a device's chain", ``, hides(ir.Hidden{Family: "netdev", Chain: "c", Hook: "ingress", Device: "virbr0"}), expect.Depends, false},
		{"another device's", ``, hides(ir.Hidden{Family: "netdev", Chain: "c", Hook: "ingress", Device: "docker0"}), expect.Yes, false},
		{"a chain of bridges", ``, hides(ir.Hidden{Family: "bridge", Chain: "c", Hook: "forward"}), expect.Yes, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t, tt.rules)
			if tt.change != nil {
				tt.change(&p)
			}
			a := find(t, Examine(p, nil), expect.Out, "tcp")
			if a.Verdict != tt.verdict {
				t.Errorf("verdict %q, want %q: %+v", a.Verdict, tt.verdict, a)
			}
			cured := len(a.Blocks) > 0
			for _, b := range a.Blocks {
				cured = cured && b.Proved && len(b.Cure) > 0
			}
			if cured != tt.cure {
				t.Errorf("cured %v, want %v: %+v", cured, tt.cure, a.Blocks)
			}
		})
	}
}

var unreadLegacy = backends.Unread{What: "the IPv4 rules of iptables-legacy", Why: "no tool"}

// hides has something hidden on the host.
func hides(h ir.Hidden) func(*Patient) {
	h.Text = "a chain"
	return func(p *Patient) { p.Survey.Hidden = append(p.Survey.Hidden, h) }
}

// TestRefused: what a network refuses and other rules let in is told.
func TestRefused(t *testing.T) {
	p := lab(t, ``)
	if a := find(t, Examine(p, nil), expect.In, "tcp"); !a.Refused || a.Verdict != expect.Yes {
		t.Errorf("got %+v, want that nobody gets in", a)
	}
	p.Survey.Program = &ir.Program{} // as if our rules were gone
	if a := find(t, Examine(p, nil), expect.In, "tcp"); a.Verdict != expect.No {
		t.Errorf("got %+v, want that everybody gets in", a)
	}
}

// TestHostFacts: what of the host itself guests feel, as an answer or a note.
func TestHostFacts(t *testing.T) {
	const noErrors = `chain ip corp out hook output type filter priority 0 policy accept { ip l4proto icmp oifname "virbr0" drop } `
	for _, tt := range []struct {
		name, rules string
		turn        func(p *Patient)
		kind        expect.Kind
		verdict     expect.Verdict
		says        string
	}{
		{"a smaller MTU outside", "", nil, expect.Large, expect.Depends, "eth0 carries packets of 1400 bytes"},
		{"and nobody hears of it", noErrors, nil, expect.Large, expect.No, "out"},
		{"a route with one", "", func(p *Patient) { p.Host.Devices[0].MTU, p.Host.Routes[0].MTU = 1500, 1280 },
			expect.Large, expect.Depends, "the route by eth0 carries packets of 1280 bytes"},
		{"a device that is gone", "", func(p *Patient) { p.Meant.Links[0].Uplink.Devices = []string{"eth7"} }, expect.Out, expect.No,
			"there is no device eth7"},
		{"a device that is down", "", func(p *Patient) {
			p.Meant.Links[0].Uplink.Devices = []string{"eth0"}
			p.Host.Devices[0].Up = false
		}, expect.Out, expect.No, "device eth0 is down"},
		{"a default route elsewhere", "", func(p *Patient) {
			p.Meant.Links[0].Uplink.Devices = []string{"docker0"}
			p.Host.Routes = p.Host.Routes[:1]
		}, expect.Out, expect.No, "the default route leads to eth0"},
		{"part of the routes", "", func(p *Patient) { p.Meant.Links[0].Uplink.Devices = []string{"docker0"} }, "", "",
			"lets guests out by docker0 only: they reach what routes lead there"},
		{"no default route", "", func(p *Patient) { p.Host.Routes = nil }, "", "", "no default route of IPv4"},
		{"a zone that is lost", `chain inet firewalld filter_FORWARD hook forward type filter priority 10 policy accept { inet reject with admin-prohibited } `,
			nil, "", "", "firewalld has virbr0 in no zone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t, tt.rules)
			if tt.turn != nil {
				tt.turn(&p)
			}
			r := Examine(p, nil)
			if tt.kind == "" {
				if !slices.ContainsFunc(r.Notes, func(n Note) bool { return strings.Contains(n.Text, tt.says) }) {
					t.Errorf("notes %v, want one that says %s", r.Notes, tt.says)
				}
				return
			}
			proto := ""
			a := find(t, r, tt.kind, proto)
			said := ""
			if a.Fact != nil {
				said = a.Fact.What
			}
			for _, s := range a.Ends {
				said += s.Chain.Name
			}
			if a.Verdict != tt.verdict || !strings.Contains(said, tt.says) {
				t.Errorf("got %s, %q; want %s, %s", a.Verdict, said, tt.verdict, tt.says)
			}
		})
	}
	quiet := lab(t, "")
	quiet.Host.Devices[0].MTU = 1500
	if r := Examine(quiet, nil); r.Doubtful() || r.Cut() || len(r.Notes) > 0 {
		t.Errorf("beside nothing: %+v", r)
	}
}

// TestOwners tells owners by their names.
func TestOwners(t *testing.T) {
	for name, want := range map[string]string{
		"ip filter DOCKER-USER": docker, "ip filter ufw-before-input": ufw, "inet firewalld filter_FORWARD": firewalld,
		"ip libvirt_network guest_input": libvirt, "ip filter LIBVIRT_FWI": libvirt, "ip filter ts-forward": tailscale,
		"ip filter KUBE-FORWARD": kubeProxy, "inet netavark INPUT": podman, "ip filter f2b-sshd": fail2ban,
		"ip filter nixos-fw": nixos, "ip vnetc forward": vnetc, "ip filter VNETC_FWI": vnetc, "inet corp gate": byHand,
	} {
		words := strings.Fields(name)
		step := ir.Step{Chain: &ir.Chain{Table: words[1], Name: words[2]}, Rule: &ir.Rule{}}
		if got := ownerOf(&ir.Program{}, step); got != want {
			t.Errorf("%s belongs to %q, want %q", name, got, want)
		}
	}
}
