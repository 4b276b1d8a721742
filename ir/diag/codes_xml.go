package diag

import "strings"

// xmlCodes are about the document as XML.
func xmlCodes() []Info {
	good := lab(anyIP)
	return []Info{
		{"xml-empty", "no network in the file",
			"Each file describes one network. A file without an element, such as an empty one, is most often a " +
				"mistake in a path or a failed download.",
			"<!-- nothing here -->\n", good},
		{"xml-root", "the document is not a network",
			"The outermost element of a network is <network>. Other documents of libvirt, such as domains and " +
				"storage pools, are not read.",
			"<domain>\n  <name>lab</name>\n</domain>\n", good},
		{"xml-syntax", "not well-formed XML",
			"The text breaks a rule of XML itself: an element is never closed, a quote is missing, or the like. " +
				"Nothing after the error is read.",
			"<network>\n  <name>lab</name>\n  <bridge name='virbr0'>\n</network>\n", lab("<bridge name='virbr0'/>")},
		{"xml-trailing", "something follows after the network",
			"A document is one element. What follows it would be dropped silently, so a second network in the " +
				"same file would be missing. Put each network in a file of its own.",
			lab(anyIP) + lab(otherIP), good},
		{"xml-utf8", "an encoding that is not supported, or not the declared one",
			"Every reader of the file must see the same names. The file is in UTF-8, XML's own default, or in " +
				"ASCII or Latin-1 (ISO 8859-1) if its first line says so.",
			"<?xml version='1.0' encoding='koi8-r'?>\n" + lab(anyIP),
			"<?xml version='1.0' encoding='UTF-8'?>\n" + lab(anyIP)},
		{"xml-entity", "a document type or an entity",
			"Document types and the entities they declare can read files of the host into the document, or make a " +
				"text of a few lines fill the memory. A network needs neither: write values out. The five entities " +
				"of XML itself (&lt; &gt; &amp; &apos; &quot;) and characters by number remain.",
			"<!DOCTYPE network [<!ENTITY n SYSTEM 'file:///etc/hostname'>]>\n<network>\n  " +
				"<name>&n;</name>\n</network>\n", good},
		{"xml-instruction", "a processing instruction",
			"Processing instructions are commands to programs, and a network description is data. The XML " +
				"declaration at the very beginning of the file is the only one allowed.",
			"<network>\n  <?php exit ?>\n  <name>lab</name>\n</network>\n", "<?xml version='1.0'?>\n" + good},
		{"xml-limit", "too large, too deep or too many",
			"A file has at most 1 MiB, 20000 elements nested at most 64 deep, and 64 attributes in an element. A " +
				"network of ten thousand DHCP hosts stays within these limits; a larger one is probably an " +
				"attack on the reader's memory.",
			"<network>" + strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64) + "</network>\n", good},
		{"xml-namespace", "a namespace that is not declared or hides the network",
			"A prefix stands for the namespace that an xmlns attribute gives it. Libvirt's own elements are in no " +
				"namespace: under a default namespace it would find none of them.",
			"<network>\n  <name>lab</name>\n  <dnsmasq:options>\n    <dnsmasq:option value='log-dhcp'/>\n  " +
				"</dnsmasq:options>\n</network>\n",
			"<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>\n  <name>lab</name>\n  " +
				"<dnsmasq:options>\n    <dnsmasq:option value='log-dhcp'/>\n  </dnsmasq:options>\n</network>\n"},
	}
}

// schemaCodes are about elements, attributes and values by themselves.
func schemaCodes() []Info {
	return []Info{
		{"element-unknown", "an element that has no place there",
			"Libvirt silently drops elements that it does not know, so a misspelt or misplaced element has no " +
				"effect, and a filter that you rely on may not exist. With --lax this is a warning.",
			lab("<firewall allow='none'/>"), lab("<bridge name='virbr0'/>")},
		{"element-twice", "a single element given twice",
			"There is at most one. With two, libvirt does different things: of most elements it silently takes " +
				"the first, it mixes the content of two <dhcp>, and it refuses two <nat> or <pf>. Only " +
				"<dnsmasq:options> may be given more than once.",
			lab("<bridge name='virbr0'/>", "<bridge name='virbr1'/>"), lab("<bridge name='virbr0'/>")},
		{"attribute-unknown", "an attribute that the element doesn't have",
			"Libvirt silently drops attributes that it does not know, so a misspelt attribute has no effect. " +
				"With --lax this is a warning.",
			lab("<bridge name='virbr0' spt='off'/>"), lab("<bridge name='virbr0' stp='off'/>")},
		{"attribute-missing", "an attribute without which the element means nothing",
			"Some elements are of no use without one of their attributes. Libvirt refuses most of them, and " +
				"ignores the others.",
			lab("<ip prefix='24'/>"), lab(anyIP)},
		{"attribute-twice", "an attribute given twice",
			"XML has each attribute of an element at most once.",
			lab("<bridge name='virbr0' name='virbr1'/>"), lab("<bridge name='virbr0'/>")},
		{"text-unknown", "text where none belongs",
			"Most elements of a network hold attributes and other elements. Libvirt ignores text between them, " +
				"and so does vnetc. Such text is usually left over from editing, or a value that belongs into an " +
				"attribute.",
			lab("<bridge>virbr0</bridge>"), lab("<bridge name='virbr0'/>")},
		{"value-unknown", "a value that is not one of the known words",
			"The attribute has a list of possible words, and the spelling must be exact: yes is not true, 1 or " +
				"Yes. For stp of <bridge>, libvirt takes every word except off as on, so another word for on is " +
				"only a warning.",
			lab("<forward mode='nta'/>", anyIP), lab(anyNAT, anyIP)},
		{"value-number", "not a number, or one out of range",
			"The value is a whole number within the limits of what it counts: ports from 1 to 65535, prefixes of " +
				"at most 128 bits, and so on. Port 0 is not a port: in a rule it would mean something else.",
			lab("<forward mode='nat'>", "  <nat><port start='0' end='100'/></nat>", "</forward>", anyIP),
			lab("<forward mode='nat'>", "  <nat><port start='1024' end='2047'/></nat>", "</forward>", anyIP)},
		{"value-control", "a control character in a value",
			"The value becomes a part of a line in the configuration of another program. A line break in it " +
				"would begin a new line there, with content that the author of the document chose.",
			lab("<title>two&#10;lines</title>"), lab("<title>one line</title>")},
		{"value-unsafe", "a character that means something elsewhere",
			"The value is used in a command on the host, where blanks, quotes and wildcards have a meaning of their own.",
			lab("<forward mode='hostdev'>", "  <pf dev='eth0'/>", "  <driver name='vfio' model='vfio pci'/>",
				"</forward>"),
			lab("<forward mode='hostdev'>", "  <pf dev='eth0'/>", "  <driver name='vfio' model='mlx5_vfio_pci'/>",
				"</forward>")},
		{"mode-element", "an element or attribute that the forward mode can't have",
			"In the modes none, nat, route and open the bridge, its addresses, DHCP and DNS are made for the " +
				"network. In the other modes they exist before, or there are none, and libvirt refuses a network " +
				"that describes them.",
			lab("<forward mode='bridge'/>", "<bridge name='br0'/>", anyIP),
			lab("<forward mode='bridge'/>", "<bridge name='br0'/>")},
		{"mode-unused", "an element or attribute that has no effect in the forward mode",
			"Libvirt accepts it and does nothing with it, which is probably not intended.",
			lab("<forward mode='nat' managed='yes'/>", anyIP), lab(anyNAT, anyIP)},
	}
}
