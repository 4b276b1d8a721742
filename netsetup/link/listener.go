package link

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// Listener is a socket that waits for TCP connections or UDP datagrams on this host.
type Listener struct {
	TCP  bool
	Addr netip.AddrPort // the unspecified address for all; that of IPv6 stands for both families
	// index of the only device that it hears, 0 for all; UnknownDevice if the kernel doesn't tell
	Device  int
	Queued  int    // bytes that came and were not read yet
	PID     int    // of a process that has it open; 0 if that can't be seen
	Process string // its name, as ps(1) shows it; empty if that can't be seen
}

// UnknownDevice stands for a device that is unknown.
const UnknownDevice = -1

// at names the socket.
func (s Listener) at() string {
	protocol := "UDP"
	if s.TCP {
		protocol = "TCP"
	}
	return fmt.Sprintf("%s port %s", protocol, s.Addr)
}

// Ports of the services that a network's dnsmasq gives, for [ReadListeners].
const (
	PortDNS    = 53
	PortDHCP   = 67
	PortDHCPv6 = 547
)

// PortsOf returns the ports at which a dnsmasq serves the network's guests by DNS and DHCP, none if
// it has no dnsmasq.
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

// blocks returns the service of the network, "DNS" or "DHCP", that can't start while s listens;
// empty if all can. bridge is the index of the network's bridge, 0 if there is none.
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

// sharesDHCP is true for servers that leave the DHCP port to others: a dnsmasq that is told its
// interfaces has the port with SO_REUSEPORT and answers on those only, as does the server in
// systemd-networkd (whose name ps(1) cuts).
func sharesDHCP(process string) bool {
	return process == "dnsmasq" || process == "systemd-network"
}

// busy returns the processes at the ports that the network's services need, each once; those of own
// don't count.
func (c collider) busy(listeners []Listener, own []int) (found []Problem) {
	bridge := 0
	for _, d := range c.facts.Devices {
		if c.own[d.Index] {
			bridge = d.Index
		}
	}
	var all []occupant
	for _, s := range listeners {
		service := blocks(c.link, s, bridge)
		if service == "" || slices.Contains(own, s.PID) || c.behindTaken(s) {
			continue
		}
		i := slices.IndexFunc(all, func(o occupant) bool { return o.pid == s.PID })
		if i < 0 {
			i, all = len(all), append(all, occupant{pid: s.PID, process: s.Process})
		}
		all[i].add(s, service)
	}
	for _, o := range all {
		found = append(found, o.problem(c.link.Name))
	}
	return found
}

// behindTaken is true for a socket of whoever has the device that is called as the network's bridge
// should be.
func (c collider) behindTaken(s Listener) bool {
	return c.taken != nil && (s.Device == c.taken.Index || slices.ContainsFunc(c.taken.Addresses, func(a Address) bool {
		return a.Prefix.Addr() == s.Addr.Addr()
	}))
}

// occupant is a process at the ports of a network's services, or all those that can't be seen.
type occupant struct {
	pid               int
	process           string
	sockets, services []string
}

func (o *occupant) add(s Listener, service string) {
	if at := s.at(); !slices.Contains(o.sockets, at) { // a server may have a socket per processor
		o.sockets = append(o.sockets, at)
	}
	if !slices.Contains(o.services, service) {
		o.services = append(o.services, service)
	}
}

func (o occupant) problem(network string) Problem {
	who, listens, need := fmt.Sprintf("%s (pid %d)", o.process, o.pid), "listens", "needs"
	fix := fmt.Sprintf("let %s listen at its own addresses only, or stop it", o.process)
	if o.pid == 0 {
		who = "a process of another namespace or user"
		fix = "find it (ss -lntup, as root); have it listen at its own addresses only, or stop it"
	}
	if o.pid == 0 && len(o.sockets) > 1 {
		who, listens = "one or more processes that can't be seen from here", "listen"
	}
	if len(o.services) > 1 {
		need = "need"
	}
	return Problem{
		What: fmt.Sprintf("%s %s at %s, which %s of network %s %s",
			who, listens, and(o.sockets), and(o.services), network, need),
		Why: "two servers can't share the port: dnsmasq would not start, or guests would get the other server's answers",
		Fix: fix,
	}
}

// and joins words as a sentence does.
func and(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
