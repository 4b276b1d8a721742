package translate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/translate"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// shapes are rule sets as products and guides write them, in our own words.
var shapes = []struct {
	name, text string
	family     ir.Family
	refused    []int // lines that have no translation
}{
	{"a desktop that lets nothing in", `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:before - [0:0]
-A INPUT -j before
-A before -i lo -j ACCEPT
-A before -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A before -m conntrack --ctstate INVALID -m limit --limit 90/hour --limit-burst 10 -j LOG --log-prefix "invalid: "
-A before -m conntrack --ctstate INVALID -j DROP
-A before -p icmp --icmp-type echo-request -j ACCEPT
-A before -p udp --sport 67 --dport 68 -j ACCEPT
-A before -p tcp -m multiport --dports 22,80,8000:8080 -m comment --comment "what is open" -j ACCEPT
-A before -p tcp --syn -j REJECT --reject-with tcp-reset
COMMIT
`, ir.IPv4, nil},
	{"a host that publishes ports of containers", `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:PUBLISHED - [0:0]
-A PREROUTING -d 198.51.100.1 -j PUBLISHED
-A POSTROUTING -s 172.18.0.0/16 ! -o br0 -j MASQUERADE
-A PUBLISHED ! -i br0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:80
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 172.18.0.2/32 ! -i br0 -o br0 -p tcp -m tcp --dport 80 -j ACCEPT
-A FORWARD -i br0 ! -o br0 -j ACCEPT
COMMIT
`, ir.IPv4, nil},
	{"a router for IPv6 that marks what it knows", `*mangle
:FORWARD ACCEPT [0:0]
-A FORWARD -p tcp -m multiport ! --sports 80,443 -j MARK --set-mark 7
-A FORWARD -p tcp ! --tcp-flags SYN,RST SYN -j MARK --set-xmark 0x10/0xf0
COMMIT
*filter
:FORWARD DROP [0:0]
:in - [0:0]
-A FORWARD -i ppp+ -g in
-A FORWARD -s fd00::/8 -j ACCEPT
-A in -p ipv6-icmp --icmpv6-type packet-too-big -j ACCEPT
-A in -m mark --mark 7 -j RETURN
-A in -m conntrack ! --ctstate NEW -j ACCEPT
COMMIT
`, ir.IPv6, nil},
	{"what can't be said", `*filter
:INPUT ACCEPT [0:0]
-A INPUT -m string --string "x" --algo bm -j DROP
-A INPUT -p tcp -j TRACE
-A INPUT -p udp -m multiport --ports 53,123 -j LOG
-A INPUT -p udp -m multiport --dports 53,123 -m limit --limit 1/sec -j ACCEPT
-A INPUT -m limit --limit 1/sec -m mark --mark 1 -j ACCEPT
-A INPUT -m limit --limit 7/sec -j ACCEPT
-A INPUT -j DROP
COMMIT
`, ir.IPv4, []int{3, 4, 5, 6, 7, 8}},
}

func document(text string, f ir.Family) []backends.Document {
	return []backends.Document{{File: "rules", Family: f, Text: []byte(text)}}
}

// TestText: a translation is whole and proved, or each line that has none is named.
func TestText(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			got, found, err := translate.Text(iptables.Backend{}, nftables.Backend{}, document(s.text, s.family),
				prove.NewBudget())
			if err != nil {
				t.Fatal(err)
			}
			if len(s.refused) == 0 {
				if found.HasErrors() {
					t.Fatal(found)
				}
				if lines := got.Ruleset.Lines(); len(lines) < strings.Count(s.text, "-A ") {
					t.Errorf("%d rules of %d lines", len(lines), strings.Count(s.text, "-A "))
				}
				return
			}
			if got.Ruleset != nil || len(found) != len(s.refused) {
				t.Fatalf("refused %d lines of %d:\n%v", len(found), len(s.refused), found)
			}
			for i, d := range found {
				if d.Span.Start.Line != s.refused[i] {
					t.Errorf("%s: want line %d: %s", d.Span, s.refused[i], d.What)
				}
			}
		})
	}
}

// forgetful is a back end that loses what the fate of packets does not show.
type forgetful struct{ nftables.Backend }

func (b forgetful) Lower(p *ir.Program, o backends.Options) (backends.Ruleset, diag.List) {
	q := &ir.Program{Sets: p.Sets}
	for _, c := range p.Chains {
		chain := *c
		chain.Rules = slices.Clone(c.Rules)
		for i := range chain.Rules {
			chain.Rules[i].Actions = nil
		}
		q.Chains = append(q.Chains, &chain)
	}
	return b.Backend.Lower(q, o)
}

// TestNothingIsLost: a log is no matter of any packet's fate, and a translation that lost it is
// none; nor is one of a source without tables.
func TestNothingIsLost(t *testing.T) {
	text := "*filter\n-A INPUT -j LOG --log-prefix \"seen: \"\nCOMMIT\n"
	if _, _, err := translate.Text(iptables.Backend{}, nftables.Backend{}, document(text, ir.IPv4), nil); err != nil {
		t.Error(err)
	}
	if _, _, err := translate.Text(iptables.Backend{}, forgetful{}, document(text, ir.IPv4), nil); err == nil {
		t.Error("a lost log was not noticed")
	}
	got, _, err := translate.Text(iptables.Backend{}, nftables.Backend{}, document("# nothing\n", ir.IPv4), nil)
	if err == nil || got.Ruleset != nil {
		t.Errorf("nothing was translated to %v", got.Ruleset)
	}
}
