package netxml

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/ir"
)

// link is what a bring-up needs of the network beside its rules.
func (n *Network) link() *ir.Link {
	root := n.root
	l := &ir.Link{
		Name:    n.Name(),
		Mode:    n.Mode,
		IPv6:    root.yes("ipv6"),
		Bridge:  n.bridge(),
		Uplink:  n.uplink(),
		Port:    n.port(),
		Groups:  n.groups(),
		Options: options(n.Def.DnsmasqOptions),
		MAC:     hardwareAddr(root.kid("mac").valueOr("address")),
	}
	if id, ok := parseUUID(root.kid("uuid").textOr("")); ok {
		l.UUID = uuidText(id)
	}
	if size, ok := root.kid("mtu").number("size"); ok {
		l.MTU = int(size)
	}
	if d := root.kid("domain"); d != nil {
		l.Domain = ir.Domain{Name: d.valueOr("name"), LocalOnly: d.yes("localOnly"), Register: d.yes("register")}
	}
	if n.Def.DNS != nil {
		l.DNS = dns(n.Def.DNS)
	}
	for _, s := range n.subnets {
		l.Addresses = append(l.Addresses, addressOf(s))
	}
	for _, route := range root.all("route") {
		l.Routes = append(l.Routes, routeOf(route))
	}
	l.Inbound, l.Outbound = rates(root.kid("bandwidth"))
	return l
}

func (n *Network) bridge() ir.Bridge {
	bridge := n.root.kid("bridge")
	seconds, _ := bridge.number("delay")
	return ir.Bridge{
		Name:       n.Bridge,
		Auto:       n.AutoBridge,
		NoSTP:      bridge.valueOr("stp") == "off",
		Delay:      time.Duration(seconds) * time.Second,
		LibvirtFDB: bridge.valueOr("macTableManager") == "libvirt",
		Zone:       bridge.valueOr("zone"),
	}
}

func (n *Network) uplink() ir.Uplink {
	f := n.root.kid("forward")
	driver := f.kid("driver")
	u := ir.Uplink{
		Devices: n.devices(),
		PF:      f.kid("pf").valueOr("dev"),
		Managed: f.yes("managed"),
		Driver:  driver.valueOr("name"),
		Model:   driver.valueOr("model"),
	}
	for _, a := range f.all("address") {
		part := func(name string) uint64 { number, _ := a.number(name); return number } // 0 if left out
		u.PCI = append(u.PCI, fmt.Sprintf("%04x:%02x:%02x.%x", part("domain"), part("bus"), part("slot"), part("function")))
	}
	return u
}

// devices returns the names of the devices that are the way out: those of <interface>, or the one of <forward>.
func (n *Network) devices() []string {
	forward := n.root.kid("forward")
	var names []string
	for _, i := range forward.all("interface") {
		names = append(names, i.valueOr("dev"))
	}
	if dev := forward.valueOr("dev"); len(names) == 0 && dev != "" {
		names = []string{dev}
	}
	return names
}

func addressOf(s subnet) ir.Address {
	a := ir.Address{
		Prefix:   netip.PrefixFrom(s.addr, s.prefix.Bits()),
		LocalPTR: s.node.yes("localPtr"),
		TFTP:     s.node.kid("tftp").valueOr("root"),
	}
	dhcp := s.node.kid("dhcp")
	if dhcp == nil {
		return a
	}
	a.DHCP = &ir.DHCP{}
	for _, r := range dhcp.all("range") {
		from, _ := r.addr("start")
		to, _ := r.addr("end")
		a.DHCP.Ranges = append(a.DHCP.Ranges, ir.DHCPRange{From: from, To: to, Lease: lease(r.kid("lease"))})
	}
	for _, h := range dhcp.all("host") {
		addr, _ := h.addr("ip")
		a.DHCP.Hosts = append(a.DHCP.Hosts, ir.DHCPHost{
			MAC: hardwareAddr(h.valueOr("mac")), DUID: h.valueOr("id"), Name: h.valueOr("name"), Addr: addr, Lease: lease(h.kid("lease")),
		})
	}
	bootp := dhcp.kid("bootp")
	a.DHCP.BootFile = bootp.valueOr("file")
	a.DHCP.BootServer, _ = bootp.addr("server")
	return a
}

// lease: libvirt counts in minutes unless told otherwise, and takes 0 for ever.
func lease(n *node) ir.Lease {
	if n == nil {
		return ""
	}
	expiry, _ := n.number("expiry")
	if expiry == 0 {
		return ir.Forever
	}
	unit := "m"
	switch n.valueOr("unit") {
	case "seconds":
		unit = "s"
	case "hours":
		unit = "h"
	}
	return ir.Lease(fmt.Sprintf("%d%s", expiry, unit))
}

// hardwareAddr returns nil for no address.
func hardwareAddr(v string) net.HardwareAddr {
	mac, ok := parseMAC(v)
	if !ok {
		return nil
	}
	return mac[:]
}

// routeOf reads a route that was checked.
func routeOf(n *node) ir.Route {
	dest, _ := n.addr("address")
	gateway, _ := n.addr("gateway")
	metric, _ := n.number("metric")
	bits, _ := (&checker{}).bits(n, dest, true)
	return ir.Route{Dest: netip.PrefixFrom(dest, bits), Gateway: gateway, Metric: uint32(metric)}
}

func dns(def *libvirtxml.NetworkDNS) ir.DNS {
	d := ir.DNS{Off: def.Enable == "no", NoPlainNames: def.ForwardPlainNames == "no"}
	for _, f := range def.Forwarders {
		forwarder := ir.Forwarder{Domain: f.Domain, Port: uint16(f.Port)}
		if f.Addr != "" {
			forwarder.Addr = netip.MustParseAddr(f.Addr)
		}
		d.Forwarders = append(d.Forwarders, forwarder)
	}
	for _, t := range def.TXTs {
		d.TXT = append(d.TXT, ir.TXTRecord{Name: t.Name, Value: t.Value})
	}
	for _, h := range def.Host {
		host := ir.DNSHost{Addr: netip.MustParseAddr(h.IP)}
		for _, name := range h.Hostnames {
			host.Names = append(host.Names, name.Hostname)
		}
		d.Hosts = append(d.Hosts, host)
	}
	for _, s := range def.SRVs {
		d.SRV = append(d.SRV, ir.SRVRecord{
			Service: s.Service, Protocol: s.Protocol, Domain: s.Domain, Target: s.Target,
			Port: uint16(s.Port), Priority: uint16(s.Priority), Weight: uint16(s.Weight),
		})
	}
	return d
}

func options(def *libvirtxml.NetworkDnsmasqOptions) []string {
	if def == nil {
		return nil
	}
	var lines []string
	for _, o := range def.Option {
		lines = append(lines, o.Value)
	}
	return lines
}

func (n *Network) port() ir.PortOptions {
	o := portOptions(n.Def.VLAN, n.Def.VirtualPort)
	o.Isolated = n.root.kid("port").yes("isolated")
	o.TrustRxFilters = n.root.yes("trustGuestRxFilters")
	return o
}

func portOptions(vlan *libvirtxml.NetworkVLAN, vp *libvirtxml.NetworkVirtualPort) ir.PortOptions {
	var o ir.PortOptions
	if vlan != nil {
		o.VLANTrunk = len(vlan.Tags) > 1 || strings.EqualFold(vlan.Trunk, "yes")
		for _, tag := range vlan.Tags {
			o.VLANs = append(o.VLANs, ir.VLAN{ID: uint16(tag.ID), Native: tag.NativeMode})
			o.VLANTrunk = o.VLANTrunk || tag.NativeMode != ""
		}
	}
	if vp != nil && vp.Params != nil {
		o.VirtualPort = virtualPort(vp.Params)
	}
	return o
}

func number0(n *uint) uint {
	if n == nil {
		return 0
	}
	return *n
}

func virtualPort(p *libvirtxml.NetworkVirtualPortParams) *ir.VirtualPort {
	switch {
	case p.VEPA8021QBG != nil:
		g := p.VEPA8021QBG
		return &ir.VirtualPort{
			Type: "802.1Qbg", ManagerID: uint32(number0(g.ManagerID)), TypeID: uint32(number0(g.TypeID)),
			TypeIDVers: uint32(number0(g.TypeIDVersion)), InstanceID: g.InstanceID,
		}
	case p.VNTag8011QBH != nil:
		return &ir.VirtualPort{Type: "802.1Qbh", ProfileID: p.VNTag8011QBH.ProfileID}
	case p.OpenVSwitch != nil:
		return &ir.VirtualPort{Type: "openvswitch", InterfaceID: p.OpenVSwitch.InterfaceID,
			ProfileID: p.OpenVSwitch.ProfileID}
	case p.MidoNet != nil:
		return &ir.VirtualPort{Type: "midonet", InterfaceID: p.MidoNet.InterfaceID}
	}
	return nil
}

func (n *Network) groups() []ir.PortGroup {
	nodes := n.root.all("portgroup")
	var groups []ir.PortGroup
	for i, def := range n.Def.PortGroups {
		g := ir.PortGroup{Name: def.Name, Default: def.Default == "yes", Port: portOptions(def.VLAN, def.VirtualPort)}
		g.Port.TrustRxFilters = def.TrustGuestRxFilters == "yes"
		g.Inbound, g.Outbound = rates(nodes[i].kid("bandwidth"))
		groups = append(groups, g)
	}
	return groups
}

// rates reads a <bandwidth>, which libvirtxml drops in port groups; nil where there is none.
func rates(bandwidth *node) (inbound, outbound *ir.Rate) {
	return rateOf(bandwidth.kid("inbound")), rateOf(bandwidth.kid("outbound"))
}

func rateOf(n *node) *ir.Rate {
	if n == nil {
		return nil
	}
	value := func(name string) uint64 {
		v, _ := n.value(name)
		number, _ := parseNumber(v)
		return number
	}
	return &ir.Rate{Average: value("average"), Peak: value("peak"), Burst: value("burst")}
}
