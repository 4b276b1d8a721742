package diag

import (
	"fmt"
	"strings"
)

// nameCodes are about what identifies a network.
func nameCodes() []Info {
	good := lab(anyIP)
	return []Info{
		{"name-missing", "a network without a name",
			"State, configuration and comments in rules contain the network's name.",
			"<network>\n  <name></name>\n</network>\n", good},
		{"name-unsafe", "a name that can't be the name of files",
			"The name becomes the name of files beside those of other networks, and is in dnsmasq's " +
				"configuration and in comments of rules. Blanks, quotes, wildcards, slashes and invisible " +
				"characters have a meaning of their own there, and the names . and .. are directories.",
			"<network>\n  <name>../lab</name>\n</network>\n", good},
		{"name-twice", "two networks with one name",
			"Everything that is made for a network has its name, so the second would replace the first.",
			"-- a.xml --\n" + lab(anyIP) + "-- b.xml --\n" + lab(otherIP), pair([]string{anyIP}, []string{otherIP})},
		{"uuid-format", "not a UUID",
			"A UUID is 32 hexadecimal digits (RFC 9562). It may be left out: libvirt then chooses one.",
			lab("<uuid>4711</uuid>"), lab("<uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>")},
		{"uuid-zero", "the UUID of nothing",
			"All zeros is the Nil UUID of RFC 9562, which identifies nothing. It may be left out: libvirt then " +
				"chooses one.",
			lab("<uuid>00000000-0000-0000-0000-000000000000</uuid>"),
			lab("<uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>")},
		{"uuid-twice", "two networks with one UUID",
			"A UUID identifies one network. The cause is usually a copied file.",
			pair([]string{"<uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>"},
				[]string{"<uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>"}),
			pair([]string{"<uuid>8ab54f6f-3b5e-4d7c-8ec2-a4a7d1c4f2b6</uuid>"},
				[]string{"<uuid>c1a1d1f0-43a8-4a10-9a55-7e0b9d6f7e11</uuid>"})},
		{"mac-format", "not a MAC address",
			"A MAC address is six octets in hexadecimal with colons between.",
			lab("<mac address='52-54-00-12-34-56'/>"), lab("<mac address='52:54:00:12:34:56'/>")},
		{"mac-zero", "the MAC address of zeros",
			"The kernel gives no interface that address.",
			lab("<mac address='00:00:00:00:00:00'/>"), lab("<mac address='52:54:00:12:34:56'/>")},
		{"mac-multicast", "a MAC address of a group",
			"The lowest bit of the first octet marks group addresses. An interface has an address without it.",
			lab("<mac address='53:54:00:12:34:56'/>"), lab("<mac address='52:54:00:12:34:56'/>")},
		{"mac-twice", "two networks with one MAC address",
			"Two bridges with one address work as long as they are never connected. The cause is usually a " +
				"copied file.",
			pair([]string{"<mac address='52:54:00:12:34:56'/>"}, []string{"<mac address='52:54:00:12:34:56'/>"}),
			pair([]string{"<mac address='52:54:00:12:34:56'/>"}, []string{"<mac address='52:54:00:12:34:57'/>"})},
	}
}

// bridgeCodes are about bridges and other devices.
func bridgeCodes() []Info {
	return []Info{
		{"bridge-name", "a name that no bridge can have",
			"The kernel's names of interfaces have 1 to 15 bytes, without blanks, slashes and colons. What is a " +
				"wildcard for iptables or nft is refused too: a rule for vb+ would match every interface that begins " +
				"with vb.",
			lab("<bridge name='vb+'/>"), lab("<bridge name='vb0'/>")},
		{"bridge-pattern", "not a pattern for a name",
			"One %d in a name stands for the lowest number that is free. Other uses of % have no meaning, and " +
				"libvirt then takes a name of its own choice.",
			lab("<bridge name='lab%d-%d'/>"), lab("<bridge name='lab%d'/>")},
		{"bridge-pool", "no number is left for a bridge",
			"For a bridge whose name is left open, or has %d in it, libvirt tries the numbers from 0 to 256, and a " +
				"name has 15 bytes at most. Name the bridge.",
			crowd(11), crowd(10)},
		{"bridge-twice", "two networks with one bridge",
			"The bridge of a network belongs to it alone, with its addresses and rules.",
			pair([]string{"<bridge name='virbr7'/>"}, []string{"<bridge name='virbr7'/>"}),
			pair([]string{"<bridge name='virbr7'/>"}, []string{"<bridge name='virbr8'/>"})},
		{"bridge-zone", "not a name of a firewalld zone",
			"The bridge is put into the zone of that name by a command to firewalld. Only the host knows whether " +
				"the zone exists.",
			lab("<bridge name='virbr0' zone='my zone'/>"), lab("<bridge name='virbr0' zone='libvirt'/>")},
		{"device-name", "a name that no interface can have",
			"The kernel's names of interfaces have 1 to 15 bytes, without blanks, slashes and colons. What is a " +
				"wildcard or a quote for iptables or nft is refused too, since the name is in rules.",
			lab("<forward mode='nat' dev='eth0 -j ACCEPT'/>", anyIP), lab("<forward mode='nat' dev='eth0'/>", anyIP)},
		{"mtu-size", "an MTU that no bridge can have",
			"The kernel takes 68 to 65535 bytes for a bridge.",
			lab("<mtu size='60'/>"), lab("<mtu size='9000'/>")},
		{"mtu-ipv6", "an MTU too small for IPv6",
			"A link that carries IPv6 carries packets of 1280 bytes (RFC 8200). Below that the kernel refuses IPv6 " +
				"addresses.",
			lab("<mtu size='1000'/>", sixIP), lab("<mtu size='1280'/>", sixIP)},
	}
}

// crowd is networks that share a pattern with room for ten.
func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "-- net%d.xml --\n<network><name>net%d</name><bridge name='fourteenbytes-%%d'/></network>\n", i,
			i)
	}
	return b.String()
}
