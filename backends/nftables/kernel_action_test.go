package nftables

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelReadActions: what nft(8) makes of statements that alter a packet and let it go on comes
// back as actions of rules.
func TestKernelReadActions(t *testing.T) {
	netnstest.Require(t, "nft")
	tests := []struct{ rule, want string }{
		{"meta mark set 0x1", "ip set mark 0x1 counter"},
		{"counter meta mark set meta mark & 0xffffff0f | 0x10 accept", "ip set mark 0x10/0xf0 accept"},
		{"meta mark set meta mark | 0xf0", "ip set mark 0xf0/0xf0 counter"},
		{"ip saddr 10.0.0.0/8 meta mark set 0x1 drop", "ip saddr 10.0.0.0/8 set mark 0x1 drop"},
		{"notrack", "ip notrack counter"},
		{`log prefix "x " drop`, `ip log prefix "x " drop`},
		{"log", "ip log counter"},
		// Behind an action the kernel goes on matching: to what it does to packets that pass both,
		// it has done the first part to all.
		{"log tcp dport 22 drop", "ip log counter; ip l4proto tcp dport 22 drop"},
		{"meta mark set 0x1 tcp dport 22 drop", "ip set mark 0x1 counter; ip l4proto tcp dport 22 drop"},
		{"ip saddr 10.0.0.0/8 meta mark set 0x1 tcp dport 22 counter", "ip saddr 10.0.0.0/8 set mark 0x1 counter; ip saddr 10.0.0.0/8 l4proto tcp dport 22 counter"},
		{"meta mark 0x2 meta mark set 0x1 tcp dport 22 drop", `ip mark 0x2 set mark 0x1 opaque-verdict "l4proto tcp dport 22 drop"`},
		{"meta mark set 0x1 tcp dport 22 notrack", "ip set mark 0x1 counter; ip l4proto tcp dport 22 notrack counter"},
	}
	ns := netnstest.New(t)
	text := "table ip t {\nchain c { type filter hook prerouting priority raw\n"
	for _, tt := range tests {
		text += tt.rule + "\n"
	}
	ns.Feed([]byte(text+"}\n}\n"), "nft", "-f", "-")
	p := read(t, dumpAll(t, ns))
	if found := ir.Verify(p); len(found) > 0 {
		t.Error(found)
	}
	var whole []string
	for i := range p.Chains[0].Rules {
		if r := &p.Chains[0].Rules[i]; r.Origin.Element == "" || strings.HasSuffix(r.Origin.Element, "[1]") {
			whole = append(whole, r.String())
		} else {
			whole[len(whole)-1] += "; " + r.String()
		}
	}
	if len(p.Chains) != 1 || len(whole) != len(tests) {
		t.Fatalf("read back\n%s", p)
	}
	for i, tt := range tests {
		if got := whole[i]; got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.rule, got, tt.want)
		}
	}
}

// TestKernelReadTouches: what an action touches that is not modelled.
func TestKernelReadTouches(t *testing.T) {
	netnstest.Require(t, "nft")
	tests := []struct {
		rule string
		want ir.Fields
	}{
		{"meta mark set jhash ip saddr mod 4", ir.FieldMark},
		{"ip daddr set 198.51.100.9", ir.FieldDAddr | ir.FieldHeader},
		{"ip saddr set 198.51.100.9", ir.FieldSAddr | ir.FieldHeader},
		{"ip dscp set cs1", ir.FieldHeader},
		{"ip ttl set 5", ir.FieldHeader},
		{"ip6 hoplimit set 5", ir.FieldHeader},
		{"tcp dport set 80", ir.FieldDPort},
		{"udp sport set 80", ir.FieldSPort | ir.FieldICMP}, // the same bytes
		{"meta priority set 1:2", 0},
		{"meta nftrace set 1", 0},
	}
	ns := netnstest.New(t)
	for _, tt := range tests {
		family := "ip"
		if strings.HasPrefix(tt.rule, "ip6") {
			family = "ip6"
		}
		ns.Feed([]byte("flush ruleset\ntable "+family+" t {\nchain c { type filter hook prerouting priority raw\n"+
			tt.rule+"\n}\n}\n"), "nft", "-f", "-")
		p := read(t, dumpAll(t, ns))
		rules := p.Chains[0].Rules
		if len(rules) != 1 || len(rules[0].Actions) != 1 {
			t.Errorf("%s: read back\n%s", tt.rule, p)
			continue
		}
		if got, is := rules[0].Actions[0].(ir.Effect); !is || got.Touches != tt.want {
			t.Errorf("%s: read back as %s, want touches %s", tt.rule, &rules[0], tt.want)
		}
	}
}

// TestKernelLateNoTrack: behind connection tracking a notrack does nothing.
func TestKernelLateNoTrack(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	ns.Feed([]byte(`table ip t {
		chain none { notrack; }
		chain both { notrack; }
		chain early { type filter hook prerouting priority raw; notrack; jump both; }
		chain late { type filter hook prerouting priority mangle; notrack; jump both; }
		chain elsewhere { type filter hook forward priority raw; notrack; }
	}`), "nft", "-f", "-")
	p := read(t, dumpAll(t, ns))
	want := map[string]string{
		"none": "ip notrack counter", "early": "ip notrack counter", "late": `ip effect "notrack" counter`,
		"both": `ip effect "notrack" touches state counter`, "elsewhere": `ip effect "notrack" counter`,
	}
	got := make(map[string]string)
	for _, c := range p.Chains {
		got[c.Name] = c.Rules[0].String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first rules (-want +got):\n%s", diff)
	}
	if found := ir.Verify(p); len(found) > 0 {
		t.Error(found)
	}
}

// TestKernelActionPackets sends a packet through foreign chains, of which one alters it and the
// next decides by that: what the kernel does is what Eval says of the rules that were read back, or
// is not known to it.
func TestKernelActionPackets(t *testing.T) {
	netnstest.Require(t, "nft")
	ap := netip.MustParseAddrPort
	tests := []struct {
		name, pre, gate string
		passes, known   bool
	}{
		{"a mark", "priority mangle; meta mark set 0x1", "meta mark 0x1 drop", false, true},
		{"another mark", "priority mangle; meta mark set 0x2", "meta mark 0x1 drop", true, true},
		{"bits of a mark", "priority mangle; meta mark set meta mark & 0xffffff0f | 0x10",
			"meta mark & 0xf0 == 0x10 drop", false, true},
		{"a mark by what it was", "priority mangle; meta mark set meta mark ^ 0x1", "meta mark 0x1 drop", false, true},
		{"a mark of the connection", "priority mangle; ct mark set 0x5; meta mark set ct mark & 0x4", "meta mark 0x4 drop", false, true},
		{"a mark of the connection, matched", "priority mangle; ct mark set 0x5", "ct mark & 0x1 == 0x1 drop", false, true},
		{"no mark of the connection", "priority mangle; accept", "ct mark 0 drop", false, true},
		{"no mark of no connection", "priority raw; notrack", "ct mark 0 drop", true, true},
		{"the direction", "priority mangle; accept", "ct direction original drop", false, true},
		{"an owner of what is forwarded", "priority mangle; accept", "meta skuid != 5 drop", true, true},
		{"not a fragment", "priority mangle; accept", "ip frag-off & 0x1fff != 0 drop", true, true},
		{"a multicast destination", "priority mangle; accept", "fib daddr type multicast drop", true, true},
		{"a map of verdicts", "priority mangle; accept", "udp dport vmap { 4000 : drop, 4001 : accept }", false, true},
		{"a map of marks", "priority mangle; meta mark set udp dport map { 4000 : 0x7 }", "meta mark 0x7 drop", false, true},
		{"a length that was not said", "priority mangle; accept", "meta length 0-65535 drop", false, false},
		{"notrack", "priority raw; notrack", "ct state new,established,related accept; drop", false, true},
		{"notrack too late", "priority mangle; notrack", "ct state new,established,related accept; drop", true, true},
		{"an address", "priority mangle; udp dport 4000 ip saddr set 198.51.100.77", "ip saddr 198.51.100.77 drop",
			false, false},
		{"a match behind an action", "priority mangle; meta mark set 0x1 tcp dport 22 drop", "meta mark 0x1 drop",
			false, true},
		{"a log", "priority mangle; log", "drop", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := netnstest.NewHost(t)
			h.Bridge("vba", netip.MustParsePrefix("192.168.10.1/24"))
			guest := h.Guest("a1", "vba", netip.MustParsePrefix("192.168.10.11/24"))
			far := h.Uplink("eth0", netip.MustParsePrefix("198.51.100.254/24"))
			h.Feed([]byte("table ip corp {\nchain pre { type filter hook prerouting "+tt.pre+"; }\n"+
				"chain gate { type filter hook forward priority filter; "+tt.gate+"; }\n}\n"), "nft", "-f", "-")
			src, dst := ap("192.168.10.11:1000"), ap("198.51.100.1:4000")
			r := h.Send(guest, netnstest.Packet{Kind: netnstest.UDP, Src: src, Dst: dst})
			if passes := r.At == far; passes != tt.passes {
				t.Fatalf("the kernel: %s", r)
			}
			f, err := ir.Eval(read(t, dumpAll(t, h.NS)), ir.Packet{
				Family: ir.IPv4, In: "vba", Out: "eth0", Src: src.Addr(), Dst: dst.Addr(), Proto: ir.UDP,
				SPort: src.Port(), DPort: dst.Port(), State: ir.StateNew,
			})
			var unknown *ir.UnknownError
			switch {
			case !tt.known && !errors.As(err, &unknown):
				t.Errorf("got %s, %v; want an UnknownError", f, err)
			case tt.known && (err != nil || (f.Outcome == ir.Accepted) != tt.passes):
				t.Errorf("got %s, %v", f, err)
			}
		})
	}
}
