package link

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// Listener is a socket that waits for TCP connections or UDP datagrams on this host.
type Listener struct {
	TCP     bool
	Addr    netip.AddrPort // the unspecified address for all; that of IPv6 stands for both families
	Device  int            // index of the only device that it hears, 0 for all; UnknownDevice if the kernel doesn't tell
	Queued  int            // bytes that came and were not read yet
	PID     int            // of a process that has it open; 0 if that can't be seen
	Process string         // its name, as ps(1) shows it; empty if that can't be seen
}

// UnknownDevice stands for a device that can't be told.
const UnknownDevice = -1

// String names the socket and its process.
func (s Listener) String() string {
	protocol := "UDP"
	if s.TCP {
		protocol = "TCP"
	}
	who := "a process that can't be seen from here"
	if s.PID != 0 {
		who = fmt.Sprintf("%s (pid %d)", s.Process, s.PID)
	}
	return fmt.Sprintf("%s listens at %s port %s", who, protocol, s.Addr)
}

// Ports of the services that a network's dnsmasq gives, for [ReadListeners].
const (
	PortDNS    = 53
	PortDHCP   = 67
	PortDHCPv6 = 547
)

// PortsOf returns the ports at which a dnsmasq serves the network's guests by DNS and DHCP, none if it has no dnsmasq.
func PortsOf(l *ir.Link) (ports []uint16) {
	if !l.Mode.Managed() || len(l.Addresses) == 0 {
		return nil
	}
	if !l.DNS.Off {
		ports = append(ports, PortDNS)
	}
	if leases(l, netip.Addr.Is4) {
		ports = append(ports, PortDHCP)
	}
	if leases(l, netip.Addr.Is6) {
		ports = append(ports, PortDHCPv6)
	}
	return ports
}

// leases is true if the network gives addresses of the family.
func leases(l *ir.Link, family func(netip.Addr) bool) bool {
	return slices.ContainsFunc(l.Addresses, func(a ir.Address) bool {
		return family(a.Prefix.Addr()) && a.DHCP != nil && len(a.DHCP.Ranges)+len(a.DHCP.Hosts) > 0
	})
}

// blocks returns the service of the network, "DNS" or "DHCP", that can't start while s listens; empty if all can. bridge is the
// index of the network's bridge, 0 if there is none.
func blocks(l *ir.Link, s Listener, bridge int) string {
	switch port := s.Addr.Port(); {
	case s.Device > 0 && s.Device != bridge: // as that of another network's dnsmasq is at port 67
		return ""
	case !slices.Contains(PortsOf(l), port) || !reaches(l, s.Addr.Addr()):
		return ""
	case port == PortDNS:
		return "DNS"
	case s.TCP || sharesDHCP(s.Process):
		return ""
	default:
		return "DHCP"
	}
}

// reaches is true if a socket at addr gets what comes for one of the network's addresses.
func reaches(l *ir.Link, addr netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(a ir.Address) bool {
		own := a.Prefix.Addr()
		return addr == own || addr == netip.IPv6Unspecified() || addr == netip.IPv4Unspecified() && own.Is4()
	})
}

// sharesDHCP is true for servers that leave the DHCP port to others: a dnsmasq that is told its interfaces has the port
// with SO_REUSEPORT and answers on those only, as does the server in systemd-networkd (whose name ps(1) cuts).
func sharesDHCP(process string) bool {
	return process == "dnsmasq" || process == "systemd-network"
}

func busy(l *ir.Link, s Listener, service string) Problem {
	return Problem{
		What: fmt.Sprintf("%s, which %s of network %s needs", s, service, l.Name),
		Why:  "two servers can't share it: dnsmasq would not start, or guests would get the other one's answers",
		Fix:  fmt.Sprintf("have %s listen at its own addresses only, or stop it", process(s)),
	}
}

func process(s Listener) string {
	if s.Process == "" {
		return "that process"
	}
	return s.Process
}
