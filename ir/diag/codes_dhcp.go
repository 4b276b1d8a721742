package diag

// served is a network whose <dhcp> has these lines.
func served(lines ...string) string {
	all := []string{"<ip address='192.168.122.1' prefix='24'>", "  <dhcp>"}
	for _, line := range lines {
		all = append(all, "    "+line)
	}
	return lab(append(all, "  </dhcp>", "</ip>")...)
}

const anyRange = "<range start='192.168.122.2' end='192.168.122.254'/>"

// dhcpCodes are about ranges, leases and boot files.
func dhcpCodes() []Info {
	good := served(anyRange)
	six := func(lines ...string) []string {
		return append(append([]string{"<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'>", "  <dhcp>"}, lines...),
			"  </dhcp>", "</ip>")
	}
	return []Info{
		{"dhcp-range-order", "a range that ends before it starts",
			"Addresses are leased upward from start to end, so such a range holds none.",
			served("<range start='192.168.122.200' end='192.168.122.10'/>"), good},
		{"dhcp-range-outside", "a range outside of its subnet",
			"Addresses are given to guests of the subnet of the <ip> around <dhcp>. Others could not be reached on " +
				"the bridge.",
			served("<range start='192.168.122.100' end='192.168.123.10'/>"), good},
		{"dhcp-range-edge", "a range with an address that no guest can have",
			"The first address of a subnet is its own, the last its broadcast address.",
			served("<range start='192.168.122.2' end='192.168.122.255'/>"), good},
		{"dhcp-range-overlap", "two ranges overlap",
			"An address can be in one range only, which gives it its lease time.",
			served("<range start='192.168.122.10' end='192.168.122.100'/>",
				"<range start='192.168.122.50' end='192.168.122.150'/>"),
			served("<range start='192.168.122.10' end='192.168.122.49'/>",
				"<range start='192.168.122.50' end='192.168.122.150'/>")},
		{"dhcp-range-size", "a range of too many addresses",
			"Libvirt takes ranges whose first two numbers are the same in IPv4, the first seven groups in IPv6: " +
				"65536 addresses at most.",
			lab("<ip address='10.0.0.1' prefix='8'>", "  <dhcp>", "    <range start='10.0.0.2' end='10.1.0.2'/>",
				"  </dhcp>", "</ip>"), good},
		{"dhcp-prefix", "DHCP in an IPv6 subnet that is too large",
			"dnsmasq gives out addresses of IPv6 subnets with a prefix of 64 or more, and does not start with another.",
			lab("<ip family='ipv6' address='fd00:1:2:3::1' prefix='48'>", "  <dhcp>",
				"    <range start='fd00:1:2:3::10' end='fd00:1:2:3::ff'/>", "  </dhcp>", "</ip>"),
			lab(six("    <range start='fd00:1:2:3::10' end='fd00:1:2:3::ff'/>")...)},
		{"dhcp-range-gateway", "a range that holds the host's own address",
			"The server never leases it, so the network works. But the range is smaller than it looks, and " +
				"another server with the same range would lease the address. A range that only begins or ends " +
				"with the address is not reported.",
			lab("<ip address='192.168.122.100' prefix='24'>", "  <dhcp>", "    "+anyRange, "  </dhcp>", "</ip>"), good},
		{"dhcp-twice", "DHCP in two subnets of one family",
			"Libvirt serves one subnet of IPv4 and one of IPv6 in a network.",
			lab("<ip address='192.168.122.1' prefix='24'>",
				"  <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>", "</ip>",
				"<ip address='192.168.123.1' prefix='24'>",
				"  <dhcp><range start='192.168.123.2' end='192.168.123.254'/></dhcp>", "</ip>"),
			lab("<ip address='192.168.122.1' prefix='24'>",
				"  <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>", "</ip>", otherIP)},
		{"dhcp-lease", "a lease that is too short or too long",
			"A lease lasts at least two minutes. 0 means forever. The unit is minutes unless the element says " +
				"otherwise.",
			served("<range start='192.168.122.2' end='192.168.122.254'>", "  <lease expiry='1'/>", "</range>"),
			served("<range start='192.168.122.2' end='192.168.122.254'>", "  <lease expiry='1' unit='hours'/>",
				"</range>")},
		{"dhcp-bootp-file", "a boot file that can't be named",
			"The file stands in a line of dnsmasq's configuration, where a comma would begin the name of a server " +
				"and a quote means something else.",
			served(anyRange, "<bootp file='pxelinux.0,evil.example'/>"),
			served(anyRange, "<bootp file='pxelinux.0'/>")},
		{"dhcp-bootp-family", "a boot file for IPv6",
			"Libvirt sends guests the boot file with their IPv4 address only, and ignores the element elsewhere.",
			lab(six("    <range start='fd00:1:2:3::100' end='fd00:1:2:3::1ff'/>",
				"    <bootp file='pxelinux.0'/>")...), served(anyRange, "<bootp file='pxelinux.0'/>")},
		{"dhcp-bootp-unused", "a boot file that no guest gets",
			"Guests get the boot file together with their address, and this <dhcp> gives no addresses.",
			served("<bootp file='pxelinux.0'/>"), served(anyRange, "<bootp file='pxelinux.0'/>")},
		{"dhcp-dns-off", "names of guests without a name server",
			"The server sends the name to the guest, and the network's name server answers other guests that " +
				"look it up. The name server is off.",
			lab("<dns enable='no'/>", "<ip address='192.168.122.1' prefix='24'>", "  <dhcp>",
				"    <host mac='52:54:00:00:00:01' name='web' ip='192.168.122.10'/>", "  </dhcp>", "</ip>"),
			lab("<dns enable='no'/>", "<ip address='192.168.122.1' prefix='24'>", "  <dhcp>",
				"    <host mac='52:54:00:00:00:01' ip='192.168.122.10'/>", "  </dhcp>", "</ip>")},
	}
}

// dhcpHostCodes are about addresses kept for guests.
func dhcpHostCodes() []Info {
	good := served("<host mac='52:54:00:00:00:01' name='web' ip='192.168.122.10'/>")
	return []Info{
		{"dhcp-host-key", "a guest that can't be recognized",
			"The server must recognize the guest: by MAC address or name in IPv4, by DUID (attribute id) or name " +
				"in IPv6.",
			served("<host ip='192.168.122.10'/>"), good},
		{"dhcp-host-id", "not a DUID",
			"A DHCPv6 client is identified by its DUID (RFC 8415): octets in hexadecimal with colons between.",
			lab("<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'>", "  <dhcp>",
				"    <host id='web' ip='fd00:1:2:3::10'/>", "  </dhcp>", "</ip>"),
			lab("<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'>", "  <dhcp>",
				"    <host id='00:03:00:01:52:54:00:00:00:01' ip='fd00:1:2:3::10'/>", "  </dhcp>", "</ip>")},
		{"dhcp-host-name", "not a name for a guest",
			"The name becomes a name in DNS and is in a line of dnsmasq's configuration, where a comma would " +
				"begin another value.",
			served("<host mac='52:54:00:00:00:01' name='web,set:x' ip='192.168.122.10'/>"), good},
		{"dhcp-host-outside", "an address that the guest can't have",
			"A guest of the subnet has an address of the subnet, which is not the host's own, nor the subnet's, nor " +
				"the broadcast address.",
			served("<host mac='52:54:00:00:00:01' name='web' ip='192.168.99.10'/>"), good},
		{"dhcp-host-twice", "a MAC, DUID, name or address given twice",
			"A guest has one address in a subnet, and an address belongs to one guest. Libvirt accepts two hosts " +
				"with one MAC, DUID or address, and dnsmasq takes one of them. Two hosts with different MACs may " +
				"share a name, as the network cards of one guest do: both get their addresses, but the name " +
				"resolves to only one of them, so this is a warning.",
			served("<host mac='52:54:00:00:00:01' ip='192.168.122.10'/>",
				"<host mac='52:54:00:00:00:02' ip='192.168.122.10'/>"),
			served("<host mac='52:54:00:00:00:01' ip='192.168.122.10'/>",
				"<host mac='52:54:00:00:00:02' ip='192.168.122.11'/>")},
	}
}
