package diag

// auditCodes are what vnetc audit finds in a kernel. They have no examples: it is the host that is
// wrong.
func auditCodes() []Info {
	return []Info{
		{
			Code:  "audit-missing",
			Title: "a rule, or an element of a set, that the kernel lacks",
			Text: "The networks ask for it, and it is not where it should be: somebody has flushed or deleted it, or the network was never " +
				"applied. vnetc apply puts it back.",
		},
		{
			Code:  "audit-extra",
			Title: "a rule, or an element of a set, that no network asks for",
			Text: "It stands in a chain or a set of vnetc's, where everything is made of the networks: vnetc apply takes it away. Rules of " +
				"your own are safe in chains and tables of your own.",
		},
		{
			Code:  "audit-moved",
			Title: "a rule in another place of its chain",
			Text: "The first rule that matches decides, so a rule that has moved may decide for other packets: one of vnetc's chains, or a " +
				"jump to one that stands behind libvirt's, whose accept is then met before vnetc's refusal. vnetc apply puts it back.",
		},
		{
			Code:  "audit-ahead",
			Title: "rules of others that decide before those of the networks, or against them",
			Text: "In iptables an accept that stands before the jumps to vnetc's chains decides before them, and may let through what they " +
				"refuse. That may be meant, and vnetc leaves it where it is; --fail-on-ahead makes audit exit with 1. In nftables it is a chain of others whose policy drops what is accepted here.",
		},
		{
			Code:  "audit-unexplained",
			Title: "rules about a bridge with no state file, or a state file that is not used",
			Text: "A state file was lost, damaged, or written elsewhere (--state-dir), and the network's rules are still loaded. They may " +
				"be all that protects its guests, so vnetc apply keeps them. Apply the network's XML again, or remove the rules with " +
				"vnetc remove --bridge.",
		},
		{
			Code:  "audit-too-large",
			Title: "what the drift does to packets would cost more than the budget of the prover",
			Text: "The rules that differ are told all the same. --budget 60s takes a time instead of steps, in which more may be told about " +
				"packets.",
		},
		{
			Code:  "audit-packets",
			Title: "packets whose fate is another than it should be",
			Text: "All differences between the rules that are meant and those that the kernel holds, together, let these packets through, or " +
				"stop them. The packet that is named shows it.",
		},
	}
}
