package diag

// irCodes is about the IR: its text form, and what a program must keep. Bad and Good are programs
// in the text form.
func irCodes() []Info {
	return append(irTextCodes(), irVerifyCodes()...)
}

// irTextCodes are what ir.Parse says.
func irTextCodes() []Info {
	return []Info{
		{
			Code:  "ir-syntax",
			Title: "a word of a program that is not allowed there",
			Text: "A program is made of group, chain and link blocks. A rule begins with the packets it is for (ip, ip6 or inet), goes on " +
				"with matches and one verdict, and may end with a comment and the place it came from. Words are nft's where nft has them.",
			Bad:  "group FWI {\n    ip ifname \"virbr0\" accept\n}\n",
			Good: "group FWI {\n    ip iifname \"virbr0\" accept\n}\n",
		},
		{
			Code:  "ir-value",
			Title: "a word of a program that is not a value of the kind needed there",
			Text:  "Each match, verdict and key has values of one kind: prefixes, ports, protocols, states and so on, written as vnetc prints them.",
			Bad:   "group FWI {\n    ip daddr 192.168.122.0/33 accept\n}\n",
			Good:  "group FWI {\n    ip daddr 192.168.122.0/24 accept\n}\n",
		},
		{
			Code:  "ir-key",
			Title: "a link of a program with an unknown key, or with one key twice",
			Text: "The keys of a link are the properties of a network. A key that holds a list is given once " +
				"for each element.",
			Bad:  "link \"lab\" {\n    mode nat\n    brige { name virbr0 }\n}\n",
			Good: "link \"lab\" {\n    mode nat\n    bridge { name virbr0 }\n}\n",
		},
	}
}

// irVerifyCodes are what ir.Verify says, in the order of its list.
func irVerifyCodes() []Info {
	return append([]Info{
		{
			Code:  "ir-group",
			Title: "a group has more than one chain, or properties of its own",
			Text: "The hooks of the groups INP, OUT, FWX, FWI, FWO and PRT, and the order in which packets meet " +
				"them, are fixed. The rules of a group are in one chain.",
			Bad:  "group FWI {\n    ip accept\n}\ngroup FWI {\n    ip drop\n}\n",
			Good: "group FWI {\n    ip accept\n    ip drop\n}\n",
		},
		{
			Code:  "ir-chain",
			Title: "a chain has no name, no family, or the name of another",
			Text:  "A jump finds its chain by the name, within one family and table.",
			Bad:   "chain ip filter a {\n}\nchain ip filter a {\n}\n",
			Good:  "chain ip filter a {\n}\nchain ip filter b {\n}\n",
		},
		{
			Code:  "ir-base",
			Title: "a base chain at a hook where the kernel does not allow it",
			Text: "The kernel has filter chains at every hook, nat chains at every hook but forward, route chains at output. NAT needs " +
				"connection tracking, so a nat chain's priority is above -200.",
			Bad:  "chain ip nat a hook forward type nat priority 0 policy accept {\n}\n",
			Good: "chain ip nat a hook postrouting type nat priority 100 policy accept {\n}\n",
		},
		{
			Code:  "ir-family",
			Title: "a rule is for packets that its chain or its addresses exclude",
			Text: "Only packets of its chain's family meet a rule, and only packets of its own family have an " +
				"address. A rule for both families matches no address.",
			Bad:  "group FWI {\n    ip saddr fd00::/64 accept\n}\n",
			Good: "group FWI {\n    ip6 saddr fd00::/64 accept\n}\n",
		},
		{
			Code:  "ir-address",
			Title: "a prefix or a range of addresses that is malformed",
			Text: "A prefix names a whole network, so no bits are set after its length. A range has both ends in " +
				"one family, the lower one first, and no zones.",
			Bad:  "group FWI {\n    ip saddr 10.0.0.1/8 accept\n}\n",
			Good: "group FWI {\n    ip saddr 10.0.0.0/8 accept\n}\n",
		},
		{
			Code:  "ir-interface",
			Title: "an interface name is one that no interface can have, or that a back end would take for a wildcard",
			Text: "The kernel takes names of 1 to 15 bytes without blanks, slashes and colons. At the end of a name iptables takes + and nft " +
				"takes * for \"any more characters\", which a program says with a * behind the quotes.",
			Bad:  "group FWI {\n    ip iifname \"vnet*\" accept\n}\n",
			Good: "group FWI {\n    ip iifname \"vnet\"* accept\n}\n",
		},
		{
			Code:  "ir-port",
			Title: "ports that are reversed or zero, or of a protocol that has none",
			Text: "A range of ports begins with the lower one, and NAT goes to ports from 1. Only TCP, UDP, SCTP, DCCP and UDP-Lite have " +
				"ports, so a rule with ports matches one of these protocols.",
			Bad:  "group INP {\n    ip dport 53 accept\n}\n",
			Good: "group INP {\n    ip l4proto udp dport 53 accept\n}\n",
		},
		{
			Code:  "ir-icmp",
			Title: "an ICMP type of a protocol that has none",
			Text:  "IPv4 has ICMP, IPv6 has ICMPv6, and their types differ. A rule with a type is for one family and matches its protocol.",
			Bad:   "group FWI {\n    ip icmp type 8 accept\n}\n",
			Good:  "group FWI {\n    ip l4proto icmp icmp type 8 accept\n}\n",
		},
	}, irVerdictCodes()...)
}

// irVerdictCodes is the second half of irVerifyCodes.
func irVerdictCodes() []Info {
	return []Info{
		{
			Code:  "ir-match",
			Title: "a match that never holds, or that is empty",
			Text:  "A match on connection states names some, and a mark has no bits outside its mask.",
			Bad:   "group FWI {\n    ip mark 0x11/0xf0 accept\n}\n",
			Good:  "group FWI {\n    ip mark 0x10/0xf0 accept\n}\n",
		},
		{
			Code:  "ir-verdict",
			Title: "a rule has no verdict, or rejects in a way that its packets do not have",
			Text: "IPv4 and IPv6 have different codes to reject with; port-unreachable and admin-prohibited are " +
				"in both. Only TCP has resets. The kernel rejects nothing at postrouting or in nat chains.",
			Bad:  "group FWI {\n    ip reject with tcp-reset\n}\n",
			Good: "group FWI {\n    ip l4proto tcp reject with tcp-reset\n}\n",
		},
		{
			Code:  "ir-jump",
			Title: "a jump leads to no chain of its table, to a base chain, or in a circle",
			Text: "A jump or goto leads to a chain without a hook, in the family and table of the rule, and " +
				"never back in a circle.",
			Bad:  "chain ip filter a {\n    ip jump b\n}\n",
			Good: "chain ip filter a {\n    ip jump b\n}\nchain ip filter b {\n}\n",
		},
		{
			Code:  "ir-nat",
			Title: "NAT where the kernel does not do it, or without an address",
			Text: "The kernel rewrites sources at postrouting (snat also at input) and destinations at " +
				"prerouting and output, each in nat chains. A program's own source NAT is in PRT.",
			Bad:  "group FWO {\n    ip masquerade\n}\n",
			Good: "group PRT {\n    ip masquerade\n}\n",
		},
		{
			Code:  "ir-checksum",
			Title: "a checksum is filled in where packets are not altered",
			Text: "Packets are altered at priority mangle. Part of PRT is there, and a checksum fill in PRT " +
				"belongs to it.",
			Bad:  "group FWO {\n    ip checksum fill\n}\n",
			Good: "group PRT {\n    ip checksum fill\n}\n",
		},
		{
			Code:  "ir-text",
			Title: "a comment or an origin with a line break or another control character",
			Text: "These texts go into rules, files and listings. A line break would begin a new line there, and " +
				"a terminal obeys escape sequences.",
			Bad:  "group FWI {\n    ip accept comment \"one\\ntwo\"\n}\n",
			Good: "group FWI {\n    ip accept comment \"one, two\"\n}\n",
		},
		{
			Code:  "ir-set",
			Title: "a set without a name of its own, with wrong elements, or looked up where it does not exist",
			Text: "A set belongs to a family and table, as chains do; or to no table, and then every chain can " +
				"use it. Its elements are made of plain matches, and a look-up finds it by name.",
			Bad:  "set ip t a {\n}\nset ip t a {\n}\n",
			Good: "set ip t a {\n    element iifname \"virbr0\" saddr 192.168.122.0/24\n}\nchain ip t b {\n    ip lookup a accept\n}\n",
		},
		{
			Code:  "ir-action",
			Title: "an action that is empty, sets no bits of a mark, or is where the kernel ignores it",
			Text: "The bits that are set in a packet's mark are those of the mask. Connection tracking comes at priority -200 of prerouting " +
				"and output; a notrack behind it does nothing.",
			Bad: "chain ip raw a hook prerouting type filter priority -150 policy accept {\n    ip notrack counter\n}\n",
			Good: "chain ip raw a hook prerouting type filter priority -300 policy accept {\n" +
				"    ip iifname \"virbr0\" notrack accept\n    ip set mark 0x10/0xf0 counter\n}\n",
		},
		{
			Code:  "ir-link",
			Title: "a link without a name of its own, with an unknown mode, or with control characters",
			Text: "A link is found by its name, its mode says what is created, and its texts become single " +
				"lines of files.",
			Bad:  "link \"lab\" {\n    mode bridged\n}\n",
			Good: "link \"lab\" {\n    mode bridge\n}\n",
		},
	}
}
