package diag

// policyCodes are about policies, what policy.Parse reads, about the statements of all policies of
// a compilation together, and about assertions that do not hold. Bad and Good are policies for
// three networks: lab, of mode nat, 10.0.0.1/24, dmz, of mode route, 10.0.1.1/24 and fd00:1::1/64,
// and safe, isolated, 10.0.2.1/24.
func policyCodes() []Info {
	return []Info{
		{
			Code:  "policy-syntax",
			Title: "a word of a policy that is not allowed there",
			Text: "A policy has one statement on each line; # begins a comment. allow and deny are followed by " +
				"ipv4 or ipv6, a protocol, type and ICMP types, from and to with an end each, and port with " +
				"ports, each where it is needed. An end is network NAME, host, outside or outside by INTERFACE; " +
				"ADDRESS in before it narrows it. Other lines are: publish PROTOCOL PORT to ADDRESS, isolated " +
				"network NAME, clamp mss network NAME, and let NAME = ADDRESSES.",
			Bad:  "deny network lab to network dmz\n",
			Good: "# nobody opens connections into the lab\ndeny from network dmz to network lab\n",
		},
		{
			Code:  "policy-value",
			Title: "a word of a policy that is not a value of the kind needed there",
			Text: "Protocols are names or numbers, ports numbers or two with - between them, addresses single ones " +
				"or whole prefixes, and the address of a published guest is one that a guest can have. Names of " +
				"protocols come from a table in vnetc, and not from /etc/protocols or /etc/services.",
			Bad:  "allow tcp from network lab to outside port https\n",
			Good: "allow tcp from network lab to outside port 443\n",
		},
		{
			Code:  "policy-network",
			Title: "a statement about a network that is not there",
			Text: "Statements are about the networks that are compiled with them, by their names. Networks whose " +
				"guests are on a bridge or a device of somebody else's have no rules, and nothing can be said " +
				"about them.",
			Bad:  "isolated network lap\n",
			Good: "isolated network safe\n",
		},
		{
			Code:  "policy-set",
			Title: "a set of addresses that is not there",
			Text: "A line such as let web = 10.0.0.5, 10.0.0.6 names a set, and the name can be written wherever an " +
				"address can. It is known in the file that has the line, or in the document of the network, and " +
				"nowhere else.",
			Bad:  "let web = 10.0.0.5, 10.0.0.6\nallow from wep in network lab to outside\n",
			Good: "let web = 10.0.0.5, 10.0.0.6\nallow from web in network lab to outside\n",
		},
		{
			Code:  "policy-set-twice",
			Title: "two sets of one name",
			Text:  "A set has one value in the whole file, so that a statement means the same on each line.",
			Bad:   "let web = 10.0.0.5\nlet web = 10.0.0.6\n",
			Good:  "let web = 10.0.0.5, 10.0.0.6\n",
		},
		{
			Code:  "policy-repeated",
			Title: "a value that a list has twice",
			Text: "A port, an address or a type that a list names twice, or that a range or prefix of the same list " +
				"covers, changes nothing. It is probably another one that was meant.",
			Bad:  "allow tcp from network lab to outside port 8000-8010,8005\n",
			Good: "allow tcp from network lab to outside port 8000-8010,8050\n",
		},
		{
			Code:  "policy-unfit",
			Title: "words of a statement that do not go together",
			Text: "TCP, UDP, SCTP, DCCP and UDP-Lite have ports, ICMP and ICMPv6 have types. Both ends of a " +
				"connection have addresses of one family. Packets that the host sends to itself meet no rules of " +
				"networks, and neither do packets that it forwards between its other interfaces. A range of " +
				"published ports is as long as that of the guest. publish and clamp are no assertions.",
			Bad:  "allow icmp from network lab to outside port 443\n",
			Good: "allow icmp from network lab to outside\n",
		},
		{
			Code:  "policy-target",
			Title: "a port published for a guest that can't be",
			Text: "The guest of a published port has an address in a subnet of one of the networks, and of the " +
				"network itself if its document has the statement. Addresses of bridges and the first and last " +
				"of an IPv4 subnet are no guest's. Guests of isolated networks have no way back to who asks.",
			Bad:  "publish tcp 8080 to 10.0.2.5 port 80\n",
			Good: "publish tcp 8080 to 10.0.0.5 port 80\n",
		},
		{
			Code:  "policy-published-twice",
			Title: "a port that is published by an earlier statement already",
			Text: "A connection goes to the guest of the first statement that matches it, so a second one for the " +
				"same port and the same connections would get none. on, at and from distinguish statements; a " +
				"narrower one stands before a wider one.",
			Bad:  "publish tcp 80 to 10.0.0.5\npublish tcp 80-89 to 10.0.0.6\n",
			Good: "publish tcp 80 to 10.0.0.5 on eth1\npublish tcp 80-89 to 10.0.0.6\n",
		},
		{
			Code:  "policy-served",
			Title: "a published port at which the host serves the guests of a network",
			Text: "Each network's dnsmasq serves DNS (port 53), DHCP (67 and 547) and TFTP (69) at the bridge. A port " +
				"that is published for every address of the host is published for that of the bridge too, and " +
				"guests that ask there would get to the published guest. on and at keep the two apart.",
			Bad:  "publish udp 53 to 10.0.0.5\n",
			Good: "publish udp 53 to 10.0.0.5 on eth0\n",
		},
		{
			Code:  "policy-no-route",
			Title: "connections that guests cannot answer",
			Text: "A network without an address of a family has no guests that speak it. An isolated network offers " +
				"its guests no router, so they know no way to other networks. What is allowed there does not work " +
				"until the network or its guests are changed.",
			Bad:  "allow ipv6 from network dmz to network lab\n",
			Good: "allow ipv4 from network dmz to network lab\n",
		},
		{
			Code:  "policy-address",
			Title: "an address that the network does not have",
			Text: "The addresses of a network are those of its subnets, and what its routes lead to. An allow matches " +
				"no others, so with another address it does nothing. In a deny from a network any address can be " +
				"meant, because guests may lie about theirs.",
			Bad:  "allow from 10.9.0.5 in network lab to host\n",
			Good: "allow from 10.0.0.5 in network lab to host\n",
		},
		{
			Code:  "policy-strict",
			Title: "a statement that --strict-isolation rules out",
			Text: "With --strict-isolation no guest of an isolated network gets out past its own network's rules, and " +
				"what has a source of another network is dropped. A statement that allows it contradicts that: " +
				"one of the two must go. A statement without from is about isolated networks too.",
			Bad:  "allow from network safe to network lab\n",
			Good: "allow from network lab to network dmz\n",
		},
		{
			Code:  "policy-limit",
			Title: "a policy that is too large",
			Text: "A policy has a largest size, number of statements, and length of its lists. They are far above " +
				"what people write, and keep the time and memory for a file in proportion to its size.",
		},
		{
			Code:  "assert-failed",
			Title: "an assertion does not hold",
			Text: "deny and isolated fail when some new connection of that kind gets through; allow fails when " +
				"one does not, of those from addresses of the network. The packet that shows it comes with the " +
				"rules that decide about it. Other rules of the host are not known here, and a packet that meets " +
				"no rule is accepted.",
			Bad:  "deny from network lab to network dmz\n",
			Good: "deny from network dmz to network lab\n",
		},
	}
}

// metadataCodes are about the policy that the XML of a network has in its metadata. What is wrong
// in its text has the codes of policies.
func metadataCodes() []Info {
	meta := func(policies string) string {
		return lab("<metadata>"+policies+"</metadata>", anyBridge("virbr0"), anyIP)
	}
	policy := func(text string) string {
		return "<vnetc:policy xmlns:vnetc='urn:vnetc:policy:1'>" + text + "</vnetc:policy>"
	}
	good := meta(policy("deny from outside"))
	return []Info{
		{"metadata-policy-twice", "two policies in one network",
			"libvirt keeps one element of each namespace in <metadata>, and may drop the second one. A network has " +
				"one policy, of any number of lines.",
			meta(policy("deny from outside") + policy("deny to outside")),
			meta(policy("\n    deny from outside\n    deny to outside\n  "))},
		{"metadata-policy-version", "a policy of another version, or of none",
			"The namespace of <policy> ends in the version of the policy language. Another version may mean " +
				"something else by the same words, and a policy that is not read is a firewall with a hole, so it " +
				"is an error. An element without a namespace may be another program's: a warning.",
			meta("<vnetc:policy xmlns:vnetc='urn:vnetc:policy:2'>deny from outside</vnetc:policy>"), good},
		{"metadata-policy-element", "something else than one <policy> with text",
			"Of vnetc's namespace <metadata> has one element: <policy>, directly in it, with text and nothing else.",
			meta(policy("<deny from='outside'/>")), good},
	}
}
