package dnsmasq

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// filled is a network with text in each place that has one.
func filled(text func(harmless string) string) *ir.Link {
	l := lab()
	l.Name = text("lab")
	l.Bridge.Name = text("virbr7")
	l.Domain.Name = text("lab.test")
	l.Addresses[0].TFTP = text("/srv")
	d := l.Addresses[0].DHCP
	d.BootFile = text("pxe.0")
	d.Ranges[0].Lease = ir.Lease(text("2h"))
	d.Hosts = []ir.DHCPHost{{Name: text("web"), Addr: d.Hosts[0].Addr, Lease: ir.Lease(text("1h"))}}
	l.Addresses[2].DHCP.Hosts = []ir.DHCPHost{{DUID: text("0:3:0:1"), Name: text("six"),
		Addr: l.Addresses[2].DHCP.Hosts[0].Addr}}
	l.DNS.Forwarders = []ir.Forwarder{{Domain: text("corp.test"), Addr: netip.MustParseAddr("198.51.100.53")},
		{Domain: text("open.test")}}
	l.DNS.TXT = []ir.TXTRecord{{Name: text("note"), Value: text("v=1")}}
	l.DNS.SRV = []ir.SRVRecord{{Service: text("sip"), Protocol: text("udp"), Domain: text("lab.test"),
		Target: text("pbx"), Port: 1}}
	l.DNS.Hosts = []ir.DNSHost{{Addr: l.DNS.Hosts[0].Addr, Names: []string{text("printer")}}}
	l.Options = []string{"log-dhcp"}
	return l
}

// FuzzEmit puts one text into each place in turn: either nothing is written, or the files have the
// lines that they have with harmless text, with as many words in those that are lists.
func FuzzEmit(f *testing.F) {
	for _, text := range []string{"a", "", "a\nuser=root", "a\r", "a,b", "a b", "a\tb", "a/b", "a#b", "a #b", `a"b`,
		`a\`, "a\u2028b", "/x", "\xff", ".", "a\x00"} {
		f.Add(text)
	}
	places := 0
	want := outline(f, filled(func(harmless string) string { places++; return harmless }))
	f.Fuzz(func(t *testing.T, text string) {
		for place := range places {
			at := -1
			l := filled(func(harmless string) string {
				if at++; at == place {
					return text
				}
				return harmless
			})
			files, err := Emit(l, paths(t))
			if err != nil || text == "" || text == "." { // which stand for something that isn't there
				continue
			}
			if diff := cmp.Diff(want, outlineOf(files)); diff != "" {
				t.Errorf("place %d, text %q (-want +got):\n%s", place, text, diff)
			}
		}
	})
}

func outline(t testing.TB, l *ir.Link) []string {
	t.Helper()
	files, err := Emit(l, paths(t))
	if err != nil {
		t.Fatal(err)
	}
	return outlineOf(files)
}

// outlineOf returns the options of the configuration, with the commas and slashes that separate
// words, and the number of words in each line of the other files. A TXT record may have any number
// of them.
func outlineOf(f Files) []string {
	var lines []string
	for line := range strings.Lines(string(f.Conf)) {
		if line[0] == '#' {
			lines = append(lines, "comment")
			continue
		}
		option, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if option != "txt-record" {
			option += strings.Repeat(",", strings.Count(value, ","))
		}
		if option == "server" || option == "local" {
			option += strings.Repeat("/", strings.Count(value, "/"))
		}
		lines = append(lines, option)
	}
	for line := range strings.Lines(string(f.Hosts)) {
		lines = append(lines, strings.Repeat(",", strings.Count(line, ",")))
	}
	for line := range strings.Lines(string(f.AddnHosts)) {
		lines = append(lines, strings.Repeat(".", len(strings.Fields(line))))
	}
	return lines
}
