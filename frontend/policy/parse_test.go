package policy

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// same compares statements but for their places.
var same = cmp.Options{
	cmpopts.IgnoreFields(Statement{}, "Span"), cmpopts.IgnoreFields(End{}, "Span"),
	cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}),
}

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

func ports(fromTo ...uint16) (all []ir.PortRange) {
	for i := 0; i < len(fromTo); i += 2 {
		all = append(all, ir.PortRange{From: fromTo[i], To: fromTo[i+1]})
	}
	return all
}

func TestParse(t *testing.T) {
	lab, dmz, host, outside := End{Kind: Network, Name: "lab"}, End{Kind: Network, Name: "dmz"}, End{Kind: Host},
		End{Kind: Outside}
	with := func(e End, addrs ...string) End {
		e.Addrs = prefixes(addrs...)
		return e
	}
	by := func(name string) End { return End{Kind: Outside, By: name} }
	guest := netip.MustParseAddr("10.0.0.5")
	for _, c := range []struct {
		line  string
		want  Statement
		print string // empty for line
	}{
		// what assertions were before there were policies
		{"deny from network lab to network dmz", Statement{Kind: Deny, Family: ir.Both, From: lab, To: dmz}, ""},
		{"allow tcp from network lab to outside port 443",
			Statement{Kind: Allow, Family: ir.Both, From: lab, To: outside,
				Proto: ir.TCP, Ports: ports(443, 443)}, ""},
		{"allow ipv6 99 from host to network lab", Statement{Kind: Allow, Family: ir.IPv6, Proto: 99, From: host, To: lab}, ""},
		{"deny udp from 10.0.0.5 in network lab to 192.0.2.0/24 in outside port 1-1023", Statement{Kind: Deny,
			Family: ir.IPv4, Proto: ir.UDP, Ports: ports(1, 1023), From: with(lab, "10.0.0.5/32"),
			To: with(outside, "192.0.2.0/24")}, ""},
		{"allow from outside by eth1 to network lab", Statement{Kind: Allow, Family: ir.Both, From: by("eth1"), To: lab}, ""},
		{"allow from network lab to 192.0.2.1 in outside by eth0 port 1",
			Statement{Kind: Allow, Family: ir.IPv4, From: lab,
				To: with(by("eth0"), "192.0.2.1/32"), Ports: ports(1, 1)}, ""},
		{"isolated network lab", Statement{Kind: Isolated, Family: ir.Both, From: lab}, ""},
		{`isolated network "a b"`, Statement{Kind: Isolated, Family: ir.Both, From: End{Kind: Network, Name: "a b"}}, ""},
		{`deny "tcp" from "10.0.0.5" in network lab to outside port "25"`, Statement{Kind: Deny, Family: ir.IPv4,
			Proto: ir.TCP, From: with(lab, "10.0.0.5/32"), To: outside, Ports: ports(25, 25)},
			"deny tcp from 10.0.0.5 in network lab to outside port 25"},
		{"allow from network network to network to", Statement{Kind: Allow, Family: ir.Both,
			From: End{Kind: Network, Name: "network"}, To: End{Kind: Network, Name: "to"}}, ""},
		{"allow ipv4 from 10.0.0.5 in network lab to host", Statement{Kind: Allow, Family: ir.IPv4,
			From: with(lab, "10.0.0.5/32"), To: host}, "allow from 10.0.0.5 in network lab to host"},

		// ends that are not named
		{"deny", Statement{Kind: Deny, Family: ir.Both}, ""},
		{"deny to host", Statement{Kind: Deny, Family: ir.Both, To: host}, ""},
		{"deny tcp from network lab port 25", Statement{Kind: Deny, Family: ir.Both, Proto: ir.TCP, From: lab,
			Ports: ports(25, 25)}, ""},
		{"allow ipv4 port 53", Statement{Kind: Allow, Family: ir.IPv4, Ports: ports(53, 53)}, ""},

		// protocols, types and lists
		{"allow gre from network lab to outside", Statement{Kind: Allow, Family: ir.Both, Proto: 47, From: lab, To: outside}, ""},
		{"allow 47 from network lab to outside",
			Statement{Kind: Allow, Family: ir.Both, Proto: 47, From: lab, To: outside},
			"allow gre from network lab to outside"},
		{"deny icmp type echo-request,13 , 200 from network lab", Statement{Kind: Deny, Family: ir.IPv4, Proto: ir.ICMP,
			ICMP: []ir.ICMPType{{Type: 8}, {Type: 13}, {Type: 200}}, From: lab},
			"deny icmp type echo-request,timestamp-request,200 from network lab"},
		{"deny ipv6 icmpv6 type nd-redirect from outside", Statement{Kind: Deny, Family: ir.IPv6, Proto: ir.ICMPv6,
			ICMP: []ir.ICMPType{{Type: 137}}, From: outside}, "deny icmpv6 type nd-redirect from outside"},
		{"allow tcp from network lab to outside port 80, 8000-8010 ,443", Statement{Kind: Allow, Family: ir.Both,
			Proto: ir.TCP, From: lab, To: outside, Ports: ports(80, 80, 8000, 8010, 443, 443)},
			"allow tcp from network lab to outside port 80,8000-8010,443"},
		{"allow from 10.0.0.5, fd00::/64 in network lab to outside", Statement{Kind: Allow, Family: ir.Both,
			From: with(lab, "10.0.0.5/32", "fd00::/64"), To: outside},
			"allow from 10.0.0.5,fd00::/64 in network lab to outside"},
		{"allow from 10.0.0.5,fd00::/64 in network lab to 192.0.2.1 in outside", Statement{Kind: Allow, Family: ir.IPv4,
			From: with(lab, "10.0.0.5/32", "fd00::/64"), To: with(outside, "192.0.2.1/32")}, ""},
		{"allow ipv6 from 10.0.0.5,fd00::/64 in network lab", Statement{Kind: Allow, Family: ir.IPv6,
			From: with(lab, "10.0.0.5/32", "fd00::/64")}, ""},

		// sets
		{"allow from web in network lab", Statement{Kind: Allow, Family: ir.IPv4,
			From: with(lab, "10.0.0.5/32", "10.0.0.6/32")}, "allow from 10.0.0.5,10.0.0.6 in network lab"},
		{"allow from web,10.0.0.9,all in network lab", Statement{Kind: Allow, Family: ir.IPv4,
			From: with(lab, "10.0.0.0/28")}, "allow from 10.0.0.0/28 in network lab"},

		// published ports
		{"publish tcp 8080 to 10.0.0.5",
			Statement{Kind: Publish, Family: ir.IPv4, Proto: ir.TCP, Ports: ports(8080, 8080),
				Guest: guest, GuestPorts: ports(8080, 8080)[0]}, ""},
		{"publish udp 8000-8010 to fd00::5 port 9000-9010", Statement{Kind: Publish, Family: ir.IPv6, Proto: ir.UDP,
			Ports: ports(8000, 8010), Guest: netip.MustParseAddr("fd00::5"), GuestPorts: ports(9000, 9010)[0]}, ""},
		{"publish tcp 80 to 10.0.0.5 on eth0 at 198.51.100.1 from 203.0.113.0/24",
			Statement{Kind: Publish, Family: ir.IPv4,
				Proto: ir.TCP, Ports: ports(80, 80), Guest: guest, GuestPorts: ports(80, 80)[0], On: "eth0",
				At: netip.MustParseAddr("198.51.100.1"), From: with(End{}, "203.0.113.0/24")}, ""},
		{"publish 132 80 to 10.0.0.5 from web at 169.254.1.1 port 81", Statement{Kind: Publish, Family: ir.IPv4,
			Proto: ir.SCTP, Ports: ports(80, 80), Guest: guest, GuestPorts: ports(81, 81)[0],
			At: netip.MustParseAddr("169.254.1.1"), From: with(End{}, "10.0.0.5/32", "10.0.0.6/32")},
			"publish sctp 80 to 10.0.0.5 port 81 at 169.254.1.1 from 10.0.0.5,10.0.0.6"},

		{"clamp mss network lab", Statement{Kind: Clamp, Family: ir.Both, From: lab}, ""},
		{"clamp mss 1360 network lab", Statement{Kind: Clamp, Family: ir.Both, From: lab, MSS: 1360}, ""},
		{"clamp mss 65495 network network", Statement{Kind: Clamp, Family: ir.Both, From: End{Kind: Network, Name: "network"},
			MSS: 65495}, ""},
	} {
		t.Run(c.line, func(t *testing.T) {
			text := "# a comment\n\n  " + c.line + " # behind\r\n" +
				"let web = 10.0.0.5 ,10.0.0.6\nlet all=10.0.0.0/28 # a set may stand behind its use\n"
			got, list := Parse("a.policy", []byte(text))
			if len(list) > 0 || len(got) != 1 {
				t.Fatalf("%v %v", got, list)
			}
			if diff := cmp.Diff(c.want, got[0], same); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			s := got[0].Span
			if at := text[s.Start.Offset:s.End.Offset]; s.String() != "a.policy:3:3" || at != c.line {
				t.Errorf("span %s holds %q", s, at)
			}
			want := c.print
			if want == "" {
				want = c.line
			}
			if got[0].String() != want {
				t.Errorf("prints as %q, want %q", got[0], want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		line string
		want string // CODE COLUMN TEXT
		fix  string
	}{
		{"deny network lab to outside", "policy-syntax 6 network", "allow tcp from"},
		{"dney from network lab to outside", "policy-syntax 1 dney", "deny"},
		{"deny from lab to outside", "policy-syntax 11 lab", "write from network lab"},
		{"deny from network lab to dmz # x", "policy-syntax 26 dmz", "write to network dmz"},
		{"deny from network", "policy-syntax 18 ", "write the rest"},
		{"deny from network lab to", "policy-syntax 25 ", "write the rest"},
		{"deny from network lab to outsid", "policy-syntax 26 outsid", "did you mean outside?"},
		{"deny from network lab to outsde port 80", "policy-syntax 26 outsde", "did you mean outside?"},
		{"deny from 10.0.0.5 to host", "policy-syntax 11 10.0.0.5", "write from 10.0.0.5 in network"},
		{"deny to 10.0.0.0/24", "policy-syntax 9 10.0.0.0/24", "write to 10.0.0.0/24 in network"},
		{"deny from network lab to host port", "policy-syntax 35 ", "write the rest"},
		{"deny from network lab frm outside", "policy-syntax 23 frm", "did you mean from?"},
		{"isolated lab", "policy-syntax 10 lab", "isolated network lab"},
		{`isolated network "lab`, `policy-syntax 18 "`, "end the string"},
		{"clamp network lab", "policy-syntax 7 network", "clamp mss network"},
		{"clamp mss 1400", "policy-syntax 15 ", "write the rest"},
		{"publish 8080 to 10.0.0.5", "policy-syntax 14 to", "publish tcp 8080"},
		{"publish tcp 8080", "policy-syntax 17 ", "publish tcp 8080"},
		{"publish tcp 8080 to 10.0.0.5 prot 80", "policy-syntax 30 prot", "did you mean port?"},
		{"let web", "policy-syntax 8 ", "let web ="},
		{"let web =", "policy-syntax 10 ", "let web ="},
		{"let web = 10.0.0.5,,10.0.0.6", "policy-syntax 19 ,", "remove the comma"},
		{"let web = ,10.0.0.6", "policy-syntax 11 ,", "remove the comma"},
		{"let web = 10.0.0.6,", "policy-syntax 19 ,", "remove the comma"},
		{"let web = 10.0.0.5 10.0.0.6", "policy-syntax 11 10.0.0.5 10.0.0.6", "10.0.0.5, 10.0.0.6"},
		{"deny tcp to outside port 80 443", "policy-syntax 26 80 443", "80, 443"},

		{"deny tpc from network lab to outside", "policy-value 6 tpc", "did you mean tcp?"},
		{"deny 0 from network lab to outside", "policy-value 6 0", "1 to 255"},
		{"deny 256 from network lab to outside", "policy-value 6 256", "1 to 255"},
		{"deny from 10.0.0.5/24 in network lab to outside", "policy-value 11 10.0.0.5/24", "10.0.0.0/24"},
		{"deny from 10.0.0 in network lab to outside", "policy-value 11 10.0.0", "10.0.0.5"},
		{"deny from 10.0.0.1,10.0.0 in network lab to outside", "policy-value 20 10.0.0", "10.0.0.5"},
		{"deny from fe80::1%eth0 in outside", "policy-value 11 fe80::1%eth0", "10.0.0.5"},
		{"deny tcp from network lab to outside port 0", "policy-value 43 0", "from 1"},
		{"deny tcp from network lab to outside port 65536", "policy-value 43 65536", "from 1"},
		{"deny tcp from network lab to outside port 9-1", "policy-value 43 9-1", "lower first"},
		{"deny tcp from network lab to outside port 80,https", "policy-value 46 https", "from 1"},
		{"deny icmp type echo-reqest to host", "policy-value 16 echo-reqest", "echo-request"},
		{"deny icmp type 256 to host", "policy-value 16 256", "nft(8)"},
		{"deny to outside by eth/0", "policy-value 20 eth/0", "eth0"},
		{"deny to outside by abcdefghijklmnop", "policy-value 20 abcdefghijklmnop", "eth0"},
		{`deny to outside by ""`, `policy-value 20 ""`, "eth0"},
		{"let host = 10.0.0.5", "policy-value 5 host", "such as web"},
		{"let 9 = 10.0.0.5", "policy-value 5 9", "such as web"},
		{"clamp mss 535 network lab", "policy-value 11 535", "from 536 to 65495"},
		{"clamp mss 65496 network lab", "policy-value 11 65496", "from 536 to 65495"},
		{"publish tcp 80 to 127.0.0.1", "policy-value 19 127.0.0.1", "192.168.122.10"},
		{"publish tcp 80 to 255.255.255.255", "policy-value 19 255.255.255.255", "192.168.122.10"},
		{"publish tcp 80 to 224.0.0.1", "policy-value 19 224.0.0.1", "192.168.122.10"},
		{"publish tcp 80 to 0.0.0.0", "policy-value 19 0.0.0.0", "192.168.122.10"},
		{"publish tcp 80 to ::1", "policy-value 19 ::1", "192.168.122.10"},
		{"publish tcp 80 to fe80::1", "policy-value 19 fe80::1", "192.168.122.10"},
		{"publish tcp 80 to ff02::1", "policy-value 19 ff02::1", "192.168.122.10"},
		{"publish tcp 80 to 10.0.0.0/24", "policy-value 19 10.0.0.0/24", "10.0.0.5"},
		{"publish tcp 80,81 to 10.0.0.5", "policy-value 13 80,81", "from 1"},
		{"publish tcp 80 to 10.0.0.5 at 127.0.0.1", "policy-value 31 127.0.0.1", "remove at"},
		{"publish tcp 80 to 10.0.0.5 at 224.0.0.1", "policy-value 31 224.0.0.1", "remove at"},
		{"publish tcp 80 to 10.0.0.5 on eth0:1", "policy-value 31 eth0:1", "eth0"},

		{"deny icmp from network lab to outside port 9", "policy-unfit 44 9", "remove the port"},
		{"deny from network lab by virbr0 to outside", "policy-unfit 26 virbr0", "remove by"},
		{"deny from host to host", "policy-unfit 19 host", "name a network"},
		{"deny from outside to outside", "policy-unfit 22 outside", "name a network"},
		{"allow from 192.0.2.1 in outside to host", "policy-unfit 36 host", "name a network"},
		{"deny ipv4 from fd00::1 in network lab to outside", "policy-unfit 16 fd00::1", "one family"},
		{"deny from 10.0.0.5 in network lab to fd00::/64 in outside", "policy-unfit 38 fd00::/64", "one family"},
		{"deny type echo-request to host", "policy-unfit 11 echo-request", "icmp"},
		{"deny tcp type echo-request to host", "policy-unfit 15 echo-request", "icmp"},
		{"deny ipv6 icmp type 8 to host", "policy-unfit 21 8", "remove ipv6"},
		{"deny icmp type 8 from fd00::1 in network lab", "policy-unfit 23 fd00::1", "one family"},
		{"publish icmp 80 to 10.0.0.5", "policy-unfit 9 icmp", "name one"},
		{"publish tcp 80-89 to 10.0.0.5 port 8080", "policy-unfit 36 8080", "write 8080-8089"},
		{"publish tcp 80 to 10.0.0.5 port 8080-8089", "policy-unfit 33 8080-8089", "write 8080, or"},
		{"publish tcp 80 to 10.0.0.5 at fd00::1", "policy-unfit 31 fd00::1", "one family"},
		{"publish tcp 80 to 10.0.0.5 from fd00::/64", "policy-unfit 33 fd00::/64", "one family"},
		{"publish tcp 80 to 10.0.0.5 on eth0 on eth1", "policy-unfit 39 eth1", "remove one"},
		{"publish tcp 80 to 10.0.0.5 from 10.0.0.9 from 10.0.0.8", "policy-unfit 47 10.0.0.8", "one list"},

		{"deny tcp to outside port 80,79-81", "policy-repeated 29 79-81", "remove one"},
		{"deny tcp to outside port 80-90,90", "policy-repeated 32 90", "remove one"},
		{"deny tcp to outside port 1-5,10-20,15", "policy-repeated 36 15", "remove one"},
		{"deny icmp type 8,echo-request to host", "policy-repeated 18 echo-request", "remove one"},
		{"let web = 10.0.0.5, 10.0.0.0/24", "policy-repeated 21 10.0.0.0/24", "remove one"},
		{"let web = 10.0.0.0/24, 10.0.0.5", "policy-repeated 24 10.0.0.5", "remove one"},
		{"deny from fd00::1,10.0.0.5,fd00::1 in outside to network a", "policy-repeated 28 fd00::1", "remove one"},

		{"deny from web in network lab", "policy-set 11 web", "did you mean wed?"},
		{"deny from db in network lab", "policy-set 11 db", "let db ="},
		{"let wed = 10.0.0.7", "policy-set-twice 5 wed", "rename"},
	} {
		t.Run(c.line, func(t *testing.T) {
			text := "let wed = 10.0.0.5\n" + c.line
			all, list := Parse("a.txt", []byte(text))
			if len(list) != 1 || all != nil {
				t.Fatalf("want one diagnostic and no statements, got %v and %v", list, all)
			}
			d := list[0]
			got := string(d.Code) + strings.Replace(strings.TrimPrefix(d.Span.String(), "a.txt:2"), ":", " ", 1) + " " +
				text[d.Span.Start.Offset:d.Span.End.Offset]
			if got != c.want || !strings.Contains(d.Fix, c.fix) || d.Why == "" {
				t.Errorf("got %q (fix %q), want %q (fix %q)", got, d.Fix, c.want, c.fix)
			}
		})
	}
}

// TestReadme: the example of the page is a policy.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "```policy\n")
	text, _, ended := strings.Cut(text, "```")
	all, list := Parse("README.md", []byte(text))
	if !ok || !ended || len(list) > 0 || len(all) != 9 {
		t.Errorf("%d statements, %v", len(all), list)
	}
	for _, p := range protocols {
		if !strings.Contains(string(page), "`"+p.name+"`") {
			t.Errorf("the page does not name protocol %s", p.name)
		}
	}
	for _, word := range keywords {
		if !strings.Contains(string(page), `"`+word+`"`) {
			t.Errorf("the grammar of the page has no %q", word)
		}
	}
}

// Every wrong line is reported, in the order of lines, though sets are read before statements.
func TestParseAll(t *testing.T) {
	_, list := Parse("a", []byte("x\ndeny from web in host\nisolated network a\nlet web = 1\ny"))
	var lines []int
	for _, d := range list {
		lines = append(lines, d.Span.Start.Line)
	}
	if diff := cmp.Diff([]int{1, 4, 5}, lines); diff != "" {
		t.Errorf("(-want +got):\n%s%v", diff, list)
	}
	// what an editor writes at the beginning is no part of the first word
	got, list := Parse("a", []byte("\ufeffisolated network a"))
	if len(list) > 0 || len(got) != 1 || got[0].From.Name != "a" || got[0].Span.Start.Offset != 3 {
		t.Errorf("%v %v", got, list)
	}
}

// TestParseIn: places are those that the document gives.
func TestParseIn(t *testing.T) {
	const doc, from = "<network>\n<policy>deny to host nwo\n</policy>", 18
	text := doc[from : len(doc)-len("</policy>")]
	place := func(a, b int) diag.Span {
		return diag.Span{File: "lab.xml", Start: diag.Pos{Offset: from + a, Line: 2, Col: from + a - 9},
			End: diag.Pos{Offset: from + b, Line: 2, Col: from + b - 9}}
	}
	_, list := ParseIn("lab", text, place)
	if len(list) != 1 || list[0].Span.String() != "lab.xml:2:22" {
		t.Errorf("%v", list)
	}
	all, list := ParseIn("lab", "deny to host", place)
	if len(list) > 0 || len(all) != 1 || all[0].Network != "lab" || all[0].Span.String() != "lab.xml:2:9" {
		t.Errorf("%+v %v", all, list)
	}
}

// TestBounds: what is too large is refused, and takes no longer than its size.
func TestBounds(t *testing.T) {
	addrs := make([]string, MaxList+1)
	for i := range addrs {
		addrs[i] = fmt.Sprintf("10.0.%d.%d", i/256, i%256)
	}
	set := func(n int) string { return "let s = " + strings.Join(addrs[:n], ",") + "\n" }
	use := func(n int) string { return strings.Repeat("deny from s in network lab\n", n) }
	for _, c := range []struct {
		name, text string
		want       string // CODE LINE; empty if it is taken
	}{
		{"the longest", "deny to host" + strings.Repeat(" ", MaxSize-12), ""},
		{"one byte more", "deny to host" + strings.Repeat(" ", MaxSize-11), "policy-limit 1"},
		{"most statements", strings.Repeat("deny to host\n", MaxStatements), ""},
		{"one more", strings.Repeat("deny to host\n", MaxStatements+1), "policy-limit 20001"},
		{"the longest list", set(MaxList), ""},
		{"a longer one", set(MaxList + 1), "policy-limit 1"},
		{"a list that is longer by its sets", set(MaxList) + "deny from s,192.0.2.1 in outside to network a", "policy-limit 2"},
		{"most addresses", set(MaxList) + use(MaxValues/MaxList), ""},
		{"a list more", set(MaxList) + use(MaxValues/MaxList+1), "policy-limit 66"},
		{"one long word", "deny " + strings.Repeat("x", MaxSize-5), "policy-value 1"},
		{"a long line of words", "deny to outside port" + strings.Repeat(" 1 ,", MaxSize/32) + "1", "policy-limit 1"},
		{"a long line without commas", "let a =" + strings.Repeat(" 1", MaxSize/16), "policy-syntax 1"},
		{"lists of half the ports", strings.Repeat("deny to outside port 1-65535\n", MaxStatements), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			all, list := Parse("a", []byte(c.text))
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it takes %s", took)
			}
			got := ""
			if len(list) > 0 {
				got = fmt.Sprint(list[0].Code, " ", list[0].Span.Start.Line)
			}
			if got != c.want || (all == nil) != (c.want != "" || strings.HasPrefix(c.text, "let")) && len(all) == 0 {
				t.Errorf("got %q, want %q, and %d statements", got, c.want, len(all))
			}
		})
	}
}
