package netnstest

import (
	"net/netip"
	"testing"
)

// world is a host with two guests on one bridge, one on another, and an uplink.
type world struct {
	*Host
	a1, a2, b, far *Peer
}

func newWorld(t *testing.T) world {
	t.Helper()
	p := netip.MustParsePrefix
	w := world{Host: NewHost(t)}
	w.Bridge("vba", p("192.168.10.1/24"), p("fd00:a::1/64"))
	w.Bridge("vbb", p("192.168.20.1/24"), p("fd00:b::1/64"))
	w.far = w.Uplink("eth0", p("198.51.100.2/24"), p("2001:db8:ffff::2/64"))
	w.a1 = w.Guest("a1", "vba", p("192.168.10.11/24"), p("fd00:a::11/64"), p("10.9.9.9/32"))
	w.a2 = w.Guest("a2", "vba", p("192.168.10.12/24"), p("fd00:a::12/64"))
	w.b = w.Guest("b", "vbb", p("192.168.20.11/24"), p("fd00:b::11/64"))
	return w
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// TestPacketsArrive: with no rules at all every packet arrives as it was sent, and is answered.
func TestPacketsArrive(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name     string
		from, to *Peer
		src, dst string
	}{
		{"out", w.a1, w.far, "192.168.10.11:500", "198.51.100.1:4000"},
		{"in", w.far, w.a1, "198.51.100.1:1000", "192.168.10.11:4000"},
		{"across", w.a1, w.b, "192.168.10.11:1000", "192.168.20.11:4000"},
		{"same bridge", w.a1, w.a2, "192.168.10.11:1000", "192.168.10.12:4000"},
		{"spoofed", w.a1, w.far, "10.9.9.9:1000", "198.51.100.1:4000"},
		{"out 6", w.a1, w.far, "[fd00:a::11]:500", "[2001:db8:ffff::1]:4000"},
		{"across 6", w.b, w.a2, "[fd00:b::11]:500", "[fd00:a::12]:4000"},
	}
	for _, test := range tests {
		for _, kind := range []Kind{UDP, SYN, EchoRequest} {
			p := Packet{Kind: kind, Src: ap(test.src), Dst: ap(test.dst)}
			if kind == EchoRequest {
				p.Dst = netip.AddrPortFrom(p.Dst.Addr(), 0)
			}
			r := w.Send(test.from, p)
			if r.At != test.to || r.Arrived != p || !r.Checksum {
				t.Errorf("%s: got %s", test.name, r)
				continue
			}
			if back := w.Reply(r); back.At != test.from || back.Arrived.Src != p.Dst || back.Arrived.Dst != p.Src {
				t.Errorf("%s: reply: got %s", test.name, back)
			}
		}
	}
}

// TestRefusalsAndLosses: a rejection arrives with its code, and a drop does not.
func TestRefusalsAndLosses(t *testing.T) {
	Require(t, "nft")
	w := newWorld(t)
	w.Feed([]byte(`table inet t {
		chain c { type filter hook forward priority 0
			udp dport 4000 ip saddr 192.168.10.11 reject with icmp host-prohibited
			udp dport 4000 ip6 saddr fd00:a::11 reject with icmpv6 no-route
			tcp dport 4000 iifname vba reject with tcp reset
			iifname vba drop
		}
		chain n { type nat hook postrouting priority 100
			oifname eth0 meta l4proto udp masquerade to :1024-65535
		}
	}`), "nft", "-f", "-")
	far4, far6 := ap("198.51.100.1:4000"), ap("[2001:db8:ffff::1]:4000")
	tests := []struct {
		name string
		p    Packet
		want Result
	}{
		{"code", Packet{UDP, ap("192.168.10.11:1"), far4}, Result{Refused: true, ICMPType: 3, ICMPCode: 10}},
		{"code 6", Packet{UDP, ap("[fd00:a::11]:1"), far6}, Result{Refused: true, ICMPType: 1, ICMPCode: 0}},
		{"reset", Packet{SYN, ap("192.168.10.11:1"), far4}, Result{Refused: true}},
		{"reset 6", Packet{SYN, ap("[fd00:a::11]:1"), far6}, Result{Refused: true}},
		{"drop", Packet{EchoRequest, ap("192.168.10.11:1"), ap("198.51.100.1:0")}, Result{}},
		{"drop 6", Packet{EchoRequest, ap("[fd00:a::11]:1"), ap("[2001:db8:ffff::1]:0")}, Result{}},
	}
	for _, test := range tests {
		r := w.Send(w.a1, test.p)
		got := Result{At: r.At, Refused: r.Refused, ICMPType: r.ICMPType, ICMPCode: r.ICMPCode}
		if got != test.want {
			t.Errorf("%s: got %s", test.name, r)
		}
	}
	r := w.Send(w.b, Packet{UDP, ap("192.168.20.11:501"), ap("198.51.100.1:4001")})
	if back := w.Unreachable(r); back.At != w.b || back.Arrived.Dst.Addr() != netip.MustParseAddr("192.168.20.11") {
		t.Errorf("error about %s: got %s", r, back)
	}
	r = w.Send(w.b, Packet{UDP, ap("192.168.20.11:500"), far4})
	if r.At != w.far || r.Arrived.Src.Addr() != netip.MustParseAddr("198.51.100.2") || r.Arrived.Src.Port() < 1024 {
		t.Errorf("masquerade: got %s", r)
	}
	if back := w.Reply(r); back.At != w.b || back.Arrived.Dst != ap("192.168.20.11:500") {
		t.Errorf("reply to masqueraded: got %s", back)
	}
	if r := w.SendLocal("eth0", ap("192.168.10.1:67"), far4); r.At != w.far || r.Arrived.Src.Port() < 1024 {
		t.Errorf("from the host to the world: got %s", r)
	}
	w.Serve(53)
	for _, p := range []Packet{{UDP, ap("192.168.20.11:9"), ap("192.168.20.1:53")},
		{UDP, ap("[fd00:b::11]:9"), ap("[fd00:b::1]:53")}} {
		if r := w.Send(w.b, p); r.At != w.Self || r.Arrived.Src != p.Src {
			t.Errorf("to the host: got %s", r)
		}
	}
	if r := w.SendLocal("vba", ap("192.168.10.1:67"), ap("255.255.255.255:68")); r.At == nil ||
		r.Arrived.Src != ap("192.168.10.1:67") {
		t.Errorf("from the host: got %s", r)
	}
}
