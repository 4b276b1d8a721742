package netsetup

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
	"github.com/vnetc/vnetc/netsetup/link"
)

// health says what keeps the network's dnsmasq, if it runs, from serving as it should; empty if
// nothing does. That a process is there says little: it may be stopped, blocked by a full pipe, or
// listen on a bridge that was deleted.
func (h *Host) health(l *ir.Link, paths dnsmasq.Paths) string {
	p, runs := h.servers[paths.Conf]
	if !runs {
		return ""
	}
	if fault, known := h.faults[paths.Conf]; known {
		return fault
	}
	if h.faults == nil {
		h.faults = make(map[string]string)
	}
	h.faults[paths.Conf] = h.examine(l, p)
	return h.faults[paths.Conf]
}

func (h *Host) examine(l *ir.Link, p dnsmasq.Process) string {
	switch {
	case p.Stopped:
		return "is stopped"
	case p.Dated:
		return "was not started by this version of vnetc"
	}
	sockets, err := h.listening()
	if err != nil {
		return "" // unknown
	}
	bridge, ok := h.bridgeOf(l)
	if !ok {
		bridge.Index = link.UnknownDevice // what it is bound to is gone, and a new one will have another index
	}
	for _, port := range link.PortsOf(l) {
		if port == link.PortDNS || movesPort(l, "dhcp-alternate-port") {
			continue
		}
		if !slices.ContainsFunc(sockets, func(s link.Listener) bool { return hears(s, port, bridge.Index) }) {
			return "does not listen for DHCP at " + l.Bridge.Name
		}
	}
	if !slices.Contains(link.PortsOf(l), link.PortDNS) || movesPort(l, "port") {
		return ""
	}
	for _, a := range bridge.Addresses {
		addr := a.Prefix.Addr()
		if slices.ContainsFunc(l.Addresses, func(own ir.Address) bool { return own.Prefix.Addr() == addr }) &&
			!h.answers(addr, sockets) {
			return "does not answer at " + addr.String()
		}
	}
	return ""
}

// listening reads the sockets at the ports of dnsmasq once.
func (h *Host) listening() ([]link.Listener, error) {
	if h.sockets != nil {
		return h.sockets, nil
	}
	var err error
	h.sockets, err = link.ReadSockets(link.PortDNS, link.PortDHCP, link.PortDHCPv6)
	return h.sockets, err
}

// hears is true for a UDP socket at the port that gets what comes by the bridge.
func hears(s link.Listener, port uint16, bridge int) bool {
	return !s.TCP && s.Addr.Port() == port && (s.Device == bridge || s.Device == 0 || s.Device == link.UnknownDevice)
}

// movesPort is true if the administrator let the network serve at another port than its own.
func movesPort(l *ir.Link, option string) bool {
	return slices.ContainsFunc(l.Options, func(o string) bool {
		name, _, _ := strings.Cut(strings.TrimSpace(o), "=")
		return strings.TrimSpace(name) == option
	})
}

// answers is true if the name server at addr is there and reads what it gets. One that is silent
// may have its answers dropped by a firewall, so it is asked what waits at its socket: nothing, if
// it reads.
func (h *Host) answers(addr netip.Addr, sockets []link.Listener) bool {
	at := func(s link.Listener) bool { return !s.TCP && s.Addr == netip.AddrPortFrom(addr, link.PortDNS) }
	if !slices.ContainsFunc(sockets, at) {
		return false
	}
	const tries, timeout = 4, 500 * time.Millisecond
	for range tries { // a host that is busy
		if dnsmasq.Ask(addr, timeout) {
			return true
		}
		now, err := link.ReadSockets(link.PortDNS)
		if err != nil || !slices.ContainsFunc(now, func(s link.Listener) bool { return at(s) && s.Queued > 0 }) {
			return true
		}
	}
	return false
}
