package ir_test

import (
	"math/rand"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

func TestParsePacket(t *testing.T) {
	a := netip.MustParseAddr
	lab := ir.Packet{
		Family: ir.IPv4, In: "virbr0", Out: "eth0", Src: a("10.20.1.5"), Dst: a("198.51.100.7"),
		Proto: ir.TCP, SPort: 40000, DPort: 443, State: ir.StateNew,
	}
	with := func(change func(*ir.Packet)) ir.Packet {
		p := lab
		change(&p)
		return p
	}
	for _, c := range []struct {
		name, text string
		want       ir.Packet
	}{
		{"everything", "tcp from 10.20.1.5:40000 on virbr0 to 198.51.100.7:443 out eth0 state new", lab},
		{"defaults", "tcp from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0", lab},
		{"other order", "tcp out eth0 to 198.51.100.7:443 on virbr0 state new from 10.20.1.5", lab},
		{"lines and tabs", " tcp\n\tfrom 10.20.1.5 on virbr0\n\tto 198.51.100.7 out eth0\n", lab},
		{"quotes", `tcp from "10.20.1.5" on "virbr0" to 198.51.100.7 out "eth0"`, lab},
		{"protocol by number", "6 from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0", lab},
		{"to the host", "udp from 10.20.1.5 on virbr0 to 10.20.1.1:53", with(func(p *ir.Packet) {
			p.Proto, p.Out, p.Dst, p.DPort = ir.UDP, "", a("10.20.1.1"), 53
		})},
		{"from the host", "udp from 10.20.1.1:53 to 10.20.1.5:40000 out virbr0 state established mark 0x10",
			with(func(p *ir.Packet) {
				p.Proto, p.In, p.Out, p.Src, p.Dst, p.SPort, p.DPort = ir.UDP, "", "virbr0", a("10.20.1.1"),
					a("10.20.1.5"),
					53, 40000
				p.State, p.Mark = ir.StateEstablished, 16
			})},
		{"status of its connection",
			"tcp from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0 state established status snat,dnat",
			with(func(p *ir.Packet) {
				p.State, p.Status = ir.StateEstablished, ir.StatusSNAT|ir.StatusDNAT
			})},
		{"flags", "tcp from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0 flags syn,ack", with(func(p *ir.Packet) {
			p.Flags, p.HasFlags = ir.FlagSYN|ir.FlagACK, true
		})},
		{"no flags", "tcp from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0 flags none",
			with(func(p *ir.Packet) { p.HasFlags = true })},
		{"echo request unsaid", "icmp from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0", with(func(p *ir.Packet) {
			p.Proto, p.SPort, p.DPort, p.ICMPType = ir.ICMP, 0, 0, 8 // RFC 792
		})},
		{"type by name, with a code",
			"icmp type destination-unreachable code 4 from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0",
			with(func(p *ir.Packet) {
				p.Proto, p.SPort, p.DPort, p.ICMPType, p.ICMPCode = ir.ICMP, 0, 0, 3, 4 // RFC 1191
			})},
		{"no ports, no types", "47 from 10.20.1.5 on virbr0 to 198.51.100.7 out eth0", with(func(p *ir.Packet) {
			p.Proto, p.SPort, p.DPort = 47, 0, 0
		})},
		{"IPv6 in brackets", "tcp from [fd00::5]:1 on virbr0 to [2001:db8::7] out eth0", with(func(p *ir.Packet) {
			p.Family, p.Src, p.Dst, p.SPort = ir.IPv6, a("fd00::5"), a("2001:db8::7"), 1
		})},
		{"ICMPv6", "icmpv6 type nd-neighbor-solicit from fd00::5 on virbr0 to fd00::1", with(func(p *ir.Packet) {
			p.Family, p.Src, p.Dst, p.Proto, p.Out = ir.IPv6, a("fd00::5"), a("fd00::1"), ir.ICMPv6, ""
			p.SPort, p.DPort, p.ICMPType = 0, 0, 135 // RFC 4861
		})},
		{"interfaces named as keys", "tcp from 10.20.1.5 on out to 198.51.100.7 out on",
			with(func(p *ir.Packet) { p.In, p.Out = "out", "on" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, list := ir.ParsePacket(c.text)
			if len(list) > 0 {
				t.Fatal(list)
			}
			if diff := cmp.Diff(c.want, got, same); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParsePacketErrors(t *testing.T) {
	const from, to = "from 10.20.1.5 ", "to 198.51.100.7 "
	for _, c := range []struct {
		text string
		want string // CODE PLACE TEXT, TEXT being what the diagnostic is about
		fix  string // part of the fix
	}{
		{"", "packet-syntax 1:1 ", "tcp from"},
		{"  ", "packet-syntax 1:3 ", "tcp from"},
		{from + to + "out eth0", "packet-syntax 1:1 from", "protocol first"},
		{"tpc " + from + to + "out eth0", "packet-value 1:1 tpc", "tcp"},
		{"tpc " + from + "on a type 8 to 1.2.3.4:5", "packet-value 1:1 tpc", "tcp"},
		{"tcp " + from + "on", "packet-syntax 1:22 ", "value"},
		{"tcp " + from + "in virbr0 " + to, "packet-syntax 1:20 in", "write on"},
		{"tcp " + from + "on virbr0 " + to + "ot eth0", "packet-syntax 1:46 ot", "write one of"},
		{"tcp " + from + "on virbr0 " + to + "port 443", "packet-syntax 1:46 port", "198.51.100.7:443"},
		{"icmp echo-request " + from + to + "out eth0", "packet-syntax 1:6 echo-request", "type"},
		{"icmp type echo-reqest " + from + to + "out eth0", "packet-value 1:11 echo-reqest", "echo-request"},
		{"icmp type 256 " + from + to + "out eth0", "packet-value 1:11 256", "255"},
		{"icmpv6 type source-quench from fd00::1 to fd00::2 out eth0", "packet-value 1:13 source-quench", "number"},
		{"tcp from 10.20.1.256 on virbr0 " + to, "packet-value 1:10 10.20.1.256", "198.51.100.7:443"},
		{"tcp from 10.20.1.0/24 on virbr0 " + to, "packet-value 1:10 10.20.1.0/24", "198.51.100.7"},
		{"tcp from 10.20.1.5:70000 on virbr0 " + to, "packet-value 1:10 10.20.1.5:70000", "198.51.100.7:443"},
		{"tcp from fe80::1%eth0 on virbr0 to fe80::2", "packet-value 1:10 fe80::1%eth0", "2001:db8::7"},
		{"tcp from [10.20.1.5] on virbr0 " + to, "packet-value 1:10 [10.20.1.5]", "198.51.100.7"},
		{"tcp " + from + "on a/b " + to, "packet-value 1:23 a/b", "bytes"},
		{"tcp " + from + "on 0123456789abcdef " + to, "packet-value 1:23 0123456789abcdef", "15"},
		{`tcp ` + from + `on "" ` + to, `packet-value 1:23 ""`, "bytes"},
		{`tcp ` + from + `on "virbr0 ` + to, `packet-syntax 1:23 "`, "quote"},
		{"tcp " + from + "on a " + to + "state old", "packet-value 1:47 old", "established"},
		{"tcp " + from + "on a " + to + "status natted", "packet-value 1:48 natted", "dnat"},
		{"tcp " + from + "on a " + to + "state invalid status dnat", "packet-unfit 1:62 dnat", "established"},
		{"tcp " + from + "on a " + to + "state new,related", "packet-value 1:47 new,related", "one of"},
		{"tcp " + from + "on a " + to + "mark 0x1/0xf", "packet-value 1:46 0x1/0xf", "number"},
		{"tcp " + from + to, "packet-missing 1:36 ", "on IFNAME"},
		{"tcp " + from + "on a", "packet-missing 1:24 ", "to"},
		{"tcp on a " + to, "packet-missing 1:26 ", "from"},
		{"tcp " + from + from + "on a " + to, "packet-twice 1:20 from", "one of the two"},
		{"icmp from 10.20.1.5:80 on a " + to, "packet-unfit 1:11 10.20.1.5:80", "10.20.1.5"},
		{"udp " + from + "on a " + to + "flags syn", "packet-unfit 1:47 syn", "remove the flags"},
		{"tcp " + from + "on a " + to + "flags syn+ack", "packet-value 1:47 syn+ack", "none; or all"},
		{"tcp type 8 " + from + "on a " + to, "packet-unfit 1:5 type", "type"},
		{"47 code 8 " + from + "on a " + to, "packet-unfit 1:4 code", "code"},
		{"tcp " + from + "on a to 2001:db8::7", "packet-family 1:28 2001:db8::7", "one family"},
		{"icmpv6 " + from + "on a " + to, "packet-family 1:13 10.20.1.5", "write icmp"},
	} {
		t.Run(c.text, func(t *testing.T) {
			p, list := ir.ParsePacket(c.text)
			if len(list) != 1 {
				t.Fatalf("want one diagnostic, got %v", list)
			}
			d := list[0]
			got := string(d.Code) + " " + strings.TrimPrefix(d.Span.String(), ir.PacketFile+":") + " " +
				c.text[d.Span.Start.Offset:d.Span.End.Offset]
			if got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, d)
			}
			if !strings.Contains(d.Fix, c.fix) || d.Why == "" {
				t.Errorf("fix %q does not speak of %q, or there is no why: %q", d.Fix, c.fix, d.Why)
			}
			if list.HasErrors() && p != (ir.Packet{}) {
				t.Errorf("a packet with errors: %s", p)
			}
		})
	}
	_, list := ir.ParsePacket("tcp from x on a to y state z mark m")
	if len(list) != 4 {
		t.Errorf("want all four wrong values, got %v", list)
	}
}

// TestPacketRoundTrip reads what String writes, for packets of all kinds.
func TestPacketRoundTrip(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	protos := []uint8{0, ir.ICMP, ir.TCP, ir.UDP, ir.DCCP, 47, ir.ICMPv6, ir.SCTP, ir.UDPLite, 255}
	addr := func(f ir.Family) netip.Addr {
		raw := make([]byte, 4)
		if f == ir.IPv6 {
			raw = make([]byte, 16)
		}
		r.Read(raw)
		a, _ := netip.AddrFromSlice(raw)
		return a
	}
	names := []string{"eth0", "virbr0", "a", `q"uote`, "from", "ünïcode", "vnet+", "a\\b", "#x"}
	for range 2000 {
		p := ir.Packet{Family: ir.IPv4, Proto: protos[r.Intn(len(protos))], State: 1 << r.Intn(5)}
		if r.Intn(2) == 0 {
			p.Family = ir.IPv6
		}
		p.Src, p.Dst = addr(p.Family), addr(p.Family)
		if r.Intn(9) == 0 && p.Family == ir.IPv6 {
			p.Src = netip.MustParseAddr("::ffff:10.0.0.1")
		}
		switch {
		case ir.HasPorts(p.Proto):
			p.SPort, p.DPort = uint16(r.Uint32()), uint16(r.Uint32())
		case p.Proto == ir.ICMP || p.Proto == ir.ICMPv6:
			p.ICMPType, p.ICMPCode = uint8(r.Uint32()), uint8(r.Uint32())
		}
		if n := r.Intn(3); n != 0 {
			p.In = names[r.Intn(len(names))]
		}
		if p.In == "" || r.Intn(2) == 0 {
			p.Out = names[r.Intn(len(names))]
		}
		if p.State&ir.Tracked != 0 {
			p.Status = ir.Status(r.Intn(4))
		}
		if r.Intn(2) == 0 {
			p.Mark = r.Uint32()
		}
		got, list := ir.ParsePacket(p.String())
		if list.HasErrors() {
			t.Fatalf("%s: %v", p, list)
		}
		if diff := cmp.Diff(p, got, same); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", p, diff)
		}
	}
}

// TestPacketCodes tries the examples of every code that is about packets.
func TestPacketCodes(t *testing.T) {
	for _, info := range diag.Codes() {
		if !strings.HasPrefix(string(info.Code), "packet-") {
			continue
		}
		_, bad := ir.ParsePacket(info.Bad)
		_, good := ir.ParsePacket(info.Good)
		if len(good) > 0 {
			t.Errorf("the good example of %s draws %v", info.Code, good)
		}
		if info.Code == "packet-interface" { // depends on the networks, which vnetc trace knows
			continue
		}
		if len(bad) != 1 || bad[0].Code != info.Code {
			t.Errorf("the bad example of %s draws %v", info.Code, bad)
		}
	}
}

// FuzzParsePacket reads any text: every place lies in the text, and what is a packet comes back
// from its own words.
func FuzzParsePacket(f *testing.F) {
	for _, info := range diag.Codes() {
		if strings.HasPrefix(string(info.Code), "packet-") {
			f.Add(info.Bad)
			f.Add(info.Good)
		}
	}
	f.Add("icmpv6 type nd-redirect code 0x1 from [fd00::5] to fd00::1 out \"a\\\"b\" state untracked mark 0xffffffff")
	f.Fuzz(func(t *testing.T, text string) {
		p, list := ir.ParsePacket(text)
		for _, d := range list {
			if from, to := d.Span.Start.Offset, d.Span.End.Offset; from < 0 || to < from || to > len(text) {
				t.Fatalf("%v spans %d-%d of %d bytes", d, from, to, len(text))
			}
			if d.What == "" || d.Why == "" || d.Fix == "" {
				t.Fatalf("%v lacks what, why or fix", d)
			}
		}
		if list.HasErrors() {
			return
		}
		again, more := ir.ParsePacket(p.String())
		if more.HasErrors() || again != p {
			t.Fatalf("%q is %s, which is read as %s %v", text, p, again, more)
		}
		if _, err := ir.Eval(&ir.Program{}, p); err != nil {
			t.Fatalf("%q is no packet to Eval: %v", text, err)
		}
	})
}
