package expect

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestTrace finds where packets in a user's words come and go, and their fate.
func TestTrace(t *testing.T) {
	dnat := &ir.Chain{Family: ir.IPv4, Table: "nat", Name: "pre",
		Base: &ir.Base{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		Rules: []ir.Rule{rule(ir.DNAT{Addrs: ir.AddrRange{From: netip.MustParseAddr("10.200.1.9"),
			To: netip.MustParseAddr("10.200.1.9")}, Ports: ir.PortRange{From: 22, To: 22}},
			ir.DAddr{Prefix: prefix("198.51.100.1/32")}, ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 2222, To: 2222})}}
	unknown := ir.Opaque{Text: "time"}
	tests := []struct {
		name, request string
		rules         []*ir.Chain
		turn          func(q *Question)
		packet        string // its ends, as routing has them
		verdict       Verdict
		end           string
		forks         int
	}{
		{name: "out", request: "tcp from network web0 to outside", packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: Yes},
		{name: "a policy", request: "tcp from network web0 to outside", rules: []*ir.Chain{base(ir.Forward, true)},
			packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: No},
		{name: "across", request: "tcp from network web0 to network web1", packet: "10.200.0.2 vbr0 10.200.1.2 vbr1", verdict: No},
		{name: "an address of a network", request: "tcp from 10.200.0.9 to 10.200.1.9", packet: "10.200.0.9 vbr0 10.200.1.9 vbr1",
			verdict: No},
		{name: "to the host", request: "udp from network web0 to host port 53", packet: "10.200.0.2 vbr0 10.200.0.1 ", verdict: Yes},
		{name: "to its address elsewhere", request: "udp from network web0 to 10.200.1.1", packet: "10.200.0.2 vbr0 10.200.1.1 ",
			verdict: Yes},
		{name: "a broadcast", request: "udp from 0.0.0.0 in network web0 to 255.255.255.255 port 67",
			packet: "0.0.0.0 vbr0 255.255.255.255 ", verdict: Yes},
		{name: "from the host", request: "icmp from host to network web1", packet: "10.200.1.1  10.200.1.2 vbr1", verdict: Yes},
		{name: "inside", request: "tcp from network web0 to network web0", packet: "10.200.0.2 vbr0 10.200.0.3 vbr0", verdict: Yes},
		{name: "isolated ports", request: "tcp from network web0 to network web0",
			turn:   func(q *Question) { q.Meant.Links[0].Port.Isolated = true },
			packet: "10.200.0.2 vbr0 10.200.0.3 vbr0", verdict: No, end: "isolated from each other"},
		{name: "published", request: "tcp from outside to 198.51.100.1 port 2222", rules: []*ir.Chain{dnat},
			packet: "203.0.113.7 eth0 198.51.100.1 vbr1", verdict: No},
		{name: "not published", request: "tcp from outside to 198.51.100.1 port 22", rules: []*ir.Chain{dnat},
			packet: "203.0.113.7 eth0 198.51.100.1 ", verdict: Yes},
		{name: "a source that is not there", request: "tcp from 10.200.0.9 on eth0 to 198.51.100.1",
			turn:   func(q *Question) { q.Host.Devices[0].RPFilter = 1 },
			packet: "10.200.0.9 eth0 198.51.100.1 ", verdict: No, end: "rp_filter of eth0 is 1"},
		{name: "a loose filter", request: "tcp from 10.200.0.9 on eth0 to 198.51.100.1",
			turn:   func(q *Question) { q.Host.Devices[0].RPFilter = 2 },
			packet: "10.200.0.9 eth0 198.51.100.1 ", verdict: Yes},
		{name: "no forwarding", request: "tcp from network web0 to outside",
			turn:   func(q *Question) { q.Host.Devices[1].Forwards = 0 },
			packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: No, end: "does not forward IPv4"},
		{name: "no route", request: "tcp from network web0 to 192.0.2.9",
			turn:   func(q *Question) { q.Host.Routes = nil },
			packet: "10.200.0.2 vbr0 192.0.2.9 ", verdict: No, end: "no route leads to 192.0.2.9"},
		{name: "may be dropped", request: "tcp from network web0 to outside",
			rules:  []*ir.Chain{base(ir.Forward, false, rule(ir.Drop{}, unknown), rule(ir.Counter{}, unknown))},
			packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: Depends, forks: 1},
		{name: "dropped either way", request: "tcp from network web0 to outside",
			rules:  []*ir.Chain{base(ir.Forward, true, rule(ir.Drop{}, unknown))},
			packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: No, forks: 1},
		{name: "a rule that nobody knows", request: "tcp from network web0 to outside",
			rules:  []*ir.Chain{base(ir.Forward, true, rule(ir.Opaque{Text: "queue"}))},
			packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: Depends, end: "it is not known what becomes of it at rule 1"},
		{name: "what is not read", request: "tcp from network web0 to outside",
			turn: func(q *Question) {
				q.Hidden = []ir.Hidden{{Text: "a chain", Chain: "c", Family: "netdev", Hook: "ingress", Device: "vbr0"}}
			}, packet: "10.200.0.2 vbr0 203.0.113.7 eth0", verdict: Depends},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			meant, h := networks(2)
			for i, l := range meant.Links {
				h.Routes = append(h.Routes, ir.HostRoute{Dest: l.Addresses[0].Prefix.Masked(),
					Device: h.Devices[i+1].Name})
			}
			h.Routes = append(h.Routes, ir.HostRoute{Dest: prefix("198.51.100.0/24"), Device: "eth0"})
			q := beside(meant, h, tt.rules...)
			if tt.turn != nil {
				tt.turn(&q)
			}
			request, found := ir.ParseRequest(tt.request)
			if found.HasErrors() {
				t.Fatal(found)
			}
			j, err := Trace(q, request)
			if err != nil {
				t.Fatal(err)
			}
			packet := strings.Join([]string{j.Packet.Src.String(), j.Packet.In, j.Packet.Dst.String(), j.Path.Out}, " ")
			if packet != tt.packet || j.Verdict != tt.verdict || len(j.Path.Forks) != tt.forks ||
				!strings.Contains(j.Path.End, tt.end) || tt.end == "" && j.Path.End != "" {
				t.Errorf("got %q, %s, end %q, %d forks; want %q, %s, end %q, %d forks", packet, j.Verdict, j.Path.End,
					len(j.Path.Forks), tt.packet, tt.verdict, tt.end, tt.forks)
			}
		})
	}
}

// TestTraceRefuses what is no packet on this host.
func TestTraceRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"tcp from network nat to outside":     "there is no network nat; the networks are web0",
		"icmpv6 from network web0 to outside": "guests of network web0 have no addresses of IPv6",
		"tcp from host to 127.0.0.1":          "from the host to itself",
		"tcp from outside to outside":         "from outside to outside",
		"tcp from host on eth0 to outside":    "does not come in by eth0",
	} {
		meant, h := networks(1)
		request, found := ir.ParseRequest(text)
		if found.HasErrors() {
			t.Fatal(found)
		}
		if _, err := Trace(beside(meant, h), request); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestTraceBounds: however many rules are not modelled, a journey has few paths, and says that
// there are more.
func TestTraceBounds(t *testing.T) {
	meant, h := networks(1)
	forward := base(ir.Forward, false)
	for range 40 {
		forward.Rules = append(forward.Rules, rule(ir.Jump{Chain: "more"}, ir.Opaque{Text: "time"}))
	}
	more := &ir.Chain{Family: ir.IPv4, Table: "filter", Name: "more", Rules: []ir.Rule{rule(ir.Return{}, ir.Opaque{Text: "time"})}}
	request, _ := ir.ParseRequest("tcp from network web0 to outside")
	j, err := Trace(beside(meant, h, forward, more), request)
	if err != nil || j.Verdict != Depends || !j.Path.More {
		t.Errorf("got %+v, %v; want one that depends and shows not all", j, err)
	}
}
