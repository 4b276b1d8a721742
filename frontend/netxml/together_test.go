package netxml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// Collisions between networks are reported at the later one and show the earlier one. Each document
// is the inside of a network.
func TestTogether(t *testing.T) {
	ip := func(s string) string {
		return "<ip address='" + s[:strings.Index(s, "/")] + "' prefix='" + s[strings.Index(s, "/")+1:] + "'/>"
	}
	nat := func(from, to string) string {
		return "<forward mode='nat'><nat><address start='" + from + "' end='" + to + "'/></nat></forward>"
	}
	ip6 := func(s string) string { return "<ip family='ipv6' address='" + s + "' prefix='64'/>" }
	route6 := func(net, metric string) string {
		return ip6(net+"1") + "<route family='ipv6' address='fd09::' prefix='48' gateway='" + net + "2' " + metric +
			"/>"
	}
	for _, tt := range []struct {
		name   string
		bodies []string
		want   []string // file, code, file of the other
	}{
		{"strangers", []string{ip("10.0.0.1/24"), ip("10.0.1.1/24"), ip("10.0.2.1/23")}, nil},
		{"the later subnet is larger", []string{ip("10.0.5.1/24"), ip("10.0.0.1/16")},
			[]string{"b.xml ip-overlap a.xml"}},
		{"the later subnet is smaller", []string{ip("10.0.0.1/16"), ip("10.0.5.1/24")},
			[]string{"b.xml ip-overlap a.xml"}},
		{"each is told once", []string{ip("10.0.5.1/24"), ip("10.0.6.1/24"), ip("10.0.0.1/16")},
			[]string{"c.xml ip-overlap a.xml"}},
		{"three of one subnet", []string{ip("10.0.5.1/24"), ip("10.0.5.2/24"), ip("10.0.5.3/24")},
			[]string{"b.xml ip-overlap a.xml", "c.xml ip-overlap b.xml"}},
		{"behind a gap", []string{ip("10.0.0.1/16"), ip("10.0.1.1/24"), ip("10.0.9.1/24")},
			[]string{"b.xml ip-overlap a.xml", "c.xml ip-overlap a.xml"}},
		{"families", []string{ip("10.0.0.1/24"), "<ip family='ipv6' address='fd00::1' prefix='64'/>",
			"<ip family='ipv6' address='fd00::2' prefix='64'/>"}, []string{"c.xml ip-overlap b.xml"}},
		{"bridge", []string{"<bridge name='x'/>", "<bridge name='x'/>"}, []string{"b.xml bridge-twice a.xml"}},
		{"bridge of the host, then made", []string{"<forward mode='bridge'/><bridge name='x'/>", "<bridge name='x'/>"},
			[]string{"b.xml bridge-twice a.xml"}},
		{"bridge of the host shared", []string{"<forward mode='bridge'/><bridge name='x'/>",
			"<forward mode='bridge'/><bridge name='x'/>"}, nil},
		{"uuid in another spelling", []string{"<uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>",
			"<uuid>8AB54F6F3B5E4D7C8EC2A4A7D1C4F2B6</uuid>"}, []string{"b.xml uuid-twice a.xml"}},
		{"mac in another spelling", []string{"<mac address='52:54:00:00:00:0a'/>", "<mac address='52:54:0:0:0:A'/>"},
			[]string{"b.xml mac-twice a.xml"}},
		{"route to another's subnet", []string{ip("10.0.0.1/24"),
			ip("10.0.1.1/24") + "<route address='10.0.0.0' prefix='24' gateway='10.0.1.2'/>"},
			[]string{"b.xml route-overlap a.xml"}},
		{"route around another's subnet", []string{ip("10.0.0.1/24"),
			ip("10.1.1.1/24") + "<route address='10.0.0.0' prefix='16' gateway='10.1.1.2'/>"}, nil},
		{"route into another's subnet", []string{ip("10.0.0.1/24"),
			ip("10.0.1.1/24") + "<route address='10.0.0.128' prefix='25' gateway='10.0.1.2'/>"},
			[]string{"b.xml route-part a.xml"}},
		{"route into the own subnet", []string{ip("10.0.0.1/24") +
			"<route address='10.0.0.128' prefix='25' gateway='10.0.0.2'/>"}, nil},
		{"same route", []string{
			ip("10.0.0.1/24") + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.2'/>",
			ip("10.0.1.1/24") + "<route address='10.9.0.0' prefix='16' gateway='10.0.1.2' metric='9'/>",
		}, []string{"b.xml route-twice a.xml"}},
		{"same IPv6 route", []string{route6("fd00::", ""), route6("fd01::", "metric='1'")},
			[]string{"b.xml route-twice a.xml"}},
		{"same IPv6 route, another metric", []string{route6("fd00::", ""), route6("fd01::", "metric='9'")}, nil},
		{"link-local subnets", []string{ip6("fe80::1"), ip6("fe80::1")}, nil},
		{"link-local subnets of one link", []string{ip6("fe80::1") + ip6("fe80::2")},
			[]string{"a.xml ip-overlap a.xml"}},
		{"around link-local subnets", []string{ip6("fe80::1"), "<ip family='ipv6' address='fe80::1' prefix='9'/>",
			"<ip family='ipv6' address='fe00::2' prefix='8'/>"}, []string{"c.xml ip-overlap b.xml"}},
		{"link-local subnets of IPv4", []string{ip("169.254.0.1/16"), ip("169.254.0.2/16")},
			[]string{"b.xml ip-overlap a.xml"}},
		{"NAT addresses that are known", []string{nat("10.0.9.4", "10.0.9.9") + ip("10.0.0.1/24"), ip("10.0.9.1/24")},
			nil},
		{"NAT addresses overlap", []string{ip("10.0.9.1/24"), nat("10.0.9.4", "10.0.9.9") + ip("10.0.0.1/24"),
			nat("10.0.9.9", "10.0.9.20") + ip("10.0.1.1/24")}, []string{"c.xml nat-address-twice b.xml"}},
		{"a document with an error counts all the same", []string{ip("10.0.0.1/24") + "<mtu size='1'/>",
			ip("10.0.0.1/25")}, []string{"a.xml mtu-size", "b.xml ip-overlap a.xml"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &diag.Sources{}
			for i, body := range tt.bodies {
				src.Add(fmt.Sprintf("%c.xml", 'a'+i), fmt.Appendf(nil, "<network><name>net%d</name>%s</network>", i,
					body))
			}
			_, list := Parse(src, Options{})
			var got []string
			for _, d := range list {
				line := fmt.Sprintf("%s %s", d.Span.File, d.Code)
				for _, r := range d.Related {
					line += " " + r.Span.File
				}
				got = append(got, line)
				checkDiagnostic(t, d, src)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, list)
			}
		})
	}
}

// Files that can't be read are reported and left out; the others are still judged together.
func TestUnreadable(t *testing.T) {
	src := &diag.Sources{}
	src.Add("a.xml", []byte("<network><name>x</name>"))
	src.Add("b.xml", []byte("<network><name>y</name></network>"))
	src.Add("c.xml", []byte("<network><name>y</name></network>"))
	networks, list := Parse(src, Options{})
	if diff := cmp.Diff([]diag.Code{"xml-syntax", "name-twice"}, codesOf(list)); diff != "" || len(networks) != 2 {
		t.Errorf("%d networks; (-want +got):\n%s", len(networks), diff)
	}
	if networks, list := Parse(&diag.Sources{}, Options{}); len(networks)+len(list) > 0 {
		t.Errorf("of nothing came %v and %v", networks, list)
	}
}
