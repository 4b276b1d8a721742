package netxml

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir/diag"
)

// dnsmasq itself agrees with the table of its options: it knows each, and wants a value where the
// table says so.
func TestDnsmasqOptions(t *testing.T) {
	netnstest.Require(t, "dnsmasq")
	if out, _ := exec.Command("dnsmasq", "--version").Output(); !strings.Contains(string(out), "2.90") {
		t.Skip("the table is that of dnsmasq 2.90")
	}
	conf := filepath.Join(t.TempDir(), "dnsmasq.conf")
	later := []string{"do-0x20-encode", "no-0x20-encode", "log-malloc"}
	for _, name := range optionNames() {
		if err := os.WriteFile(conf, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("dnsmasq", "--test", "--conf-file="+conf).CombinedOutput()
		known := !strings.Contains(string(out), "bad option")
		if known == slices.Contains(later, name) {
			t.Errorf("%s: dnsmasq says %s", name, out)
		}
		kind, _ := dnsmasqOptionOf(name)
		if must := strings.Contains(string(out), "missing parameter"); must != (kind == mustValue) &&
			name != "cache-size" {
			t.Errorf("%s: dnsmasq says %s", name, out)
		}
	}
}

// Each option that the dnsmasq of this host has stands in one group of the table, whichever version
// it is.
func TestDnsmasqOptionsClassified(t *testing.T) {
	netnstest.Require(t, "dnsmasq")
	help, err := exec.Command("dnsmasq", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	commandLine := []string{"help", "test", "version"} // no words of a configuration
	found := regexp.MustCompile(`(?m)^(?:-., |    )--([a-zA-Z0-9-]+)`).FindAllStringSubmatch(string(help), -1)
	if len(found) < 150 {
		t.Fatalf("dnsmasq --help has %d options", len(found))
	}
	names := optionNames()
	for _, m := range found {
		name := m[1]
		n := 0
		for _, known := range names {
			if known == name {
				n++
			}
		}
		if want := !slices.Contains(commandLine, name); (n == 1) != want {
			t.Errorf("option %s stands in %d groups of dnsmasqOptions; put it into one, by what it lets a document do",
				name, n)
		}
	}
	for _, g := range dnsmasqOptions {
		if g.why == "" {
			t.Errorf("no reason for %s", g.options)
		}
	}
}

// withOptions is a document with lines for dnsmasq.
func withOptions(lines ...string) *diag.Sources {
	text := "<network xmlns:d='" + dnsmasqNamespace +
		"'><name>lab</name><ip address='10.0.0.1' prefix='24'/><d:options>"
	for _, line := range lines {
		text += fmt.Sprintf("<d:option value='%s'/>", line)
	}
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(text+"</d:options></network>"))
	return src
}

// What reaches beyond the network needs permission: of the administrator for the network and the
// option, not of --lax, and however the option is spelled.
func TestDnsmasqPermission(t *testing.T) {
	one := func(name, option string) bool { return name == "lab" && option == "dhcp-script" }
	all := func(string, string) bool { return true }
	const permission, wrong = "dnsmasq-permission", "dnsmasq-option"
	for _, tt := range []struct {
		line string
		opts Options
		want diag.Code // of an error
	}{
		{"dhcp-script=/bin/true", Options{}, permission},
		{"dhcp-script=/bin/true", Options{Lax: true}, permission},
		{"dhcp-script=/bin/true", Options{AllowOption: one}, ""},
		{"dhcp-script=/bin/true", Options{AllowOption: all}, ""},
		{"dhcp-luascript=/x.lua", Options{AllowOption: one}, permission},
		{"  dhcp-script\t = /bin/true", Options{}, permission},
		{"user", Options{}, permission},
		{"user # of nobody", Options{}, permission},
		{"no-daemon", Options{}, permission},
		{`us""er=root`, Options{Lax: true}, wrong}, // dnsmasq drops the quotes
		{"--user=root", Options{Lax: true}, wrong},
		{"later-option=1", Options{Lax: true}, wrong},
		{"later-option=1", Options{AllowOption: all}, wrong},
		{"later-option=1", Options{Lax: true, AllowOption: all}, ""},
		{"#" + strings.Repeat("x", maxLine-1), Options{}, ""},
		{"#" + strings.Repeat("x", maxLine) + "user=root", Options{Lax: true}, wrong},
		{"dhcp-option=3", Options{}, ""},
		{"server=/corp.example/192.0.2.53", Options{}, ""},
		{"log-queries", Options{}, ""},
	} {
		_, list := Parse(withOptions(tt.line), tt.opts)
		var got []diag.Code
		for _, d := range list {
			if d.Severity == diag.Error {
				got = append(got, d.Code)
			}
		}
		var want []diag.Code
		if tt.want != "" {
			want = []diag.Code{tt.want}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q, lax %v (-want +got):\n%s%v", tt.line, tt.opts.Lax, diff, list)
		}
	}
}

// The options that a document of an attacker would have are refused, each at its place.
func TestDnsmasqPermissionPlaces(t *testing.T) {
	const line = "<d:option value='%s'/>"
	for _, option := range []string{
		"dhcp-script=/bin/true", "dhcp-luascript=/x", "conf-file=/etc/hostname", "conf-dir=/etc", "conf-script=/x",
		"addn-hosts=/etc/hostname",
		"hostsdir=/etc", "servers-file=/etc/hostname", "resolv-file=/etc/shadow", "dhcp-hostsfile=/etc/hostname",
		"dhcp-optsfile=/etc/x",
		"log-facility=/x.log", "dumpfile=/x", "dhcp-leasefile=/x", "pid-file=/x", "user=root", "group=root",
		"dhcp-scriptuser=root",
		"interface=eth0", "listen-address=198.51.100.1", "dhcp-relay=10.44.0.1,198.51.100.2", "auth-server=x.test,eth0",
		"enable-dbus",
		"port=5353", "no-daemon", "keep-in-foreground", "enable-tftp", "tftp-root=/", "read-ethers", "ipset=/x/y",
		"nftset=/x/y",
		"bridge-interface=eth0,x", "interface-name=x,eth0",
	} {
		src := withOptions("log-dhcp", option)
		_, list := Parse(src, Options{})
		text := string(src.Text("lab.xml"))
		at := strings.Index(text, fmt.Sprintf(line, option)) + strings.Index(line, "%")
		if len(list) != 1 || list[0].Code != "dnsmasq-permission" || list[0].Span.Start.Offset != at ||
			!strings.Contains(list[0].What, strings.SplitN(option, "=", 2)[0]) {
			t.Errorf("%s: want one error at byte %d\n%v", option, at, list)
		}
	}
}

// A line that is longer than dnsmasq reads continues as another.
func TestDnsmasqLongLines(t *testing.T) {
	long := strings.Repeat("a", maxText+1)
	for _, body := range []string{
		"<dns><txt name='x' value='" + long + "'/></dns>", "<dns><txt name='" + long + "' value='x'/></dns>",
		"<ip address='10.0.0.1' prefix='24'><tftp root='/" + long + "'/></ip>",
		"<ip address='10.0.0.1' prefix='24'><dhcp><host name='a' ip='10.0.0.9'/><bootp file='" + long +
			"'/></dhcp></ip>",
	} {
		src := &diag.Sources{}
		src.Add("lab.xml", []byte("<network><name>lab</name>"+body+"</network>"))
		if _, list := Parse(src, Options{}); list.Count(diag.Error) != 1 {
			t.Errorf("%.60s...: %v", body, list)
		}
	}
}

func TestTFTPFolders(t *testing.T) {
	for root, want := range map[string]bool{
		"/": true, "/etc": true, "/etc/": true, "/srv/../etc": true, "/root/x": true, "/home/ann": true,
		"/home/ann/boot": false, "/proc/1": true, "/var/lib": true,
		"/srv/tftp": false, "/var/lib/tftpboot": false, "/tftpboot": false, "/etcetera": false,
		"/usr/share/netboot": false,
	} {
		src := &diag.Sources{}
		src.Add("lab.xml", []byte("<network><name>lab</name><ip address='10.0.0.1' prefix='24'><tftp root='"+root+
			"'/></ip></network>"))
		_, list := Parse(src, Options{})
		if got := len(list) == 1 && list[0].Code == "tftp-exposed" && list[0].Severity == diag.Warning; got != want ||
			len(list) > 1 {
			t.Errorf("%s: warned %v, want %v\n%v", root, got, want, list)
		}
	}
}
