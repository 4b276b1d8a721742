package diag

// forwardCodes are about <forward> and its devices.
func forwardCodes() []Info {
	return []Info{
		{"forward-ip-missing", "nothing to forward",
			"The modes nat and route forward the traffic of the network's subnets. Libvirt refuses such a network " +
				"without an <ip>.",
			lab(anyNAT), lab(anyNAT, anyIP)},
		{"forward-dev-many", "more than one way out",
			"The traffic of a network of mode nat or route is confined to one device, or to none, which leaves the " +
				"choice to routing.",
			lab("<forward mode='nat'>", "  <interface dev='eth0'/>", "  <interface dev='eth1'/>", "</forward>", anyIP),
			lab("<forward mode='nat' dev='eth0'/>", anyIP)},
		{"forward-dev-mismatch", "dev is not the first interface",
			"The attribute dev is short for the first <interface>. If both are given, they must name the same " +
				"device.",
			lab("<forward mode='bridge' dev='eth0'>", "  <interface dev='eth1'/>", "</forward>"),
			lab("<forward mode='bridge'>", "  <interface dev='eth1'/>", "</forward>")},
		{"forward-dev-self", "a network that forwards to its own bridge",
			"dev is the only way out of the network, so all traffic that leaves by another device is refused.",
			lab("<forward mode='nat' dev='virbr7'/>", "<bridge name='virbr7'/>", anyIP),
			lab("<forward mode='nat' dev='eth0'/>", "<bridge name='virbr7'/>", anyIP)},
		{"forward-dev-twice", "a device given twice",
			"Guests are distributed over the devices of a network, and each device is listed once.",
			lab("<forward mode='private'>", "  <interface dev='eth0'/>", "  <interface dev='eth0'/>", "</forward>"),
			lab("<forward mode='private'>", "  <interface dev='eth0'/>", "  <interface dev='eth1'/>", "</forward>")},
		{"forward-dev-missing", "no device for guests",
			"In the modes bridge, private, vepa, passthrough and hostdev guests are put on a bridge or device of the " +
				"host. Libvirt accepts a network that names none, on which no guest can start.",
			lab("<forward mode='private'/>"), lab("<forward mode='private' dev='eth0'/>")},
		{"forward-mixed", "devices of different kinds",
			"A network's devices are interfaces, or PCI addresses, or the functions of one card (<pf>). Beside " +
				"<pf> only its own functions may be listed, as libvirt does in the XML of a running network; " +
				"<pf> then decides.",
			lab("<forward mode='passthrough' dev='eth1'>", "  <pf dev='eth0'/>", "</forward>"),
			lab("<forward mode='passthrough'>", "  <pf dev='eth0'/>", "</forward>")},
		{"forward-pci", "not the PCI address of a card",
			"A PCI address has a domain, a bus, a slot and a function. All zeros is the host bridge, which is " +
				"not a card.",
			lab("<forward mode='hostdev'>", "  <address type='pci' function='0x1'/>", "</forward>"),
			lab("<forward mode='hostdev'>",
				"  <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x1'/>", "</forward>")},
		{"forward-bridge", "a bridge and devices",
			"In mode bridge guests are put on a bridge of the host, which <bridge> names, or by macvtap on a " +
				"device, which <forward> names. Libvirt refuses both at once.",
			lab("<forward mode='bridge' dev='eth0'/>", "<bridge name='br0'/>"),
			lab("<forward mode='bridge'/>", "<bridge name='br0'/>")},
	}
}

// natCodes are about <nat>.
func natCodes() []Info {
	nat := func(lines ...string) string {
		all := append([]string{"<forward mode='nat'>"}, indented2(lines)...)
		return lab(append(all, "</forward>", anyIP)...)
	}
	ports := nat("<nat><port start='1024' end='65535'/></nat>")
	addressed := func(ip, from, to string) []string {
		return []string{"<forward mode='nat'>", "  <nat><address start='" + from + "' end='" + to + "'/></nat>",
			"</forward>", ip}
	}
	// the addresses are those of a third network, so that they are known
	const third = "-- c.xml --\n<network>\n  <name>c</name>\n  <ip address='203.0.113.1' prefix='24'/>\n</network>\n"
	return []Info{
		{"nat-address-order", "not a range of addresses",
			"A range holds the addresses from start up to end. Libvirt takes ranges in which the first two numbers " +
				"of both are the same, so at most 65536 addresses.",
			nat("<nat><address start='203.0.113.20' end='203.0.113.10'/></nat>"),
			pair(addressed(anyIP, "203.0.113.10", "203.0.113.20"),
				[]string{"<ip address='203.0.113.1' prefix='24'/>"})},
		{"nat-address-unknown", "addresses that none of the networks has",
			"Guests' packets leave with these source addresses, and answers come back only if the host has them " +
				"or the network outside routes them to it. Neither libvirt nor vnetc gives them to the host. " +
				"vnetc does not look at the host's own subnets here, so this is a reminder.",
			nat("<nat><address start='203.0.113.10' end='203.0.113.20'/></nat>"), ports},
		{"nat-address-twice", "two networks share addresses of NAT",
			"It works, but guests of both networks look the same from outside and use up the same ports.",
			pair(addressed(anyIP, "203.0.113.10", "203.0.113.20"),
				addressed(otherIP, "203.0.113.15", "203.0.113.30")) + third,
			pair(addressed(anyIP, "203.0.113.10", "203.0.113.20"),
				addressed(otherIP, "203.0.113.21", "203.0.113.30")) + third},
		{"nat-port-order", "not a range of ports",
			"A range holds the ports from start up to end. A range of one port is defined by libvirt and then can't " +
				"be started.",
			nat("<nat><port start='2000' end='1024'/></nat>"), ports},
		{"nat-port-low", "guests get ports that servers trust",
			"Servers such as NFS believe that a client whose source port is below 1024 is run by root. Guests behind " +
				"NAT should never get such a port.",
			nat("<nat><port start='500' end='1000'/></nat>"), ports},
		{"nat-unused", "NAT of addresses that no guest has",
			"NAT of IPv6 concerns guests of an IPv6 subnet, and the range of addresses those of an IPv4 subnet. The " +
				"network has none.",
			nat("<nat ipv6='yes'/>"), lab("<forward mode='nat'>", "  <nat ipv6='yes'/>", "</forward>", sixIP)},
	}
}

// indented2 indents lines within their element.
func indented2(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = "  " + line
	}
	return out
}
