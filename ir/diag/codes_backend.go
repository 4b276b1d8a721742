package diag

// backendCodes are about what a target can't say. Bad and Good are programs in the IR's text form.
func backendCodes() []Info {
	return []Info{
		{
			"backend-unsupported", "a rule that the back end can't say",
			"Each match and verdict is lowered as it is meant or refused: a rule that comes out wider or narrower is worse than none. " +
				"What was read from a foreign rule set and is not modelled (opaque) can't be lowered at all.",
			"group FWX {\n    ip iifname \"virbr0\" opaque-match \"-m physdev --physdev-in vnet0\" accept\n}\n",
			"group FWX {\n    ip iifname \"virbr0\" accept\n}\n",
		},
		{
			"backend-left-out", "rules without effect in this back end",
			"In nftables an accept in one table opens nothing that another table closes, so rules that open the host's services to " +
				"guests would do nothing in a table of our own; and nf_tables has no statement that fills in a checksum. Both are left " +
				"out, as libvirt leaves them out. No packet's fate depends on them where vnetc's rules are the only ones.",
			"group INP {\n    ip iifname \"virbr0\" l4proto udp dport 67 accept\n}\n",
			"group FWX {\n    ip iifname \"virbr0\" oifname \"virbr0\" accept\n}\n",
		},
	}
}
