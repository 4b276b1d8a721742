package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir"
)

// parsed returns the statements of a text without errors.
func parsed(t *testing.T, text string) []policy.Statement {
	t.Helper()
	list, found := policy.Parse("p.policy", []byte(text))
	if found.HasErrors() {
		t.Fatal(found)
	}
	return list
}

func packet(t *testing.T, text string) ir.Packet {
	t.Helper()
	p, found := ir.ParsePacket(text)
	if found.HasErrors() {
		t.Fatal(found)
	}
	return p
}

// TestPublished: what goes to a published port reaches the guest from outside, from another network
// and from the same one, port by port; the guest sees who it comes from, but where the answer would
// not come back. What another program translates to the same port of the guest is refused, and so
// is whatever is not published.
func TestPublished(t *testing.T) {
	const to = " to 198.51.100.1:"
	for _, test := range []struct{ name, policy, packet, outcome, guest, source string }{
		{"from outside", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0" + to + "8080 out virbr0 state new", "accepted", "10.0.0.10:80", ""},
		{"another port", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0 to 10.0.0.10:80 out virbr0 state new", "rejected", "", ""},
		{"not that port as it came", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0" + to + "9999 out virbr0 state new", "rejected", "", ""},
		{"another address", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0 to 198.51.100.2:8080 out virbr0 state new", "rejected", "", ""},
		{"first of a range", "publish udp 8000-8004 to 10.0.0.10 port 9000-9004 at 198.51.100.1",
			"udp from 203.0.113.9:4000 on eth0" + to + "8000 out virbr0 state new", "accepted", "10.0.0.10:9000", ""},
		{"middle of a range", "publish udp 8000-8004 to 10.0.0.10 port 9000-9004 at 198.51.100.1",
			"udp from 203.0.113.9:4000 on eth0" + to + "8003 out virbr0 state new", "accepted", "10.0.0.10:9003", ""},
		{"last of a range", "publish udp 8000-8004 to 10.0.0.10 port 9000-9004 at 198.51.100.1",
			"udp from 203.0.113.9:4000 on eth0" + to + "8004 out virbr0 state new", "accepted", "10.0.0.10:9004", ""},
		{"behind a range", "publish udp 8000-8004 to 10.0.0.10 port 9000-9004 at 198.51.100.1",
			"udp from 203.0.113.9:4000 on eth0" + to + "8005 out virbr0 state new", "rejected", "", ""},
		{"a range as it is", "publish tcp 8000-8004 to 10.0.0.10 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0" + to + "8003 out virbr0 state new", "accepted", "10.0.0.10:8003", ""},
		{"from another network", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 10.0.1.7:4000 on virbr1" + to + "8080 out virbr0 state new", "accepted", "10.0.0.10:80", ""},
		{"from the same network", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 10.0.0.7:4000 on virbr0" + to + "8080 out virbr0 state new", "accepted", "10.0.0.10:80", "masquerade"},
		{"only by an interface", "publish tcp 8080 to 10.0.0.10 port 80 on eth1 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0" + to + "8080 out virbr0 state new", "rejected", "", ""},
		{"by the interface", "publish tcp 8080 to 10.0.0.10 port 80 on eth1 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth1" + to + "8080 out virbr0 state new", "accepted", "10.0.0.10:80", ""},
		{"only for some", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1 from 203.0.113.0/28",
			"tcp from 203.0.113.77:4000 on eth0" + to + "8080 out virbr0 state new", "rejected", "", ""},
		{"for some", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1 from 203.0.113.0/28",
			"tcp from 203.0.113.9:4000 on eth0" + to + "8080 out virbr0 state new", "accepted", "10.0.0.10:80", ""},
		{"a deny before it", "deny tcp from outside to network n0 port 80\npublish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 203.0.113.9:4000 on eth0" + to + "8080 out virbr0 state new", "rejected", "", ""},
		{"a deny behind it", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1\ndeny from outside to network n0",
			"tcp from 203.0.113.9:4000 on eth0" + to + "8080 out virbr0 state new", "accepted", "10.0.0.10:80", ""},
		{"a guest's own connections", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 10.0.0.7:4000 on virbr0 to 203.0.113.9:8080 out eth0 state new", "accepted", "", "masquerade"},
		{"the answer", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 10.0.0.10:80 on virbr0 to 203.0.113.9:4000 out eth0 state established direction reply", "accepted", "", ""},
		{"the host itself", "publish tcp 8080 to 10.0.0.10 port 80 at 198.51.100.1",
			"tcp from 198.51.100.1:4000 to 198.51.100.1:8080 out virbr0 state new", "accepted", "10.0.0.10:80", ""},
		{"IPv6", "publish tcp 8080 to fd00:1::10 port 80 at 2001:db8::1",
			"tcp from [2001:db8::9]:4000 on eth0 to [2001:db8::1]:8080 out virbr0 state new", "accepted", "[fd00:1::10]:80", ""},
	} {
		for _, mode := range []string{"nat", "route"} {
			if mode == "route" && test.outcome == "rejected" && test.name != "a deny before it" {
				continue // it is open to all
			}
			t.Run(test.name+" "+mode, func(t *testing.T) {
				p := networks(t, false, mode, "nat")
				policy.Lower(p, parsed(t, test.policy))
				if found := ir.Verify(p); found.HasErrors() {
					t.Fatal(found)
				}
				// Another program's translation to the port that is published.
				p.Chains = append(p.Chains, &ir.Chain{Family: ir.IPv4, Table: "other", Name: "pre",
					Base: &ir.Base{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
					Rules: []ir.Rule{{Family: ir.IPv4,
						Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 9999, To: 9999}},
						Verdict: ir.DNAT{Addrs: ir.AddrRange{From: addr("10.0.0.10"), To: addr("10.0.0.10")},
							Ports: ir.PortRange{From: 80, To: 80}}}}})
				fate, err := ir.Eval(p, packet(t, test.packet))
				if err != nil {
					t.Fatal(err)
				}
				guest, source := "", ""
				if fate.DNAT != nil {
					guest = netip.AddrPortFrom(fate.DNAT.Addrs.From, fate.DNAT.Ports.From).String()
					if fate.DNAT.Ports.IsZero() {
						guest = netip.AddrPortFrom(fate.DNAT.Addrs.From, packet(t, test.packet).DPort).String()
					}
				}
				if fate.SNAT != nil {
					source = string(fate.SNAT.Kind)
				}
				if mode == "route" && test.name == "a guest's own connections" {
					source = test.source // it keeps its address there
				}
				want := [...]string{test.outcome, test.guest, test.source}
				if got := [...]string{fate.Outcome.String(), guest, source}; got != want {
					t.Errorf("got %q, want %q\n%s", got, want, programText(p))
				}
			})
		}
	}
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// TestClamp: connections that begin through the network's bridge, either way, offer no larger
// segments, in both families; what goes on is left alone, and so is every other network.
func TestClamp(t *testing.T) {
	p := networks(t, false, "nat", "route")
	policy.Lower(p, parsed(t, "clamp mss network n0\nclamp mss 1300 network n1"))
	if found := ir.Verify(p); found.HasErrors() {
		t.Fatal(found)
	}
	for text, want := range map[string][]string{
		"tcp from 10.0.0.7:4000 on virbr0 to 203.0.113.9:80 out eth0 state new":                       {"route"},
		"tcp from 203.0.113.9:80 on eth0 to 10.0.0.7:4000 out virbr0 state established flags syn,ack": {"route"},
		"tcp from [fd00:1::7]:4000 on virbr0 to [2001:db8::9]:80 out eth0 state new":                  {"route"},
		"tcp from 10.0.1.7:4000 on virbr1 to 203.0.113.9:80 out eth0 state new":                       {"1300"},
		"tcp from 10.0.0.7:4000 on virbr0 to 10.0.1.7:80 out virbr1 state new":                        {"route", "1300"},
		"tcp from 10.0.0.7:4000 on virbr0 to 203.0.113.9:80 out eth0 state established":               nil,
		"udp from 10.0.0.7:4000 on virbr0 to 203.0.113.9:80 out eth0 state new":                       nil,
	} {
		fate, err := ir.Eval(p, packet(t, text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, step := range fate.Trace {
			if step.Rule == nil {
				continue
			}
			for _, a := range step.Rule.Actions {
				got = append(got, strings.TrimPrefix(ir.ActionText(a), "clamp mss "))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: clamped to %v, want %v", text, got, want)
		}
	}
}

// TestForwards: a policy that lets packets into or out of an isolated network needs the host to
// forward, in its family; one that is about the host does not.
func TestForwards(t *testing.T) {
	for text, want := range map[string][2]bool{
		"allow tcp from network n0 to network n1 port 80": {true, false},
		"allow ipv6 from network n0 to outside":           {false, true},
		"allow from outside to network n0":                {true, true},
		"allow from network n0 to host":                   {},
		"deny from network n0 to outside":                 {},
	} {
		p := networks(t, false, "none", "nat")
		policy.Lower(p, parsed(t, text))
		if got := [2]bool{p.Links[0].Forwards4, p.Links[0].Forwards6}; got != want {
			t.Errorf("%s: forwards %v, want %v", text, got, want)
		}
		if p.Links[1].Forwards4 || p.Links[1].Forwards6 {
			t.Errorf("%s: the mode of n1 says it", text)
		}
	}
}

// TestForeignBridges: what another program's bridge carries, which a network of mode bridge only
// names, is outside: no rule names it.
func TestForeignBridges(t *testing.T) {
	p := networks(t, false, "nat", "none")
	p.Links = append(p.Links, &ir.Link{Name: "ext", Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "ext9"}})
	policy.Lower(p, parsed(t, "deny tcp port 25\nallow tcp from outside to network n1 port 80\nallow to outside port 443"))
	if text := programText(p); strings.Contains(text, "ext9") {
		t.Errorf("rules about another's bridge:\n%s", text)
	}
}
