package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// TestString: random statements are read back from their own words, many in one text.
func TestString(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []Statement
	var text strings.Builder
	for range 5000 {
		s := randomStatement(rnd)
		all = append(all, s)
		fmt.Fprintln(&text, s)
	}
	got, list := Parse("a.policy", []byte(text.String()))
	if len(list) > 0 {
		t.Fatal(list[0], "\n", strings.Split(text.String(), "\n")[list[0].Span.Start.Line-1])
	}
	for i, s := range got {
		if diff := cmp.Diff(all[i], s, same); diff != "" {
			t.Fatalf("%s: (-want +got):\n%s", all[i], diff)
		}
	}
	if len(got) != len(all) {
		t.Errorf("%d statements, want %d", len(got), len(all))
	}
}

func one[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

func randomStatement(rnd *rand.Rand) Statement {
	network := func() End {
		return End{Kind: Network, Name: one(rnd, "lab", "dmz", "to", "a b", "#1", `q"\`, "ü", "host")}
	}
	switch one(rnd, Allow, Allow, Deny, Deny, Publish, Isolated, Clamp) {
	case Isolated:
		return Statement{Kind: Isolated, Family: ir.Both, From: network()}
	case Clamp:
		return Statement{Kind: Clamp, Family: ir.Both, From: network(), MSS: one[uint16](rnd, 0, 536, 1400, 65495)}
	case Publish:
		return randomPublish(rnd)
	}
	s := Statement{Kind: one(rnd, Allow, Deny), Family: one(rnd, ir.IPv4, ir.IPv6, ir.Both, ir.Both)}
	switch rnd.IntN(3) {
	case 0:
		s.Proto = one[uint8](rnd, ir.TCP, ir.UDP, ir.SCTP, ir.DCCP, ir.UDPLite)
		for port := uint16(1); rnd.IntN(2) == 0; port += 20 {
			s.Ports = append(s.Ports, ir.PortRange{From: port, To: port + one[uint16](rnd, 0, 9)})
		}
	case 1:
		s.Proto = uint8(rnd.IntN(256))
	}
	ends := []End{{}, {Kind: Host}, {Kind: Outside}, {Kind: Outside, By: "eth0"}, network()}
	for s.From, s.To = one(rnd, ends...), one(rnd, ends...); hostless(s.From) && hostless(s.To); {
		s.To = network()
	}
	for _, e := range []*End{&s.From, &s.To} {
		if e.Kind != Anywhere && rnd.IntN(3) == 0 {
			e.Addrs = randomAddrs(rnd, s.Family)
		}
	}
	s.Family &= s.From.families() & s.To.families()
	if of := map[uint8]ir.Family{ir.ICMP: ir.IPv4, ir.ICMPv6: ir.IPv6}[s.Proto]; of&s.Family != 0 && rnd.IntN(2) == 0 {
		s.Family = of
		for n := range uint8(1 + rnd.IntN(9)) {
			s.ICMP = append(s.ICMP, ir.ICMPType{Type: n * 17})
		}
	}
	return s
}

func randomPublish(rnd *rand.Rand) Statement {
	s := Statement{Kind: Publish, Family: one(rnd, ir.IPv4, ir.IPv6), Proto: one[uint8](rnd, ir.TCP, ir.UDP, ir.SCTP)}
	first, n := uint16(1+rnd.IntN(1000)), uint16(rnd.IntN(20))
	s.Ports = []ir.PortRange{{From: first, To: first + n}}
	s.GuestPorts = s.Ports[0]
	if rnd.IntN(2) == 0 {
		s.GuestPorts = ir.PortRange{From: 9000, To: 9000 + n}
	}
	addrs := map[ir.Family][]string{ir.IPv4: {"10.0.0.5", "192.0.2.1"}, ir.IPv6: {"fd00::5", "2001:db8::1"}}[s.Family]
	s.Guest, s.On = netip.MustParseAddr(addrs[0]), one(rnd, "", "eth0", "br-1.5")
	if rnd.IntN(2) == 0 {
		s.At = netip.MustParseAddr(addrs[1])
	}
	if rnd.IntN(2) == 0 {
		s.From.Addrs = randomAddrs(rnd, s.Family)
	}
	return s
}

// randomAddrs returns addresses of which one at least is of the family.
func randomAddrs(rnd *rand.Rand, family ir.Family) []netip.Prefix {
	four, six := prefixes("10.0.0.5/32", "10.0.1.0/24", "192.0.2.128/25"), prefixes("fd00::5/128", "fd00:1::/64", "2000::/3")
	all := map[ir.Family][]netip.Prefix{ir.IPv4: four, ir.IPv6: six, ir.Both: append(four, six...)}[family]
	all = slices.Clone(all[:1+rnd.IntN(len(all))])
	// addresses of a family that the statement has not may stand beside
	if rnd.IntN(4) == 0 {
		all = append(all, prefixes("198.51.100.0/24", "fe00::/10")[rnd.IntN(2)])
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// FuzzParse reads any text: every place lies in the text, and what is a statement comes back from
// its own words.
func FuzzParse(f *testing.F) {
	for _, info := range diag.Codes() {
		if strings.HasPrefix(string(info.Code), "policy-") || strings.HasPrefix(string(info.Code), "assert-") {
			f.Add(info.Bad)
			f.Add(info.Good)
		}
	}
	f.Add("allow ipv4 udp from 10.0.0.0/28 in network \"a \\\"b\" to host port 53-54 # x\r\nisolated network lab")
	f.Add("let web = 10.0.0.5, fd00::/64\ndeny icmp type 8,redirect from web,10.0.0.9 in outside by eth0 to network b")
	f.Add("publish tcp 8000-8003 to 10.0.0.5 port 9000-9003 on eth0 at 192.0.2.1 from 192.0.2.0/24\nclamp mss 1400 network a")
	f.Fuzz(func(t *testing.T, text string) {
		all, list := Parse("a", []byte(text))
		for _, d := range list {
			if from, to := d.Span.Start.Offset, d.Span.End.Offset; from < 0 || to < from || to > len(text) {
				t.Fatalf("%v spans %d-%d of %d bytes", d, from, to, len(text))
			}
		}
		for _, s := range all {
			again, more := Parse("b", []byte(s.String()))
			if len(more) > 0 || len(again) != 1 {
				t.Fatalf("%q is %s, which is read as %v %v", text, s, again, more)
			}
			if diff := cmp.Diff(s, again[0], same); diff != "" {
				t.Fatalf("%q is %s (-want +got):\n%s", text, s, diff)
			}
		}
	})
}
