package dnsmasq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file asks servers over the wire: DNS (RFC 1035) and DHCP (RFC 2131), as much of them as the
// tests need. All of it runs on the calling thread, and so in its network namespace.

// resolve asks server for the IPv4 addresses of name.
func resolve(server, name string) ([]netip.Addr, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(server+":53")))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	query := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0} // id, recursion desired, one question
	for label := range strings.SplitSeq(name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	query = append(query, 0, 0, 1, 0, 1) // end of the name, type A, class IN
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	answer := make([]byte, 512)
	n, err := conn.Read(answer)
	if err != nil {
		return nil, err
	}
	if n < len(query) {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	if code := answer[3] & 0xf; code != 0 {
		return nil, fmt.Errorf("response code %d", code)
	}
	var addrs []netip.Addr
	rest := answer[len(query):n]
	for range binary.BigEndian.Uint16(answer[6:]) {
		if len(rest) < 16 { // a pointer to the name, type, class, time to live, length, address
			return nil, errors.New("an answer that is cut off")
		}
		addrs = append(addrs, netip.AddrFrom4([4]byte(rest[12:])))
		rest = rest[16:]
	}
	return addrs, nil
}

// guest is a DHCP client on a device.
type guest struct {
	device string
	mac    net.HardwareAddr
}

// lease gets an address as a guest does, by DISCOVER, OFFER, REQUEST and ACK.
func (g guest) lease(t *testing.T) netip.Addr {
	t.Helper()
	return g.leaseAs(t, "")
}

// leaseAs is lease for a guest that asks for a name, if that isn't empty (RFC 2132 section 3.14).
func (g guest) leaseAs(t *testing.T, name string) netip.Addr {
	t.Helper()
	var called []byte
	if name != "" {
		called = append([]byte{12, byte(len(name))}, name...)
	}
	offer := g.ask(t, 1, called)
	server := dhcpOption(offer, 54)
	ack := g.ask(t, 3, slices.Concat([]byte{54, 4}, server, []byte{50, 4}, offer[16:20], called))
	return netip.AddrFrom4([4]byte(ack[16:20])) // yiaddr
}

// ask sends a message of DHCP and returns the answer to it.
func (g guest) ask(t *testing.T, kind byte, options []byte) []byte {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	defer unix.Close(fd)
	check(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	check(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
	check(unix.BindToDevice(fd, g.device))
	check(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}))
	check(unix.Bind(fd, &unix.SockaddrInet4{Port: 68}))
	msg := make([]byte, 240)
	copy(msg, []byte{1, 1, 6, 0, 0xca, 0xfe, byte(kind),
		g.mac[5]}) // request, Ethernet, length of a MAC, hops, transaction
	msg[10] = 0x80 // answer by broadcast: there is no address yet
	copy(msg[28:], g.mac)
	copy(msg[236:], []byte{99, 130, 83, 99}) // the cookie of DHCP
	msg = append(append(msg, 53, 1, kind), options...)
	msg = append(msg, 255)
	answer := make([]byte, 1500)
	for try, again := 0, true; ; {
		if again { // as RFC 2131 section 4.1 has it: a packet may be lost
			check(unix.Sendto(fd, msg, 0, &unix.SockaddrInet4{Port: 67, Addr: [4]byte{255, 255, 255, 255}}))
			again = false
		}
		n, _, err := unix.Recvfrom(fd, answer, 0)
		if errors.Is(err, syscall.EAGAIN) {
			if try++; try == 5 {
				t.Fatal(os.ErrDeadlineExceeded)
			}
			again = true
			continue
		}
		check(err)
		if n > 240 && string(answer[4:8]) == string(msg[4:8]) {
			return answer[:n]
		}
	}
}

// dhcpOption returns the value of an option, nil if the message doesn't have it.
func dhcpOption(msg []byte, code byte) []byte {
	for o := msg[240:]; len(o) > 2 && o[0] != 255; o = o[2+int(o[1]):] {
		if o[0] == code {
			return o[2 : 2+int(o[1])]
		}
	}
	return nil
}
