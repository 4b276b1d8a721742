package iptables_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
)

func read(f ir.Family, text string) (*ir.Program, error) {
	return iptables.Backend{}.Read([]backends.Document{{File: "saved", Family: f, Text: []byte(text)}})
}

// addresses lets cmp compare them.
var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// TestReadRule reads one rule in many spellings of iptables(8) and iptables-extensions(8).
func TestReadRule(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	tcp, udp := ir.L4Proto{Proto: ir.TCP}, ir.L4Proto{Proto: ir.UDP}
	accept := func(m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: ir.Accept{}} }
	accept6 := func(m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv6, Matches: m, Verdict: ir.Accept{}} }
	does := func(v ir.Verdict, m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v} }
	one := ir.AddrRange{From: addr("192.0.2.1"), To: addr("192.0.2.1")}
	some := ir.AddrRange{From: addr("192.0.2.1"), To: addr("192.0.2.9")}
	some6 := ir.AddrRange{From: addr("fd00::1"), To: addr("fd00::9")}
	tests := []struct {
		text string
		want ir.Rule
	}{
		{"--source 10.0.0.0/8 --destination 192.0.2.1 --in-interface eth0 --out-interface vnet+ --protocol TCP --jump ACCEPT",
			accept(ir.SAddr{Prefix: prefix("10.0.0.0/8")}, ir.DAddr{Prefix: prefix("192.0.2.1/32")},
				ir.IIfName{Name: "eth0"}, ir.OIfName{Name: "vnet", Wildcard: true}, tcp)},
		{"--src 10.1.2.3/255.0.0.0 --dst 192.0.2.1/32 --proto 17 -j ACCEPT",
			accept(ir.SAddr{Prefix: prefix("10.0.0.0/8")}, ir.DAddr{Prefix: prefix("192.0.2.1/32")}, udp)},
		{"-j ACCEPT -p tcp", accept(tcp)},
		{"-s 0.0.0.0/0 -i + -p all -j ACCEPT", accept()},
		{"! -s 10.0.0.0/8 ! -d 10.0.0.0/8 ! -i eth0 ! -p tcp -j ACCEPT",
			accept(ir.SAddr{Prefix: prefix("10.0.0.0/8"), Not: true},
				ir.DAddr{Prefix: prefix("10.0.0.0/8"), Not: true}, ir.IIfName{Name: "eth0", Not: true},
				ir.L4Proto{Proto: ir.TCP, Not: true})},
		{"-s 10.0.0.0/255.0.255.0 -j ACCEPT", accept(ir.Opaque{Text: "-s 10.0.0.0/255.0.255.0"})},
		{"! -s host.example -j ACCEPT", accept(ir.Opaque{Text: "! -s host.example"})},
		{"-p gre -j ACCEPT", accept(ir.L4Proto{Proto: 47})},
		{"-s 10.1/16 -d 0/0 -j ACCEPT", accept(ir.SAddr{Prefix: prefix("10.1.0.0/16")})},
		{"-j ACCEPT -p tcp --dport 22", accept(tcp, ir.DPort{From: 22, To: 22})},
		{"--prot udp --sour 10.0.0.1 --j ACCEPT", accept(udp, ir.SAddr{Prefix: prefix("10.0.0.1/32")})},
		{"-p udp --sport 60000:29 -j ACCEPT", accept(udp, ir.SPort{From: 0, To: 65535, Not: true})},
		{"-p udp ! --sport 60000:29 -j ACCEPT", accept(udp)},
		{"-p udp --dport ssh:domain -j ACCEPT", accept(udp, ir.DPort{From: 22, To: 53})},
		{"-p tcp --dport 53 --source-port 1024: -j ACCEPT", accept(tcp, ir.DPort{From: 53, To: 53},
			ir.SPort{From: 1024, To: 65535})},
		{"-p udp -m udp ! --destination-port :1023 -j ACCEPT", accept(udp, ir.DPort{From: 0, To: 1023, Not: true})},
		{"-p tcp -m tcp --dport 0:65535 -j ACCEPT", accept(tcp)},
		{"-p tcp -m tcp --dport ssh -j ACCEPT", accept(tcp, ir.DPort{From: 22, To: 22})},
		{"-p tcp -m tcp --dport 22 --tcp-flags SYN,ACK SYN -m mark --mark 1 -j ACCEPT",
			accept(tcp, ir.DPort{From: 22, To: 22}, ir.TCPFlags{Mask: ir.FlagSYN | ir.FlagACK, Flags: ir.FlagSYN},
				ir.Mark{Value: 1, Mask: 0xffffffff})},
		{"-p tcp ! --syn -j ACCEPT", accept(tcp,
			ir.TCPFlags{Mask: ir.FlagFIN | ir.FlagSYN | ir.FlagRST | ir.FlagACK, Flags: ir.FlagSYN, Not: true})},
		{"-p tcp --tcp-flags ALL NONE -j ACCEPT", accept(tcp, ir.TCPFlags{Mask: 0x3f})},
		{"-p tcp ! --tcp-flags fin,,RST rst -j ACCEPT",
			accept(tcp, ir.TCPFlags{Mask: ir.FlagFIN | ir.FlagRST, Flags: ir.FlagRST, Not: true})},
		{"-p tcp --tcp-flags SYN ACK -j ACCEPT", accept(tcp, ir.Unknown{Sort: ir.SortPayload, Text: "-m tcp --tcp-flags SYN ACK"})}, // never
		{"-p tcp -m multiport --dports 80,http,6000:6063 -j ACCEPT", accept(tcp, ir.Lookup{Set: &ir.Set{
			Family: ir.IPv4, Table: "mangle", Name: "dports 80,80,6000-6063",
			Elements: [][]ir.Match{
				{ir.DPort{From: 80, To: 80}}, {ir.DPort{From: 80, To: 80}}, {ir.DPort{From: 6000, To: 6063}},
			},
		}})},
		{"-p udp -m multiport ! --ports 53 -j ACCEPT", accept(udp, ir.Lookup{Not: true, Set: &ir.Set{
			Family: ir.IPv4, Table: "mangle", Name: "ports 53",
			Elements: [][]ir.Match{{ir.SPort{From: 53, To: 53}}, {ir.DPort{From: 53, To: 53}}},
		}})},
		{"-m limit -j ACCEPT", accept(ir.Limit{Rate: 3, Per: time.Hour, Burst: 5})},
		{"-m limit --limit 20/sec --limit-burst 100 -j ACCEPT", accept(ir.Limit{Rate: 20, Per: time.Second,
			Burst: 100})},
		{"-m limit --limit 7/s -j ACCEPT",
			accept(ir.Unknown{Sort: ir.SortRate, Text: "-m limit --limit 7/s"})}, // the kernel's is 10000/1428
		{"-p icmp --icmp-type echo-request -j ACCEPT", accept(ir.L4Proto{Proto: ir.ICMP}, ir.ICMPType{Type: 8})},
		{"-p icmp -m icmp --icmp-type 3/4 -j ACCEPT", accept(ir.L4Proto{Proto: ir.ICMP},
			ir.ICMPType{Type: 3, Code: 4, HasCode: true})},
		{"-p icmp -m icmp --icmp-type any -j ACCEPT", accept(ir.L4Proto{Proto: ir.ICMP})},
		{"-p icmp -m icmp --icmp-type port-unreachable -j ACCEPT",
			accept(ir.L4Proto{Proto: ir.ICMP}, ir.ICMPType{Type: 3, Code: 3, HasCode: true})},
		{"-p icmpv6 --icmpv6-type 128 -j ACCEPT", accept6(ir.L4Proto{Proto: ir.ICMPv6}, ir.ICMPType{Type: 128})},
		{"-p ipv6-icmp -m icmp6 ! --icmpv6-type neighbour-solicitation -j ACCEPT",
			accept6(ir.L4Proto{Proto: ir.ICMPv6}, ir.ICMPType{Type: 135, Not: true})},
		{"-m state --state NEW,established -j ACCEPT", accept(ir.CTState{States: ir.StateNew | ir.StateEstablished})},
		{"-m conntrack ! --ctstate INVALID --ctproto 6 -j ACCEPT",
			accept(ir.CTState{States: ir.StateInvalid, Not: true}, ir.Unknown{Sort: ir.SortConnection, Text: "-m conntrack --ctproto 6"})},
		{"-m conntrack --ctstate DNAT -j ACCEPT", accept(ir.CTStatus{Status: ir.StatusDNAT})},
		{"-m conntrack --ctstate snat,DNAT -j ACCEPT", accept(ir.CTStatus{Status: ir.StatusSNAT | ir.StatusDNAT})},
		{"-m conntrack ! --ctstate INVALID,UNTRACKED,DNAT -j ACCEPT",
			accept(ir.CTStatus{Status: ir.StatusDNAT, Not: true})},
		{"-m conntrack ! --ctstate INVALID,NEW,UNTRACKED,DNAT -j ACCEPT",
			accept(ir.CTState{States: ir.StateNew, Not: true}, ir.CTStatus{Status: ir.StatusDNAT, Not: true})},
		{"-m conntrack --ctstatus ASSURED -j ACCEPT", accept(ir.Unknown{Sort: ir.SortConnection, Text: "-m conntrack --ctstatus ASSURED"})},
		{"-m mark ! --mark 16/0xf0 -j ACCEPT", accept(ir.Mark{Value: 16, Mask: 0xf0, Not: true})},
		{"-m connmark --mark 0x1 -j ACCEPT", accept(ir.FieldIs(ir.KeyCTMark, 1))},
		{"-m iprange --src-range 192.0.2.1-192.0.2.9 ! --dst-range 192.0.2.1 -j ACCEPT",
			accept(ir.SAddrRange{From: some.From, To: some.To}, ir.DAddrRange{From: one.From, To: one.To, Not: true})},
		{`-m physdev --physdev-in "vnet0" ! --physdev-is-bridged ! -i eth0 -j ACCEPT`,
			accept(ir.Unknown{Sort: ir.SortPort, Text: `-m physdev --physdev-in "vnet0" ! --physdev-is-bridged`},
				ir.IIfName{Name: "eth0", Not: true})},
		{`-m string --string "-j DROP" --algo bm -m socket -j ACCEPT`,
			accept(ir.Unknown{Sort: ir.SortPayload, Text: `-m string --string "-j DROP" --algo bm`}, ir.Unknown{Sort: ir.SortOwner, Text: "-m socket"})},
		{"-f -j ACCEPT", accept(ir.Field{Key: ir.KeyFragment, Mask: 0x1fff, Not: true})},
		{`-m comment --comment "it\'s \"so\"" -j ACCEPT -m comment --comment -x`,
			ir.Rule{Family: ir.IPv4, Verdict: ir.Accept{}, Comment: `it's "so"; -x`}},
		{`-m comment --comment "" -p udp --dport 53 -j ACCEPT`, accept(udp, ir.DPort{From: 53, To: 53})},
		{"-c 10 200 -j ACCEPT", accept()},
		{"-4 -j ACCEPT", accept()},
		{"", does(ir.Counter{})},
		{"-j DROP", does(ir.Drop{})},
		{"-j RETURN", does(ir.Return{})},
		{"-j other", does(ir.Jump{Chain: "other"})},
		{"--goto other", does(ir.Goto{Chain: "other"})},
		{"-j REJECT", does(ir.Reject{With: ir.PortUnreachable})},
		{"-j REJECT --reject-with icmp-proto-unreachable", does(ir.Reject{With: ir.ProtUnreachable})},
		{"-j REJECT --reject-with admin-prohib", does(ir.Reject{With: ir.AdminProhibited})},
		{"-p tcp -j REJECT --reject-with tcp-rst", does(ir.Reject{With: ir.TCPReset}, tcp)},
		{"-j REJECT --reject-with icmp6-policy-fail", ir.Rule{Family: ir.IPv6,
			Verdict: ir.Reject{With: ir.PolicyFail}}},
		{"-j CHECKSUM --checksum-fill", does(ir.ChecksumFill{})},
		{"-j MASQUERADE", does(ir.Masquerade{})},
		{"-p tcp -j MASQUERADE --to-ports 1024-65535", does(ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 65535}},
			tcp)},
		{"-j MASQUERADE --random", does(ir.Masquerade{Flags: ir.Random})},
		{"-p tcp -j REDIRECT --to 3128", does(ir.Redirect{Ports: ir.PortRange{From: 3128, To: 3128}}, tcp)},
		{"-j SNAT --to-source 192.0.2.1", does(ir.SNAT{Addrs: one})},
		{"-p udp -j SNAT --to 192.0.2.1-192.0.2.9:1-2", does(ir.SNAT{Addrs: some, Ports: ir.PortRange{From: 1, To: 2}},
			udp)},
		{"-p tcp -j SNAT --to-source :http", does(ir.SNAT{Ports: ir.PortRange{From: 80, To: 80}}, tcp)},
		{"-j SNAT --to-source 192.0.2.1 --persistent",
			does(ir.SNAT{Addrs: ir.AddrRange{From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddr("192.0.2.1")}, Flags: ir.Persistent})},
		{"-p tcp -j DNAT --to-destination [fd00::1-fd00::9]:80",
			ir.Rule{Family: ir.IPv6, Matches: []ir.Match{tcp}, Verdict: ir.DNAT{Addrs: some6,
				Ports: ir.PortRange{From: 80, To: 80}}}},
		{"-j DNAT --to-destination fd00::1-fd00::9", ir.Rule{Family: ir.IPv6, Verdict: ir.DNAT{Addrs: some6}}},
		{"-j TARPIT --honeypot", does(ir.Opaque{Text: "-j TARPIT --honeypot"})},
		{"-m geoip ! --source-country CN,US -j DROP", does(ir.Drop{},
			ir.Unknown{Sort: ir.SortElsewhere, Text: "-m geoip ! --source-country CN,US"})},
		{"-j LOG --log-pre=x -p tcp --log-uid", ir.Rule{Family: ir.IPv4, Matches: []ir.Match{tcp},
			Actions: []ir.Action{ir.Log{Prefix: "x", Flags: 8}}, Verdict: ir.Counter{}}},
		{"-m mark --mark 1 -m limit --limit 5/m --limit-b 7 -m connmark ! --mark 2 -j ACCEPT",
			accept(ir.Mark{Value: 1, Mask: 0xffffffff},
				ir.Limit{Rate: 5, Per: time.Minute, Burst: 7},
				ir.Field{Key: ir.KeyCTMark, Mask: 0xffffffff, From: 2, To: 2, Not: true})},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			p, err := read(tt.want.Family, "*"+tableOf(tt.text)+"\n:rule - [0:0]\n:other - [0:0]\n[1:2] -A rule "+
				tt.text+"\nCOMMIT\n")
			if err != nil {
				t.Fatal(err)
			}
			got := p.Chains[0].Rules
			if diff := cmp.Diff([]ir.Rule{tt.want}, got, addresses,
				cmpopts.IgnoreFields(ir.Rule{}, "Origin")); diff != "" {
				t.Errorf("rule (-want +got):\n%s", diff)
			}
			if got := got[0].Origin.Span.String(); got != "saved:4:1" {
				t.Errorf("origin %s, want saved:4:1", got)
			}
		})
	}
}

// tableOf returns a table in which the rule may stand.
func tableOf(rule string) string {
	for word, table := range map[string]string{"REJECT": "filter", "MASQUERADE": "nat", "REDIRECT": "nat",
		"SNAT": "nat", "DNAT --": "nat", "NOTRACK": "raw"} {
		if strings.Contains(rule, "-j "+word) {
			return table
		}
	}
	return "mangle"
}

// TestReadChains reads what makes, fills and orders chains.
func TestReadChains(t *testing.T) {
	const text = `# a comment
*filter
:INPUT DROP [12:345]
:one - [0:0]
-N two
-P FORWARD DROP
-A one -j RETURN
-A INPUT -j ACCEPT
-I INPUT -j DROP
-I INPUT 2 -j RETURN
-I INPUT -s 10.0.0.1,10.0.0.2 -d 10.0.0.3,10.0.0.4 -j one
-6 -A two -j DROP
-A two -6 -j DROP
-F two
-A two -g one
COMMIT

*nat
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -j ACCEPT
COMMIT
*mangle
-A INPUT -j ACCEPT
-A INPUT -p tcp
COMMIT
*raw
:gone - [0:0]
:PREROUTING DROP [0:0]
-A PREROUTING -j ACCEPT
COMMIT
*raw
:here - [0:0]
-A here -j ACCEPT
-R here 1 -j RETURN
-A here -p udp -m conntrack --ctstate NEW,DNAT
-A here -p 7
-I here 3 -p 8
-D here 4
-D here -p udp -m conntrack --ctstate NEW,DNAT
-N there
-A there -j here
-F there
-X there
-E here now
-Z now
COMMIT
* mangle
-A INPUT -p udp
COMMIT
`
	p, err := read(ir.IPv4, strings.Replace(text, "-6 -A two -j DROP\n", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Chains {
		line := c.Label()
		if c.Base != nil {
			line += " " + c.Base.Hook.String() + " " + c.Base.Type.String()
			if c.Base.Drop {
				line += " drop"
			}
		}
		for _, r := range c.Rules {
			line += "; "
			for _, m := range r.Matches {
				line += ir.MatchText(m) + " "
			}
			line += ir.VerdictText(r.Verdict)
		}
		got = append(got, line)
	}
	want := []string{
		"ip filter INPUT input filter drop; saddr 10.0.0.2/32 daddr 10.0.0.4/32 jump one; saddr 10.0.0.2/32 daddr 10.0.0.3/32 jump one; " +
			"saddr 10.0.0.1/32 daddr 10.0.0.4/32 jump one; saddr 10.0.0.1/32 daddr 10.0.0.3/32 jump one; drop; return; accept",
		"ip filter one; return",
		"ip filter two; goto one",
		"ip filter FORWARD forward filter drop",
		"ip nat POSTROUTING postrouting nat",
		"ip nat OUTPUT output nat; accept",
		"ip mangle INPUT input filter; l4proto udp counter",
		`ip raw PREROUTING prerouting filter; opaque-match "policy DROP of the block before" drop`,
		"ip raw now; return; l4proto 8 counter",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chains (-want +got):\n%s", diff)
	}
}

// TestReadStates: a list of states and kinds of NAT that is no one match is two rules, of which a
// packet meets one. A packet has one state, and what NAT does to its connection beside it
// (conntrack_mt in net/netfilter/xt_conntrack.c); it meets the option if the list names its state
// or that.
func TestReadStates(t *testing.T) {
	words := map[string]ir.State{
		"INVALID": ir.StateInvalid, "NEW": ir.StateNew, "RELATED": ir.StateRelated, "ESTABLISHED": ir.StateEstablished,
		"UNTRACKED": ir.StateUntracked,
	}
	for _, list := range []string{"RELATED,ESTABLISHED,DNAT", "NEW,SNAT", "INVALID,DNAT", "UNTRACKED,INVALID,SNAT,DNAT",
		"DNAT", "NEW"} {
		for _, not := range []string{"", "! "} {
			p, err := read(ir.IPv4, "*filter\n:FORWARD ACCEPT\n-A FORWARD -m conntrack "+not+"--ctstate "+list+
				" -j DROP\nCOMMIT\n")
			if err != nil {
				t.Fatal(err)
			}
			for word, state := range words {
				for status := range ir.StatusDNAT << 1 {
					if status != 0 && state&ir.Tracked == 0 {
						continue
					}
					named := slices.Contains(strings.Split(list, ","), word) ||
						status&ir.StatusSNAT != 0 && strings.Contains(list, "SNAT") || status&ir.StatusDNAT != 0 &&
						strings.Contains(list, "DNAT")
					fate, err := ir.Eval(p, ir.Packet{Family: ir.IPv4, In: "a", Out: "b", Proto: ir.TCP, State: state,
						Status: status,
						Src:    netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")})
					if err != nil {
						t.Fatal(err)
					}
					if got, want := fate.Outcome == ir.Dropped, named != (not != ""); got != want {
						t.Errorf("%s--ctstate %s, packet %s %s: matched %v", not, list, word, status, got)
					}
				}
			}
		}
	}
}

// TestReadErrors reads damaged text: the error names the line, and what is wrong in it.
func TestReadErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no table", "-A INPUT -j ACCEPT\n", `saved:1: "-A INPUT -j ACCEPT" is in no table`},
		{"unknown table", "*brouting\n", `saved:1: "brouting" is not a table`},
		{"cut off", "*filter\n:INPUT ACCEPT [0:0]\n", "saved:2: table filter has no COMMIT"},
		{"table in table", "*filter\n*nat\n", `saved:2: table filter has no COMMIT before "*nat"`},
		{"counters", "*filter\n[0] -A INPUT\nCOMMIT\n", `saved:2: "[0] -A INPUT" begins with no pair of counters`},
		{"policy", "*filter\n:INPUT REJECT [0:0]\nCOMMIT\n", `saved:2: "REJECT" is not a policy`},
		{"policy of a user chain", "*filter\n:one - [0:0]\n-P one DROP\nCOMMIT\n",
			"saved:3: chain one is not built in"},
		{"indented", "*filter\n -A INPUT\n COMMIT\n", `saved:3: "COMMIT" is not an option`},
		{"carriage return", "*filter\r\nCOMMIT\r\n", "saved:1: "},
		{"unknown chain", "*filter\n-A nosuch -j DROP\nCOMMIT\n", `saved:2: table filter has no chain "nosuch"`},
		{"chain of another table", "*nat\n-A FORWARD -j ACCEPT\nCOMMIT\n", `saved:2: table nat has no chain "FORWARD"`},
		{"command", "*filter\n-D INPUT -j DROP\nCOMMIT\n", "saved:2: chain INPUT has no such rule"},
		{"half a line", "*filter\n-A\nCOMMIT\n", "saved:2: option -A needs a value"},
		{"open quote", "*filter\n-A INPUT -m comment --comment \"x\n\" -j DROP\nCOMMIT\n", `saved:3: " -j DROP`},
		{"no value", "*filter\n-A INPUT -s\nCOMMIT\n", "saved:2: option -s needs a value"},
		{"bad address", "*filter\n-A INPUT -s 10.0.0.256\nCOMMIT\n", `saved:2: "10.0.0.256" is not an address`},
		{"address of IPv6", "*filter\n-A INPUT -s fd00::1\nCOMMIT\n",
			`saved:2: "fd00::1" is not an address of family ip`},
		{"bad prefix", "*filter\n-A INPUT -s 10.0.0.0/33\nCOMMIT\n",
			`saved:2: "33" is not a mask, and no prefix length up to 32`},
		{"twice", "*filter\n-A INPUT -s 10.0.0.1 -s 10.0.0.2\nCOMMIT\n", "saved:2: option -s appears twice"},
		{"negated list", "*filter\n-A INPUT ! -s 10.0.0.1,10.0.0.2\nCOMMIT\n",
			"saved:2: a list of addresses beside a negated one"},
		{"bad port", "*filter\n-A INPUT -p tcp --dport 70000\nCOMMIT\n", `saved:2: "70000" is no port`},
		{"ports reversed", "*filter\n-A INPUT -p tcp --dport 9:1\nCOMMIT\n", `saved:2: "9:1" is no port`},
		{"bad protocol", "*filter\n-A INPUT -p 256\nCOMMIT\n", `saved:2: "256" is not a protocol`},
		{"bad state", "*filter\n-A INPUT -m state --state OLD\nCOMMIT\n", `saved:2: "OLD" is no connection state`},
		{"bad mark", "*filter\n-A INPUT -m mark --mark x\nCOMMIT\n", `saved:2: "x" is no mark`},
		{"bad range", "*filter\n-A INPUT -m iprange --src-range 10.0.0.0/8\nCOMMIT\n",
			`saved:2: "10.0.0.0/8" is no range`},
		{"bad type", "*filter\n-A INPUT -p icmp --icmp-type 300\nCOMMIT\n", `saved:2: "300" is no ICMP type`},
		{"stray word", "*filter\n-A INPUT ACCEPT\nCOMMIT\n", `saved:2: "ACCEPT" is not an option`},
		{"short option", "*filter\n-A INPUT -x\nCOMMIT\n", "saved:2: option -x, which -A does not take"},
		{"dangling !", "*filter\n-A INPUT -j ACCEPT !\nCOMMIT\n", `saved:2:`},
		{"two targets", "*filter\n-A INPUT -j ACCEPT -j DROP\nCOMMIT\n", "saved:2: option -j appears twice"},
		{"goto nowhere", "*filter\n-A INPUT -g nosuch\nCOMMIT\n", `saved:2: a goto to chain "nosuch"`},
		{"code of REJECT", "*filter\n-A INPUT -j REJECT --reject-with icmp6-no-route\nCOMMIT\n",
			`saved:2: "icmp6-no-route" is no code`},
		{"NAT without address", "*nat\n-A POSTROUTING -j SNAT\nCOMMIT\n", "saved:2: SNAT without --to-source"},
		{"NAT to nonsense", "*nat\n-A POSTROUTING -j SNAT --to-source 10.0.0.1:x\nCOMMIT\n",
			`saved:2: "10.0.0.1:x" is no range`},
		{"position", "*filter\n-I INPUT 2 -j DROP\nCOMMIT\n", "saved:2: chain INPUT has no rule 2"},
		{"too many inserts", "*filter\n-A INPUT\n" + strings.Repeat("-I INPUT 2\n", 10000) + "COMMIT\n",
			"too many changes in the middle of chains"},
		{"too many rules", "*filter\n-A INPUT -s " + strings.Repeat("0/0,", 200) + "0/0 -d " + strings.Repeat("0/0,",
			200) + "0/0\nCOMMIT\n", "saved:2: lists of addresses that mean too many rules"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := read(ir.IPv4, tt.text)
			if err == nil {
				t.Fatalf("no error, but %d chains", len(p.Chains))
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
	if _, err := read(ir.Both, "*filter\nCOMMIT\n"); err == nil {
		t.Error("a document of both families was read")
	}
}

// FuzzRead reads any text: it must not panic, and what was read and can be lowered means the same
// when read again.
func FuzzRead(f *testing.F) {
	for i, l := range lower(f, baseSamples(), backends.VnetcNames).Lines() {
		if i%7 == 0 { // small and few: the fuzzer works on one seed at a time
			f.Add("*"+l.Table+"\n:other - [0:0]\n"+l.Text+"\nCOMMIT\n", l.Family == ir.IPv6)
		}
	}
	f.Add("*nat\n:x - [0:0]\n[1:2] -I PREROUTING 1 ! -s 10.0.0.1,fd00:: -m comment --comment \"a\\\"b\" -m u32 --u32 \"0=1\" -g x\nCOMMIT\n", false)
	f.Fuzz(func(t *testing.T, text string, six bool) {
		family := ir.IPv4
		if six {
			family = ir.IPv6
		}
		p, err := read(family, text)
		if err != nil || len(p.Chains) == 0 { // the empty program is lowered to empty groups
			return
		}
		o := backends.Options{Families: family, Names: backends.VnetcNames, Layout: backends.Chains}
		set, found := iptables.Backend{}.Lower(p, o)
		if found.HasErrors() {
			return
		}
		first := set.Emit()[0].Text
		again, err := read(family, string(first))
		if err != nil {
			t.Fatalf("what was emitted can't be read: %v\n%s", err, first)
		}
		set, found = iptables.Backend{}.Lower(again, o)
		if err := found.Err(); err != nil {
			t.Fatalf("what was emitted and read can't be lowered: %v\n%s", err, first)
		}
		if diff := cmp.Diff(string(first), string(set.Emit()[0].Text)); diff != "" {
			t.Fatalf("emitted, read and emitted again (-first +second):\n%s", diff)
		}
	})
}
