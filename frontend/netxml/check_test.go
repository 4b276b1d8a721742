package netxml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// One line a document: what is in <network> beside its name, and the places and codes of its
// diagnostics. A name begins with what the case is about; "unsafe" marks what libvirt accepts and a
// careful tool doesn't.
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
		{"uuid", "<uuid>fish</uuid>", "uuid-format"},
		{"uuid: without dashes", "<uuid>8ab54f6f3b5e4d7c8ec2a4a7d1c4f2b6</uuid>", ""},
		{"uuid: misplaced dashes", "<uuid>8ab54f6f3-b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>", "uuid-format"},
		{"repeated: two nat", "<forward mode='nat'><nat/><nat/></forward>" + ip, "element-twice"},
		{"repeated: two nat addresses",
			natted("<address start='10.0.0.9' end='10.0.0.9'/><address start='10.0.0.9' end='10.0.0.9'/>"),
			"element-twice"},
		{"repeated: two inbound", "<bandwidth><inbound average='1'/><inbound average='2'/></bandwidth>",
			"element-twice"},
		{"repeated: two forward", nat + nat + ip, "element-twice"},
		{"forwarding: route without ip", "<forward mode='route'/>", "forward-ip-missing"},
		{"forwarding: two devices", "<forward mode='route'><interface dev='a'/><interface dev='b'/></forward>" + ip,
			"forward-dev-many"},
		{"open", "<forward mode='open' dev='eth0'/>", "mode-element"},
		{"open: interface", "<forward mode='open'><interface dev='eth0'/></forward>", "mode-element"},
		{"open without ip", "<forward mode='open'/>", ""},
		{"bridge of another mode: bridge name", eight + "<bridge name='br0'/>", "mode-element"},
		{"bridge of another mode: table", pci + "</forward><bridge macTableManager='libvirt'/>", "mode-element"},
		{"bridge attributes: delay", br + "<port isolated='yes'/>", ""},
		{"bridge attributes: stp and zone", "<forward mode='bridge'/><bridge name='br0' stp='off' zone='x'/>",
			"mode-element mode-element"},
		{"bridge and device", "<forward mode='bridge'><pf dev='eth0'/></forward><bridge name='br0'/>",
			"forward-bridge"},
		{"mtu", br + "<mtu size='1500'/>", "mode-element"},
		{"nat: nat in open", "<forward mode='open'><nat/></forward>", "mode-element"},
		{"nat: address order", natted("<address start='10.0.0.9' end='10.0.0.8'/>"), "nat-address-order"},
		{"nat: address span", natted("<address start='10.0.0.9' end='10.1.0.8'/>"), "nat-address-order"},
		{"nat: address IPv6", natted("<address start='fd00::1' end='fd00::2'/>"), "ip-family ip-family"},
		{"nat: address multicast", natted("<address start='224.0.0.5' end='224.0.0.9'/>"),
			"ip-unusable nat-address-unknown"},
		{"nat: port equal", natted("<port start='2000' end='2000'/>"), "nat-port-order"},
		{"nat: port reversed", natted("<port start='2000' end='1999'/>"), "nat-port-order"},
		{"nat: port text", natted("<port start='a' end='2000'/>"), "value-number"},
		{"devices: address beside pf", pci + "<pf dev='eth0'/></forward>", ""},
		{"devices: interface beside pf",
			"<forward mode='vepa'><pf dev='eth0'/><interface dev='eth1' connections='1'/><interface dev='eth2'/></forward>", ""},
		{"devices: pf behind interface", "<forward mode='bridge'><interface dev='eth1'/><pf dev='eth0'/></forward>",
			""},
		{"devices: interface twice beside pf",
			"<forward mode='vepa'><pf dev='eth0'/><interface dev='eth1'/><interface dev='eth1'/></forward>",
			"forward-dev-twice"},
		{"devices: dev beside pf", "<forward mode='vepa' dev='eth0'><pf dev='eth0'/></forward>", "forward-mixed"},
		{"devices: dev and interface beside pf",
			"<forward mode='vepa' dev='eth1'><interface dev='eth1'/><pf dev='eth0'/></forward>", "forward-mixed"},
		{"devices: no PCI", "<forward mode='hostdev'><address type='drive'/></forward>", "value-unknown"},
		{"devices: twice", pci + "<address type='pci' bus='0x01' slot='16' function='0'/></forward>",
			"forward-dev-twice"},
		{"devices: dev and first", "<forward mode='nat' dev='a'><interface dev='b'/></forward>" + ip,
			"forward-dev-mismatch"},
		{"unsafe: dev is the bridge", "<forward mode='route'><interface dev='vb0'/></forward><bridge name='vb0'/>" + ip,
			"forward-dev-self"},
		{"unsafe: dev is not the bridge to choose", "<forward dev='virbr0'/>" + ip, ""},
		{"ip: family", "<ip family='ipv6' address='10.0.0.1' prefix='24'/>", "ip-family"},
		{"ip: netmask IPv6", "<ip family='ipv6' address='fd00::1' netmask='255.0.0.0'/>", "ip-netmask"},
		{"ip: prefix 33", "<ip address='10.0.0.1' prefix='33'/>", "ip-prefix"},
		{"ip: prefix 129", "<ip family='ipv6' address='fd00::1' prefix='129'/>", "value-number"},
		{"ip: prefix negative", "<ip address='10.0.0.1' prefix='-1'/>", "value-number"},
		{"ip: prefix empty", "<ip address='10.0.0.1' prefix=''/>", "value-number"},
		{"ip: mask of zeros", "<ip address='10.0.0.1' netmask='0.0.0.0'/>", "ip-prefix-zero"},
		{"dhcp: tftp", "<ip address='10.0.0.1' prefix='24'><tftp/></ip>", "attribute-missing"},
		{"dhcp: bootp server name", dhcp("<range start='10.0.0.2' end='10.0.0.9'/><bootp file='x' server='boot'/>"),
			"ip-address"},
		{"dhcp: range outside below", dhcp("<range start='9.0.0.2' end='10.0.0.9'/>"), "dhcp-range-outside"},
		{"dhcp: range of the other family", dhcp("<range start='fd00::2' end='fd00::9'/>"), "dhcp-range-outside"},
		{"dhcp: range from the network", dhcp("<range start='10.0.0.0' end='10.0.0.9'/>"), "dhcp-range-edge"},
		{"dhcp: IPv6 range too large", dhcp6("<range start='fd00::2' end='fd00::1:2'/>"), "dhcp-range-size"},
		{"dhcp: IPv6 range", dhcp6("<range start='fd00::2' end='fd00::ffff'/>"), ""},
		{"dhcp: IPv6 prefix 63",
			"<ip family='ipv6' address='fd00::1' prefix='63'><dhcp><host name='a' ip='fd00::5'/></dhcp></ip>",
			"dhcp-prefix"},
		{"dhcp: IPv6 prefix 63 without DHCP", "<ip family='ipv6' address='fd00::1' prefix='63'><dhcp/></ip>", ""},
		{"dhcp: IPv6 prefix 65",
			"<ip family='ipv6' address='fd00::1' prefix='65'><dhcp><host name='a' ip='fd00::5'/></dhcp></ip>", ""},
		{"dhcp: host id in IPv4", dhcp("<host id='0:1:2:3' name='a' ip='10.0.0.5'/>"), "dhcp-host-key"},
		{"dhcp: host without key in IPv6", dhcp6("<host ip='fd00::5'/>"), "dhcp-host-key"},
		{"dhcp: host name begins", dhcp("<host name='_a' ip='10.0.0.5'/>"), "dhcp-host-name"},
		{"dhcp: lease", dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='119' unit='seconds'/></range>"),
			"dhcp-lease"},
		{"dhcp: lease of 120 s",
			dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='120' unit='seconds'/></range>"), ""},
		{"dhcp: lease too long", dhcp("<host name='a' ip='10.0.0.2'><lease expiry='1193047' unit='hours'/></host>"),
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
		{"dns: txt name", "<dns><txt name='a b' value='x'/></dns>", "dns-txt-name"},
		{"dns: txt name of two words",
			"<dns><txt name='a,b' value='x'/><txt name='#a' value='x'/><txt name='a&quot;' value='x'/><txt name='é' value='x'/></dns>", "dns-txt-name dns-txt-name dns-txt-name dns-txt-name"},
		{"dns: txt names",
			ip + "<dns><txt name='*.a' value='x'/><txt name='a+b' value='x'/><txt name=\"o'a\" value='x'/></dns>", ""},
		{"dns: txt without value", "<dns><txt name='a'/></dns>", "attribute-missing"},
		{"dns: srv priority", "<dns><srv service='a' protocol='tcp' priority='1'/></dns>", "dns-srv-target"},
		{"dns: srv port 0", "<dns><srv service='a' protocol='tcp' target='b' port='0'/></dns>", "value-number"},
		{"dns: forwarder", "<dns><forwarder addr='dns.example'/></dns>", "ip-address"},
		{"dns: forwarder port", "<dns><forwarder domain='a.example' port='53'/></dns>", "dns-forwarder"},
		{"dns: host ip", "<dns><host ip='printer'><hostname>a</hostname></host></dns>", "ip-address"},
		{"route: metric", ip + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.2' metric='0'/>", "value-number"},
		{"route: family", ip + "<route address='fd09::' prefix='16' gateway='10.0.0.2'/>", "ip-family"},
		{"route: gateway of the other family", ip + "<route address='10.9.0.0' prefix='16' gateway='fd00::2'/>",
			"ip-family"},
		{"route: gateway is the host", ip + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.1'/>",
			"route-gateway"},
		{"route: host bits of the class", ip + "<route address='10.9.0.0' gateway='10.0.0.2'/>", "route-host-bits"},
		{"route: default", ip + "<route address='0.0.0.0' gateway='10.0.0.2'/>", "route-default"},
		{"devices: octal", "<forward mode='hostdev'><address type='pci' bus='010'/></forward>", "value-number"},
		{"nat: hexadecimal port", natted("<port start='0x400' end='2000'/>"), "value-number"},
		{"port: tag", br + "<vlan><tag/></vlan>", "attribute-missing"},
		{"port: trunk no", br + "<vlan trunk='No'><tag id='1'/><tag id='2'/></vlan>", "vlan-trunk"},
		{"port: trunk no and native", br + "<vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>", "vlan-trunk"},
		{"port: virtualport without type", br + "<virtualport/>", "attribute-missing"},
		{"port: port group before a virtualport without type", br +
			"<portgroup name='a'><virtualport/></portgroup><virtualport/>", "attribute-missing"},
		{"port: bandwidth text", "<bandwidth><inbound average='fast'/></bandwidth>", "value-number"},
		{"mac", "<mac address='ff:ff:ff:ff:ff:ff'/>", "mac-multicast"},
		{"unmanaged: mac", br + "<mac address='52:54:00:00:00:01'/>", "mode-element"},
		{"unmanaged: domain", eight + "<domain name='a'/>", "mode-element"},
		{"unmanaged: dns", eight + "<dns><txt name='a' value='b'/><forwarder addr='9.9.9.9'/></dns>",
			"mode-element mode-unused"},
		{"unmanaged: route", eight + "<route address='10.9.0.0' prefix='16' gateway='10.0.0.2'/>", "mode-element"},
		{"bandwidth", eight + "<bandwidth><inbound average='1'/></bandwidth>", "mode-element"},
		{"bandwidth: port group",
			eight + "<portgroup name='a'><bandwidth><inbound average='1'/></bandwidth></portgroup>",
			"mode-element"},
		{"bandwidth: bridge", br + "<bandwidth><inbound average='1'/></bandwidth>", ""},
		{"pci: address", "<forward mode='passthrough'><address type='pci' bus='1'/></forward>", "mode-element"},
		{"pci: interface", "<forward mode='hostdev'><interface dev='eth0'/></forward>", "mode-element"},
		{"pci: dev", "<forward mode='hostdev' dev='eth0'/>", "mode-element"},
		{"two dhcp", dhcp("<host name='a' ip='10.0.0.5'/>") +
			"<ip address='10.0.1.1' prefix='24'><dhcp><host name='a' ip='10.0.1.5'/></dhcp></ip>", "dhcp-twice"},
		{"two dhcp: beside a subnet of IPv6 with DHCP", dhcp6("<host name='a' ip='fd00::5'/>") +
			"<ip family='ipv6' address='fd01::1' prefix='64'/><ip family='ipv6' address='fe80::1' prefix='64'/>" + ip,
			"ip-unadvertised"},
		{"two dhcp: beside a subnet of IPv4 with DHCP", dhcp("<host name='a' ip='10.0.0.5'/>") +
			"<ip family='ipv6' address='fd01::1' prefix='64'/><ip address='10.0.1.1' prefix='24'/>", ""},
		{"two dhcp: both families", dhcp("<host name='a' ip='10.0.0.5'/>") + dhcp6("<host name='a' ip='fd00::5'/>"),
			""},
		{"vlan", nat + ip + "<portgroup name='a'><vlan><tag id='1'/></vlan></portgroup>", "vlan-mode"},
		{"vlan: default", nat + ip + "<vlan><tag id='1'/></vlan><portgroup name='a' default='yes'/>", "vlan-mode"},
		{"vlan: passthrough", "<forward mode='passthrough' dev='eth0'/><vlan><tag id='1'/></vlan>", ""},
		{"vlan: trunk of a function", "<forward mode='passthrough' dev='eth0'/><vlan trunk='yes'><tag id='1'/></vlan>",
			"vlan-single"},
		{"vlan: native VLAN of a function", pci + "</forward><vlan><tag id='1' nativeMode='untagged'/></vlan>",
			"vlan-single"},
		{"vlan: one VLAN of a function", pci + "</forward><vlan trunk='no'><tag id='1'/></vlan>", ""},
		{"vlan: private", eight + "<vlan><tag id='1'/></vlan>", "vlan-mode"},
		{"portgroup", br + "<portgroup name='a'/><portgroup name='a'/>", "portgroup-twice"},
		{"virtualport", nat + ip + "<portgroup name='a'><virtualport type='802.1Qbh'/></portgroup>",
			"virtualport-mode"},
		{"virtualport: type of the network",
			ovs + "<portgroup name='a'><virtualport><parameters profileid='b'/></virtualport></portgroup>", ""},
		{"virtualport: type of nobody",
			eight + "<portgroup name='a'><virtualport><parameters profileid='b'/></virtualport></portgroup>", ""},
		{"virtualport: type of the network, another parameter",
			ovs + "<portgroup name='a'><virtualport><parameters managerid='1'/></virtualport></portgroup>",
			"virtualport-parameter"},
		{"virtualport: no type, no mode", nat + ip + "<portgroup name='a'><virtualport/></portgroup>",
			"virtualport-mode"},
		{"floor", "<bandwidth classID='3'><inbound average='1'/></bandwidth>", "bandwidth-floor"},
		{"floor: floor", "<bandwidth><inbound floor='1'/></bandwidth>", "bandwidth-floor"},
		{"unsafe: octal", "<ip address='10.020.0.1' prefix='24'/>", "ip-leading-zero"},
		{"unsafe: class E without prefix", "<ip address='240.0.0.1'/>", "ip-prefix"},
		{"unsafe: zone", "<ip family='ipv6' address='fe80::1%eth0' prefix='64'/>", "ip-address"},
		{"unsafe: link-local", "<ip family='ipv6' address='fe80::1' prefix='64'/>", ""},
		{"unsafe: multicast", "<ip address='224.0.0.1' prefix='24'/>", "ip-unusable"},
		{"unsafe: prefix 31", "<ip address='10.0.0.0' prefix='31'/>", ""},
		{"unsafe: prefix 32", "<ip address='10.0.0.1' prefix='32'/>", ""},
		{"unsafe: IPv6 router anycast", "<ip family='ipv6' address='fd00::' prefix='64'/>", "ip-unusable"},
		{"unsafe: host is the bridge", dhcp("<host name='a' ip='10.0.0.1'/>"), "dhcp-host-outside"},
		{"unsafe: host name twice", dhcp("<host name='a' ip='10.0.0.5'/><host name='A' ip='10.0.0.6'/>"),
			"dhcp-host-twice"},
		{"unsafe: MAC twice in another spelling",
			dhcp("<host mac='52:54:0:0:0:a' ip='10.0.0.5'/><host mac='52:54:00:00:00:0A' ip='10.0.0.6'/>"),
			"dhcp-host-twice"},
		{"unsafe: hostname with newline", "<dns><host ip='10.0.0.7'><hostname>a&#10;b</hostname></host></dns>",
			"dns-name"},
		{"unsafe: forward none with dev", "<forward mode='none' dev='eth0'/>", "mode-element"},
		{"unsafe: forward none", "<forward mode='none'/>", ""},
		{"unsafe: long bridge", "<bridge name='sixteenbyteslong'/>", "bridge-name"},
		{"unsafe: bridge lo", "<bridge name='lo'/>", "bridge-name"},
		{"unsafe: bridge dots", "<bridge name='..'/>", "bridge-name"},
		{"unsafe: bridge all", "<bridge name='all'/>", "bridge-name"},
		{"unsafe: bridge default", "<bridge name='default'/>", "bridge-name"},
		{"unsafe: bridge dash", "<bridge name='-i'/>", "bridge-name"},
		{"unsafe: bridge blank", "<bridge name='vb 0'/>", "bridge-name"},
		{"unsafe: bridge two patterns", "<bridge name='virbr%d%d'/>", "bridge-pattern"},
		{"unsafe: bridge percent", "<bridge name='virbr%s'/>", "bridge-pattern"},
		{"unsafe: stp", "<bridge stp='maybe'/>", "value-unknown"},
		{"unsafe: delay", "<bridge delay='31'/>", "value-number"},
		{"unsafe: MTU too large", "<mtu size='65536'/>", "mtu-size"},
		{"unsafe: MAC zero", "<mac address='0:0:0:0:0:0'/>", "mac-zero"},
		{"unsafe: srv wildcard", "<dns><srv service='*' protocol='tcp'/></dns>", "dns-srv-service"},
		{"unsafe: dnsmasq", "<d:options xmlns:d='" + dnsmasqNamespace +
			"'><d:option value='dhcp-optoin=3'/><d:option value=''/></d:options>", "dnsmasq-option dnsmasq-option"},
		{"unsafe: other namespace", "<d:options xmlns:d='http://example.org/'><d:option value='x'/></d:options>",
			"element-unknown"},
		{"title of one line", "<title>a\tb \U0001F469\u200d\U0001F4BB</title>", ""},
		{"title of two lines", "<title>a\nb</title>", "value-control"},
		{"unsafe: metadata", "<metadata><a xmlns='urn:a'><b/>text</a></metadata>", ""},
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
