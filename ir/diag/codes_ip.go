package diag

// ipCodes are about addresses and subnets.
func ipCodes() []Info {
	good := lab(anyIP)
	return []Info{
		{"ip-address", "not an IP address",
			"Addresses are numeric: host names are not looked up. Every number must be in range, and there is no zone.",
			lab("<ip address='localhost' prefix='24'/>"), good},
		{"ip-leading-zero", "an IPv4 address with leading zeros",
			"Some readers, libvirt's C library among them, take a number with a leading zero for octal, so that 010 " +
				"is 8; others take it for 10.",
			lab("<ip address='192.168.010.1' prefix='24'/>"), lab("<ip address='192.168.10.1' prefix='24'/>")},
		{"ip-family", "an address of the other family",
			"Attribute family is ipv4 unless the element says otherwise, and all addresses of the element are of " +
				"that family.",
			lab("<ip address='fd00:1:2:3::1' prefix='64'/>"), lab(sixIP)},
		{"ip-netmask", "not a netmask",
			"A netmask is an IPv4 address of ones followed by zeros. Libvirt defines a network whose mask has holes " +
				"and then can't start it.",
			lab("<ip address='192.168.122.1' netmask='255.0.255.0'/>"),
			lab("<ip address='192.168.122.1' netmask='255.255.255.0'/>")},
		{"ip-netmask-and-prefix", "both netmask and prefix",
			"Both say which part of the address is the subnet's. Give one.",
			lab("<ip address='192.168.122.1' netmask='255.255.255.0' prefix='24'/>"), good},
		{"ip-prefix", "a prefix that the address can't have",
			"A prefix is at most as long as the address: 32 bits in IPv4, 128 in IPv6. Addresses from 224.0.0.0 on " +
				"have no default.",
			lab("<ip address='192.168.122.1' prefix='64'/>"), good},
		{"ip-prefix-zero", "a prefix of zero bits",
			"A subnet of prefix 0 holds every address there is, so guests would reach nobody else. Libvirt takes 0 " +
				"for a prefix that was left out and chooses by the class of the address.",
			lab("<ip address='192.168.122.1' prefix='0'/>"), good},
		{"ip-prefix-default", "neither prefix nor netmask",
			"A prefix that is left out follows the address classes of 1981: 10.20.78.1 gets /8, a subnet of 16 " +
				"million addresses. In IPv6 it is 64. Write the prefix that is meant.",
			lab("<ip address='10.20.78.1'/>"), lab("<ip address='10.20.78.1' prefix='24'/>")},
		{"ip-unusable", "an address that no host can have",
			"The address of the subnet itself, its broadcast address, and multicast, loopback and unspecified " +
				"addresses belong to no host.",
			lab("<ip address='192.168.122.0' prefix='24'/>"), good},
		{"ip-unadvertised", "an IPv6 subnet that is not advertised to guests",
			"Router advertisements let guests choose addresses in the network's IPv6 subnets. If one of these " +
				"has DHCP, only that one is advertised. Libvirt logs a warning.",
			lab("<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'>",
				"  <dhcp><range start='fd00:1:2:3::10' end='fd00:1:2:3::ff'/></dhcp>", "</ip>",
				"<ip family='ipv6' address='fd00:1:2:4::1' prefix='64'/>"),
			lab("<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'/>",
				"<ip family='ipv6' address='fd00:1:2:4::1' prefix='64'/>")},
		{"ip-overlap", "two subnets overlap",
			"An address is in one subnet, on one bridge: otherwise the host does not know where to send packets " +
				"for it, and rules of one network match guests of another.",
			pair([]string{"<ip address='192.168.122.1' prefix='24'/>"},
				[]string{"<ip address='192.168.122.129' prefix='25'/>"}), pair([]string{anyIP}, []string{otherIP})},
		{"localptr-prefix", "a subnet without a reverse zone of its own",
			"With localPtr names are looked up by address in the reverse zone of the subnet. Zones are cut between " +
				"octets in IPv4 (prefix 8, 16, 24) and between hexadecimal digits in IPv6 (multiples of 4).",
			lab("<ip address='192.168.122.1' prefix='25' localPtr='yes'/>"),
			lab("<ip address='192.168.122.1' prefix='24' localPtr='yes'/>")},
		{"tftp-root", "a directory that can't be served",
			"The directory is in a line of dnsmasq's configuration, where a comma or a quote means something " +
				"else. It is a full path, since dnsmasq runs in a directory of its own choice.",
			lab("<ip address='192.168.122.1' prefix='24'>", "  <tftp root='srv/tftp'/>", "</ip>"),
			lab("<ip address='192.168.122.1' prefix='24'>", "  <tftp root='/srv/tftp'/>", "</ip>")},
		{"tftp-exposed", "files of the host that every guest can read",
			"TFTP has no passwords. A guest can get every file below the root that all users of the host may " +
				"read, so use a folder that contains only what guests boot from.",
			lab("<ip address='192.168.122.1' prefix='24'>", "  <tftp root='/etc'/>", "</ip>"),
			lab("<ip address='192.168.122.1' prefix='24'>", "  <tftp root='/srv/tftp'/>", "</ip>")},
		{"tftp-family", "TFTP for IPv6",
			"Libvirt serves TFTP to guests with an IPv4 address only, and ignores the element elsewhere.",
			lab("<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'>", "  <tftp root='/srv/tftp'/>", "</ip>"),
			lab("<ip address='192.168.122.1' prefix='24'>", "  <tftp root='/srv/tftp'/>", "</ip>")},
	}
}

// routeCodes are about static routes.
func routeCodes() []Info {
	const route = "<route address='10.99.0.0' prefix='16' gateway='192.168.122.2'/>"
	good := lab(anyIP, route)
	return []Info{
		{"route-gateway", "a gateway that can't be reached",
			"The gateway is a guest of the network, to which the host hands packets directly: its address is in the " +
				"subnet of an <ip>, and is not the host's own.",
			lab(anyIP, "<route address='10.99.0.0' prefix='16' gateway='10.77.0.1'/>"), good},
		{"route-host-bits", "a route to a host, with the prefix of a subnet",
			"A route leads to a subnet, whose address has zeros where the addresses of its hosts differ.",
			lab(anyIP, "<route address='10.99.1.2' prefix='16' gateway='192.168.122.2'/>"), good},
		{"route-default", "a route to everywhere",
			"Traffic of the host that has no better route would go to a guest of this network.",
			lab(anyIP, "<route address='0.0.0.0' prefix='0' gateway='192.168.122.2'/>"), good},
		{"route-twice", "two routes to one subnet",
			"The kernel takes one route to a subnet, or several of different metric. Of two networks with a route to " +
				"the same subnet libvirt starts one.",
			lab(anyIP, route, "<route address='10.99.0.0' prefix='16' gateway='192.168.122.3'/>"),
			lab(anyIP, route, "<route address='10.99.0.0' prefix='16' gateway='192.168.122.3' metric='5'/>")},
		{"route-overlap", "a route to the subnet of a network",
			"The host is on that subnet itself, with its own address on the bridge, and needs no gateway. Of two " +
				"networks that claim one subnet of IPv4 libvirt refuses to start the second; within one network " +
				"it starts, and the route conflicts with the bridge's own.",
			lab(anyIP, otherIP, "<route address='192.168.123.0' prefix='24' gateway='192.168.122.2'/>"), good},
		{"route-part", "a route to a part of another network's subnet",
			"The host would send packets for some guests of the other network to a guest of this one.",
			pair([]string{anyIP, "<route address='192.168.123.64' prefix='26' gateway='192.168.122.2'/>"},
				[]string{otherIP}),
			pair([]string{anyIP, route}, []string{otherIP})},
	}
}
