package netxml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// One line a document: what is in <network> beside its name, and the places and codes of its
// diagnostics. P and V are the rows of libvirt's own refusals, U what it accepts and a careful tool
// doesn't.
func TestCheck(t *testing.T) {
	const (
		ip    = "<ip address='10.0.0.1' prefix='24'/>"
		nat   = "<forward mode='nat'/>"
		br    = "<forward mode='bridge'/><bridge name='br0'/>"
		ovs   = br + "<virtualport type='openvswitch'/>"
		eight = "<forward mode='private' dev='eth0'/>"
	)
	dhcp := func(s string) string { return "<ip address='10.0.0.1' prefix='24'><dhcp>" + s + "</dhcp></ip>" }
	dhcp6 := func(s string) string {
		return "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp>" + s + "</dhcp></ip>"
	}
	natted := func(s string) string { return "<forward mode='nat'><nat>" + s + "</nat></forward>" + ip }
	pci := "<forward mode='hostdev'><address type='pci' bus='1' slot='0x10' function='0x0'/>"
	tftp := func(root string) string { return "<ip address='10.0.0.1' prefix='24'><tftp root='" + root + "'/></ip>" }
	ip1 := func(s string) string { return strings.Replace(s, "10.0.0.1", "10.0.1.1", 1) }
	ip2 := func(s string) string { return strings.Replace(s, "10.0.0.1", "10.0.2.1", 1) }
	ip3 := func(s string) string { return strings.Replace(s, "10.0.0.1", "10.0.3.1", 1) }
	for _, tt := range []struct{ name, body, want string }{
		{"P2", "<uuid>fish</uuid>", "uuid-format"},
		{"P2 without dashes", "<uuid>8ab54f6f3b5e4d7c8ec2a4a7d1c4f2b6</uuid>", ""},
		{"P2 misplaced dashes", "<uuid>8ab54f6f3-b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>", "uuid-format"},
		{"P3 two nat", "<forward mode='nat'><nat/><nat/></forward>" + ip, "element-twice"},
		{"P3 two nat addresses",
			natted("<address start='10.0.0.9' end='10.0.0.9'/><address start='10.0.0.9' end='10.0.0.9'/>"),
			"element-twice"},
		{"P3 two inbound", "<bandwidth><inbound average='1'/><inbound average='2'/></bandwidth>", "element-twice"},
		{"P3 two forward", nat + nat + ip, "element-twice"},
		{"P4 route without ip", "<forward mode='route'/>", "forward-ip-missing"},
		{"P4 two devices", "<forward mode='route'><interface dev='a'/><interface dev='b'/></forward>" + ip,
			"forward-dev-many"},
		{"P5", "<forward mode='open' dev='eth0'/>", "mode-element"},
		{"P5 interface", "<forward mode='open'><interface dev='eth0'/></forward>", "mode-element"},
		{"open without ip", "<forward mode='open'/>", ""},
		{"P6 bridge name", eight + "<bridge name='br0'/>", "mode-element"},
		{"P6 table", pci + "</forward><bridge macTableManager='libvirt'/>", "mode-element"},
		{"P7 delay", br + "<port isolated='yes'/>", ""},
		{"P7 stp and zone", "<forward mode='bridge'/><bridge name='br0' stp='off' zone='x'/>",
			"mode-element mode-element"},
		{"P8", "<forward mode='bridge'><pf dev='eth0'/></forward><bridge name='br0'/>", "forward-bridge"},
		{"P9", br + "<mtu size='1500'/>", "mode-element"},
		{"P10 nat in open", "<forward mode='open'><nat/></forward>", "mode-element"},
		{"P10 address order", natted("<address start='10.0.0.9' end='10.0.0.8'/>"), "nat-address-order"},
		{"P10 address span", natted("<address start='10.0.0.9' end='10.1.0.8'/>"), "nat-address-order"},
		{"P10 address IPv6", natted("<address start='fd00::1' end='fd00::2'/>"), "ip-family ip-family"},
		{"P10 address multicast", natted("<address start='224.0.0.5' end='224.0.0.9'/>"),
			"ip-unusable nat-address-unknown"},
		{"P10 port equal", natted("<port start='2000' end='2000'/>"), "nat-port-order"},
		{"P10 port reversed", natted("<port start='2000' end='1999'/>"), "nat-port-order"},
		{"P10 port text", natted("<port start='a' end='2000'/>"), "value-number"},
		{"P11 address beside pf", pci + "<pf dev='eth0'/></forward>", ""},
		{"P11 interface beside pf",
			"<forward mode='vepa'><pf dev='eth0'/><interface dev='eth1' connections='1'/><interface dev='eth2'/></forward>", ""},
		{"P11 pf behind interface", "<forward mode='bridge'><interface dev='eth1'/><pf dev='eth0'/></forward>", ""},
		{"P11 interface twice beside pf",
			"<forward mode='vepa'><pf dev='eth0'/><interface dev='eth1'/><interface dev='eth1'/></forward>",
			"forward-dev-twice"},
		{"P11 dev beside pf", "<forward mode='vepa' dev='eth0'><pf dev='eth0'/></forward>", "forward-mixed"},
		{"P11 dev and interface beside pf",
			"<forward mode='vepa' dev='eth1'><interface dev='eth1'/><pf dev='eth0'/></forward>", "forward-mixed"},
		{"P11 no PCI", "<forward mode='hostdev'><address type='drive'/></forward>", "value-unknown"},
		{"P11 twice", pci + "<address type='pci' bus='0x01' slot='16' function='0'/></forward>", "forward-dev-twice"},
		{"P11 dev and first", "<forward mode='nat' dev='a'><interface dev='b'/></forward>" + ip,
			"forward-dev-mismatch"},
		{"U dev is the bridge", "<forward mode='route'><interface dev='vb0'/></forward><bridge name='vb0'/>" + ip,
			"forward-dev-self"},
		{"U dev is not the bridge to choose", "<forward dev='virbr0'/>" + ip, ""},
		{"P12 family", "<ip family='ipv6' address='10.0.0.1' prefix='24'/>", "ip-family"},
		{"P12 netmask IPv6", "<ip family='ipv6' address='fd00::1' netmask='255.0.0.0'/>", "ip-netmask"},
		{"P12 prefix 33", "<ip address='10.0.0.1' prefix='33'/>", "ip-prefix"},
		{"P12 prefix 129", "<ip family='ipv6' address='fd00::1' prefix='129'/>", "value-number"},
		{"P12 prefix negative", "<ip address='10.0.0.1' prefix='-1'/>", "value-number"},
		{"P12 prefix empty", "<ip address='10.0.0.1' prefix=''/>", "value-number"},
		{"P12 mask of zeros", "<ip address='10.0.0.1' netmask='0.0.0.0'/>", "ip-prefix-zero"},
		{"P13 tftp", "<ip address='10.0.0.1' prefix='24'><tftp/></ip>", "attribute-missing"},
		{"P13 bootp server name", dhcp("<range start='10.0.0.2' end='10.0.0.9'/><bootp file='x' server='boot'/>"),
			"ip-address"},
		{"P13 range outside below", dhcp("<range start='9.0.0.2' end='10.0.0.9'/>"), "dhcp-range-outside"},
		{"P13 range of the other family", dhcp("<range start='fd00::2' end='fd00::9'/>"), "dhcp-range-outside"},
		{"P13 range from the network", dhcp("<range start='10.0.0.0' end='10.0.0.9'/>"), "dhcp-range-edge"},
		{"P13 IPv6 range too large", dhcp6("<range start='fd00::2' end='fd00::1:2'/>"), "dhcp-range-size"},
		{"P13 IPv6 range", dhcp6("<range start='fd00::2' end='fd00::ffff'/>"), ""},
		{"P13 IPv6 prefix 63",
			"<ip family='ipv6' address='fd00::1' prefix='63'><dhcp><host name='a' ip='fd00::5'/></dhcp></ip>",
			"dhcp-prefix"},
		{"P13 IPv6 prefix 63 without DHCP", "<ip family='ipv6' address='fd00::1' prefix='63'><dhcp/></ip>", ""},
		{"P13 IPv6 prefix 65",
			"<ip family='ipv6' address='fd00::1' prefix='65'><dhcp><host name='a' ip='fd00::5'/></dhcp></ip>", ""},
		{"P13 host id in IPv4", dhcp("<host id='0:1:2:3' name='a' ip='10.0.0.5'/>"), "dhcp-host-key"},
		{"P13 host without key in IPv6", dhcp6("<host ip='fd00::5'/>"), "dhcp-host-key"},
		{"P13 host name begins", dhcp("<host name='_a' ip='10.0.0.5'/>"), "dhcp-host-name"},
		{"P13 lease", dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='119' unit='seconds'/></range>"),
			"dhcp-lease"},
		{"P13 lease of 120 s",
			dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='120' unit='seconds'/></range>"), ""},
		{"P13 lease too long", dhcp("<host name='a' ip='10.0.0.2'><lease expiry='1193047' unit='hours'/></host>"),
			"dhcp-lease"},
		{"host address at the edge of a range", dhcp("<range start='10.0.0.1' end='10.0.0.254'/>") +
			"<ip address='10.0.1.254' prefix='24'><dhcp/></ip>", ""},
		{"host address ends a range",
			"<ip address='10.0.0.254' prefix='24'><dhcp><range start='10.0.0.1' end='10.0.0.254'/></dhcp></ip>", ""},
		{"host address in a range",
			"<ip address='10.0.0.9' prefix='24'><dhcp><range start='10.0.0.1' end='10.0.0.254'/></dhcp></ip>",
			"dhcp-range-gateway"},
		{"lease with a leading zero", dhcp("<host name='a' ip='10.0.0.2'><lease expiry='030'/></host>"),
			"value-number"},
		{"lease 00", dhcp("<host name='a' ip='10.0.0.2'><lease expiry='00'/></host>"), "value-number"},
		{"name of two hosts with DUIDs",
			dhcp6("<host id='0:1:2' name='a' ip='fd00::2'/><host id='0:1:3' name='a' ip='fd00::3'/>"),
			"dhcp-host-twice"},
		{"register in no managed network", br + "<domain name='a' register='yes'/>", "mode-element"},
		{"register and localOnly", "<domain name='a' localOnly='yes' register='yes'/>", ""},
		{"register and a bad localOnly", "<domain name='a' localOnly='true' register='yes'/>", "value-unknown"},
		{"no register", "<domain name='a' register='no'/>", ""},
		{"stp in capitals", "<bridge stp='ON'/>", "value-unknown"},
		{"stp off in capitals", "<bridge stp='OFF'/>", "value-unknown"},
		{"stp empty", "<bridge stp=''/>", "value-unknown"},
		{"dnsmasq options twice", "<d:options xmlns:d='" + dnsmasqNamespace +
			"'><d:option value='log-dhcp'/></d:options><d:options xmlns:d='" + dnsmasqNamespace +
			"'><d:option value='no-hosts'/></d:options>", ""},
		{"TFTP of the host's own files", tftp("/") + ip1(tftp("/etc/")) + ip2(tftp("/var")),
			"tftp-exposed tftp-exposed tftp-exposed"},
		{"TFTP of a user's files", tftp("/home/me") + ip1(tftp("/home")) + ip2(tftp("/root/x")),
			"tftp-exposed tftp-exposed tftp-exposed"},
		{"TFTP out of where it seems to be", tftp("/srv/tftp/../../etc/ssl"), "tftp-exposed"},
		{"TFTP of folders for it", tftp("/srv/tftp") + ip1(tftp("/var/lib/tftpboot")) + ip2(tftp("/home/me/tftp")) +
			ip3(tftp("/etcetera")), ""},
		{"P14 txt name", "<dns><txt name='a b' value='x'/></dns>", "dns-txt-name"},
		{"P14 txt name of two words",
			"<dns><txt name='a,b' value='x'/><txt name='#a' value='x'/><txt name='a&quot;' value='x'/><txt name='é' value='x'/></dns>", "dns-txt-name dns-txt-name dns-txt-name dns-txt-name"},
		{"P14 txt names",
			ip + "<dns><txt name='*.a' value='x'/><txt name='a+b' value='x'/><txt name=\"o'a\" value='x'/></dns>", ""},
		{"P14 txt without value", "<dns><txt name='a'/></dns>", "attribute-missing"},
		{"P14 srv priority", "<dns><srv service='a' protocol='tcp' priority='1'/></dns>", "dns-srv-target"},
		{"P14 srv port 0", "<dns><srv service='a' protocol='tcp' target='b' port='0'/></dns>", "value-number"},
		{"P14 forwarder", "<dns><forwarder addr='dns.example'/></dns>", "ip-address"},
		{"P14 forwarder port", "<dns><forwarder domain='a.example' port='53'/></dns>", "dns-forwarder"},
		{"P14 host ip", "<dns><host ip='printer'><hostname>a</hostname></host></dns>", "ip-address"},
		{"P15 metric", ip + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.2' metric='0'/>", "value-number"},
		{"P15 family", ip + "<route address='fd09::' prefix='16' gateway='10.0.0.2'/>", "ip-family"},
		{"P15 gateway of the other family", ip + "<route address='10.9.0.0' prefix='16' gateway='fd00::2'/>",
			"ip-family"},
		{"P15 gateway is the host", ip + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.1'/>", "route-gateway"},
		{"P15 host bits of the class", ip + "<route address='10.9.0.0' gateway='10.0.0.2'/>", "route-host-bits"},
		{"P15 default", ip + "<route address='0.0.0.0' gateway='10.0.0.2'/>", "route-default"},
		{"P11 octal", "<forward mode='hostdev'><address type='pci' bus='010'/></forward>", "value-number"},
		{"P10 hexadecimal port", natted("<port start='0x400' end='2000'/>"), "value-number"},
		{"P16 tag", br + "<vlan><tag/></vlan>", "attribute-missing"},
		{"P16 trunk no", br + "<vlan trunk='No'><tag id='1'/><tag id='2'/></vlan>", "vlan-trunk"},
		{"P16 trunk no and native", br + "<vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>", "vlan-trunk"},
		{"P16 virtualport without type", br + "<virtualport/>", "attribute-missing"},
		{"P16 port group before a virtualport without type", br +
			"<portgroup name='a'><virtualport/></portgroup><virtualport/>", "attribute-missing"},
		{"P16 bandwidth text", "<bandwidth><inbound average='fast'/></bandwidth>", "value-number"},
		{"P17", "<mac address='ff:ff:ff:ff:ff:ff'/>", "mac-multicast"},
		{"V1 mac", br + "<mac address='52:54:00:00:00:01'/>", "mode-element"},
		{"V1 domain", eight + "<domain name='a'/>", "mode-element"},
		{"V1 dns", eight + "<dns><txt name='a' value='b'/><forwarder addr='9.9.9.9'/></dns>",
			"mode-element mode-unused"},
		{"V1 route", eight + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.2'/>", "mode-element"},
		{"V2", eight + "<bandwidth><inbound average='1'/></bandwidth>", "mode-element"},
		{"V2 port group", eight + "<portgroup name='a'><bandwidth><inbound average='1'/></bandwidth></portgroup>",
			"mode-element"},
		{"V2 bridge", br + "<bandwidth><inbound average='1'/></bandwidth>", ""},
		{"V3 address", "<forward mode='passthrough'><address type='pci' bus='1'/></forward>", "mode-element"},
		{"V3 interface", "<forward mode='hostdev'><interface dev='eth0'/></forward>", "mode-element"},
		{"V3 dev", "<forward mode='hostdev' dev='eth0'/>", "mode-element"},
		{"V4", dhcp("<host name='a' ip='10.0.0.5'/>") +
			"<ip address='10.0.1.1' prefix='24'><dhcp><host name='a' ip='10.0.1.5'/></dhcp></ip>", "dhcp-twice"},
		{"V4 beside a subnet of IPv6 with DHCP", dhcp6("<host name='a' ip='fd00::5'/>") +
			"<ip family='ipv6' address='fd01::1' prefix='64'/><ip family='ipv6' address='fe80::1' prefix='64'/>" + ip,
			"ip-unadvertised"},
		{"V4 beside a subnet of IPv4 with DHCP", dhcp("<host name='a' ip='10.0.0.5'/>") +
			"<ip family='ipv6' address='fd01::1' prefix='64'/><ip address='10.0.1.1' prefix='24'/>", ""},
		{"V4 both families", dhcp("<host name='a' ip='10.0.0.5'/>") + dhcp6("<host name='a' ip='fd00::5'/>"), ""},
		{"V5", nat + ip + "<portgroup name='a'><vlan><tag id='1'/></vlan></portgroup>", "vlan-mode"},
		{"V5 default", nat + ip + "<vlan><tag id='1'/></vlan><portgroup name='a' default='yes'/>", "vlan-mode"},
		{"V5 passthrough", "<forward mode='passthrough' dev='eth0'/><vlan><tag id='1'/></vlan>", ""},
		{"V5 trunk of a function", "<forward mode='passthrough' dev='eth0'/><vlan trunk='yes'><tag id='1'/></vlan>",
			"vlan-single"},
		{"V5 native VLAN of a function", pci + "</forward><vlan><tag id='1' nativeMode='untagged'/></vlan>",
			"vlan-single"},
		{"V5 one VLAN of a function", pci + "</forward><vlan trunk='no'><tag id='1'/></vlan>", ""},
		{"V5 private", eight + "<vlan><tag id='1'/></vlan>", "vlan-mode"},
		{"V6", br + "<portgroup name='a'/><portgroup name='a'/>", "portgroup-twice"},
		{"V7", nat + ip + "<portgroup name='a'><virtualport type='802.1Qbh'/></portgroup>", "virtualport-mode"},
		{"V7 type of the network",
			ovs + "<portgroup name='a'><virtualport><parameters profileid='b'/></virtualport></portgroup>", ""},
		{"V7 type of nobody",
			eight + "<portgroup name='a'><virtualport><parameters profileid='b'/></virtualport></portgroup>", ""},
		{"V7 type of the network, another parameter",
			ovs + "<portgroup name='a'><virtualport><parameters managerid='1'/></virtualport></portgroup>",
			"virtualport-parameter"},
		{"V7 no type, no mode", nat + ip + "<portgroup name='a'><virtualport/></portgroup>", "virtualport-mode"},
		{"V8", "<bandwidth classID='3'><inbound average='1'/></bandwidth>", "bandwidth-floor"},
		{"V8 floor", "<bandwidth><inbound floor='1'/></bandwidth>", "bandwidth-floor"},
		{"U octal", "<ip address='10.020.0.1' prefix='24'/>", "ip-leading-zero"},
		{"U class E without prefix", "<ip address='240.0.0.1'/>", "ip-prefix"},
		{"U zone", "<ip family='ipv6' address='fe80::1%eth0' prefix='64'/>", "ip-address"},
		{"U link-local", "<ip family='ipv6' address='fe80::1' prefix='64'/>", ""},
		{"U multicast", "<ip address='224.0.0.1' prefix='24'/>", "ip-unusable"},
		{"U prefix 31", "<ip address='10.0.0.0' prefix='31'/>", ""},
		{"U prefix 32", "<ip address='10.0.0.1' prefix='32'/>", ""},
		{"U IPv6 router anycast", "<ip family='ipv6' address='fd00::' prefix='64'/>", "ip-unusable"},
		{"U host is the bridge", dhcp("<host name='a' ip='10.0.0.1'/>"), "dhcp-host-outside"},
		{"U host name twice", dhcp("<host name='a' ip='10.0.0.5'/><host name='A' ip='10.0.0.6'/>"), "dhcp-host-twice"},
		{"U MAC twice in another spelling",
			dhcp("<host mac='52:54:0:0:0:a' ip='10.0.0.5'/><host mac='52:54:00:00:00:0A' ip='10.0.0.6'/>"),
			"dhcp-host-twice"},
		{"U hostname with newline", "<dns><host ip='10.0.0.7'><hostname>a&#10;b</hostname></host></dns>", "dns-name"},
		{"U forward none with dev", "<forward mode='none' dev='eth0'/>", "mode-element"},
		{"U forward none", "<forward mode='none'/>", ""},
		{"U long bridge", "<bridge name='sixteenbyteslong'/>", "bridge-name"},
		{"U bridge lo", "<bridge name='lo'/>", "bridge-name"},
		{"U bridge dots", "<bridge name='..'/>", "bridge-name"},
		{"U bridge all", "<bridge name='all'/>", "bridge-name"},
		{"U bridge default", "<bridge name='default'/>", "bridge-name"},
		{"U bridge dash", "<bridge name='-i'/>", "bridge-name"},
		{"U bridge blank", "<bridge name='vb 0'/>", "bridge-name"},
		{"U bridge two patterns", "<bridge name='virbr%d%d'/>", "bridge-pattern"},
		{"U bridge percent", "<bridge name='virbr%s'/>", "bridge-pattern"},
		{"U stp", "<bridge stp='maybe'/>", "value-unknown"},
		{"U delay", "<bridge delay='31'/>", "value-number"},
		{"U MTU too large", "<mtu size='65536'/>", "mtu-size"},
		{"U MAC zero", "<mac address='0:0:0:0:0:0'/>", "mac-zero"},
		{"U srv wildcard", "<dns><srv service='*' protocol='tcp'/></dns>", "dns-srv-service"},
		{"U dnsmasq", "<d:options xmlns:d='" + dnsmasqNamespace +
			"'><d:option value='dhcp-optoin=3'/><d:option value=''/></d:options>", "dnsmasq-option dnsmasq-option"},
		{"U other namespace", "<d:options xmlns:d='http://example.org/'><d:option value='x'/></d:options>",
			"element-unknown"},
		{"title of one line", "<title>a\tb \U0001F469\u200d\U0001F4BB</title>", ""},
		{"title of two lines", "<title>a\nb</title>", "value-control"},
		{"U metadata", "<metadata><a xmlns='urn:a'><b/>text</a></metadata>", ""},
		{"one cause, one complaint",
			"<forward mode='nta'/><bridge name='a b'/><ip address='x'/><route address='10.9.0.0' prefix='16' gateway='10.0.0.2'/>",
			"value-unknown bridge-name ip-address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &diag.Sources{}
			src.Add("lab.xml", []byte("<network><name>lab</name>"+tt.body+"</network>"))
			networks, list := Parse(src, Options{})
			got := make([]string, 0, len(list))
			for _, code := range codesOf(list) {
				got = append(got, string(code))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, list)
			}
			if !list.HasErrors() {
				Lower(networks)
			}
		})
	}
}

// With --lax what the schema doesn't know draws warnings and has no effect.
func TestLax(t *testing.T) {
	src := &diag.Sources{}
	src.Add("lab.xml",
		[]byte("<network colour='red'><name>lab</name><firewall><ip address='x'/></firewall>text<bridge nmae='a b'/></network>"))
	networks, list := Parse(src, Options{Lax: true})
	want := []diag.Code{"attribute-unknown", "element-unknown", "text-unknown", "attribute-unknown"}
	if diff := cmp.Diff(want, codesOf(list)); diff != "" || list.HasErrors() {
		t.Fatalf("(-want +got):\n%s%v", diff, list)
	}
	if got := Lower(networks).Links[0].Bridge.Name; got != "virbr0" {
		t.Errorf("bridge %s, want virbr0", got)
	}
}

// Places are counted in characters, and every problem is reported in the order of the file.
func TestPlaces(t *testing.T) {
	text := "<network>\r\n\t<title>é</title><!-- ü --><bridge\n   name = 'vb+'\n   stp=\"x&amp;y\"/>\n  <nmae>ä</nmae>\n</network>\n"
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(text))
	_, list := Parse(src, Options{})
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprintf("%s %d:%d-%d:%d %s", d.Code, d.Span.Start.Line, d.Span.Start.Col, d.Span.End.Line,
			d.Span.End.Col,
			text[d.Span.Start.Offset:d.Span.End.Offset]))
	}
	want := []string{
		"name-missing 1:2-1:9 network",
		"bridge-name 3:12-3:15 vb+",
		"value-unknown 4:9-4:16 x&amp;y",
		"element-unknown 5:4-5:8 nmae",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
