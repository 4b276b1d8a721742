package diag

// records is a network whose <dns> has these lines.
func records(lines ...string) string {
	all := append([]string{"<dns>"}, indented2(lines)...)
	return lab(append(all, "</dns>", anyIP)...)
}

// dnsCodes are about the name service.
func dnsCodes() []Info {
	options := func(value string) string {
		return "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>\n  <name>lab</name>\n  " +
			"<dnsmasq:options>\n    <dnsmasq:option value='" +
			value + "'/>\n  </dnsmasq:options>\n</network>\n"
	}
	printer := records("<host ip='192.168.122.5'>", "  <hostname>printer</hostname>", "</host>")
	return []Info{
		{"dns-off", "records in a name service that is off",
			"With enable='no' there is no name server for the network, and libvirt refuses records and forwarders.",
			lab("<dns enable='no'>", "  <host ip='192.168.122.5'><hostname>printer</hostname></host>", "</dns>",
				anyIP), printer},
		{"dns-name", "not a domain name",
			"Names are letters, digits, dashes and underscores, in parts of 1 to 63 bytes with dots between. " +
				"They are in lines of dnsmasq's configuration, where other characters have a meaning of their " +
				"own. Write names in other letters in the form that begins with xn--.",
			lab("<domain name='my lab'/>"), lab("<domain name='lab.example'/>")},
		{"domain-register", "a domain that is registered and not local",
			"With register='yes', systemd-resolved sends queries for the domain to the network's name server. " +
				"That server sends what it does not know back to the host's resolver, unless localOnly='yes' " +
				"keeps the domain local. Libvirt refuses one without the other.",
			lab("<domain name='lab.example' register='yes'/>"),
			lab("<domain name='lab.example' localOnly='yes' register='yes'/>")},
		{"dns-host-name", "a record without a name",
			"A <host> in <dns> ties names to an address.",
			records("<host ip='192.168.122.5'/>"), printer},
		{"dns-host-unusual", "a name that no host should have",
			"dnsmasq serves names of hosts as they are written. A host's name is made of letters, digits and " +
				"dashes (RFC 1123), and some programs refuse to look up others. A star is not a wildcard: only a " +
				"query for a name with a star gets this answer.",
			records("<host ip='192.168.122.5'>", "  <hostname>*.apps.example</hostname>", "</host>"), printer},
		{"dns-forwarder", "a forwarder without address and domain",
			"A forwarder says which server to ask (addr), or which names to ask a server for (domain), or both. A " +
				"port is that of a server.",
			records("<forwarder/>"), records("<forwarder addr='192.0.2.53'/>")},
		{"dns-forwarder-self", "a forwarder to oneself",
			"The network's name server would be asked for what it doesn't know itself.",
			records("<forwarder addr='192.168.122.1'/>"), records("<forwarder addr='192.0.2.53'/>")},
		{"dns-txt-name", "no name for a TXT record",
			"dnsmasq ends the name at a comma, and libvirt refuses blanks in it.",
			records("<txt name='a,b' value='x'/>"), records("<txt name='a.example' value='x'/>")},
		{"dns-txt-value", "text that a TXT record would not have",
			"The text becomes a part of a line of dnsmasq's configuration. Double quotes keep what is between them together " +
				"and are dropped; dnsmasq doesn't start with one that is not closed, and drops what follows a blank and #.",
			records("<txt name='a.example' value='key # 1'/>"), records("<txt name='a.example' value='\"key # 1\"'/>")},
		{"dns-srv-service", "no name of a service",
			"The name of a service is letters, digits and dashes (RFC 6335), without the underscore that it gets in DNS.",
			records("<srv service='ld ap' protocol='tcp'/>"), records("<srv service='ldap' protocol='tcp'/>")},
		{"dns-srv-target", "a port, priority or weight of no target",
			"They are those of the host that offers the service (RFC 2782).",
			records("<srv service='ldap' protocol='tcp' port='389'/>"),
			records("<srv service='ldap' protocol='tcp' target='dir.example' port='389'/>")},
		{"dnsmasq-option", "an option that dnsmasq refuses, or more than one line",
			"Each value becomes one line at the end of dnsmasq's configuration. With an option that it doesn't know, " +
				"or one whose value is missing, dnsmasq doesn't start, nor does the network. Later versions may know more: " +
				"with --lax and permission (see dnsmasq-permission) such options are warnings. A line break would begin a " +
				"second line that nobody sees in the document, and so does the 1024th byte.",
			options("log-dhcp&#10;dhcp-script=/tmp/x"), options("log-dhcp")},
		{"dnsmasq-permission", "an option of dnsmasq that reaches beyond the network",
			"Some options run programs, read or write files of the host, change the user, or serve other devices than the " +
				"bridge. The administrator of the host allows them, never the document: with --allow-dnsmasq-options, or, " +
				"also for units and daemons, in the file /etc/vnetc/dnsmasq-options, which belongs to root. A line of it is a " +
				"network's name and an option's, such as \"lab dhcp-script\"; * stands for all networks, # begins a comment. " +
				"Programs and files are then used as dnsmasq's unprivileged user.",
			options("dhcp-script=/usr/local/bin/note-lease"), options("log-dhcp")},
	}
}
