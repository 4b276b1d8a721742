package nftables

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// TestLibvirtRules compares with what libvirt 11.3 leaves in its tables for a NAT network with IPv4
// and IPv6 NAT and an uplink, as nft 1.0.6 lists it, but that interfaces are matched by name.
func TestLibvirtRules(t *testing.T) {
	p := new(ir.Program)
	network(p, ir.IPv4, "virbr0", "192.168.122.0/24", []string{"224.0.0.0/24", "255.255.255.255/32"},
		ir.OIfName{Name: "enp0s7"})
	network(p, ir.IPv6, "virbr0", "fd00:1:2:3::/64", []string{"ff02::/16"}, ir.OIfName{Name: "enp0s7"})
	const want = `table ip libvirt_network
delete table ip libvirt_network
table ip libvirt_network {
	chain forward {
		type filter hook forward priority filter; policy accept;
		counter jump guest_cross
		counter jump guest_input
		counter jump guest_output
	}

	chain guest_cross {
		iifname "virbr0" oifname "virbr0" counter accept
	}

	chain guest_input {
		oifname "virbr0" ip daddr 192.168.122.0/24 ct state established,related counter accept
		oifname "virbr0" counter reject
	}

	chain guest_output {
		ip saddr 192.168.122.0/24 iifname "virbr0" oifname "enp0s7" counter accept
		iifname "virbr0" counter reject
	}

	chain guest_nat {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 192.168.122.0/24 ip daddr 224.0.0.0/24 oifname "enp0s7" counter return
		ip saddr 192.168.122.0/24 ip daddr 255.255.255.255 oifname "enp0s7" counter return
		meta l4proto tcp ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 oifname "enp0s7" counter masquerade to :1024-65535
		meta l4proto udp ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 oifname "enp0s7" counter masquerade to :1024-65535
		ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 oifname "enp0s7" counter masquerade
	}
}

table ip6 libvirt_network
delete table ip6 libvirt_network
table ip6 libvirt_network {
	chain forward {
		type filter hook forward priority filter; policy accept;
		counter jump guest_cross
		counter jump guest_input
		counter jump guest_output
	}

	chain guest_cross {
		iifname "virbr0" oifname "virbr0" counter accept
	}

	chain guest_input {
		oifname "virbr0" ip6 daddr fd00:1:2:3::/64 ct state established,related counter accept
		oifname "virbr0" counter reject
	}

	chain guest_output {
		ip6 saddr fd00:1:2:3::/64 iifname "virbr0" oifname "enp0s7" counter accept
		iifname "virbr0" counter reject
	}

	chain guest_nat {
		type nat hook postrouting priority srcnat; policy accept;
		ip6 saddr fd00:1:2:3::/64 ip6 daddr ff02::/16 oifname "enp0s7" counter return
		meta l4proto tcp ip6 saddr fd00:1:2:3::/64 ip6 daddr != fd00:1:2:3::/64 oifname "enp0s7" counter masquerade to :1024-65535
		meta l4proto udp ip6 saddr fd00:1:2:3::/64 ip6 daddr != fd00:1:2:3::/64 oifname "enp0s7" counter masquerade to :1024-65535
		ip6 saddr fd00:1:2:3::/64 ip6 daddr != fd00:1:2:3::/64 oifname "enp0s7" counter masquerade
	}
}
`
	text := string(scriptOf(t, p, libvirtOptions))
	head, tables, _ := strings.Cut(text, "\n\n")
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(tables, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for line := range strings.SplitSeq(head, "\n") {
		if !strings.HasPrefix(line, "# ") {
			t.Errorf("line of the head that is no comment: %q", line)
		}
	}
}

// TestFormsDiffer has the rules whose text for nft is not what nft 1.0.6 lists: it can't read its
// own listing of the first two, and lists the third in words that say something else.
func TestFormsDiffer(t *testing.T) {
	a := netip.MustParseAddr
	tests := []struct {
		name          string
		rule          ir.Rule
		typ           ir.ChainType
		hook          ir.Hook
		script, lists string
	}{
		{"a whole prefix with ports", ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}},
			Verdict: ir.SNAT{
				Addrs: ir.AddrRange{From: a("198.51.100.40"), To: a("198.51.100.47")},
				Ports: ir.PortRange{From: 1024, To: 65535}}}, ir.NATType, ir.Postrouting,
			"meta l4proto tcp counter snat to 198.51.100.40-198.51.100.47:1024-65535",
			"meta l4proto tcp counter snat to 198.51.100.40/29:1024-65535"},
		{"the same of IPv6", ir.Rule{Family: ir.IPv6, Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}}, Verdict: ir.SNAT{
			Addrs: ir.AddrRange{From: a("2001:db8::"), To: a("2001:db8::f")}, Ports: ir.PortRange{From: 7, To: 7}}},
			ir.NATType, ir.Postrouting,
			"meta l4proto tcp counter snat to [2001:db8::]-[2001:db8::f]:7",
			"meta l4proto tcp counter snat to 2001:db8::/124:7"},
		{"not this type with this code", ir.Rule{Family: ir.IPv4,
			Matches: []ir.Match{ir.L4Proto{Proto: ir.ICMP}, ir.ICMPType{Type: 3, Code: 4, HasCode: true, Not: true}},
			Verdict: ir.Drop{}},
			ir.FilterType, ir.Forward,
			"meta l4proto icmp @th,0,16 != 0x0304 counter drop",
			"icmp type != destination-unreachable icmp code != frag-needed counter drop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := lowered(t, hanging(tt.rule.Family, tt.typ, tt.hook, []ir.Rule{tt.rule}), vnetcOptions)
			if text := string(r.Emit()[0].Text); !strings.Contains(text, "\t\t"+tt.script+"\n") {
				t.Errorf("script has no line %q:\n%s", tt.script, text)
			}
			if got := r.Lines()[0].Text; got != tt.lists {
				t.Errorf("line: got %q, want %q", got, tt.lists)
			}
		})
	}
}

// TestNotes: what nftables leaves out is noted once for each network and place.
func TestNotes(t *testing.T) {
	p := networks(1)
	at := func(line int) ir.Origin {
		return ir.Origin{Span: diag.Span{File: "lab.xml", Start: diag.Pos{Line: line, Col: 3}}, Network: "lab"}
	}
	dns := []ir.Match{ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 53, To: 53}}
	for range 3 {
		p.Add(ir.INP, ir.Rule{Family: ir.IPv4, Matches: dns, Verdict: ir.Accept{}, Origin: at(4)})
		p.Add(ir.OUT, ir.Rule{Family: ir.IPv6, Matches: dns, Verdict: ir.Accept{}, Origin: at(9)})
		p.Add(ir.PRT, ir.Rule{Family: ir.IPv4, Matches: dns, Verdict: ir.ChecksumFill{}, Origin: at(4)})
	}
	want := []string{
		"lab.xml:4:3: note: nftables leaves out the rules that open the host's services to the guests of network lab [backend-left-out]",
		"lab.xml:4:3: note: nftables leaves out the rule that fills in the checksum of DHCP answers of network lab [backend-left-out]",
	}
	four := vnetcOptions
	four.Families = ir.IPv4
	rules, diags := Backend{}.Lower(p, four)
	if diff := cmp.Diff(strings.Join(want, "\n"), diags.Error()); diff != "" {
		t.Errorf("notes for IPv4 (-want +got):\n%s", diff)
	}
	if got := rules.Emit()[0]; strings.Contains(string(got.Text), "ip6") || got.Family != ir.IPv4 {
		t.Errorf("rules for IPv4 hold others:\n%s", got.Text)
	}
	_, diags = Backend{}.Lower(p, vnetcOptions)
	if n := diags.Count(diag.Note); n != 3 || len(diags) != 3 {
		t.Errorf("notes for both families: got %v, want three", diags)
	}
}

// TestRefused has what nftables can't say.
func TestRefused(t *testing.T) {
	rule := func(family ir.Family, v ir.Verdict, ms ...ir.Match) *ir.Program {
		return hanging(family, ir.FilterType, ir.Forward, []ir.Rule{{Family: family, Matches: ms, Verdict: v,
			Origin: ir.Origin{Span: diag.Span{File: "f", Start: diag.Pos{Line: 1, Col: 1}}}}})
	}
	named := func(table, chain string) *ir.Program {
		return &ir.Program{Chains: []*ir.Chain{{Family: ir.IPv4, Table: table, Name: chain}}}
	}
	rows := vnetcOptions
	rows.Layout = "rows"
	tests := []struct {
		name string
		p    *ir.Program
		o    backends.Options
		want string
	}{
		{"opaque match", rule(ir.IPv4, ir.Accept{}, ir.Opaque{Text: "-m x"}), vnetcOptions,
			"f:1:1: error: a match of which only the text is known can't be expressed in nftables: -m x [backend-unsupported]"},
		{"opaque verdict", rule(ir.Both, ir.Opaque{Text: "-j LOG"}), vnetcOptions,
			"f:1:1: error: a verdict of which only the text is known can't be expressed in nftables: -j LOG [backend-unsupported]"},
		{"checksum", rule(ir.IPv4, ir.ChecksumFill{}), vnetcOptions,
			"f:1:1: error: nftables can't fill in checksums [backend-unsupported]"},
		{"two protocols", rule(ir.IPv4, ir.Accept{}, ir.L4Proto{Proto: 1}, ir.L4Proto{Proto: 2}), vnetcOptions,
			"f:1:1: error: a rule that matches two protocols at once [backend-unsupported]"},
		{"keyword", named("t", "accept"), vnetcOptions,
			`error: nftables can't name a table or chain "accept" [backend-unsupported]`},
		{"digit", named("1t", "c"), vnetcOptions,
			`error: nftables can't name a table or chain "1t" [backend-unsupported]`},
		{"injection", named("t", "c { } chain d"), vnetcOptions,
			`error: nftables can't name a table or chain "c { } chain d" [backend-unsupported]`},
		{"layout", new(ir.Program), rows, `error: the nftables back end has no layout "rows" [backend-unsupported]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, diags := Backend{}.Lower(tt.p, tt.o)
			if got := diags.Error(); got != tt.want || rules != nil {
				t.Errorf("got %q and rules %v, want %q and none", got, rules, tt.want)
			}
		})
	}
}

// TestIdentifiers: names of iptables' chains pass as they are; that nft takes them is for the
// kernel tests.
func TestIdentifiers(t *testing.T) {
	for _, name := range goodNames {
		if !isIdentifier(name) {
			t.Errorf("isIdentifier(%q) is false", name)
		}
	}
	for _, name := range []string{"", "ip", "log", "destroy", "-x", "1a", "a b", "a\"b", "a\nb", "a$b", "ä", "a{",
		"a\\b", strings.Repeat("x", 128)} {
		if isIdentifier(name) {
			t.Errorf("isIdentifier(%q) is true", name)
		}
	}
}

func TestCleanComment(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "network lab, lab.xml:3:5: guests may ask", "network lab, lab.xml:3:5: guests may ask"},
		{"quotes", `say "hi"`, "say 'hi'"},
		{"lines and control characters", " a\nb\tc\x00d\u0085e\x7f ", "a b c d e"},
		{"no text", "a\xff\xfeb", "a?b"},
		{"longest", strings.Repeat("x", 128), strings.Repeat("x", 128)},
		{"too long", strings.Repeat("x", 129), strings.Repeat("x", 128)},
		{"too long by half a character", strings.Repeat("x", 127) + "ü", strings.Repeat("x", 127)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := (&lowerer{}).comment(&ir.Rule{Comment: tt.text})
			if got != tt.want || len(got) > maxComment || !utf8.ValidString(got) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestComments(t *testing.T) {
	p := hanging(ir.IPv4, ir.FilterType, ir.Forward, []ir.Rule{
		{Family: ir.IPv4, Verdict: ir.Drop{}, Comment: "its own", Origin: ir.Origin{Network: "lab", Reason: "why",
			Span: diag.Span{File: "lab.xml", Start: diag.Pos{Line: 3, Col: 5}}}},
		{Family: ir.IPv4, Verdict: ir.Drop{}},
	})
	with := vnetcOptions
	with.Comments = true
	for _, tt := range []struct {
		o    backends.Options
		want []string
	}{
		{vnetcOptions, []string{`counter drop comment "its own"`, "counter drop"}},
		{with, []string{`counter drop comment "its own; network lab, lab.xml:3:5: why"`, "counter drop"}},
	} {
		var got []string
		for _, l := range lowered(t, p, tt.o).Lines() {
			got = append(got, l.Text)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("comments %v (-want +got):\n%s", tt.o.Comments, diff)
		}
	}
}

func BenchmarkLower(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			p := networks(n)
			b.ReportAllocs()
			for b.Loop() {
				Backend{}.Lower(p, vnetcOptions)
			}
		})
	}
}

func BenchmarkEmit(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			r := lowered(b, networks(n), vnetcOptions)
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(r.Emit()[0].Text)))
			}
		})
	}
}

func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			r := lowered(b, networks(n), vnetcOptions)
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(r.Batch().Bytes)))
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			images := lowered(b, networks(n), vnetcOptions).Images()
			b.ReportAllocs()
			b.SetBytes(int64(len(images[0].Text)))
			for b.Loop() {
				if _, err := (Backend{}).Read(images); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestGroupNames: by either scheme of names, each group that is not left out has a chain of its
// own. Groups that open the host are there if they refuse something.
func TestGroupNames(t *testing.T) {
	p := &ir.Program{}
	for _, g := range ir.Groups {
		p.Add(g, ir.Rule{Family: ir.Both, Verdict: ir.Drop{}})
	}
	for _, scheme := range []backends.Names{backends.VnetcNames, backends.LibvirtNames} {
		names, taken := namesOf(scheme), make(map[string]bool)
		for _, rows := range ir.GroupBases() {
			if len(rows) > 1 {
				taken[rows[0].Hook.String()] = true
			}
		}
		for i := range ir.GroupTable {
			row := &ir.GroupTable[i]
			if leftOut(row, p, ir.Both) != 0 {
				continue
			}
			if name := names.of(row); taken[name] || !isIdentifier(name) {
				t.Errorf("lower.go: namesOf(%q) needs another chain than %s for group %s: that is taken, or no name for nft(8)", scheme, name, row.Name)
			}
			taken[names.of(row)] = true
		}
	}
}
