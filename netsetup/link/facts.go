package link

import (
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Facts is what the host has, read by [ReadFacts] or made by hand.
type Facts struct {
	Devices []Device // by index
	Routes  []Route  // unicast, of table main
	IPv6    bool     // IPv6 is true if the kernel has IPv6.

	// Forwards is true if the host forwards IPv4 between links whose own sysctl allows it,
	// ForwardsNew if that of a new link does.
	Forwards, ForwardsNew bool

	// AddressMarks is true if the kernel keeps the protocol of an address (Linux 5.18), so that
	// ours can be distinguished from others.
	AddressMarks bool
}

// Device is a network device.
type Device struct {
	Index     int
	Name      string
	Kind      string // bridge, veth, tun, ...; empty for hardware
	Alias     string
	Group     uint32
	MAC       net.HardwareAddr
	MTU       int // bytes
	Up        bool
	Master    int         // index of the bridge it is a port of; 0 for none
	Bridge    *BridgeInfo // nil unless it is a bridge
	Port      *PortInfo   // nil unless it is a port of a bridge
	IPv4      *IPv4Info   // nil if it has no IPv4
	IPv6      *IPv6Info   // nil if it has no IPv6
	Addresses []Address
	Traffic   Traffic // of our bridges
	// ChecksumsInSoftware is true if one of our bridges fills in all checksums itself and leaves
	// none to a network card.
	ChecksumsInSoftware bool
}

// BridgeInfo is what a bridge is set to.
type BridgeInfo struct {
	STP           bool
	Delay         time.Duration // forward delay, in steps of 10 ms
	VLANFiltering bool
	// FiltersIPv4 and FiltersIPv6 are true if packets between its ports meet the hooks of IP,
	// whatever the host's sysctls say of all bridges (br_netfilter).
	FiltersIPv4, FiltersIPv6 bool
}

// PortInfo is what a bridge's port is set to.
type PortInfo struct {
	Isolated bool
	Learning bool
	Flood    bool // Flood is true if frames to MACs not yet known are sent out of the port.
}

// IPv4Info is what a device's IPv4 sysctls say.
type IPv4Info struct{ Forwarding, ARPIgnore int }

// IPv6Info is what a device's IPv6 sysctls say.
type IPv6Info struct{ Disable, AcceptRA, Autoconf int }

// Address is an address of a device.
type Address struct {
	Prefix    netip.Prefix // the address, with the subnet's length
	Protocol  uint8        // who added it; see [Protocol]
	Secondary bool         // Secondary is true if the address goes when another one of its subnet does (IPv4).
	LinkLocal bool         // LinkLocal is true if its scope ends at the link.
}

// Route is a unicast route of table main.
type Route struct {
	Dest     netip.Prefix
	Gateway  netip.Addr // zero if there is none
	Device   int        // index
	Metric   uint32
	MTU      uint32 // of packets that go by it; 0 for that of the device
	Protocol uint8  // who added it; see [Protocol]
}

// Protocol marks addresses and routes of vnetc: the number in the kernel's protocol field, which
// ip(8) prints as proto.
const Protocol = 118

// Group marks our bridges: the number of their device group (ip-link(8)). The kernel sets it in the
// same moment as it creates a bridge, so that not even one whose maker was killed right then is
// without a mark.
const Group = 0x766e6574

// doomedGroup is the group of our bridges that are about to be deleted.
const doomedGroup = Group + 1

// Mark is the alias of the bridge of the network called name.
func Mark(name string) string {
	mark := "vnetc " + name
	return mark[:min(len(mark), 255)] // what the kernel keeps
}

// Device returns the device called name.
func (f *Facts) Device(name string) (Device, bool) {
	for _, d := range f.Devices {
		if d.Name == name {
			return d, true
		}
	}
	return Device{}, false
}

// BridgeOf returns the bridge that carries the mark of the network called name.
func (f *Facts) BridgeOf(name string) (Device, bool) {
	for _, d := range f.Devices {
		if d.Kind == "bridge" && d.Alias == Mark(name) {
			return d, true
		}
	}
	return Device{}, false
}

// Marked returns the names of networks whose bridges stand, by the marks on them, sorted.
func (f *Facts) Marked() []string {
	var names []string
	for _, d := range f.Devices {
		if name, ok := strings.CutPrefix(d.Alias, Mark("")); ok && d.Kind == "bridge" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Ours is true if d is a bridge made for the network called name, or one whose maker was killed
// before it could write the network's name on it.
func (d Device) Ours(name string) bool {
	return d.Kind == "bridge" && (d.Alias == Mark(name) || d.Alias == "" &&
		(d.Group == Group || d.Group == doomedGroup))
}

// RandomMAC returns an address for a bridge, as libvirt chooses them: 52:54:00 and three random
// bytes.
func RandomMAC() net.HardwareAddr {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0}
	rand.Read(mac[3:]) // never fails (crypto/rand)
	return mac
}

// protocolRA is the protocol of routes learnt by router advertisement (RTPROT_RA of
// linux/rtnetlink.h).
const protocolRA = 9

// LosesRoutes returns the devices whose IPv6 routes the kernel has learnt by router advertisement
// and will drop once the host forwards IPv6. Those with accept_ra 2 keep them; those with 0 have a
// program of their own for them, such as NetworkManager.
func (f *Facts) LosesRoutes() (names []string) {
	for _, d := range f.Devices {
		taught := slices.ContainsFunc(f.Routes, func(r Route) bool {
			return r.Device == d.Index && r.Protocol == protocolRA
		})
		if taught && d.IPv6 != nil && d.IPv6.AcceptRA == 1 {
			names = append(names, d.Name)
		}
	}
	return names
}
