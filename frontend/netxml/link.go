package netxml

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
)

// link is what a bring-up needs of the network beside its rules. What libvirtxml drops comes from
// the tree.
func (n *Network) link() *ir.Link {
	def := &n.Def
	l := &ir.Link{
		Name:    n.Name(),
		Mode:    n.Mode,
		IPv6:    def.IPv6 == "yes",
		Bridge:  n.bridge(),
		Uplink:  n.uplink(),
		Port:    n.port(),
		Groups:  n.groups(),
		Options: options(def.DnsmasqOptions),
	}
	if id, ok := xmldoc.ParseUUID(def.UUID); ok {
		l.UUID = xmldoc.UUIDText(id)
	}
	if def.MAC != nil {
		l.MAC = hardwareAddr(def.MAC.Address)
	}
	if def.MTU != nil {
		l.MTU = int(def.MTU.Size)
	}
	if d := def.Domain; d != nil {
		l.Domain = ir.Domain{Name: d.Name, LocalOnly: d.LocalOnly == "yes", Register: d.Register == "yes"}
	}
	if def.DNS != nil {
		l.DNS = dns(def.DNS)
	}
	for i, s := range n.subnets {
		l.Addresses = append(l.Addresses, n.address(s, &def.IPs[i]))
	}
	for i, route := range n.root.All("route") {
		l.Routes = append(l.Routes, routeOf(route, &def.Routes[i]))
	}
	l.Inbound, l.Outbound = rates(n.root.Kid("bandwidth"))
	return l
}

func (n *Network) bridge() ir.Bridge {
	b := ir.Bridge{Name: n.Bridge, Auto: n.AutoBridge}
	if def := n.Def.Bridge; def != nil {
		seconds, _ := xmldoc.ParseNumber(def.Delay)
		b.NoSTP = def.STP == "off"
		b.Delay = time.Duration(seconds) * time.Second
		b.LibvirtFDB = def.MACTableManager == "libvirt"
		b.Zone = def.Zone
	}
	return b
}

func (n *Network) uplink() ir.Uplink {
	f := n.Def.Forward
	if f == nil {
		return ir.Uplink{}
	}
	u := ir.Uplink{Managed: f.Managed == "yes"}
	if f.Driver != nil {
		u.Driver, u.Model = f.Driver.Name, f.Driver.Model
	}
	if len(f.PFs) > 0 { // interfaces and addresses beside it are what its functions were when the document was written
		u.PF = f.PFs[0].Dev
		return u
	}
	for _, i := range f.Interfaces {
		u.Devices = append(u.Devices, i.Dev)
	}
	if len(u.Devices) == 0 && f.Dev != "" {
		u.Devices = []string{f.Dev}
	}
	for _, a := range f.Addresses {
		u.PCI = append(u.PCI, fmt.Sprintf("%04x:%02x:%02x.%x", number0(a.PCI.Domain), number0(a.PCI.Bus),
			number0(a.PCI.Slot), number0(a.PCI.Function)))
	}
	return u
}

func number0(n *uint) uint {
	if n == nil {
		return 0
	}
	return *n
}

func (n *Network) address(s subnet, def *libvirtxml.NetworkIP) ir.Address {
	a := ir.Address{Prefix: netip.PrefixFrom(s.addr, s.prefix.Bits()), LocalPTR: def.LocalPtr == "yes"}
	if def.TFTP != nil {
		a.TFTP = def.TFTP.Root
	}
	if def.DHCP == nil {
		return a
	}
	a.DHCP = &ir.DHCP{}
	for _, r := range def.DHCP.Ranges {
		a.DHCP.Ranges = append(a.DHCP.Ranges, ir.DHCPRange{
			From: netip.MustParseAddr(r.Start), To: netip.MustParseAddr(r.End), Lease: lease(r.Lease),
		})
	}
	for _, h := range def.DHCP.Hosts {
		a.DHCP.Hosts = append(a.DHCP.Hosts, ir.DHCPHost{
			MAC: hardwareAddr(h.MAC), DUID: h.ID, Name: h.Name, Addr: netip.MustParseAddr(h.IP), Lease: lease(h.Lease),
		})
	}
	for _, b := range def.DHCP.Bootp {
		a.DHCP.BootFile = b.File
		if b.Server != "" {
			a.DHCP.BootServer = netip.MustParseAddr(b.Server)
		}
	}
	return a
}

// lease: libvirt counts in minutes unless told otherwise, and takes 0 for ever.
func lease(def *libvirtxml.NetworkDHCPLease) ir.Lease {
	if def == nil {
		return ""
	}
	if def.Expiry == 0 {
		return ir.Forever
	}
	unit := "m"
	switch def.Unit {
	case "seconds":
		unit = "s"
	case "hours":
		unit = "h"
	}
	return ir.Lease(fmt.Sprintf("%d%s", def.Expiry, unit))
}

// hardwareAddr returns nil for no address.
func hardwareAddr(v string) net.HardwareAddr {
	mac, ok := xmldoc.ParseMAC(v)
	if !ok {
		return nil
	}
	return mac[:]
}

// routeOf reads a route that was checked. The prefix comes from the tree, since libvirtxml can't
// distinguish 0 from absent.
func routeOf(n *xmldoc.Node, def *libvirtxml.NetworkRoute) ir.Route {
	metric, _ := strconv.ParseUint(def.Metric, 10, 32)
	dest := netip.MustParseAddr(def.Address)
	bits, _ := (&checker{}).bits(n, dest, true)
	return ir.Route{
		Dest:    netip.PrefixFrom(dest, bits),
		Gateway: netip.MustParseAddr(def.Gateway),
		Metric:  uint32(metric),
	}
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
	def := &n.Def
	o := portOptions(def.VLAN, def.VirtualPort)
	o.Isolated = def.PortOptions != nil && def.PortOptions.Isolated == "yes"
	o.TrustRxFilters = def.TrustGuestRxFilters == "yes"
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
	case p.Any != nil:
		a := p.Any
		return &ir.VirtualPort{
			ManagerID: uint32(number0(a.ManagerID)), TypeID: uint32(number0(a.TypeID)),
			TypeIDVers: uint32(number0(a.TypeIDVersion)), InstanceID: a.InstanceID, ProfileID: a.ProfileID,
			InterfaceID: a.InterfaceID,
		}
	}
	return nil
}

func (n *Network) groups() []ir.PortGroup {
	nodes := n.root.All("portgroup")
	var groups []ir.PortGroup
	for i, def := range n.Def.PortGroups {
		g := ir.PortGroup{Name: def.Name, Default: def.Default == "yes", Port: portOptions(def.VLAN, def.VirtualPort)}
		g.Port.TrustRxFilters = def.TrustGuestRxFilters == "yes"
		if own, all := g.Port.VirtualPort, n.port().VirtualPort; own != nil && own.Type == "" && all != nil {
			own.Type = all.Type
		}
		g.Inbound, g.Outbound = rates(nodes[i].Kid("bandwidth"))
		groups = append(groups, g)
	}
	return groups
}

// rates reads a <bandwidth>, which libvirtxml drops in port groups; nil where there is none.
func rates(bandwidth *xmldoc.Node) (inbound, outbound *ir.Rate) {
	return rateOf(bandwidth.Kid("inbound")), rateOf(bandwidth.Kid("outbound"))
}

func rateOf(n *xmldoc.Node) *ir.Rate {
	if n == nil {
		return nil
	}
	value := func(name string) uint64 {
		v, _ := n.Value(name)
		number, _ := xmldoc.ParseNumber(v)
		return number
	}
	return &ir.Rate{Average: value("average"), Peak: value("peak"), Burst: value("burst")}
}
