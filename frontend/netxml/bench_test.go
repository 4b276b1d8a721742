package netxml

import (
	"fmt"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/ir/diag"
)

// document is a network with one of nearly everything.
const document = `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0' ipv6='yes'>
  <name>lab</name>
  <uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>
  <title>a lab</title>
  <metadata><x:k xmlns:x='urn:x-test'><x:deep a='1'/>v</x:k></metadata>
  <forward mode='nat' dev='eth0'>
    <nat ipv6='yes'>
      <address start='203.0.113.4' end='203.0.113.10'/>
      <port start='20000' end='29999'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='4' macTableManager='libvirt' zone='libvirt'/>
  <mtu size='9000'/>
  <mac address='52:54:00:aa:00:1e'/>
  <domain name='lab.example' localOnly='yes'/>
  <dns forwardPlainNames='no'>
    <forwarder addr='198.51.100.53'/>
    <forwarder domain='corp.example' addr='198.51.100.54' port='5353'/>
    <forwarder domain='open.example'/>
    <txt name='note.lab.example' value='v=x1 some text'/>
    <host ip='10.20.30.5'>
      <hostname>printer</hostname>
      <hostname>printer.lab.example</hostname>
    </host>
    <srv service='ldap' protocol='tcp' domain='lab.example' target='dir.lab.example' port='389' priority='10' weight='20'/>
  </dns>
  <bandwidth>
    <inbound average='1000' peak='5000' burst='1024'/>
    <outbound average='128'/>
  </bandwidth>
  <port isolated='yes'/>
  <ip address='10.20.30.1' netmask='255.255.255.0' localPtr='yes'>
    <tftp root='/srv/tftp'/>
    <dhcp>
      <range start='10.20.30.100' end='10.20.30.200'><lease expiry='1' unit='hours'/></range>
      <host mac='52:54:00:bb:00:01' name='h1' ip='10.20.30.201'><lease expiry='0'/></host>
      <bootp file='pxelinux.0' server='10.20.30.9'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:20:30::1' prefix='64'>
    <dhcp>
      <range start='fd00:20:30::100' end='fd00:20:30::1ff'/>
      <host id='0:3:0:1:0:16:3e:11:22:33' name='six' ip='fd00:20:30::202'/>
    </dhcp>
  </ip>
  <route address='10.130.0.0' prefix='16' gateway='10.20.30.2' metric='7'/>
  <portgroup name='one' default='yes'>
    <bandwidth><inbound average='100'/></bandwidth>
  </portgroup>
  <dnsmasq:options>
    <dnsmasq:option value='log-dhcp'/>
  </dnsmasq:options>
</network>
`

// small is libvirt's network "default".
const small = `<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
`

// BenchmarkParse is everything that Parse does for one document. It should take at most twice the
// time of BenchmarkUnmarshal, which is libvirtxml alone: no positions, no schema, no checks.
func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{"large": document, "small": small} {
		b.Run(name, func(b *testing.B) {
			src := &diag.Sources{}
			src.Add("lab.xml", []byte(text))
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, list := Parse(src, Options{}); list.HasErrors() {
					b.Fatal(list)
				}
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for name, text := range map[string]string{"large": document, "small": small} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var n libvirtxml.Network
				if err := n.Unmarshal(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// many is n networks that have nothing in common.
func many(n int) *diag.Sources {
	src := &diag.Sources{}
	for i := range n {
		src.Add(fmt.Sprintf("net%d.xml", i), fmt.Appendf(nil, `<network>
  <name>net%d</name>
  <uuid>8ab54f6f-3b5e-4d7c-8ec2-%012x</uuid>
  <forward mode='nat'/>
  <bridge name='vbr%d' stp='on' delay='0'/>
  <mac address='52:54:00:%02x:%02x:01'/>
  <ip address='10.%d.%d.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.%[6]d.%[7]d.100' end='10.%[6]d.%[7]d.200'/>
    </dhcp>
  </ip>
</network>
`, i, i+1, i, i/256, i%256, i/250, i%250))
	}
	return src
}

// BenchmarkParseMany shows that the time grows with the number of networks, and not faster.
func BenchmarkParseMany(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			src := many(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, list := Parse(src, Options{}); len(list) > 0 {
					b.Fatal(list)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/network")
		})
	}
}

func BenchmarkLower(b *testing.B) {
	networks, list := Parse(many(1000), Options{})
	if len(list) > 0 {
		b.Fatal(list)
	}
	b.ReportAllocs()
	for b.Loop() {
		Lower(networks)
	}
}
