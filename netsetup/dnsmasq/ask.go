package dnsmasq

import (
	"net"
	"net/netip"
	"time"
)

// Ask queries a name server for its version, which no server forwards to another, and returns true
// if it answers anything in time. A server whose packets a firewall drops does not, and may be
// fine.
func Ask(server netip.Addr, timeout time.Duration) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, 53)))
	if err != nil {
		return false
	}
	defer conn.Close()
	// RFC 1035 section 4.1: id, no flags, one question; version.bind, type TXT, class CHAOS.
	query := append([]byte{0x76, 0x6e, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x07version\x04bind\x00\x00\x10\x00\x03"...)
	if _, err := conn.Write(query); err != nil {
		return false
	}
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 512))
	return err == nil && n > 0
}
