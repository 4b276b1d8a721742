package dnsmasq

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// lab is a network with something of everything.
func lab() *ir.Link {
	return &ir.Link{
		Name:   "lab",
		Mode:   ir.ModeNone,
		Bridge: ir.Bridge{Name: "virbr7"},
		MTU:    9000,
		Domain: ir.Domain{Name: "lab.test", LocalOnly: true},
		Addresses: []ir.Address{
			{
				Prefix:   netip.MustParsePrefix("10.1.0.1/16"),
				LocalPTR: true,
				TFTP:     "/srv/tftp",
				DHCP: &ir.DHCP{
					Ranges: []ir.DHCPRange{{
						From: netip.MustParseAddr("10.1.1.0"), To: netip.MustParseAddr("10.1.2.255"), Lease: "120m",
					}},
					Hosts: []ir.DHCPHost{{
						MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}, Name: "web",
						Addr: netip.MustParseAddr("10.1.0.5"), Lease: ir.Forever,
					}},
					BootFile:   "pxe.0",
					BootServer: netip.MustParseAddr("10.1.0.2"),
				},
			},
			{Prefix: netip.MustParsePrefix("10.2.0.1/24"), TFTP: "/srv/more"},
			{
				Prefix:   netip.MustParsePrefix("fd00:12:ab::1/60"),
				LocalPTR: true,
				DHCP:     &ir.DHCP{Hosts: []ir.DHCPHost{{DUID: "0:3:0:1", Addr: netip.MustParseAddr("fd00:12:ab::5")}}},
			},
		},
		DNS: ir.DNS{
			NoPlainNames: true,
			Forwarders: []ir.Forwarder{
				{Domain: "corp.test", Addr: netip.MustParseAddr("198.51.100.53"), Port: 5353},
				{Domain: "open.test"},
				{Addr: netip.MustParseAddr("2001:db8::53")},
			},
			TXT: []ir.TXTRecord{{Name: "note.lab.test", Value: "v=1 some text"}},
			Hosts: []ir.DNSHost{
				{Addr: netip.MustParseAddr("10.1.0.9"), Names: []string{"printer", "printer.lab.test"}},
				{Addr: netip.MustParseAddr("fd00:12:ab::9"), Names: []string{"printer6"}},
				{Addr: netip.MustParseAddr("10.1.0.9"), Names: []string{"scanner"}},
			},
		},
		Options: []string{"log-dhcp"},
	}
}

func paths(t testing.TB) Paths {
	t.Helper()
	p, err := At("/run/vnetc", "lab")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantConf is lab's configuration by the table of lines in libvirt's order, dnsmasq(8) and, for the
// reverse zones, RFC 1035 section 3.5 and RFC 3596 section 2.5.
const wantConf = `strict-order
server=/corp.test/198.51.100.53#5353
server=/open.test/#
server=2001:db8::53
no-resolv
local=/lab.test/
domain=lab.test
expand-hosts
local=/1.10.in-addr.arpa/
local=/0.0.0.b.a.0.0.2.1.0.0.0.0.d.f.ip6.arpa/
domain-needed
local=//
pid-file=/run/vnetc/dnsmasq/lab.pid
except-interface=lo
bind-dynamic
interface=virbr7
dhcp-option=3
no-resolv
ra-param=*,0,0
txt-record=note.lab.test,v=1 some text
enable-tftp
tftp-root=/srv/tftp
tftp-root=/srv/more
dhcp-range=10.1.1.0,10.1.2.255,255.255.0.0,120m
dhcp-no-override
dhcp-authoritative
dhcp-boot=pxe.0,,10.1.0.2
dhcp-range=fd00:12:ab::1,static,60
dhcp-lease-max=512
dhcp-hostsfile=/run/vnetc/dnsmasq/lab.hostsfile
addn-hosts=/run/vnetc/dnsmasq/lab.addnhosts
dhcp-option=option:mtu,9000
enable-ra
log-dhcp
`

func TestEmit(t *testing.T) {
	got, err := Emit(lab(), paths(t))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string // without the head
	for line := range strings.Lines(string(got.Conf)) {
		if line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if diff := cmp.Diff(wantConf, strings.Join(lines, "")); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	wantHosts := "52:54:00:00:00:01,10.1.0.5,web,infinite\nid:0:3:0:1,[fd00:12:ab::5]\n"
	if diff := cmp.Diff(wantHosts, string(got.Hosts)); diff != "" {
		t.Errorf("hosts of DHCP (-want +got):\n%s", diff)
	}
	wantAddn := "10.1.0.9\tprinter\tprinter.lab.test\tscanner\t\nfd00:12:ab::9\tprinter6\t\n"
	if diff := cmp.Diff(wantAddn, string(got.AddnHosts)); diff != "" {
		t.Errorf("hosts of DNS (-want +got):\n%s", diff)
	}
}

// TestSRV: RFC 2782, and srv-host in dnsmasq(8): what is left out in the middle is port 1 and
// priority 0.
func TestSRV(t *testing.T) {
	tests := []struct {
		name string
		srv  ir.SRVRecord
		want string
	}{
		{"no target", ir.SRVRecord{Port: 5060}, "_sip._udp"},
		{"no service", ir.SRVRecord{Target: "."}, "_sip._udp"},
		{"domain", ir.SRVRecord{Domain: "lab.test"}, "_sip._udp.lab.test"},
		{"target", ir.SRVRecord{Target: "pbx"}, "_sip._udp,pbx"},
		{"port", ir.SRVRecord{Target: "pbx", Port: 5060}, "_sip._udp,pbx,5060"},
		{"priority", ir.SRVRecord{Target: "pbx", Priority: 7}, "_sip._udp,pbx,1,7"},
		{"weight", ir.SRVRecord{Target: "pbx", Weight: 9}, "_sip._udp,pbx,1,0,9"},
		{"all", ir.SRVRecord{Target: "pbx", Port: 5060, Priority: 7, Weight: 9}, "_sip._udp,pbx,5060,7,9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.srv.Service, tt.srv.Protocol = "sip", "udp"
			c := &conf{}
			if got := c.srv(tt.srv); got != tt.want || c.err != nil {
				t.Errorf("got %q (%v), want %q", got, c.err, tt.want)
			}
		})
	}
}

func TestNeeded(t *testing.T) {
	addr := ir.Address{Prefix: netip.MustParsePrefix("10.1.0.1/24")}
	with := func(change func(*ir.Address)) []ir.Address {
		a := addr
		change(&a)
		return []ir.Address{a}
	}
	host := &ir.DHCP{Hosts: []ir.DHCPHost{{Name: "web", Addr: netip.MustParseAddr("10.1.0.5")}}}
	tests := []struct {
		name string
		link ir.Link
		want bool
	}{
		{"no address", ir.Link{Mode: ir.ModeNAT}, false},
		{"DNS", ir.Link{Mode: ir.ModeOpen, Addresses: []ir.Address{addr}}, true},
		{"nothing", ir.Link{Mode: ir.ModeNAT, DNS: ir.DNS{Off: true}, Addresses: []ir.Address{addr}}, false},
		{"DHCP", ir.Link{Mode: ir.ModeNone, DNS: ir.DNS{Off: true},
			Addresses: with(func(a *ir.Address) { a.DHCP = host })}, true},
		{"bootp alone", ir.Link{Mode: ir.ModeNAT, DNS: ir.DNS{Off: true},
			Addresses: with(func(a *ir.Address) { a.DHCP = &ir.DHCP{BootFile: "pxe.0"} })}, false},
		{"TFTP", ir.Link{Mode: ir.ModeNAT, DNS: ir.DNS{Off: true},
			Addresses: with(func(a *ir.Address) { a.TFTP = "/srv" })}, true},
		{"somebody else's bridge", ir.Link{Mode: ir.ModeBridge, Addresses: []ir.Address{addr}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Needed(&tt.link); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestRefused: text that would become another line or word is never written, whoever checked it
// before.
func TestRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*ir.Link)
	}{
		{"name", func(l *ir.Link) { l.Name = "lab\ndhcp-script=/tmp/x" }},
		{"bridge", func(l *ir.Link) { l.Bridge.Name = "virbr7,eth0" }},
		{"domain", func(l *ir.Link) { l.Domain.Name = "lab/10.0.0.0" }},
		{"TFTP root", func(l *ir.Link) { l.Addresses[0].TFTP = "/srv\ndhcp-script=/tmp/x" }},
		{"TFTP root of an interface", func(l *ir.Link) { l.Addresses[0].TFTP = "/srv,eth0" }},
		{"boot file of a server", func(l *ir.Link) { l.Addresses[0].DHCP.BootFile = "a,,10.1.0.9" }},
		{"boot file", func(l *ir.Link) { l.Addresses[0].DHCP.BootFile = "a\rb" }},
		{"option", func(l *ir.Link) { l.Options = []string{"log-dhcp\nuser=root"} }},
		{"long option", func(l *ir.Link) { l.Options = []string{"#" + strings.Repeat("x", maxLine) + "user=root"} }},
		{"long TFTP root", func(l *ir.Link) { l.Addresses[0].TFTP = "/" + strings.Repeat("x", maxLine) }},
		{"long TXT value", func(l *ir.Link) { l.DNS.TXT[0].Value = strings.Repeat("x", maxLine) }},
		{"TXT name", func(l *ir.Link) { l.DNS.TXT[0].Name = "a,b" }},
		{"TXT value", func(l *ir.Link) { l.DNS.TXT[0].Value = "a\nuser=root" }},
		{"SRV", func(l *ir.Link) { l.DNS.SRV = []ir.SRVRecord{{Service: "sip", Protocol: "udp", Target: "a,b"}} }},
		{"forwarder", func(l *ir.Link) { l.DNS.Forwarders[0].Domain = "a/b" }},
		{"DHCP host", func(l *ir.Link) { l.Addresses[0].DHCP.Hosts[0].Name = "web,set:x" }},
		{"DHCP host of no one", func(l *ir.Link) { l.Addresses[2].DHCP.Hosts[0].DUID = "" }},
		{"lease", func(l *ir.Link) { l.Addresses[0].DHCP.Ranges[0].Lease = "1h,set:x" }},
		{"lease of a host", func(l *ir.Link) { l.Addresses[0].DHCP.Hosts[0].Lease = "1h\nx" }},
		{"DUID", func(l *ir.Link) { l.Addresses[2].DHCP.Hosts[0].DUID = "0:1\nx" }},
		{"DNS host", func(l *ir.Link) { l.DNS.Hosts[0].Names[0] = "a\n10.1.0.1\tb" }},
		{"second DHCP", func(l *ir.Link) { l.Addresses[1].DHCP = l.Addresses[0].DHCP }},
		{"reverse zone", func(l *ir.Link) { l.Addresses[0].Prefix = netip.MustParsePrefix("10.1.0.1/20") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lab()
			tt.change(l)
			if files, err := Emit(l, paths(t)); err == nil {
				t.Errorf("written:\n%s%s%s", files.Conf, files.Hosts, files.AddnHosts)
			}
		})
	}
	for _, dir := range []string{"/run/a\nb", `/run/a"b`, "/run/a #b", "state"} {
		p, err := At(dir, "lab")
		if err == nil {
			_, err = Emit(lab(), p)
		}
		if err == nil {
			t.Errorf("a state folder %q is written", dir)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "../../etc/passwd", "a\x00b"} {
		if p, err := At("/run/vnetc", name); err == nil {
			t.Errorf("a network %q has files at %+v", name, p)
		}
	}
}
