package link

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Listener is a socket that waits for TCP connections or UDP datagrams on this host.
type Listener struct {
	TCP     bool
	Addr    netip.AddrPort // the unspecified address for all
	PID     int            // of a process that has it open; 0 if that can't be seen
	Process string         // its name, as ps(1) shows it; empty if that can't be seen
}

// Collisions returns what of the host stands in the network's way: devices, addresses and routes that overlap with its
// subnets, and services at the ports that its DHCP and DNS need. It is pure. Listeners come from [ReadListeners] and may be
// left out for a network without dnsmasq; those of the processes in own don't count.
func Collisions(l *ir.Link, f *Facts, listeners []Listener, own ...int) []Problem {
	return nil
}
