package ir

import (
	"net"
	"net/netip"
	"time"
)

// Mode is the way a network's guests reach the world, libvirt's forward mode.
type Mode string

const (
	ModeNone        Mode = "none" // isolated
	ModeNAT         Mode = "nat"
	ModeRoute       Mode = "route"
	ModeOpen        Mode = "open"
	ModeBridge      Mode = "bridge"
	ModePrivate     Mode = "private"
	ModeVEPA        Mode = "vepa"
	ModePassthrough Mode = "passthrough"
	ModeHostdev     Mode = "hostdev"
)

// Managed is true if bringing the network up creates its bridge, addresses and services; in the
// other modes they exist before, and a network is only a recipe for guest ports.
func (m Mode) Managed() bool {
	return m == ModeNone || m == ModeNAT || m == ModeRoute || m == ModeOpen
}

// Filtered is true if the network has firewall rules of its own.
func (m Mode) Filtered() bool { return m == ModeNone || m == ModeNAT || m == ModeRoute }

// Link is what a bring-up of one network needs beside its rules. Fields that were not given are
// zero.
type Link struct {
	Name   string
	UUID   string
	Mode   Mode
	IPv6   bool // IPv6 is true if guests may talk IPv6 with each other though the bridge has no IPv6 address.
	Bridge Bridge
	MAC    net.HardwareAddr // of the bridge; nil if one is to be chosen
	MTU    int              // bytes; 0 leaves the kernel's default

	// Forwards4 and Forwards6 are true if policies let IPv4 or IPv6 into or out of the network
	// though its mode doesn't.
	Forwards4, Forwards6 bool

	Uplink    Uplink
	Addresses []Address
	Routes    []Route
	Domain    Domain
	DNS       DNS
	Options   []string // lines for the end of dnsmasq's configuration, checked to be one line each

	Inbound  *Rate // toward the guests
	Outbound *Rate // from the guests
	Port     PortOptions
	Groups   []PortGroup
}

// Bridge is the Linux bridge (or, in mode bridge, possibly an Open vSwitch) of a network.
type Bridge struct {
	Name string
	// Auto is true if Name was chosen from a pattern and another may be taken on a host that has
	// it.
	Auto       bool
	NoSTP      bool          // NoSTP is true if the spanning tree protocol is off; libvirt's default is on.
	Delay      time.Duration // forward delay
	LibvirtFDB bool          // LibvirtFDB is true if the MAC table is to be kept by hand, macTableManager='libvirt'.
	Zone       string        // firewalld zone
}

// Uplink is the way out (<forward>): devices by name, by physical function, or by PCI address.
type Uplink struct {
	Devices []string
	PF      string
	PCI     []string // domain:bus:slot.function, as lspci -D prints it
	Managed bool     // Managed is true if PCI devices are detached from and given back to the host.
	Driver  string   // driver name for hostdev, vfio or kvm
	Model   string   // driver model
}

// Address is one address of the bridge and what is served in its subnet.
type Address struct {
	Prefix   netip.Prefix // the bridge's own address, with the subnet's length
	LocalPTR bool         // LocalPTR is true if reverse look-ups for the subnet are answered here and nowhere else.
	TFTP     string       // root directory; empty for no TFTP
	DHCP     *DHCP        // nil for no <dhcp>
}

// DHCP is the address service of one subnet.
type DHCP struct {
	Ranges     []DHCPRange
	Hosts      []DHCPHost
	BootFile   string
	BootServer netip.Addr // zero for the host itself
}

// Lease is how long an address is given for, a number and its unit as dnsmasq(8) writes them: 120s,
// 90m, 24h. Empty is the server's default.
type Lease string

// Forever is the lease that does not end.
const Forever Lease = "infinite"

// DHCPRange is a range of addresses to give out, both ends included.
type DHCPRange struct {
	From, To netip.Addr
	Lease    Lease
}

// DHCPHost ties an address to a guest, known by its MAC (IPv4), its DUID (IPv6) or its name.
type DHCPHost struct {
	MAC   net.HardwareAddr
	DUID  string
	Name  string
	Addr  netip.Addr
	Lease Lease
}

// Route is a static route by way of a guest.
type Route struct {
	Dest    netip.Prefix
	Gateway netip.Addr
	Metric  uint32 // 0 if none was given
}

// Domain is the DNS domain of a network.
type Domain struct {
	Name      string
	LocalOnly bool // LocalOnly is true if names in the domain are never asked of other servers.
	Register  bool // Register is true if the domain is registered with the host's resolver.
}

// DNS is the name service of a network.
type DNS struct {
	Off          bool // Off is true if there is none.
	NoPlainNames bool // NoPlainNames is true if names without a dot are never asked of other servers.
	Forwarders   []Forwarder
	TXT          []TXTRecord
	Hosts        []DNSHost
	SRV          []SRVRecord
}

// Forwarder is a DNS server to ask; with a Domain, for names in it only; without an Addr, the
// host's own servers.
type Forwarder struct {
	Domain string
	Addr   netip.Addr
	Port   uint16 // 0 for the usual one
}

// TXTRecord is a DNS TXT record.
type TXTRecord struct{ Name, Value string }

// DNSHost gives names to an address.
type DNSHost struct {
	Addr  netip.Addr
	Names []string
}

// SRVRecord is a DNS SRV record (RFC 2782); zero numbers were not given.
type SRVRecord struct {
	Service, Protocol, Domain, Target string
	Port, Priority, Weight            uint16
}

// Rate is a limit on one direction of traffic. Average and Peak are in kilobytes (1000 bytes) a
// second, Burst in KiB; zero where not given.
type Rate struct{ Average, Peak, Burst uint64 }

// PortOptions is what a guest's port gets from the network or from a port group.
type PortOptions struct {
	Isolated       bool // Isolated is true if the network's ports may talk to the host only.
	TrustRxFilters bool
	VLANTrunk      bool
	VLANs          []VLAN
	VirtualPort    *VirtualPort
}

// VLAN is one tag of a port.
type VLAN struct {
	ID     uint16
	Native string // empty, tagged or untagged
}

// VirtualPort is what a switch of another kind (802.1Qbg, 802.1Qbh, openvswitch, midonet) needs to
// know about a port. Type is empty in a port group that leaves it to guests, of a network that has
// none.
type VirtualPort struct {
	Type                          string
	ManagerID, TypeID, TypeIDVers uint32
	InstanceID                    string
	ProfileID                     string
	InterfaceID                   string
}

// PortGroup is a named class of guest ports.
type PortGroup struct {
	Name     string
	Default  bool
	Port     PortOptions
	Inbound  *Rate
	Outbound *Rate
}
