package policy

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// target reports a published guest that no network can have, or another one than the document's.
func (c *checker) target(s *Statement) {
	l := c.networkOf(s.Guest)
	switch {
	case l == nil:
		c.report(diag.Error, "policy-target", s.Span, fmt.Sprintf("guest %s is in none of these networks", s.Guest),
			"a port is published for a guest that has an address in a subnet of a network",
			"correct the address, or compile the network with it")
	case s.Network != "" && l.Name != s.Network:
		c.report(diag.Error, "policy-target", s.Span,
			fmt.Sprintf("guest %s is in network %s, and this is the document of network %s", s.Guest, l.Name,
				s.Network),
			"a network's document publishes ports of its own guests only",
			fmt.Sprintf("move the statement to the document of network %s, or to a *.policy file", l.Name))
	case l.Mode == ir.ModeNone:
		c.report(diag.Error, "policy-target", s.Span,
			fmt.Sprintf("guest %s is in the isolated network %s", s.Guest, l.Name),
			"nothing outside reaches the guests of an isolated network, and they know no way back",
			"give the network mode nat, route or open, or move the guest")
	default:
		if why := noGuest(l, s.Guest); why != "" {
			c.report(diag.Error, "policy-target", s.Span, fmt.Sprintf("%s is the address of no guest", s.Guest), why,
				"write the guest's own address")
		}
	}
}

// networkOf returns the network that has addr in a subnet; nil if none has.
func (c *checker) networkOf(addr netip.Addr) *ir.Link {
	for _, l := range c.links {
		for _, a := range l.Addresses {
			if a.Prefix.Masked().Contains(addr) {
				return l
			}
		}
	}
	return nil
}

// noGuest returns why addr, which is in a subnet of l, can't be a guest's; empty if it can.
func noGuest(l *ir.Link, addr netip.Addr) string {
	for _, a := range l.Addresses {
		subnet := a.Prefix.Masked()
		switch {
		case a.Prefix.Addr() == addr:
			return "it is the bridge's, so the host's own"
		case !subnet.Contains(addr) || !addr.Is4() || subnet.Bits() > 30:
		case addr == subnet.Addr():
			return "it is the first address of the subnet, which stands for the subnet"
		case !subnet.Contains(addr.Next()):
			return "it is the last address of the subnet, which is its broadcast"
		}
	}
	return ""
}

// portScope is what distinguishes published ports of one number.
type portScope struct {
	family ir.Family
	proto  uint8
	on     string
	at     netip.Addr
}

// publishedTwice reports ports that an earlier statement publishes already, for all connections
// that this one is for. One that is narrower, by on, at or from, may stand before a wider one.
func (c *checker) publishedTwice(s *Statement) {
	for _, on := range distinctWords("", s.On) {
		for _, at := range distinctWords(netip.Addr{}, s.At) {
			for _, first := range c.published[portScope{s.Family, s.Proto, on, at}] {
				from, to := max(first.Ports[0].From, s.Ports[0].From), min(first.Ports[0].To, s.Ports[0].To)
				if from > to || !coversAll(first.From.Addrs, s.From.Addrs) {
					continue
				}
				c.report(diag.Error, "policy-published-twice", s.Span,
					fmt.Sprintf("%s %s is published already", protoName(s.Proto), ir.PortRange{From: from, To: to}),
					"a connection goes to the guest of the first statement that matches it, and this one would get none",
					"choose another port of the host, or tell the two apart by on, at or from, the narrower one first",
					diag.Related{Span: first.Span, Text: fmt.Sprintf("published here, for %s", first.Guest)})
				return
			}
		}
	}
	key := portScope{s.Family, s.Proto, s.On, s.At}
	c.published[key] = append(c.published[key], s)
}

// distinctWords returns any and one, or only one of them if they are the same.
func distinctWords[T comparable](any, one T) []T {
	if any == one {
		return []T{one}
	}
	return []T{any, one}
}

// coversAll is true if each of inner lies in one of outer; no addresses are all addresses.
func coversAll(outer, inner []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	for _, p := range inner {
		covered := false
		for _, q := range outer {
			covered = covered || q.Bits() <= p.Bits() && q.Overlaps(p)
		}
		if !covered {
			return false
		}
	}
	return len(inner) > 0
}

// served reports a published port at which guests of a network are served by its own dnsmasq. A
// port that is published for every address of the host is published for those of bridges, too:
// what guests ask of their network would go to the guest. So it would be with a lease that is
// renewed; the first request for one is a broadcast or a multicast, which is never translated.
func (c *checker) served(s *Statement) {
	has := func(port uint16) bool { return s.Ports[0].From <= port && port <= s.Ports[0].To }
	if !has(dnsPort) && !has(dhcpPort) && !has(tftpPort) && !has(dhcp6Port) {
		return
	}
	for _, l := range c.links {
		for _, a := range l.Addresses {
			if !c.meets(s, l, a.Prefix) {
				continue
			}
			for _, v := range services(l, a) {
				if v.proto != s.Proto || !has(v.port) {
					continue
				}
				c.report(diag.Error, "policy-served", s.Span,
					fmt.Sprintf("%s %d at %s is the %s of network %s", protoName(s.Proto), v.port, a.Prefix.Addr(),
						v.what, l.Name), "guests that ask for it would get to the published guest",
					"add on and an interface of the outside, such as on eth0, or at and an address of the host there")
				return
			}
		}
	}
}

// meets is true if guests of l who send to the address of its bridge may match s.
func (c *checker) meets(s *Statement, l *ir.Link, bridge netip.Prefix) bool {
	if s.Family != familyOf(bridge.Addr()) || s.At.IsValid() && s.At != bridge.Addr() ||
		s.On != "" && s.On != l.Bridge.Name {
		return false
	}
	for _, p := range s.From.Addrs {
		if p.Overlaps(bridge.Masked()) {
			return true
		}
	}
	return len(s.From.Addrs) == 0
}

// The ports of what dnsmasq serves.
const (
	dnsPort   = 53
	dhcpPort  = 67
	tftpPort  = 69
	dhcp6Port = 547
)

// service is what dnsmasq serves at a port.
type service struct {
	proto uint8
	port  uint16
	what  string
}

// services returns what the host serves to guests of a network at one address of the bridge.
func services(l *ir.Link, a ir.Address) (all []service) {
	if !l.DNS.Off {
		all = append(all, service{ir.UDP, dnsPort, "DNS"}, service{ir.TCP, dnsPort, "DNS"})
	}
	if a.DHCP != nil && len(a.DHCP.Ranges)+len(a.DHCP.Hosts) > 0 {
		port := uint16(dhcpPort)
		if a.Prefix.Addr().Is6() {
			port = dhcp6Port
		}
		all = append(all, service{ir.UDP, port, "DHCP"})
	}
	if a.TFTP != "" {
		all = append(all, service{ir.UDP, tftpPort, "TFTP"})
	}
	return all
}
