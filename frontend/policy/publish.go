package policy

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// publish reads a published port.
func (r *reader) publish(t *textPublish) Statement {
	s := Statement{Kind: Publish, Family: ir.Both, Proto: r.proto(t.Proto)}
	if s.Proto != 0 && !ir.HasPorts(s.Proto) {
		r.unfit([]textWord{t.Proto}, fmt.Sprintf("a port of protocol %s", protoName(s.Proto)),
			"only tcp, udp, sctp, dccp and udplite have ports", "name one of these protocols")
	}
	ports, ok := r.portRange(t.Port)
	s.Ports, s.GuestPorts = []ir.PortRange{ports}, ports
	if w := r.once(t.GuestPorts, "port"); w != nil {
		guest, fits := r.portRange(*w)
		if s.GuestPorts = guest; ok && fits && guest.To-guest.From != ports.To-ports.From {
			size := func(p ir.PortRange) int { return int(p.To) - int(p.From) + 1 }
			r.unfit([]textWord{*w}, fmt.Sprintf("ports of the guest: %d, of the host: %d", size(guest), size(ports)),
				"each port of the host leads to one of the guest, in the same order", sameLength(guest, ports))
		}
	}
	s.Guest = r.guest(t.Guest)
	if s.Guest.IsValid() {
		s.Family = familyOf(s.Guest)
	}
	if w := r.once(t.On, "on"); w != nil {
		s.On = r.iface(*w)
	}
	if w := r.once(t.At, "at"); w != nil {
		s.At = r.at(*w, s)
	}
	r.clients(&s, t.From)
	return s
}

// sameLength returns what to do about ranges of which one is longer.
func sameLength(guest, ports ir.PortRange) string {
	last := int(guest.From) + int(ports.To) - int(ports.From)
	if last > 65535 {
		return fmt.Sprintf("begin the guest's ports at %d at most, and write as many as of the host",
			65535-last+int(guest.From))
	}
	return fmt.Sprintf("write %s, or as many ports of the host", ir.PortRange{From: guest.From, To: uint16(last)})
}

// clients reads the addresses from which a published port can be reached.
func (r *reader) clients(s *Statement, lists []textList) {
	if len(lists) == 0 {
		return
	}
	words := lists[0].Words
	if len(lists) > 1 {
		r.unfit(lists[1].Words, "from a second time", "a statement has one from", "write one list with commas")
	}
	s.From.Addrs = r.addrs(words)
	last := words[len(words)-1]
	s.From.Span = r.span(words[0].Pos.Offset, last.Pos.Offset+len(last.Text))
	if s.Guest.IsValid() {
		family := s.Family
		r.narrow(&family, words, s.From)
	}
}

// once returns the value of an option that a statement has at most once; nil if it is not there.
func (r *reader) once(words []textWord, name string) *textWord {
	if len(words) == 0 {
		return nil
	}
	if len(words) > 1 {
		r.unfit(words[1:2], name+" a second time", "a statement has one "+name, "remove one of the two")
	}
	return &words[0]
}

func (r *reader) addr(w textWord) (addr netip.Addr, ok bool) {
	addr, err := netip.ParseAddr(r.text(w))
	if err != nil || addr.Zone() != "" {
		r.value(w, "an address", "write an address such as 10.0.0.5 or fd00::5")
		return netip.Addr{}, false
	}
	return addr, true
}

// guest reads the address that a port leads to.
func (r *reader) guest(w textWord) netip.Addr {
	addr, ok := r.addr(w)
	if why := unreachable(addr); ok && why != "" {
		r.wrong("policy-value", w, fmt.Sprintf("%s is no address of a guest", addr), why,
			"write the guest's address in its network, such as 192.168.122.10")
		return netip.Addr{}
	}
	return addr
}

// at reads the address of the host that connections must go to.
func (r *reader) at(w textWord, s Statement) netip.Addr {
	addr, ok := r.addr(w)
	if !ok {
		return addr
	}
	if why := unreachable(addr); why != "" {
		r.wrong("policy-value", w, fmt.Sprintf("no connection that is passed on to a guest goes to %s", addr), why,
			"write an address of the host that others reach, or remove at")
		return netip.Addr{}
	}
	if s.Guest.IsValid() && familyOf(addr) != s.Family {
		r.unfit([]textWord{w}, fmt.Sprintf("an %s address for a guest with an %s one", familyWord(familyOf(addr)),
			familyWord(s.Family)), "translation keeps the family of a connection", "write addresses of one family")
	}
	return addr
}

// notUnicast are the addresses that no single machine answers at, or only for itself or on one
// link (RFC 6890). IPv4's link-local ones are not among them: a host may have one for a service,
// and the kernel routes them as any others.
var notUnicast = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "no machine has an address of 0.0.0.0/8"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback addresses never leave a machine"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast addresses are those of groups"},
	{netip.MustParsePrefix("240.0.0.0/4"), "addresses from 240.0.0.0 on are reserved, and the last one is a broadcast"},
	{netip.MustParsePrefix("::/128"), "no machine has the address ::"},
	{netip.MustParsePrefix("::1/128"), "loopback addresses never leave a machine"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "IPv4-mapped addresses never appear on a link"},
	{netip.MustParsePrefix("fe80::/10"), "link-local IPv6 addresses are not routed"},
	{netip.MustParsePrefix("ff00::/8"), "multicast addresses are those of groups"},
}

// unreachable returns why no connection that the host passes on goes to addr; empty if it can.
func unreachable(addr netip.Addr) string {
	for _, n := range notUnicast {
		if n.prefix.Contains(addr) {
			return n.why
		}
	}
	return ""
}
