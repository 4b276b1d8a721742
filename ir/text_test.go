package ir_test

import (
	"math/rand"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// same compares programs: addresses by their own equality, everything else field by field.
var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

// roundTrip fails unless Parse of p's text is p.
func roundTrip(t *testing.T, p *ir.Program) {
	t.Helper()
	text := p.String()
	got, list := ir.Parse("p", []byte(text))
	if len(list) > 0 {
		t.Fatalf("own text does not parse: %v\n%s", list, text)
	}
	if diff := cmp.Diff(p, got, same); diff != "" {
		t.Fatalf("Parse(Print(p)) (-want +got):\n%s\n%s", diff, text)
	}
}

func TestMatchText(t *testing.T) {
	// One line for each of ir.SampleMatches.
	want := `iifname "virbr0"
iifname != "virbr0"
iifname "vnet"*
iifname != "vnet"*
oifname "virbr0"
oifname != "virbr0"
oifname "vnet"*
oifname != "vnet"*
saddr 192.168.122.0/24
saddr != 192.168.122.0/24
saddr 192.168.122.64/26
saddr 192.0.2.1/32
saddr fd00:1:2:3::/64
saddr != fd00:1:2:8::/61
daddr 10.0.0.0/8
daddr != 10.64.0.0/10
daddr 255.255.255.255/32
daddr ff02::/16
daddr != 2001:db8::1/128
saddr 192.0.2.10-192.0.2.20
saddr != 192.0.2.10-192.0.2.20
saddr fd00::10-fd00::20
daddr 192.0.2.10-192.0.2.20
daddr != fd00::10-fd00::20
l4proto tcp
l4proto udp
l4proto sctp
l4proto icmp
l4proto icmpv6
l4proto 47
l4proto != tcp
sport 500
sport 1024-65535
sport != 0-1023
dport 53
dport != 53
dport 6000-6063
icmp type 8
icmp type 3 code 4
icmp type != 128
tcp flags syn/fin,syn,rst,ack
tcp flags != syn/syn,rst
tcp flags fin/fin
tcp flags none/ack,urg
ct state established,related
ct state new
ct state != invalid
ct state established,new,untracked
ct status dnat
ct status snat,dnat
ct status != dnat
mark 0x1
mark 0x10/0xf0
mark != 0x10/0xf0
lookup bridges
lookup != bridges
lookup subnets
lookup != subnets6
limit 3/minute burst 10
limit 10/second burst 5
limit != 1/day burst 5
ctmark 0x10
ctmark != 0x10/0xf0
direction reply
origdport 8080
ttl 255
ttl 0-1
ttl != 64
length 100-1500
length != 1501-65535
tos 0xb8/0xfc
tos 0x10
fragment 0x4000/0x4000
pkttype broadcast
pkttype != host
uid 1000
gid != 100-200
mac 52:54:00:00:00:01
mac != 52:54:00:00:00:01
type of daddr local
type of daddr != broadcast,multicast
type of saddr multicast
unknown rate "-m quota --quota 100"
unknown set != "-m set --match-set bad src"
opaque-match "-m physdev --physdev-in \"vnet0\""`
	var got []string
	for _, m := range ir.SampleMatches() {
		got = append(got, ir.MatchText(m))
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("words of matches; a new kind needs MatchText, the grammar in parse.go and a line here (-want +got):\n%s", diff)
	}
}

func TestVerdictText(t *testing.T) {
	want := `accept
drop
return
jump other
goto other
masquerade
masquerade port 1024-65535
masquerade port 2000
snat to 203.0.113.4
snat to 203.0.113.4-203.0.113.10
snat to 198.51.100.40-198.51.100.47
snat to 203.0.113.4-203.0.113.10 port 1024-65535
snat to 203.0.113.4 port 1024-65535
snat to 2001:db8::4-2001:db8::10
snat to 2001:db8::4-2001:db8::10 port 1024-65535
dnat to 203.0.113.4
dnat to 203.0.113.4 port 80
dnat to 203.0.113.4-203.0.113.10 port 1024-65535
dnat to 2001:db8::4-2001:db8::10
dnat to 2001:db8::4-2001:db8::10 port 80
redirect
redirect port 3128
redirect port 1024-65535
masquerade flags fully-random
snat to 203.0.113.4-203.0.113.10 flags random,persistent
dnat to 203.0.113.4-203.0.113.10 flags persistent
redirect port 1024-65535 flags random
checksum fill
counter
handed "queue num 5"
opaque-verdict "-j LOG"
reject with net-unreachable
reject with host-unreachable
reject with prot-unreachable
reject with port-unreachable
reject with net-prohibited
reject with host-prohibited
reject with admin-prohibited
reject with no-route
reject with addr-unreachable
reject with policy-fail
reject with reject-route
reject with tcp-reset`
	var got []string
	for _, v := range ir.SampleVerdicts() {
		got = append(got, ir.VerdictText(v))
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("words of verdicts; a new kind needs VerdictText, the grammar in parse.go and a line here (-want +got):\n%s", diff)
	}
}

func TestActionText(t *testing.T) {
	want := `log
log prefix "refused: "
log level info flags 0x7
log prefix "g" group 2 threshold 0 snaplen 64
set mark 0x4000/0x0
set ctmark 0x1/0xff
restore mark 0xffffffff/0xffffffff
save mark 0xff/0xff00
clamp mss route
clamp mss 1452
effect "-j TTL --ttl-set 64" touches header
set mark 0x1
set mark 0x10/0xf0
set mark 0x0/0xf0
notrack
opaque-action "-j TCPMSS --clamp-mss-to-pmtu"
opaque-action "ip daddr set 198.51.100.9" touches daddr`
	var got []string
	for _, a := range ir.SampleActions() {
		got = append(got, ir.ActionText(a))
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("words of actions; a new kind needs ActionText, the grammar in parse.go and a line here (-want +got):\n%s", diff)
	}
}

// samples is a program with every kind of match, action and verdict, and strings that are hard to
// quote.
func samples() *ir.Program {
	p := &ir.Program{}
	for i, m := range ir.SampleMatches() {
		p.Add(ir.Groups[i%len(ir.Groups)], ir.Rule{Family: ir.Both, Matches: []ir.Match{m}, Verdict: ir.Counter{}})
	}
	chain := &ir.Chain{Family: ir.IPv6, Table: "nat", Name: "10 odd\nname",
		Base: &ir.Base{Hook: ir.Prerouting, Type: ir.NATType, Priority: -100, Drop: true}}
	for _, v := range ir.SampleVerdicts() {
		chain.Rules = append(chain.Rules, ir.Rule{Family: ir.IPv6, Verdict: v})
	}
	for _, a := range append(ir.SampleActions(), ir.OpaqueAction{Text: "\" \\ *{}#", Touches: ir.AllFields}) {
		chain.Rules = append(chain.Rules, ir.Rule{Family: ir.IPv6, Actions: []ir.Action{a, ir.NoTrack{}},
			Verdict: ir.Accept{}})
	}
	chain.Rules[0].Matches, chain.Rules[0].Comment = ir.SampleMatches(), "\" \\ \xff \u202e *{}#"
	origins := []ir.Origin{
		{Network: "lab"}, {Element: "network/ip[2]"}, {Reason: "why"}, {Span: diag.Span{File: "a b.xml"}},
		{Span: diag.Span{File: "x", Start: diag.Pos{Offset: 210, Line: 7, Col: 9},
			End: diag.Pos{Offset: 241, Line: 8, Col: 1}}, Network: "from", Element: "at", Reason: "bytes"},
		{Span: diag.Span{Start: diag.Pos{Offset: 3}}}, {Span: diag.Span{End: diag.Pos{Line: 3}}},
	}
	for _, o := range origins {
		chain.Rules = append(chain.Rules, ir.Rule{Family: ir.IPv4, Verdict: ir.Jump{Chain: "ip"}, Origin: o})
	}
	p.Chains = append(p.Chains, chain, &ir.Chain{Family: ir.IPv4, Name: "hook"},
		&ir.Chain{Family: ir.Both, Table: "*", Name: "{"})
	p.Unseen = []string{"chain gate of table bridge corp, at hook forward", "\" {}"}
	p.AddSets()
	return p
}

func TestTextRoundTrip(t *testing.T) { roundTrip(t, samples()) }

// TestSetOfFamily: of two sets without a table that have one name, a rule finds that of its family.
func TestSetOfFamily(t *testing.T) {
	p := &ir.Program{}
	for _, f := range []ir.Family{ir.IPv6, ir.IPv4, ir.Both} {
		s := &ir.Set{Family: f, Name: "interfaces", Elements: [][]ir.Match{{ir.IIfName{Name: "for-" + f.String()}}}}
		p.Sets = append(p.Sets, s)
		p.Add(ir.FWI, ir.Rule{Family: f, Matches: []ir.Match{ir.Lookup{Set: s}}, Verdict: ir.Drop{}})
	}
	if found := ir.Verify(p); len(found) > 0 {
		t.Error(found)
	}
	roundTrip(t, p)
}

// fill sets every field below v to a value that is not zero.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case net.HardwareAddr:
		v.SetBytes([]byte{2, 0, 0, 0, byte(r.Intn(256)), byte(r.Intn(256))})
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, byte(r.Intn(256)), 2, 1})))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(addr("fd00::1"), 1+r.Intn(128))))
		return
	case time.Duration:
		v.SetInt(r.Int63() - r.Int63())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.Intn(3), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.String:
		v.SetString([]string{"virbr0", "two words", "\"", "{", "true", "#", "\x00\xff", "ä", "a/b.c:d@e-f"}[r.Intn(9)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1 + r.Int63())
	default:
		v.SetUint(1 + uint64(r.Int63())>>(64-v.Type().Bits()))
	}
}

// TestLinkRoundTrip fills every field that a link has, those added later too.
func TestLinkRoundTrip(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	p := &ir.Program{Links: []*ir.Link{{Name: "empty"}, {}, {Addresses: []ir.Address{{}, {DHCP: &ir.DHCP{}}},
		Options: []string{""}, Inbound: &ir.Rate{}}}}
	for range 50 {
		l := &ir.Link{}
		fill(r, reflect.ValueOf(l).Elem())
		p.Links = append(p.Links, l)
	}
	p.Links[4].Addresses[0].DHCP = &ir.DHCP{Ranges: []ir.DHCPRange{{Lease: ir.Forever}}}
	roundTrip(t, p)
}

func TestPrintLink(t *testing.T) {
	p := &ir.Program{Links: []*ir.Link{{
		Name: "lab net", Mode: ir.ModeNAT, MAC: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56},
		Bridge: ir.Bridge{Name: "virbr0", Delay: 2 * time.Second},
		Addresses: []ir.Address{{Prefix: prefix("192.168.122.1/24"), DHCP: &ir.DHCP{
			Ranges: []ir.DHCPRange{{From: addr("192.168.122.2"), To: addr("192.168.122.254"), Lease: ir.Forever}}}}},
		DNS:     ir.DNS{Hosts: []ir.DNSHost{{Addr: addr("192.168.122.1"), Names: []string{"gw", "gw.lab"}}}},
		Options: []string{"dhcp-option=3,192.0.2.1"},
	}}}
	want := `link "lab net" {
    mode nat
    bridge { name virbr0 delay 2s }
    mac 52:54:00:12:34:56
    addresses {
        prefix 192.168.122.1/24
        dhcp {
            ranges { from 192.168.122.2 to 192.168.122.254 lease infinite }
        }
    }
    dns {
        hosts {
            addr 192.168.122.1
            names gw
            names gw.lab
        }
    }
    options "dhcp-option=3,192.0.2.1"
}
`
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	roundTrip(t, p)
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name string
		text string // what is wrong stands between ‹ and ›
		want string // code and beginning of what is reported
	}{
		{"no block", `‹grup› FWI {}`, `ir-syntax "grup" is not allowed here`},
		{"no such match", `group FWI { ip ‹ifname› "x" accept }`, `ir-syntax "ifname" is not`},
		{"no verdict", `group FWI { ip iifname "x" ‹}›`, `ir-syntax "}" is not`},
		{"open block", `group FWI { ip accept‹›`, `ir-syntax the text ends`},
		{"open string", "group FWI { ip iifname ‹\"›x accept }", `ir-syntax this is no word`},
		{"star after an address", `group FWI { ip saddr 10.0.0.0/8‹*› accept }`, `ir-syntax * after`},
		{"code after a port", `group FWI { ip dport 80 code ‹1› accept }`, `ir-syntax code after`},
		{"too deep", `link a { a { a { a { a { a { a { a { a ‹{› } } } } } } } } }`, `ir-syntax block inside`},
		{"no such group", `group ‹FWY› {}`, `ir-value "FWY" is not a group`},
		{"no such family", `group FWI { ‹arp› accept }`, `ir-value "arp" is not a family`},
		{"no such hook", `chain ip a b hook ‹ingress› type filter priority 0 policy drop {}`,
			`ir-value "ingress" is not a hook`},
		{"priority too large", `chain ip a b hook input type filter priority ‹2147483648› policy drop {}`,
			`ir-value "2147483648" is not a priority`},
		{"bad escape", `group FWI { ip iifname ‹"\q"› accept }`, `ir-value "\q" is not a quoted string`},
		{"bad prefix", `group FWI { ip saddr ‹10.0.0.0/33› accept }`,
			`ir-value "10.0.0.0/33" is not an address prefix`},
		{"address with a zone", `group FWI { ip saddr ‹fe80::1%a-fe80::2› accept }`,
			`ir-value "fe80::1%a-fe80::2" is not an address`},
		{"bad proto", `group FWI { ip l4proto ‹256› accept }`, `ir-value "256" is not a protocol`},
		{"bad port", `group FWI { ip dport ‹1-65536› accept }`, `ir-value "1-65536" is not a port`},
		{"bad type", `group FWI { ip icmp type ‹256› accept }`, `ir-value "256" is not a number up to 255`},
		{"bad state", `group FWI { ip ct state ‹new,old› accept }`, `ir-value "new,old" is not a list`},
		{"bad mark", `group FWI { ip mark ‹0x10/› accept }`, `ir-value "0x10/" is not a mark`},
		{"bad reject code", `group FWI { ip reject with ‹icmp-port-unreachable› }`,
			`ir-value "icmp-port-unreachable" is not a reject code`},
		{"masquerade to", `group PRT { ip masquerade to ‹10.0.0.1› }`, `ir-value "10.0.0.1" is not what`},
		{"port 0", `group PRT { ip masquerade port ‹0› }`, `ir-value "0" is not a port`},
		{"bad place", `group PRT { ip accept from "x" at ‹7› }`, `ir-value "7" is not a place`},
		{"bad bytes", `group PRT { ip accept from "x" bytes ‹7› }`, `ir-value "7" is not a range`},
		{"no such key", `link a { ‹brige› { name x } }`, `ir-key "brige" is not a key`},
		{"no such key in a block", `link a { bridge { ‹nam› x } }`, `ir-key "nam" is not a key`},
		{"name again", `link a { ‹name› b }`, `ir-key "name" is not a key`},
		{"key twice", `link a { mode nat ‹mode› nat }`, `ir-key "mode" is given twice`},
		{"value for a block", `link a { bridge ‹virbr0› }`, `ir-value "virbr0" is not a block`},
		{"block for a value", `link a { ‹mode› { a b } }`, `ir-value "mode" has a block`},
		{"bad bool", `link a { ipv6 ‹yes› }`, `ir-value "yes" is not true or false`},
		{"bad number", `link a { mtu ‹big› }`, `ir-value "big" is not a number`},
		{"bad mac", `link a { mac ‹52:54› }`, `ir-value "52:54" is not a MAC`},
		{"bad duration", `link a { bridge { delay ‹2› } }`, `ir-value "2" is not a duration`},
		{"bad address", `link a { routes { gateway ‹x› } }`, `ir-value "x" is not a value`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, rest, _ := strings.Cut(tt.text, "‹")
			bad, after, _ := strings.Cut(rest, "›")
			p, list := ir.Parse("p", []byte(before+bad+after))
			if len(list) != 1 || p != nil {
				t.Fatalf("got program %v and %d diagnostics, want one:\n%v", p, len(list), list)
			}
			d := list[0]
			if got := string(d.Code) + " " + d.What; !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s...", got, tt.want)
			}
			if d.Span.Start.Offset != len(before) || d.Span.End.Offset != len(before)+len(bad) {
				t.Errorf("%s: span %v, want bytes %d-%d", tt.want, d.Span, len(before), len(before)+len(bad))
			}
			if d.Why == "" || d.Fix == "" {
				t.Errorf("no why or no fix: %+v", d)
			}
		})
	}
}

// TestParseReportsAll: one wrong value does not hide the next.
func TestParseReportsAll(t *testing.T) {
	_, list := ir.Parse("p", []byte("group FWI {\n ip saddr x accept\n ip dport y accept\n}\ngroup FWZ {}"))
	var got []string
	for _, d := range list {
		got = append(got, d.String())
	}
	want := []string{
		`p:2:11: error: "x" is not an address prefix or a range of addresses [ir-value]`,
		`p:3:11: error: "y" is not a port or a range of ports [ir-value]`,
		`p:5:7: error: "FWZ" is not a group [ir-value]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseComments(t *testing.T) {
	p, list := ir.Parse("p", []byte("# begin\ngroup FWI {# {\n ip # match\n accept } # end"))
	if len(list) > 0 {
		t.Fatal(list)
	}
	if got, want := p.String(), "group FWI {\n    ip accept\n}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzText: whatever the input, Parse does not panic and its spans lie in the input; what it takes
// prints and parses to the same program.
func FuzzText(f *testing.F) {
	f.Add([]byte(samples().String()))
	l := &ir.Link{}
	fill(rand.New(rand.NewSource(2)), reflect.ValueOf(l).Elem())
	f.Add([]byte((&ir.Program{Links: []*ir.Link{l}}).String()))
	f.Add([]byte("group FWI { ip ifname \"x\" accept }"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, list := ir.Parse("fuzz", text)
		for _, d := range list {
			if s := d.Span; s.Start.Offset < 0 || s.End.Offset < s.Start.Offset || s.End.Offset > len(text) {
				t.Fatalf("span %v outside %d bytes", s, len(text))
			}
		}
		if (p == nil) != list.HasErrors() {
			t.Fatalf("program %v with %v", p, list)
		}
		if p != nil {
			roundTrip(t, p)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(samples().String())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, list := ir.Parse("p", text); len(list) > 0 {
			b.Fatal(list)
		}
	}
}

func BenchmarkPrint(b *testing.B) {
	p := samples()
	b.SetBytes(int64(len(p.String())))
	b.ReportAllocs()
	for b.Loop() {
		_ = p.String()
	}
}

// TestNormalLimit: limits that fill the same bucket have one normal form, as iptables-save prints
// it.
func TestNormalLimit(t *testing.T) {
	for _, c := range []struct{ have, want ir.Limit }{
		{ir.Limit{Rate: 60, Per: time.Minute, Burst: 5}, ir.Limit{Rate: 1, Per: time.Second, Burst: 5}},
		{ir.Limit{Rate: 90, Per: time.Minute, Burst: 5}, ir.Limit{Rate: 90, Per: time.Minute, Burst: 5}},
		{
			ir.Limit{Rate: 3600, Per: time.Hour, Burst: 7, Over: true},
			ir.Limit{Rate: 1, Per: time.Second, Burst: 7, Over: true},
		},
		{ir.Limit{Rate: 25, Per: 24 * time.Hour, Burst: 5}, ir.Limit{Rate: 25, Per: 24 * time.Hour, Burst: 5}},
		{ir.Limit{Rate: 14, Per: 7 * 24 * time.Hour, Burst: 5}, ir.Limit{Rate: 2, Per: 24 * time.Hour, Burst: 5}},
	} {
		if got := c.have.Normal(); got != c.want {
			t.Errorf("%s: got %s, want %s", ir.MatchText(c.have), ir.MatchText(got), ir.MatchText(c.want))
		}
	}
}
