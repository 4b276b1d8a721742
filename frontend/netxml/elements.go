package netxml

// dnsmasqNamespace is the namespace of libvirt's <dnsmasq:options>.
const dnsmasqNamespace = "http://libvirt.org/schemas/network/dnsmasq/1.0"

// maxRate is the largest number of a <bandwidth>, in KB/s or KiB.
const maxRate = 1<<32 - 1

// network is the table of the schema: libvirt's network XML (https://libvirt.org/formatnetwork.html, and what libvirt
// 11.3 does where the page is silent), with the networks in which each part may stand.
var network = &element{
	name: "network",
	attrs: []attr{
		{name: "ipv6", check: yesNo, works: inManaged},
		{name: "trustGuestRxFilters", check: yesNo},
		{name: "connections", check: number(0, 1<<31)}, // libvirt writes it into the XML of a running network
	},
	kids: []*element{
		{name: "name", text: networkName},
		{name: "uuid", text: uuid},
		{name: "title", text: title},
		{name: "description", text: anything},
		{name: "metadata", free: true},
		forwardElement,
		bridgeElement,
		{name: "mtu", modes: inManaged, attrs: []attr{{name: "size", check: mtu, need: true}}},
		{name: "mac", modes: inManaged, attrs: []attr{{name: "address", check: unicastMAC, need: true}}},
		{name: "domain", modes: inManaged, attrs: []attr{
			{name: "name", check: domainName, need: true},
			{name: "localOnly", check: yesNo},
			{name: "register", check: yesNo},
		}},
		dnsElement,
		vlanElement,
		bandwidthElement,
		{name: "port", works: inManaged | inBridge, attrs: []attr{{name: "isolated", check: yesNo}}},
		ipElement,
		{name: "route", many: true, modes: inManaged, attrs: []attr{
			{name: "family", check: oneOf("ipv4", "ipv6")},
			{name: "address", check: address, need: true},
			{name: "netmask", check: netmask},
			{name: "prefix", check: number(0, 128)},
			{name: "gateway", check: address, need: true},
			{name: "metric", check: number(1, 1<<32-1)},
		}},
		virtualportElement(true),
		{name: "portgroup", many: true, attrs: []attr{
			{name: "name", check: portgroupName, need: true},
			{name: "default", check: yesNo},
			{name: "trustGuestRxFilters", check: yesNo},
		}, kids: []*element{vlanElement, bandwidthElement, virtualportElement(false)}},
		{name: "options", space: dnsmasqNamespace, works: inManaged, kids: []*element{
			{name: "option", space: dnsmasqNamespace, many: true,
				attrs: []attr{{name: "value", check: dnsmasqOption, need: true}}},
		}},
	},
}

// uplinkModes have devices to the outside. Mode bridge with a bridge's name is among them so that the rule which
// forbids both has the word.
const uplinkModes = inMacvtap | inBridge

var forwardElement = &element{
	name: "forward",
	attrs: []attr{
		{name: "mode", check: oneOf("nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev", "none")},
		{name: "dev", check: device, modes: inNAT | inRoute | uplinkModes},
		{name: "managed", check: yesNo, works: inHostdev},
	},
	kids: []*element{
		{name: "interface", many: true, modes: inNAT | inRoute | uplinkModes, attrs: []attr{
			{name: "dev", check: device, need: true},
			{name: "connections", check: number(0, 1<<31)},
		}},
		{name: "address", many: true, modes: inHostdev, attrs: []attr{
			{name: "type", check: oneOf("pci"), need: true},
			{name: "domain", hex: true, check: hexNumber(0, 0xffff)},
			{name: "bus", hex: true, check: hexNumber(0, 0xff)},
			{name: "slot", hex: true, check: hexNumber(0, 0x1f)},
			{name: "function", hex: true, check: hexNumber(0, 7)},
			{name: "connections", check: number(0, 1<<31)},
		}},
		{name: "pf", modes: uplinkModes | inHostdev, attrs: []attr{{name: "dev", check: device, need: true}}},
		{name: "driver", works: inHostdev, attrs: []attr{
			{name: "name", check: oneOf("vfio", "kvm")},
			{name: "model", check: moduleName},
		}},
		{name: "nat", modes: inNAT, attrs: []attr{{name: "ipv6", check: yesNo}}, kids: []*element{
			{name: "address", attrs: []attr{{name: "start", check: address4, need: true},
				{name: "end", check: address4, need: true}}},
			{name: "port", attrs: []attr{{name: "start", check: port, need: true}, {name: "end", check: port, need: true}}},
		}},
	},
}

// bridgeElement: a forward delay beyond 30 seconds is refused by the kernel while the spanning tree protocol is on
// (BR_MAX_FORWARD_DELAY in net/bridge/br_private.h); without it the delay has no use.
var bridgeElement = &element{
	name: "bridge",
	attrs: []attr{
		{name: "name", check: bridgeName, modes: inManaged | inBridge},
		{name: "zone", check: zoneName, modes: inManaged},
		{name: "stp", check: oneOf("on", "off"), modes: inManaged},
		{name: "delay", check: number(0, 30), modes: inManaged},
		{name: "macTableManager", check: oneOf("kernel", "libvirt"), modes: inManaged | inBridge},
	},
}

var dnsElement = &element{
	name: "dns",
	attrs: []attr{
		{name: "enable", check: yesNo, works: inManaged},
		{name: "forwardPlainNames", check: yesNo, works: inManaged},
	},
	kids: []*element{
		{name: "forwarder", many: true, works: inManaged, attrs: []attr{
			{name: "addr", check: address}, {name: "domain", check: domainName}, {name: "port", check: port},
		}},
		{name: "txt", many: true, modes: inManaged, attrs: []attr{
			{name: "name", check: txtName, need: true}, {name: "value", check: txtValue, need: true},
		}},
		{name: "host", many: true, modes: inManaged, attrs: []attr{{name: "ip", check: address, need: true}},
			kids: []*element{
				{name: "hostname", many: true, text: domainName},
			}},
		{name: "srv", many: true, modes: inManaged, attrs: []attr{
			{name: "service", check: serviceName, need: true}, {name: "protocol", check: oneOf("tcp", "udp"), need: true},
			{name: "domain", check: domainName}, {name: "target", check: srvTarget},
			{name: "port", check: port}, {name: "priority", check: number(0, 65535)},
			{name: "weight", check: number(0, 65535)},
		}},
	},
}

var ipElement = &element{
	name: "ip", many: true, modes: inManaged,
	attrs: []attr{
		{name: "family", check: oneOf("ipv4", "ipv6")},
		{name: "address", check: address, need: true},
		{name: "netmask", check: netmask},
		{name: "prefix", check: number(0, 128)},
		{name: "localPtr", check: yesNo},
	},
	kids: []*element{
		{name: "tftp", attrs: []attr{{name: "root", check: tftpRoot, need: true}}},
		{name: "dhcp", kids: []*element{
			{name: "range", many: true, kids: []*element{leaseElement}, attrs: []attr{
				{name: "start", check: address, need: true}, {name: "end", check: address, need: true},
			}},
			{name: "host", many: true, kids: []*element{leaseElement}, attrs: []attr{
				{name: "mac", check: unicastMAC}, {name: "id", check: duid}, {name: "name", check: guestName},
				{name: "ip", check: address, need: true},
			}},
			{name: "bootp", attrs: []attr{{name: "file", check: bootFile, need: true}, {name: "server", check: address4}}},
		}},
	},
}

var leaseElement = &element{name: "lease", attrs: []attr{
	{name: "expiry", check: number(0, 1<<32-1), need: true},
	{name: "unit", check: oneOf("seconds", "minutes", "hours")},
}}

var vlanElement = &element{
	name:  "vlan",
	attrs: []attr{{name: "trunk", check: yesNoAnyCase}},
	kids: []*element{{name: "tag", many: true, attrs: []attr{
		{name: "id", check: number(0, 4095), need: true},
		{name: "nativeMode", check: oneOf("tagged", "untagged")},
	}}},
}

var bandwidthElement = &element{
	name: "bandwidth", modes: inManaged | inBridge,
	attrs: []attr{{name: "classID", check: noClass}},
	kids:  []*element{rateElement("inbound"), rateElement("outbound")},
}

func rateElement(name string) *element {
	return &element{name: name, attrs: []attr{
		{name: "average", check: rate},
		{name: "peak", check: number(0, maxRate)},
		{name: "burst", check: number(0, maxRate)},
		{name: "floor", check: noFloor},
	}}
}

// virtualportElement: a port group may leave the type to the network, or to the guest's interface.
func virtualportElement(typed bool) *element {
	return &element{
		name:  "virtualport",
		attrs: []attr{{name: "type", check: oneOf("802.1Qbg", "802.1Qbh", "openvswitch", "midonet"), need: typed}},
		kids: []*element{{name: "parameters", attrs: []attr{
			{name: "managerid", hex: true, check: hexNumber(0, 255)},
			{name: "typeid", hex: true, check: hexNumber(0, 1<<24-1)},
			{name: "typeidversion", hex: true, check: hexNumber(0, 255)},
			{name: "instanceid", check: uuid},
			{name: "interfaceid", check: uuid},
			{name: "profileid", check: profileID},
		}}},
	}
}
