package netxml

import (
	"fmt"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// dnsmasqNamespace is the namespace of libvirt's <dnsmasq:options>.
const dnsmasqNamespace = "http://libvirt.org/schemas/network/dnsmasq/1.0"

// maxRate is the largest number of a <bandwidth>, in KB/s or KiB.
const maxRate = 1<<32 - 1

// language has the messages about documents that are no network at all, and the root of the table.
var language = &xmldoc.Language{
	Noun:  "network",
	Roots: []*xmldoc.Element{network},
	Begin: "write <network> with a <name> in it",
	Undeclared: func(prefix string) string {
		return fmt.Sprintf("if dnsmasq options are meant, write <network xmlns:%s='%s'>", prefix, dnsmasqNamespace)
	},
}

// network is the table of the schema: libvirt's network XML
// (https://libvirt.org/formatnetwork.html, and what libvirt 11.3 does where the page is silent),
// with the networks in which each part may stand.
var network = &xmldoc.Element{
	Name: "network",
	Attrs: []xmldoc.Attr{
		{Name: "ipv6", Check: xmldoc.YesNo, Works: inManaged},
		{Name: "trustGuestRxFilters", Check: xmldoc.YesNo},
		{Name: "connections", Check: xmldoc.Number(0, 1<<31)}, // libvirt writes it into the XML of a running network
	},
	Kids: []*xmldoc.Element{
		{Name: "name", Text: networkName},
		{Name: "uuid", Text: xmldoc.UUID},
		{Name: "title", Text: title},
		{Name: "description", Text: xmldoc.Anything},
		{Name: "metadata", Free: true},
		forwardElement,
		bridgeElement,
		{Name: "mtu", May: inManaged, Attrs: []xmldoc.Attr{{Name: "size", Check: mtu, Need: true}}},
		{Name: "mac", May: inManaged, Attrs: []xmldoc.Attr{{Name: "address", Check: xmldoc.UnicastMAC, Need: true}}},
		{Name: "domain", May: inManaged, Attrs: []xmldoc.Attr{
			{Name: "name", Check: domainName, Need: true},
			{Name: "localOnly", Check: xmldoc.YesNo},
			{Name: "register", Check: xmldoc.YesNo},
		}},
		dnsElement,
		vlanElement,
		bandwidthElement,
		{Name: "port", Works: inManaged | inBridge, Attrs: []xmldoc.Attr{{Name: "isolated", Check: xmldoc.YesNo}}},
		ipElement,
		{Name: "route", Many: true, May: inManaged, Attrs: []xmldoc.Attr{
			{Name: "family", Check: xmldoc.OneOf("ipv4", "ipv6")},
			{Name: "address", Check: xmldoc.Address, Need: true},
			{Name: "netmask", Check: xmldoc.Netmask},
			{Name: "prefix", Check: xmldoc.Number(0, 128)},
			{Name: "gateway", Check: xmldoc.Address, Need: true},
			{Name: "metric", Check: xmldoc.Number(1, 1<<32-1)},
		}},
		virtualportElement(true),
		{Name: "portgroup", Many: true, Attrs: []xmldoc.Attr{
			{Name: "name", Check: portgroupName, Need: true},
			{Name: "default", Check: xmldoc.YesNo},
			{Name: "trustGuestRxFilters", Check: xmldoc.YesNo},
		}, Kids: []*xmldoc.Element{vlanElement, bandwidthElement, virtualportElement(false)}},
		{Name: "options", Space: dnsmasqNamespace, Many: true, Works: inManaged, Kids: []*xmldoc.Element{
			{Name: "option", Space: dnsmasqNamespace, Many: true,
				Attrs: []xmldoc.Attr{{Name: "value", Check: dnsmasqOption, Need: true}}},
		}},
	},
}

// uplinkModes have devices to the outside. Mode bridge with a bridge's name is among them so that
// the rule which forbids both has the word.
const uplinkModes = inMacvtap | inBridge

var forwardElement = &xmldoc.Element{
	Name: "forward",
	Attrs: []xmldoc.Attr{
		{Name: "mode", Check: xmldoc.OneOf("nat", "route", "open", "bridge", "private", "vepa", "passthrough",
			"hostdev", "none")},
		{Name: "dev", Check: xmldoc.Device, May: inNAT | inRoute | uplinkModes},
		{Name: "managed", Check: xmldoc.YesNo, Works: inHostdev},
	},
	Kids: []*xmldoc.Element{
		{Name: "interface", Many: true, May: inNAT | inRoute | uplinkModes, Attrs: []xmldoc.Attr{
			{Name: "dev", Check: xmldoc.Device, Need: true},
			{Name: "connections", Check: xmldoc.Number(0, 1<<31)},
		}},
		{Name: "address", Many: true, May: inHostdev, Attrs: []xmldoc.Attr{
			{Name: "type", Check: xmldoc.OneOf("pci"), Need: true},
			{Name: "domain", Hex: true, Check: xmldoc.HexNumber(0, 0xffff)},
			{Name: "bus", Hex: true, Check: xmldoc.HexNumber(0, 0xff)},
			{Name: "slot", Hex: true, Check: xmldoc.HexNumber(0, 0x1f)},
			{Name: "function", Hex: true, Check: xmldoc.HexNumber(0, 7)},
			{Name: "connections", Check: xmldoc.Number(0, 1<<31)},
		}},
		{Name: "pf", May: uplinkModes | inHostdev, Attrs: []xmldoc.Attr{{Name: "dev", Check: xmldoc.Device,
			Need: true}}},
		{Name: "driver", Works: inHostdev, Attrs: []xmldoc.Attr{
			{Name: "name", Check: xmldoc.OneOf("vfio", "kvm")},
			{Name: "model", Check: moduleName},
		}},
		{Name: "nat", May: inNAT, Attrs: []xmldoc.Attr{{Name: "ipv6", Check: xmldoc.YesNo}}, Kids: []*xmldoc.Element{
			{Name: "address", Attrs: []xmldoc.Attr{{Name: "start", Check: xmldoc.Address4, Need: true},
				{Name: "end", Check: xmldoc.Address4, Need: true}}},
			{Name: "port", Attrs: []xmldoc.Attr{{Name: "start", Check: xmldoc.Port, Need: true},
				{Name: "end", Check: xmldoc.Port, Need: true}}},
		}},
	},
}

// bridgeElement: a forward delay beyond 30 seconds is refused by the kernel while the spanning tree
// protocol is on (BR_MAX_FORWARD_DELAY in net/bridge/br_private.h); without it the delay has no
// use.
var bridgeElement = &xmldoc.Element{
	Name: "bridge",
	Attrs: []xmldoc.Attr{
		{Name: "name", Check: bridgeName, May: inManaged | inBridge},
		{Name: "zone", Check: zoneName, May: inManaged},
		{Name: "stp", Check: stp, May: inManaged},
		{Name: "delay", Check: xmldoc.Number(0, 30), May: inManaged},
		{Name: "macTableManager", Check: xmldoc.OneOf("kernel", "libvirt"), May: inManaged | inBridge},
	},
}

var dnsElement = &xmldoc.Element{
	Name: "dns",
	Attrs: []xmldoc.Attr{
		{Name: "enable", Check: xmldoc.YesNo, Works: inManaged},
		{Name: "forwardPlainNames", Check: xmldoc.YesNo, Works: inManaged},
	},
	Kids: []*xmldoc.Element{
		{Name: "forwarder", Many: true, Works: inManaged, Attrs: []xmldoc.Attr{
			{Name: "addr", Check: xmldoc.Address}, {Name: "domain", Check: domainName},
			{Name: "port", Check: xmldoc.Port},
		}},
		{Name: "txt", Many: true, May: inManaged, Attrs: []xmldoc.Attr{
			{Name: "name", Check: txtName, Need: true}, {Name: "value", Check: txtValue, Need: true},
		}},
		{Name: "host", Many: true, May: inManaged, Attrs: []xmldoc.Attr{{Name: "ip", Check: xmldoc.Address,
			Need: true}},
			Kids: []*xmldoc.Element{
				{Name: "hostname", Many: true, Text: hostName},
			}},
		{Name: "srv", Many: true, May: inManaged, Attrs: []xmldoc.Attr{
			{Name: "service", Check: serviceName, Need: true}, {Name: "protocol", Check: xmldoc.OneOf("tcp", "udp"),
				Need: true},
			{Name: "domain", Check: domainName}, {Name: "target", Check: srvTarget},
			{Name: "port", Check: xmldoc.Port}, {Name: "priority", Check: xmldoc.Number(0, 65535)},
			{Name: "weight", Check: xmldoc.Number(0, 65535)},
		}},
	},
}

var ipElement = &xmldoc.Element{
	Name: "ip", Many: true, May: inManaged,
	Attrs: []xmldoc.Attr{
		{Name: "family", Check: xmldoc.OneOf("ipv4", "ipv6")},
		{Name: "address", Check: xmldoc.Address, Need: true},
		{Name: "netmask", Check: xmldoc.Netmask},
		{Name: "prefix", Check: xmldoc.Number(0, 128)},
		{Name: "localPtr", Check: xmldoc.YesNo},
	},
	Kids: []*xmldoc.Element{
		{Name: "tftp", Attrs: []xmldoc.Attr{{Name: "root", Check: tftpRoot, Need: true}}},
		{Name: "dhcp", Kids: []*xmldoc.Element{
			{Name: "range", Many: true, Kids: []*xmldoc.Element{leaseElement}, Attrs: []xmldoc.Attr{
				{Name: "start", Check: xmldoc.Address, Need: true}, {Name: "end", Check: xmldoc.Address, Need: true},
			}},
			{Name: "host", Many: true, Kids: []*xmldoc.Element{leaseElement}, Attrs: []xmldoc.Attr{
				{Name: "mac", Check: xmldoc.UnicastMAC}, {Name: "id", Check: duid}, {Name: "name", Check: guestName},
				{Name: "ip", Check: xmldoc.Address, Need: true},
			}},
			{Name: "bootp", Attrs: []xmldoc.Attr{{Name: "file", Check: bootFile, Need: true},
				{Name: "server", Check: xmldoc.Address4}}},
		}},
	},
}

var leaseElement = &xmldoc.Element{Name: "lease", Attrs: []xmldoc.Attr{
	{Name: "expiry", Check: leaseTime, Need: true},
	{Name: "unit", Check: xmldoc.OneOf("seconds", "minutes", "hours")},
}}

var vlanElement = &xmldoc.Element{
	Name:  "vlan",
	Attrs: []xmldoc.Attr{{Name: "trunk", Check: xmldoc.YesNoAnyCase}},
	Kids: []*xmldoc.Element{{Name: "tag", Many: true, Attrs: []xmldoc.Attr{
		{Name: "id", Check: xmldoc.Number(0, 4095), Need: true},
		{Name: "nativeMode", Check: xmldoc.OneOf("tagged", "untagged")},
	}}},
}

var bandwidthElement = &xmldoc.Element{
	Name: "bandwidth", May: inManaged | inBridge,
	Attrs: []xmldoc.Attr{{Name: "classID", Check: noClass}},
	Kids:  []*xmldoc.Element{rateElement("inbound"), rateElement("outbound")},
}

func rateElement(name string) *xmldoc.Element {
	return &xmldoc.Element{Name: name, Attrs: []xmldoc.Attr{
		{Name: "average", Check: rate},
		{Name: "peak", Check: xmldoc.Number(0, maxRate)},
		{Name: "burst", Check: xmldoc.Number(0, maxRate)},
		{Name: "floor", Check: noFloor},
	}}
}

// virtualportElement: a port group may leave the type to the network, or to the guest's interface.
func virtualportElement(typed bool) *xmldoc.Element {
	return &xmldoc.Element{
		Name: "virtualport",
		Attrs: []xmldoc.Attr{{Name: "type", Check: xmldoc.OneOf("802.1Qbg", "802.1Qbh", "openvswitch", "midonet"),
			Need: typed}},
		Kids: []*xmldoc.Element{{Name: "parameters", Attrs: []xmldoc.Attr{
			{Name: "managerid", Hex: true, Check: xmldoc.HexNumber(0, 255)},
			{Name: "typeid", Hex: true, Check: xmldoc.HexNumber(0, 1<<24-1)},
			{Name: "typeidversion", Hex: true, Check: xmldoc.HexNumber(0, 255)},
			{Name: "instanceid", Check: xmldoc.UUID},
			{Name: "interfaceid", Check: xmldoc.UUID},
			{Name: "profileid", Check: profileID},
		}}},
	}
}
