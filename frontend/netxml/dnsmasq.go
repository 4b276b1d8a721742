package netxml

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
)

// dnsmasqOptions are the options that dnsmasq 2.90 takes in its configuration, as it lists and tries them itself, and a
// few of later versions. Behind a name, = stands for a value that must be given and [=] for one that may be.
const dnsmasqOptions = `
add-cpe-id= add-mac[=] add-subnet[=] addn-hosts= address= alias= all-servers auth-peer= auth-sec-servers=
auth-server= auth-soa= auth-ttl= auth-zone= bind-dynamic bind-interfaces bogus-nxdomain= bogus-priv
bootp-dynamic[=] bridge-interface= caa-record= cache-rr= cache-size= clear-on-reload cname= conf-dir=
conf-file[=] conf-script= connmark-allowlist-enable[=] connmark-allowlist= conntrack dhcp-alternate-port[=]
dhcp-authoritative dhcp-boot= dhcp-broadcast[=] dhcp-circuitid= dhcp-client-update dhcp-duid= dhcp-fqdn
dhcp-generate-names[=] dhcp-host= dhcp-hostsdir= dhcp-hostsfile= dhcp-ignore-clid dhcp-ignore-names[=]
dhcp-ignore= dhcp-lease= dhcp-lease-max= dhcp-leasefile[=] dhcp-luascript= dhcp-mac= dhcp-match= dhcp-name-match=
dhcp-no-override dhcp-option-force= dhcp-option= dhcp-optsdir= dhcp-optsfile= dhcp-proxy[=] dhcp-pxe-vendor=
dhcp-range= dhcp-rapid-commit dhcp-relay= dhcp-remoteid= dhcp-reply-delay= dhcp-script= dhcp-scriptuser=
dhcp-sequential-ip dhcp-subscrid= dhcp-ttl= dhcp-userclass= dhcp-vendorclass= dns-forward-max= dns-loop-detect
dns-rr= dnssec dnssec-check-unsigned[=] dnssec-debug dnssec-limits= dnssec-no-timecheck dnssec-timestamp=
do-0x20-encode domain-needed domain-suffix= domain= dumpfile= dumpmask= dynamic-host= edns-packet-max= enable-dbus[=] enable-ra
enable-tftp[=] enable-ubus[=] except-interface= expand-hosts fast-dns-retry[=] filter-A filter-AAAA filter-rr=
filterwin2k group[=] host-record= hostsdir= ignore-address= interface-name= interface= ipset= keep-in-foreground
leasefile-ro listen-address= local-service[=] local-ttl= local= localise-queries localmx log-async[=] log-debug
log-dhcp log-facility= log-malloc log-queries[=] max-cache-ttl= max-port= max-tcp-connections= max-ttl=
min-cache-ttl= min-port= mx-host= mx-target= naptr-record= neg-ttl= nftset= no-0x20-encode no-daemon
no-dhcp-interface= no-dhcpv4-interface= no-dhcpv6-interface= no-hosts no-ident no-negcache no-ping no-poll
no-resolv no-round-robin pid-file[=] port-limit= port= proxy-dnssec ptr-record= pxe-prompt= pxe-service=
query-port= quiet-dhcp quiet-dhcp6 quiet-ra quiet-tftp ra-param= read-ethers rebind-domain-ok=
rebind-localhost-ok resolv-file[=] rev-server= script-arp script-on-renewal selfmx server= servers-file=
shared-network= srv-host= stop-dns-rebind strict-order strip-mac strip-subnet synth-domain= tag-if=
tftp-lowercase tftp-max= tftp-mtu= tftp-no-blocksize tftp-no-fail tftp-port-range= tftp-root= tftp-secure
tftp-single-port tftp-unique-root[=] trust-anchor= txt-record= umbrella[=] use-stale-cache[=] user[=]
`

// optionValue says whether an option of dnsmasq has a value.
type optionValue uint8

const (
	unknownOption optionValue = iota
	noValue
	mayValue
	mustValue
)

// dnsmasqOptionOf looks an option up.
func dnsmasqOptionOf(name string) optionValue {
	for known := range strings.FieldsSeq(dnsmasqOptions) {
		rest, ok := strings.CutPrefix(known, name)
		if !ok {
			continue
		}
		switch rest {
		case "":
			return noValue
		case "[=]":
			return mayValue
		case "=":
			return mustValue
		}
	}
	return unknownOption
}

// dnsmasqLines: dnsmasq does not start with an option it doesn't know, or one whose value is missing or too much. Later
// versions may know more, so --lax lets them pass.
func (c *checker) dnsmasqLines() {
	const why = "dnsmasq would not start, and so not the network"
	for _, options := range c.net.root.All("options") {
		for _, n := range options.All("option") {
			line, ok := n.Value("value")
			if line = strings.TrimSpace(line); !ok || line == "" || line[0] == '#' {
				continue
			}
			name, value, given := strings.Cut(line, "=")
			name = strings.TrimSpace(name)
			if !given {
				name, _, _ = strings.Cut(name, " ") // a comment may follow
			}
			code, at := diag.Code("dnsmasq-option"), n.At("value")
			switch kind := dnsmasqOptionOf(name); {
			case kind == unknownOption:
				fix := "look the option up in dnsmasq(8), written without its dashes"
				if near := xmldoc.Nearest(strings.TrimLeft(name, "-"), optionNames()); near != "" {
					fix = fmt.Sprintf("did you mean %s?", near)
				}
				c.Unknown(code, at, fmt.Sprintf("dnsmasq has no option %s", xmldoc.Quote(name)), why, fix)
			case kind == mustValue && xmldoc.Blank(value):
				c.Unknown(code, at, fmt.Sprintf("option %s has no value", name), why, fmt.Sprintf("write %s=...", name))
			case kind == noValue && given:
				c.Unknown(code, at, fmt.Sprintf("option %s has a value", name), why, fmt.Sprintf("write %s alone", name))
			}
		}
	}
}

func optionNames() []string {
	names := strings.Fields(dnsmasqOptions)
	for i, name := range names {
		names[i] = strings.TrimRight(name, "[=]")
	}
	return names
}
