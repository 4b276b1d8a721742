package diag

// packetCodes are about packet expressions, what ir.ParsePacket reads. Bad and Good are packet
// expressions.
func packetCodes() []Info {
	return []Info{
		{
			Code:  "packet-syntax",
			Title: "a word of a packet can't stand where it stands",
			Text: "A packet is written as its protocol and then, in any order: from and to with an address and port, on and out with an " +
				"interface, state, mark, and for ICMP type and code. Each of these words has one value behind it.",
			Bad:  "tcp from 10.20.1.5 in virbr0 to 198.51.100.7:443 out eth0",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
		{
			Code:  "packet-value",
			Title: "a word of a packet is not of the kind that is wanted there",
			Text: "A packet is one packet: one address and not a network, one port, one connection state. IPv6 addresses stand in brackets " +
				"where a port follows, so that the last colon is the port's.",
			Bad:  "tcp from 10.20.1.0/24 on virbr0 to 198.51.100.7:443 out eth0",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
		{
			Code:  "packet-missing",
			Title: "a packet lacks an address, or has no interface",
			Text: "Rules look at both addresses. Which rules a packet meets is decided by its interfaces: with on and out it is forwarded, with " +
				"on alone it is for the host, with out alone it is from the host.",
			Bad:  "tcp from 10.20.1.5 to 198.51.100.7:443",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
		{
			Code:  "packet-twice",
			Title: "a packet has a property twice",
			Text:  "A packet has one source, one destination, one interface by which it came and one by which it leaves, one state and one mark.",
			Bad:   "udp from 10.20.1.5 on virbr0 on virbr1 to 10.20.1.1:53",
			Good:  "udp from 10.20.1.5 on virbr0 to 10.20.1.1:53",
		},
		{
			Code:  "packet-unfit",
			Title: "a packet has a property that its protocol doesn't have",
			Text:  "TCP, UDP, SCTP, DCCP and UDP-Lite have ports; ICMP and ICMPv6 have a type and a code. Other protocols have neither.",
			Bad:   "icmp from 10.20.1.5:1024 on virbr0 to 10.20.1.1",
			Good:  "icmp type echo-request from 10.20.1.5 on virbr0 to 10.20.1.1",
		},
		{
			Code:  "packet-family",
			Title: "a packet mixes IPv4 and IPv6",
			Text: "Both addresses of a packet are of one family. Each family has an ICMP of its own; icmp over IPv6, or icmpv6 over IPv4, is a " +
				"warning only, since rules may match what nobody sends.",
			Bad:  "tcp from 10.20.1.5 on virbr0 to [2001:db8::7]:443 out eth0",
			Good: "tcp from fd00:20:1::5 on virbr0 to [2001:db8::7]:443 out eth0",
		},
		{
			Code:  "packet-interface",
			Title: "a packet's interface is none that the networks' rules know",
			Text: "Rules tell the interfaces that they name from all others, which are alike to them. A packet whose interfaces are no bridge " +
				"of the networks meets no rule of theirs; where one looks like a bridge, a slip of the pen is likely. This is said by " +
				"vnetc trace, which knows the networks; in the examples their bridge is virbr0.",
			Bad:  "tcp from 10.20.1.5 on virbr7 to 198.51.100.7:443 out eth0",
			Good: "tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0",
		},
	}
}

// assertCodes are about assertion files, what prove.ParseAssertions reads, and about assertions
// that do not hold. Bad and Good are assertion files, to be verified with two networks: lab, of
// mode nat, and dmz, of mode route.
func assertCodes() []Info {
	return []Info{
		{
			Code:  "assert-syntax",
			Title: "a word of an assertion can't stand where it stands",
			Text: "An assertion file has one assertion a line: deny or allow, ipv4 or ipv6 and a protocol where not all are meant, from and to " +
				"with an end each, and a port; or isolated and a network. An end is network NAME, host, outside or outside by INTERFACE, with " +
				"ADDRESS in before it to narrow it. # begins a comment.",
			Bad:  "deny network lab to network dmz\n",
			Good: "# nobody opens connections into the lab\ndeny from network dmz to network lab\n",
		},
		{
			Code:  "assert-value",
			Title: "a word of an assertion is not of the kind that is wanted there",
			Text:  "Protocols are names or numbers, ports numbers or two with - between them, addresses single ones or whole prefixes.",
			Bad:   "allow tcp from network lab to outside port https\n",
			Good:  "allow tcp from network lab to outside port 443\n",
		},
		{
			Code:  "assert-network",
			Title: "an assertion speaks of a network that is not there",
			Text: "Assertions are about the networks that are verified with them, by their names. Networks whose guests are on a bridge or a " +
				"device of somebody else's have no rules, and nothing can be said about them.",
			Bad:  "isolated network lap\n",
			Good: "allow from network lab to network lab\n",
		},
		{
			Code:  "assert-unfit",
			Title: "an assertion asks for what can't be",
			Text: "TCP, UDP, SCTP, DCCP and UDP-Lite have ports. Both ends of a connection have addresses of one family. Rules of networks are " +
				"not met by what the host sends to itself, nor asked about what it passes on between its other interfaces.",
			Bad:  "allow icmp from network lab to outside port 443\n",
			Good: "allow icmp from network lab to outside\n",
		},
		{
			Code:  "assert-failed",
			Title: "an assertion does not hold",
			Text: "deny and isolated fail when some new connection of that kind gets through; allow fails when one does not, of those from " +
				"addresses of the network. The packet that shows it comes with the rules that decide about it. Rules of the host beside " +
				"these networks' are not known, and what meets no rule is accepted.",
			Bad:  "deny from network lab to network dmz\n",
			Good: "deny from network dmz to network lab\n",
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
			Title: "guests get past what their own network lets out, into another one",
			Text: "In the forward hook the rules into networks (FWI) are met before those out of networks (FWO). A routed network accepts " +
				"whatever goes to its addresses, so guests of an isolated network, or of one that is bound to a device, get into it though " +
				"their own network would refuse. libvirt's rules have this too. --strict-isolation closes it.",
			Bad:  pair(inside, routed),
			Good: pair(inside, []string{anyNAT, anyBridge("virbr2"), otherIP}),
		},
		{
			Code:  "verify-too-large",
			Title: "an answer would cost more than the budget of the prover",
			Text: "Every question has a budget, counted in steps of the prover, so that the answer is the same on every machine and a verb " +
				"ends. What is too large is not known either way. --budget 60s takes a time instead, in which more may be told.",
		},
		{
			Code:  "verify-dead",
			Title: "a rule does nothing",
			Text: "No packet reaches the rule, because rules before it decide about all that it matches; or the same would become of those packets " +
				"without it. It is judged by itself, and as if these rules were the host's only ones. Networks that share a bridge or " +
				"overlap make such rules.",
		},
		{
			Code:  "verify-linear",
			Title: "a rule stays one of its own in a layout that merges rules",
			Text: "Layout sets merges rules that differ only in values, where moving them together changes nothing. A rule that some packet " +
				"matches together with a rule in between, or whose verdict has values of its own such as an address of NAT, stays by itself: " +
				"each packet that comes there pays for it.",
		},
		{
			Code:  "verify-differs",
			Title: "the rules of a back end do not mean what the networks mean",
			Text: "What a back end emits is read back and compared with the program that it was made of, for every packet. A difference is a " +
				"fault of vnetc, and the packet that shows it is the report to make; do not load the rules.",
		},
	}
}

func anyBridge(name string) string { return "<bridge name='" + name + "'/>" }
