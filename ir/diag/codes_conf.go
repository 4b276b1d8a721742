package diag

// confCodes are about libvirt's network.conf. Bad and Good are such files.
func confCodes() []Info {
	good := "# libvirt's network driver\nfirewall_backend = \"nftables\"\n"
	return []Info{
		{"conf-syntax", "a line of network.conf that is not a setting",
			"The file has one setting KEY = VALUE on each line. A value is a string in quotes, a whole number, " +
				"or a list in brackets with commas between; # begins a comment. libvirt refuses the whole file " +
				"for one such line.",
			"firewall_backend = nftables\n", good},
		{"conf-backend", "a back end that libvirt does not know",
			"firewall_backend is nftables, iptables or none. If the key is left out, libvirt takes what it finds " +
				"on the host: nftables first, unless it was built otherwise.",
			"firewall_backend = \"nft\"\n", good},
		{"conf-none", "a back end is needed and the file says none",
			"With firewall_backend none, libvirt starts no network that needs rules. vnetc makes rules, so it " +
				"can't follow the file; choose a back end with --backend.",
			"firewall_backend = \"none\"\n", good},
		{"conf-twice", "a key that is given twice",
			"libvirt takes the first and says nothing about the second.",
			"firewall_backend = \"nftables\"\nfirewall_backend = \"iptables\"\n", good},
		{"conf-unknown", "a key that looks like another",
			"libvirt ignores keys that it does not know, so a misspelt key has no effect.",
			"firewall_backends = \"iptables\"\n", good},
	}
}
