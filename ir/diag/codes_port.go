package diag

// portCodes are about what guests' ports get: rates, port groups and switches of other kinds.
func portCodes() []Info {
	rate := func(attrs string) string { return lab("<bandwidth>", "  <inbound "+attrs+"/>", "</bandwidth>") }
	const (
		onBridge = "<forward mode='bridge'/>"
		bridge   = "<bridge name='br0'/>"
	)
	return []Info{
		{"bandwidth-average", "a limit without an average",
			"Peak and burst say how far traffic may exceed the average for a while.",
			rate("peak='5000'"), rate("average='1000' peak='5000'")},
		{"bandwidth-zero", "a limit of nothing",
			"Libvirt drops a limit of 0, so traffic is not limited at all.",
			rate("average='0'"), rate("average='1000'")},
		{"bandwidth-floor", "a guarantee or a class in a network",
			"A floor is what one guest is sure to get, and belongs into the <interface> of the guest. Classes " +
				"are internal to whatever sets the limits. Libvirt refuses both in a network.",
			rate("average='1000' floor='200'"), rate("average='1000'")},
		{"bandwidth-peak", "a peak below the average",
			"The peak is how fast a burst may go, above the average.",
			rate("average='1000' peak='500'"), rate("average='1000' peak='5000'")},
		{"portgroup-name", "a port group without a name",
			"Guests choose a port group by its name.",
			lab("<portgroup name=''/>"), lab("<portgroup name='web'/>")},
		{"portgroup-twice", "two port groups with one name",
			"Guests choose a port group by its name.",
			lab("<portgroup name='web'/>", "<portgroup name='web'/>"),
			lab("<portgroup name='web'/>", "<portgroup name='db'/>")},
		{"portgroup-default", "two default port groups",
			"A guest that names no port group gets the default, so there is one at most.",
			lab("<portgroup name='web' default='yes'/>", "<portgroup name='db' default='yes'/>"),
			lab("<portgroup name='web' default='yes'/>", "<portgroup name='db'/>")},
		{"virtualport-mode", "a virtual port that the mode can't have",
			"Open vSwitch and MidoNet are kinds of bridge (mode bridge with a <bridge name>); devices (macvtap " +
				"and hostdev) speak 802.1Qbg and 802.1Qbh.",
			lab("<virtualport type='openvswitch'/>"), lab(onBridge, bridge, "<virtualport type='openvswitch'/>")},
		{"virtualport-parameter", "a parameter that the kind of switch doesn't have",
			"Each kind of switch has parameters of its own, and libvirt refuses others.",
			lab(onBridge, bridge, "<virtualport type='openvswitch'>", "  <parameters managerid='1'/>",
				"</virtualport>"),
			lab(onBridge, bridge, "<virtualport type='openvswitch'>", "  <parameters profileid='web'/>",
				"</virtualport>")},
	}
}

// vlanCodes are about VLANs.
func vlanCodes() []Info {
	vlan := func(tags ...string) string {
		all := append([]string{"<forward mode='bridge'/>", "<bridge name='br0'/>"}, tags...)
		return lab(all...)
	}
	one := vlan("<vlan><tag id='42'/></vlan>")
	return []Info{
		{"vlan-mode", "VLANs in a network that can't tag ports",
			"Ports are tagged by Open vSwitch or a Linux bridge of the host (mode bridge), or by a network card " +
				"(modes hostdev and passthrough). Libvirt refuses tags elsewhere.",
			lab("<vlan><tag id='42'/></vlan>"), one},
		{"vlan-tag-missing", "VLANs without a tag",
			"The tags say which VLANs a port is in.",
			vlan("<vlan trunk='yes'/>"), one},
		{"vlan-trunk", "several VLANs and no trunk",
			"A port in several VLANs, or with a native one, is a trunk.",
			vlan("<vlan trunk='no'><tag id='42'/><tag id='43'/></vlan>"),
			vlan("<vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan>")},
		{"vlan-native", "two native VLANs",
			"Frames without a tag belong to one VLAN.",
			vlan("<vlan><tag id='42' nativeMode='untagged'/><tag id='43' nativeMode='tagged'/></vlan>"),
			vlan("<vlan><tag id='42' nativeMode='untagged'/><tag id='43'/></vlan>")},
		{"vlan-twice", "one VLAN given twice",
			"A port is in a VLAN or not.",
			vlan("<vlan><tag id='42'/><tag id='42'/></vlan>"), one},
		{"vlan-single", "several VLANs on a function of a network card",
			"The host sets one VLAN for a function that it gives to a guest.",
			lab("<forward mode='hostdev'>", "  <pf dev='eth0'/>", "</forward>",
				"<vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan>"),
			lab("<forward mode='hostdev'>", "  <pf dev='eth0'/>", "</forward>", "<vlan><tag id='42'/></vlan>")},
	}
}
