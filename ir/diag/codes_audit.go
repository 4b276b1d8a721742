package diag

// auditCodes are what vnetc audit finds in a kernel. They have no examples: it is the host that is
// wrong.
func auditCodes() []Info {
	return []Info{
		{
			Code:  "audit-missing",
			Title: "a rule or an element of a set that is missing in the kernel",
			Text: "The networks need it, and the kernel does not have it: it was flushed or deleted, or the " +
				"network was never applied. vnetc apply adds it.",
		},
		{
			Code:  "audit-extra",
			Title: "a rule or an element of a set that no network needs",
			Text: "It is in one of vnetc's chains or sets, where everything comes from the networks: vnetc apply " +
				"deletes it. Put your own rules into your own chains and tables.",
		},
		{
			Code:  "audit-moved",
			Title: "a rule at another position of its chain",
			Text: "The first rule that matches decides, so a rule that has moved may decide for other packets. " +
				"It is a rule in one of vnetc's chains, or a jump to such a chain that is now behind libvirt's, " +
				"so that libvirt accepts packets before vnetc can refuse them. vnetc apply moves it back.",
		},
		{
			Code:  "audit-ahead",
			Title: "foreign rules that decide before the networks' rules, or against them",
			Text: "In iptables a foreign accept before the jumps to vnetc's chains decides before them, and may " +
				"let through what they refuse. This may be intended, so vnetc leaves it there; with " +
				"--fail-on-ahead audit exits with 1. In nftables it is a foreign chain whose policy drops what " +
				"vnetc accepts.",
		},
		{
			Code:  "audit-unexplained",
			Title: "rules about a bridge that has no state file, or a state file that is not used",
			Text: "A state file was lost, damaged, or written elsewhere (--state-dir), and the network's rules are still loaded. They may " +
				"be all that protects its guests, so vnetc apply keeps them. Apply the network's XML again, or remove the rules with " +
				"vnetc remove --bridge.",
		},
		{
			Code:  "audit-too-large",
			Title: "what drift does to packets is too large for the budget",
			Text: "The rules that differ are reported anyway. --budget 60s sets a time instead of a number of " +
				"steps, which may be enough to answer.",
		},
		{
			Code:  "audit-packets",
			Title: "packets with another fate than they should have",
			Text: "All differences between the intended and the loaded rules together let these packets through, " +
				"or stop them. The packet shown is an example.",
		},
	}
}
