package link

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// addAddress gives the bridge an address.
type addAddress struct {
	bridge
	prefix   netip.Prefix
	protocol uint8
}

func (s addAddress) String() string { return fmt.Sprintf("add address %s to %s", s.prefix, s.name) }
func (s addAddress) Do() error {
	return s.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
}
func (s addAddress) Undo() error { return ignoreGone(s.change(unix.RTM_DELADDR, 0)) }

func (s addAddress) change(kind, flags int) error {
	index, err := s.index()
	if err != nil {
		return err
	}
	header := nl.NewIfAddrmsg(family(s.prefix.Addr()))
	header.Index, header.Prefixlen = uint32(index), uint8(s.prefix.Bits())
	ip := s.prefix.Addr().AsSlice()
	attrs := []*nl.RtAttr{nl.NewRtAttr(unix.IFA_LOCAL, ip), nl.NewRtAttr(unix.IFA_ADDRESS, ip),
		u8(ifaProto, s.protocol)}
	if b, ok := broadcast(s.prefix); ok {
		attrs = append(attrs, nl.NewRtAttr(unix.IFA_BROADCAST, b.AsSlice()))
	}
	return request(kind, flags, header, attrs...)
}

// broadcast returns the last address of an IPv4 subnet, if it is large enough to have one (RFC
// 3021).
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	b := p.Addr().As4()
	for i := range b {
		host := 0xff >> min(8, max(0, p.Bits()-8*i))
		b[i] |= byte(host)
	}
	return netip.AddrFrom4(b), true
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// removeAddress takes one of our addresses that the network doesn't have any more.
type removeAddress struct{ add addAddress }

func (s removeAddress) String() string {
	return fmt.Sprintf("remove address %s from %s", s.add.prefix, s.add.name)
}
func (s removeAddress) Do() error   { return s.add.Undo() }
func (s removeAddress) Undo() error { return ignoreThere(s.add.Do()) }

// addRoute adds a static route by way of a guest. The network works without it.
type addRoute struct {
	bridge
	dest     netip.Prefix
	gateway  netip.Addr
	metric   uint32
	protocol uint8
}

func (s addRoute) text() string {
	return fmt.Sprintf("route to %s via %s on %s, metric %d", s.dest, s.gateway, s.name, s.metric)
}
func (s addRoute) String() string { return "add " + s.text() }

func (s addRoute) Do() error {
	if err := s.change(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL); err != nil {
		return &Warning{Step: s.String(), Err: err}
	}
	return nil
}

func (s addRoute) Undo() error { return ignoreGone(s.change(unix.RTM_DELROUTE, 0)) }

func (s addRoute) change(kind, flags int) error {
	index, err := s.index()
	if err != nil {
		return err
	}
	header := nl.NewRtMsg()
	header.Family, header.Dst_len, header.Protocol = uint8(family(s.dest.Addr())), uint8(s.dest.Bits()), s.protocol
	attrs := []*nl.RtAttr{
		nl.NewRtAttr(unix.RTA_DST, s.dest.Addr().AsSlice()),
		u32(unix.RTA_OIF, uint32(index)),
		u32(unix.RTA_PRIORITY, s.metric),
	}
	if s.gateway.IsValid() {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_GATEWAY, s.gateway.AsSlice()))
	}
	return request(kind, flags, header, attrs...)
}

// removeRoute takes away one of our routes that the network doesn't have any more, or one that
// would go with an address.
type removeRoute struct{ add addRoute }

func (s removeRoute) String() string { return "remove " + s.add.text() }
func (s removeRoute) Do() error      { return s.add.Undo() }
func (s removeRoute) Undo() error    { return ignoreThere(s.add.Do()) }
