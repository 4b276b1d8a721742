package prove

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

func TestParseAssertions(t *testing.T) {
	lab, dmz, host, outside := Endpoint{Network, "lab"}, Endpoint{Network, "dmz"}, Endpoint{Kind: Host},
		Endpoint{Kind: Outside}
	for _, c := range []struct {
		line string
		want Assertion
	}{
		{"deny from network lab to network dmz", Assertion{Kind: Deny, From: lab, To: dmz}},
		{"allow tcp from network lab to outside port 443", Assertion{Kind: Allow, From: lab, To: outside,
			Query: Query{Proto: ir.TCP, Ports: ir.PortRange{From: 443, To: 443}}}},
		{"allow ipv6 47 from host to network lab", Assertion{Kind: Allow, From: host, To: lab,
			Query: Query{Family: ir.IPv6, Proto: 47}}},
		{"deny udp from 10.0.0.5 in network lab to 192.0.2.0/24 in outside port 1-1023",
			Assertion{Kind: Deny, From: lab, To: outside, Query: Query{
				Family: ir.IPv4, Proto: ir.UDP, Ports: ir.PortRange{From: 1, To: 1023},
				Source: netip.MustParsePrefix("10.0.0.5/32"), Dest: netip.MustParsePrefix("192.0.2.0/24"),
			}}},
		{"allow from outside by eth1 to network lab", Assertion{Kind: Allow, From: outside, To: lab,
			Query: Query{In: "eth1"}}},
		{"allow from network lab to 192.0.2.1 in outside by eth0 port 1",
			Assertion{Kind: Allow, From: lab, To: outside, Query: Query{
				Family: ir.IPv4, Out: "eth0", Dest: netip.MustParsePrefix("192.0.2.1/32"),
				Ports: ir.PortRange{From: 1, To: 1},
			}}},
		{"isolated network lab", Assertion{Kind: Isolated, From: lab}},
		{`isolated network "a b"`, Assertion{Kind: Isolated, From: Endpoint{Network, "a b"}}},
	} {
		t.Run(c.line, func(t *testing.T) {
			text := "# a comment\n\n  " + c.line + " # behind\r\n"
			got, list := ParseAssertions("a.txt", []byte(text))
			if len(list) > 0 || len(got) != 1 {
				t.Fatalf("%v %v", got, list)
			}
			if diff := cmp.Diff(c.want, got[0], cmpopts.IgnoreUnexported(Assertion{}),
				cmpopts.IgnoreFields(Assertion{}, "Span"), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if s := got[0].Span; s.String() != "a.txt:3:3" || !strings.HasPrefix(text[s.Start.Offset:s.End.Offset],
				c.line) {
				t.Errorf("span %s holds %q", s, text[s.Start.Offset:s.End.Offset])
			}
			if got[0].String() != c.line {
				t.Errorf("prints as %q", got[0])
			}
		})
	}
}

func TestParseAssertionErrors(t *testing.T) {
	for _, c := range []struct {
		line string
		want string // CODE COLUMN TEXT
		fix  string
	}{
		{"deny network lab to outside", "assert-syntax 14 lab", "allow tcp from"},
		{"dney from network lab to outside", "assert-syntax 1 dney", "deny"},
		{"deny from lab to outside", "assert-syntax 15 to", "allow tcp from"},
		{"deny from network lab", "assert-syntax 22 ", "write the rest"},
		{"deny from network lab to outsid", "assert-syntax 32 ", "write the rest"},
		{"deny from network lab to host port", "assert-syntax 35 ", "write the rest"},
		{"isolated lab", "assert-syntax 10 lab", "allow tcp from"},
		{`isolated network "lab`, `assert-syntax 18 "`, "end the string"},
		{"deny tpc from network lab to outside", "assert-value 6 tpc", "tcp"},
		{"deny 0 from network lab to outside", "assert-value 6 0", "1 to 255"},
		{"deny from 10.0.0.5/24 in network lab to outside", "assert-value 11 10.0.0.5/24", "10.0.0.0/24"},
		{"deny from 10.0.0 in network lab to outside", "assert-value 11 10.0.0", "10.0.0.5"},
		{"deny tcp from network lab to outside port 0", "assert-value 43 0", "from 1"},
		{"deny tcp from network lab to outside port 9-1", "assert-value 43 9-1", "lower first"},
		{"deny icmp from network lab to outside port 9", "assert-unfit 44 9", "remove the port"},
		{"deny from network lab by virbr0 to outside", "assert-unfit 26 virbr0", "remove by"},
		{"deny from host to host", "assert-unfit 19 host", "name a network"},
		{"deny from outside to outside", "assert-unfit 22 outside", "name a network"},
		{"deny ipv4 from fd00::1 in network lab to outside", "assert-unfit 16 fd00::1", "one family"},
		{"deny from 10.0.0.5 in network lab to fd00::/64 in outside", "assert-unfit 38 fd00::/64", "one family"},
	} {
		t.Run(c.line, func(t *testing.T) {
			text := "isolated network a\n" + c.line
			all, list := ParseAssertions("a.txt", []byte(text))
			if len(list) != 1 || all != nil {
				t.Fatalf("want one diagnostic and no assertions, got %v and %v", list, all)
			}
			d := list[0]
			got := string(d.Code) + strings.Replace(strings.TrimPrefix(d.Span.String(), "a.txt:2"), ":", " ", 1) + " " +
				text[d.Span.Start.Offset:d.Span.End.Offset]
			if got != c.want || !strings.Contains(d.Fix, c.fix) || d.Why == "" {
				t.Errorf("got %q (fix %q), want %q (fix %q)", got, d.Fix, c.want, c.fix)
			}
		})
	}
	if _, list := ParseAssertions("a", []byte("x\ny\nisolated network a\nz")); len(list) != 3 {
		t.Errorf("want an error for each of three lines, got %v", list)
	}
}

// site is a NAT network lab, a routed one dmz with both families, and an isolated one safe, with
// libvirt's rules.
const site = `
link "lab" { mode nat  bridge { name virbr0 }  addresses { prefix 10.0.0.1/24 } }
link "dmz" { mode route  bridge { name virbr1 }  addresses { prefix 10.0.1.1/24 }  addresses { prefix fd00:1::1/64 } }
link "safe" { mode none  bridge { name virbr2 }  addresses { prefix 10.0.2.1/24 } }
group FWX {
    inet iifname "virbr0" oifname "virbr0" accept
    inet iifname "virbr1" oifname "virbr1" accept
    inet iifname "virbr2" oifname "virbr2" accept
}
group FWI {
    ip oifname "virbr0" daddr 10.0.0.0/24 ct state established,related accept
    inet oifname "virbr0" reject with port-unreachable
    ip oifname "virbr1" daddr 10.0.1.0/24 accept
    ip6 oifname "virbr1" daddr fd00:1::/64 accept
    inet oifname "virbr1" reject with port-unreachable
    inet oifname "virbr2" reject with port-unreachable
}
group FWO {
    ip iifname "virbr0" saddr 10.0.0.0/24 accept
    inet iifname "virbr0" reject with port-unreachable
    ip iifname "virbr1" saddr 10.0.1.0/24 accept
    ip6 iifname "virbr1" saddr fd00:1::/64 accept
    inet iifname "virbr1" reject with port-unreachable
    inet iifname "virbr2" reject with port-unreachable
}`

func siteProgram(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, list := ir.Parse("site", []byte(text))
	if p != nil {
		list = append(list, ir.Verify(p)...)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCheck(t *testing.T) {
	closed := strings.Replace(site, "group FWI {", "group FWI {\n    inet iifname \"virbr2\" oifname \"virbr1\" drop",
		1)
	bound := strings.Replace(site, `saddr 10.0.0.0/24 accept`, `oifname "eth0" saddr 10.0.0.0/24 accept`, 1)
	for _, c := range []struct {
		name, site, line string
		want             bool
		packet           string // part of the packet that shows it
	}{
		{"NAT keeps out", site, "deny from outside to network lab", true, ""},
		{"routed lets in", site, "deny from outside to network dmz", false, "on other0 to 10.0.1."},
		{"routed lets in IPv6", site, "deny ipv6 from outside to network dmz", false, "out virbr1"},
		{"the known leak", site, "deny from network safe to network dmz", false, "from 10.0.2."},
		{"closed", closed, "deny from network safe to network dmz", true, ""},
		{"the leak, but not of a port that is none", site, "deny tcp from network safe to network dmz port 22", false,
			":22 "},
		{"guests may lie about their address", strings.Replace(closed, `saddr 10.0.0.0/24 accept`,
			`saddr != 10.0.0.0/24 accept`, 1),
			"deny from network lab to outside", false, "on virbr0"},
		{"out", site, "allow from network lab to outside", true, ""}, // lab has no IPv6 address, so IPv6 is not asked
		{"out by one port", site, "allow tcp from network lab to outside port 443", true, ""},
		{"but not IPv6", site, "allow ipv6 from network lab to outside", false, ""},
		{"isolated is not let out", site, "allow udp from network safe to outside port 53", false, "udp from 10.0.2."},
		{"an address of the network", site, "allow from 10.0.0.7 in network lab to network dmz", true, ""},
		{"an address that it has not", site, "allow from 10.9.0.7 in network lab to network dmz", false, ""},
		{"no rule refuses IPv6 here, but the bridge does not speak it",
			strings.ReplaceAll(site, "inet iifname \"virbr2\" reject", "ip iifname \"virbr2\" reject"),
			"deny from network safe to outside", true, ""},
		{"bound to a device", bound, "allow from network lab to outside", false, "out other0"},
		{"by that device", bound, "allow from network lab to outside by eth0", true, ""},
		{"by another", bound, "allow from network lab to outside by eth1", false, "out eth1"},
		{"to the host", site, "allow from network safe to host", true, ""},
		{"isolated is not, by the leak", site, "isolated network safe", false, "out virbr1"},
		{"isolated is, closed", closed, "isolated network safe", true, ""},
		{"NAT is not isolated", closed, "isolated network lab", false, "on virbr0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, list := ParseAssertions("a.txt", []byte(c.line))
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			p := siteProgram(t, c.site)
			if list := CheckNames(p, all); len(list) > 0 {
				t.Fatal(list)
			}
			answer, packet := NewReacher(p).Check(all[0])
			ok := answer == Proved
			if ok != c.want {
				t.Fatalf("%s: got %v, want %v; packet %s", c.line, ok, c.want, packet)
			}
			if ok || c.packet == "" {
				if packet != (ir.Packet{}) {
					t.Errorf("a packet comes with it: %s", packet)
				}
				return
			}
			if !strings.Contains(packet.String(), c.packet) {
				t.Errorf("packet %s, want %q in it", packet, c.packet)
			}
			fate, err := ir.Eval(p, packet) // the referee must agree
			if err != nil || packet.State != ir.StateNew || (fate.Outcome == ir.Accepted) == (all[0].Kind == Allow) {
				t.Errorf("%s shows nothing: %s %v", packet, fate, err)
			}
		})
	}
}

// TestAssertCodes tries the examples of every code that is about assertions.
func TestAssertCodes(t *testing.T) {
	p := siteProgram(t, site)
	check := func(text string) (codes []diag.Code) {
		all, list := ParseAssertions("a.txt", []byte(text))
		list = append(list, CheckNames(p, all)...)
		for _, d := range list {
			codes = append(codes, d.Code)
		}
		for _, a := range all {
			if answer, _ := NewReacher(p).Check(a); answer != Proved && len(list) == 0 {
				codes = append(codes, "assert-failed")
			}
		}
		return codes
	}
	for _, info := range diag.Codes() {
		if !strings.HasPrefix(string(info.Code), "assert-") {
			continue
		}
		if diff := cmp.Diff([]diag.Code{info.Code}, check(info.Bad)); diff != "" {
			t.Errorf("the bad example of %s (-want +got):\n%s", info.Code, diff)
		}
		if codes := check(info.Good); len(codes) > 0 {
			t.Errorf("the good example of %s draws %v", info.Code, codes)
		}
	}
}

// FuzzParseAssertions reads any text: every place lies in the text, and what is an assertion comes
// back from its own words.
func FuzzParseAssertions(f *testing.F) {
	for _, info := range diag.Codes() {
		if strings.HasPrefix(string(info.Code), "assert-") {
			f.Add(info.Bad)
			f.Add(info.Good)
		}
	}
	f.Add("allow ipv4 udp from 10.0.0.0/28 in network \"a \\\"b\" to host port 53-54 # x\r\nisolated network lab")
	f.Fuzz(func(t *testing.T, text string) {
		all, list := ParseAssertions("a", []byte(text))
		for _, d := range list {
			if from, to := d.Span.Start.Offset, d.Span.End.Offset; from < 0 || to < from || to > len(text) {
				t.Fatalf("%v spans %d-%d of %d bytes", d, from, to, len(text))
			}
		}
		for _, a := range all {
			again, more := ParseAssertions("b", []byte(a.String()))
			if len(more) > 0 || len(again) != 1 || again[0].String() != a.String() || again[0].Query != a.Query ||
				again[0].From != a.From || again[0].To != a.To {
				t.Fatalf("%q is %s, which is read as %v %v", text, a, again, more)
			}
		}
	})
}

// TestStandIns: whatever wildcards there are, some names are covered by each of them alone, and
// others by none.
func TestStandIns(t *testing.T) {
	for _, wildcards := range [][]string{nil, {"o"}, {"vnet", "vnet0"}, {"a", "aa", "aa0"}, {"other", "0", "1"}, {""}} {
		p := &ir.Program{}
		for _, w := range wildcards {
			p.Add(ir.FWI, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.IIfName{Name: w, Wildcard: true}},
				Verdict: ir.Accept{}})
		}
		s := newSpace(ir.IPv4, p)
		covers := func(name string) (all []string) {
			for _, w := range s.prefixes {
				if strings.HasPrefix(name, w) {
					all = append(all, w)
				}
			}
			return all
		}
		for i, base := range append(append([]string{}, s.prefixes...), "") {
			if got, want := covers(s.names[s.exact+1+i]), covers(base); !cmp.Equal(got, want) {
				t.Errorf("wildcards %q: %s stands in for %q, but is covered by %q", wildcards, s.names[s.exact+1+i],
					base, got)
			}
		}
	}
}
