package diag

// doctorCodes are what vnetc doctor finds on a host. They have no examples: it is the host that is
// wrong.
func doctorCodes() []Info {
	return []Info{
		{
			Code:  "doctor-cut-off",
			Title: "guests can't do what their network promises",
			Text: "A rule or a policy on this host, whoever made it, drops the packets, or the host itself does not forward them. vnetc doctor " +
				"names it with its table, chain and owner, and what to type.",
		},
		{
			Code:  "doctor-depends",
			Title: "guests can do what their network promises in part, or perhaps",
			Text: "Some of the packets pass and some don't, or a rule decides that vnetc does not model, or that it does not read. That may " +
				"well be meant.",
		},
	}
}
