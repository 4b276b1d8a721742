package diag

// packetCodes are about packet expressions, what ir.ParsePacket reads. Bad and Good are packet
// expressions.
func packetCodes() []Info {
	return []Info{
		{
			Code:  "packet-syntax",
			Title: "a word of a packet that is not allowed there",
			Text: "A packet is written as its protocol and then, in any order: from and to with an address and " +
				"port, on and out with an interface, state, mark, and for ICMP type and code. Each of these " +
				"words is followed by one value.",
			Bad:  "tcp from 10.20.1.5 in virbr0 to 198.51.100.7:443 out eth0",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
		{
			Code:  "packet-value",
			Title: "a word of a packet that is not a value of the kind needed there",
			Text: "A packet is one packet: one address and not a network, one port, one connection state. Write " +
				"IPv6 addresses in brackets if a port follows, so that the last colon belongs to the port.",
			Bad:  "tcp from 10.20.1.0/24 on virbr0 to 198.51.100.7:443 out eth0",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
		{
			Code:  "packet-missing",
			Title: "a packet without an address or an interface",
			Text: "Rules look at both addresses. Which rules a packet meets is decided by its interfaces: with on and out it is forwarded, with " +
				"on alone it is for the host, with out alone it is from the host.",
			Bad:  "tcp from 10.20.1.5 to 198.51.100.7:443",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
		{
			Code:  "packet-twice",
			Title: "a packet with a property twice",
			Text:  "A packet has one source, one destination, one interface by which it came and one by which it leaves, one state and one mark.",
			Bad:   "udp from 10.20.1.5 on virbr0 on virbr1 to 10.20.1.1:53",
			Good:  "udp from 10.20.1.5 on virbr0 to 10.20.1.1:53",
		},
		{
			Code:  "packet-unfit",
			Title: "a packet with a property that its protocol doesn't have",
			Text:  "TCP, UDP, SCTP, DCCP and UDP-Lite have ports; ICMP and ICMPv6 have a type and a code. Other protocols have neither.",
			Bad:   "icmp from 10.20.1.5:1024 on virbr0 to 10.20.1.1",
			Good:  "icmp type echo-request from 10.20.1.5 on virbr0 to 10.20.1.1",
		},
		{
			Code:  "packet-family",
			Title: "a packet that mixes IPv4 and IPv6",
			Text: "Both addresses of a packet are of one family. Each family has its own ICMP; icmp over IPv6, " +
				"or icmpv6 over IPv4, is only a warning, since rules may match packets that no host sends.",
			Bad:  "tcp from 10.20.1.5 on virbr0 to [2001:db8::7]:443 out eth0",
			Good: "tcp from fd00:20:1::5 on virbr0 to [2001:db8::7]:443 out eth0",
		},
		{
			Code:  "packet-interface",
			Title: "a packet's interface that is not in the networks' rules",
			Text: "Rules distinguish the interfaces that they name from all others. A packet whose interfaces " +
				"are none of the networks' bridges matches none of their rules; if its interface looks like a " +
				"bridge, it is probably misspelt. Only vnetc trace reports this, because it knows the networks; " +
				"in the examples their bridge is virbr0.",
			Bad:  "tcp from 10.20.1.5 on virbr7 to 198.51.100.7:443 out eth0",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
	}
}

// verifyCodes are what vnetc verify finds. Bad and Good are networks that have nothing else to be
// said about them.
func verifyCodes() []Info {
	inside := []string{anyBridge("virbr1"), anyIP}
	routed := []string{"<forward mode='route'/>", anyBridge("virbr2"), otherIP}
	return []Info{
		{
			Code:  "verify-leak",
			Title: "guests reach another network although their own network refuses it",
			Text: "In the forward hook the rules into networks (FWI) are met before those out of networks (FWO). " +
				"A routed network accepts whatever goes to its addresses, so guests of an isolated network, or " +
				"of one that is bound to a device, can reach it although their own network would refuse. " +
				"libvirt's rules do the same. --strict-isolation closes it.",
			Bad:  pair(inside, routed),
			Good: pair(inside, []string{anyNAT, anyBridge("virbr2"), otherIP}),
		},
		{
			Code:  "verify-too-large",
			Title: "an answer that is too large for the budget",
			Text: "Every question has a budget, counted in steps of the prover, so that the answer is the same " +
				"on every machine and every command ends. An answer that is too large is neither yes nor no. " +
				"--budget 60s sets a time instead, which may be enough.",
		},
		{
			Code:  "verify-dead",
			Title: "a rule does nothing",
			Text: "No packet reaches the rule, because rules before it decide about every packet that it " +
				"matches; or those packets would have the same fate without it. Each rule is judged alone, and " +
				"as if these rules were the host's only ones. Networks that share a bridge or overlap cause such " +
				"rules.",
		},
		{
			Code:  "verify-linear",
			Title: "a rule that layout sets does not merge",
			Text: "Layout sets merges rules that differ only in values, if moving them together changes nothing. " +
				"A rule is not merged if some packet matches both it and a rule in between, or if its verdict " +
				"has values of its own, such as an address of NAT. Every packet that reaches such a rule is " +
				"compared with it.",
		},
		{
			Code:  "verify-differs",
			Title: "the rules of a back end do not mean what the networks mean",
			Text: "What a back end emits is read back and compared with the program that it was made of, for " +
				"every packet. A difference is a bug in vnetc. Do not load the rules, and report the packet that " +
				"shows it.",
		},
	}
}

func anyBridge(name string) string { return "<bridge name='" + name + "'/>" }
