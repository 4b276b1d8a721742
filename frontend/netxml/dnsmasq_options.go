package netxml

import "strings"

// optionGroup is options of dnsmasq for which one reason holds.
type optionGroup struct {
	permission permission
	why        string // what they do; of those that need permission as a clause, "runs a program on the host"
	options    string // behind a name, = stands for a value that must be given and [=] for one that may be
}

// permission says who may set an option.
type permission uint8

const (
	anybody permission = iota // a network's document
	admin                     // the administrator of the host, see [Options.AllowOption]
)

// dnsmasqOptions are the options of dnsmasq(8) 2.90, as it lists and tries them itself, and a few
// of later versions. What decides over more than the guests of the network itself needs permission:
// a user who may write a network's document need not be the administrator of the host.
var dnsmasqOptions = []optionGroup{
	{admin, "runs a program on the host", `conf-script= dhcp-luascript= dhcp-script= script-arp script-on-renewal`},
	{admin, "says as which user dnsmasq or its programs run", `dhcp-scriptuser= group[=] user[=]`},
	{admin, "reads options from a file that check does not see", `conf-dir= conf-file[=] servers-file=`},
	{admin, "reads a file of the host, and guests may learn what is in it", `addn-hosts= dhcp-hostsdir= dhcp-hostsfile=
		dhcp-optsdir= dhcp-optsfile= hostsdir= read-ethers resolv-file[=]`},
	{admin, "serves files of the host to guests", `enable-tftp[=] tftp-root=`},
	{admin, "writes a file on the host", `dhcp-leasefile[=] dnssec-timestamp= dumpfile= log-facility= pid-file[=]`},
	{admin, "has dnsmasq serve other devices than the network's bridge",
		`auth-server= bridge-interface= dhcp-relay= interface=
		listen-address=`},
	{admin, "gives guests the addresses of other devices", `dynamic-host= interface-name=`},
	{admin, "opens a port of the host beside those that the network's rules are about",
		`dhcp-alternate-port[=] port= query-port=`},
	{admin, "lets other programs of the host control dnsmasq", `enable-dbus[=] enable-ubus[=]`},
	{admin, "reads or changes the state of the firewall",
		`connmark-allowlist-enable[=] connmark-allowlist= conntrack ipset= nftset=`},
	{admin, "keeps dnsmasq from starting as vnetc starts it", `bind-interfaces keep-in-foreground no-daemon`},
	{admin, "has dnsmasq forget its leases, or keep none", `leasefile-ro`},

	{anybody, "answers to the guests' own questions",
		`address= alias= auth-peer= auth-sec-servers= auth-soa= auth-ttl= auth-zone=
		bogus-nxdomain= bogus-priv caa-record= cname= dns-rr= domain-needed domain-suffix= domain= expand-hosts filter-A filter-AAAA
		filter-rr= filterwin2k host-record= ignore-address= localise-queries localmx mx-host= mx-target= naptr-record= no-hosts
		no-round-robin ptr-record= selfmx srv-host= synth-domain= txt-record=`},
	{anybody, "which servers the guests' questions go to, and how: a <forwarder> does the same",
		`add-cpe-id= add-mac[=] add-subnet[=]
		all-servers dns-forward-max= dns-loop-detect do-0x20-encode edns-packet-max= fast-dns-retry[=] local= max-port= min-port=
		no-0x20-encode no-poll no-resolv port-limit= rebind-domain-ok= rebind-localhost-ok rev-server= server= stop-dns-rebind
		strict-order strip-mac strip-subnet umbrella[=]`},
	{anybody, "how long answers are remembered",
		`cache-rr= cache-size= clear-on-reload local-ttl= max-cache-ttl= max-ttl= min-cache-ttl=
		neg-ttl= no-negcache use-stale-cache[=]`},
	{anybody, "which signatures of answers are looked at", `dnssec dnssec-check-unsigned[=] dnssec-debug dnssec-limits=
		dnssec-no-timecheck proxy-dnssec trust-anchor=`},
	{anybody, "which addresses and options the guests are given",
		`bootp-dynamic[=] dhcp-authoritative dhcp-boot= dhcp-broadcast[=]
		dhcp-circuitid= dhcp-client-update dhcp-duid= dhcp-fqdn dhcp-generate-names[=] dhcp-host= dhcp-ignore-clid dhcp-ignore-names[=]
		dhcp-ignore= dhcp-lease= dhcp-lease-max= dhcp-mac= dhcp-match= dhcp-name-match= dhcp-no-override dhcp-option-force=
		dhcp-option= dhcp-proxy[=] dhcp-pxe-vendor= dhcp-range= dhcp-rapid-commit dhcp-remoteid= dhcp-reply-delay=
		dhcp-sequential-ip dhcp-subscrid= dhcp-ttl= dhcp-userclass= dhcp-vendorclass= enable-ra no-ping pxe-prompt= pxe-service=
		ra-param= shared-network= tag-if=`},
	{anybody, "what remains of the network's own services",
		`bind-dynamic except-interface= local-service[=] max-tcp-connections=
		no-dhcp-interface= no-dhcpv4-interface= no-dhcpv6-interface= no-ident`},
	{anybody, "how files are sent that <tftp> serves",
		`tftp-lowercase tftp-max= tftp-mtu= tftp-no-blocksize tftp-no-fail
		tftp-port-range= tftp-secure tftp-single-port tftp-unique-root[=]`},
	{anybody, "what is written to the host's log about the network",
		`dumpmask= log-async[=] log-debug log-dhcp log-malloc log-queries[=] quiet-dhcp
		quiet-dhcp6 quiet-ra quiet-tftp`},
}

// optionValue says whether an option of dnsmasq has a value.
type optionValue uint8

const (
	unknownOption optionValue = iota
	noValue
	mayValue
	mustValue
)

// dnsmasqOptionOf looks an option up.
func dnsmasqOptionOf(name string) (optionValue, optionGroup) {
	for _, g := range dnsmasqOptions {
		for known := range strings.FieldsSeq(g.options) {
			rest, ok := strings.CutPrefix(known, name)
			if !ok {
				continue
			}
			switch rest {
			case "":
				return noValue, g
			case "[=]":
				return mayValue, g
			case "=":
				return mustValue, g
			}
		}
	}
	return unknownOption, optionGroup{}
}

func optionNames() (names []string) {
	for _, g := range dnsmasqOptions {
		for name := range strings.FieldsSeq(g.options) {
			names = append(names, strings.TrimRight(name, "[=]"))
		}
	}
	return names
}
