package diag

// backendCodes are about what a target can't say. Bad and Good are programs in the IR's text form.
func backendCodes() []Info {
	return []Info{
		{
			"backend-unsupported", "a rule that the back end can't express",
			"Each match and verdict is translated exactly or refused: a rule that matches more or less than " +
				"intended is worse than none. Matches that were read from a foreign rule set and are not " +
				"modelled (opaque) can't be translated at all.",
			"group FWX {\n    ip iifname \"virbr0\" opaque-match \"-m physdev --physdev-in vnet0\" accept\n}\n",
			"group FWX {\n    ip iifname \"virbr0\" accept\n}\n",
		},
		{
			"backend-left-out", "rules without effect in this back end",
			"In nftables an accept in one table does not open what another table drops, so rules that open the " +
				"host's services to guests would have no effect in vnetc's table; and nf_tables has no statement " +
				"that fills in a checksum. Both are left out, as in libvirt. On a host with no other rules they " +
				"change no packet's fate.",
			"group INP {\n    ip iifname \"virbr0\" l4proto udp dport 67 accept\n}\n",
			"group FWX {\n    ip iifname \"virbr0\" oifname \"virbr0\" accept\n}\n",
		},
	}
}
