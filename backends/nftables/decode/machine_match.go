package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// equals adds the match that v equals data, or does not; false if the IR has none.
func (m *machine) equals(v *value, data []byte, not bool) bool {
	if v.load == nil || v.xor != nil || len(data) == 0 || len(data) > v.size {
		return false
	}
	if m.key(v, data, data, not) {
		return true
	}
	switch v.load.Name {
	case "fib":
		return len(data) == 4 && m.addrTypes(v, []uint32{binary.NativeEndian.Uint32(data)}, not)
	case "meta":
		return m.meta(v, data, not)
	case "ct":
		return m.ct(v, data, not)
	case "payload":
		return m.payload(v, data, not)
	}
	return false
}

func (m *machine) meta(v *value, data []byte, not bool) bool {
	key := v.load.Number(unix.NFTA_META_KEY)
	if key == unix.NFT_META_MARK {
		return m.mark(v, data, not)
	}
	if v.mask != nil || v.swapped {
		return false
	}
	switch key {
	case unix.NFT_META_PROTOCOL:
		return m.etherType(data, not)
	case unix.NFT_META_IIF, unix.NFT_META_OIF:
		return m.link(key, data, not)
	case unix.NFT_META_IIFNAME:
		name, wildcard, ok := ifnameOf(data)
		if ok {
			m.match(ir.IIfName{Name: name, Wildcard: wildcard, Not: not})
		}
		return ok
	case unix.NFT_META_OIFNAME:
		name, wildcard, ok := ifnameOf(data)
		if ok {
			m.match(ir.OIfName{Name: name, Wildcard: wildcard, Not: not})
		}
		return ok
	case unix.NFT_META_NFPROTO:
		return m.nfproto(data[0], not)
	case unix.NFT_META_L4PROTO:
		m.l4proto(data[0], not)
		return true
	}
	return false
}

// link adds the match of an interface by its index, if it is known which interface that is.
func (m *machine) link(key uint32, data []byte, not bool) bool {
	if m.reader == nil || len(data) != 4 {
		return false
	}
	name := m.reader.link(binary.NativeEndian.Uint32(data))
	switch {
	case name == "":
		return false
	case key == unix.NFT_META_IIF:
		m.match(ir.IIfName{Name: name, Not: not})
	default:
		m.match(ir.OIfName{Name: name, Not: not})
	}
	return true
}

// ifnameOf reads what a name is compared with: its bytes and at least one NUL for a name, the
// beginning alone for a wildcard. Fifteen bytes are a whole name, as there are no longer ones.
// Names that no interface can have are not read.
func ifnameOf(data []byte) (name string, wildcard, ok bool) {
	end := bytes.IndexByte(data, 0)
	wildcard = end < 0 && len(data) < unix.IFNAMSIZ-1
	if end < 0 {
		end = len(data)
	}
	if end == 0 || end == unix.IFNAMSIZ || len(bytes.Trim(data[end:], "\x00")) != 0 {
		return "", false, false
	}
	name = string(data[:end])
	for i := range len(name) {
		if name[i] <= ' ' || name[i] == 0x7f {
			return "", false, false
		}
	}
	odd := strings.ContainsAny(name, "/:\"\\") || name == "." || name == ".." || strings.HasSuffix(name, "+") ||
		strings.HasSuffix(name, "*")
	return name, wildcard, !odd
}

// nfproto narrows the rule's family.
func (m *machine) nfproto(number byte, not bool) bool {
	f := Family(number)
	if f != ir.IPv4 && f != ir.IPv6 {
		return false
	}
	if not {
		f = ir.Both &^ f
	}
	if m.out.Family&f == 0 {
		return false // for no packet; the text says so
	}
	m.out.Family &= f
	return true
}

func (m *machine) l4proto(proto uint8, not bool) {
	if !not {
		m.proto = proto
	}
	m.match(ir.L4Proto{Proto: proto, Not: not})
}

func (m *machine) mark(v *value, data []byte, not bool) bool {
	if len(data) != 4 || v.swapped {
		return false
	}
	mask := ^uint32(0)
	if v.mask != nil {
		mask = binary.NativeEndian.Uint32(v.mask)
	}
	n := binary.NativeEndian.Uint32(data)
	if mask == 0 || n&^mask != 0 {
		return false
	}
	m.match(ir.Mark{Value: n, Mask: mask, Not: not})
	return true
}

func (m *machine) ct(v *value, data []byte, not bool) bool {
	switch v.load.Number(unix.NFTA_CT_KEY) {
	case unix.NFT_CT_STATE:
		return m.ctState(v, data, not)
	case unix.NFT_CT_STATUS:
		return m.ctStatus(v, data, not)
	}
	return false
}

// ctStatus reads "(status & mask) != 0" or "== 0" where the mask has bits of NAT only.
func (m *machine) ctStatus(v *value, data []byte, not bool) bool {
	if len(data) != 4 || v.mask == nil || binary.NativeEndian.Uint32(data) != 0 {
		return false
	}
	n := binary.NativeEndian.Uint32(v.mask)
	var status ir.Status
	for _, s := range [...]struct {
		bit    uint32
		status ir.Status
	}{{0x10, ir.StatusSNAT}, {0x20, ir.StatusDNAT}} { // IPS_SRC_NAT, IPS_DST_NAT
		if n&s.bit != 0 {
			status, n = status|s.status, n&^s.bit
		}
	}
	if n != 0 || status == 0 {
		return false
	}
	m.match(ir.CTStatus{Status: status, Not: !not})
	return true
}

// ctState reads "(state & mask) != 0", "== 0", or a comparison with one state. A packet has one
// state at a time.
func (m *machine) ctState(v *value, data []byte, not bool) bool {
	if len(data) != 4 {
		return false
	}
	n := binary.NativeEndian.Uint32(data)
	if v.mask != nil {
		if n != 0 {
			return false
		}
		n, not = binary.NativeEndian.Uint32(v.mask), !not
	} else if bits.OnesCount32(n) != 1 {
		return false
	}
	var states ir.State
	for _, s := range [...]struct {
		bit   uint32
		state ir.State
	}{{1, ir.StateInvalid}, {2, ir.StateEstablished}, {4, ir.StateRelated}, {8, ir.StateNew}, {64, ir.StateUntracked}} {
		if n&s.bit != 0 {
			states, n = states|s.state, n&^s.bit
		}
	}
	if n != 0 || states == 0 {
		return false
	}
	m.match(ir.CTState{States: states, Not: not})
	return true
}

// payload reads a comparison of header bytes, which may be of several fields at once.
func (m *machine) payload(v *value, data []byte, not bool) bool {
	offset := int(v.load.Number(unix.NFTA_PAYLOAD_OFFSET))
	if len(data) != v.size || offset > 1<<10 {
		return false
	}
	switch v.load.Number(unix.NFTA_PAYLOAD_BASE) {
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		return m.network(offset, data, v.mask, not)
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		if m.proto == ir.TCP && offset == 13 && len(data) == 1 {
			return m.tcpFlags(data[0], v.mask, not)
		}
		return v.mask == nil && m.transport(offset, data, not)
	}
	return false
}

// network reads addresses, and the protocol of IPv4. In a table of both families the header is
// known only after the family was matched.
func (m *machine) network(offset int, data, mask []byte, not bool) bool {
	src, size := 12, 4
	switch m.out.Family {
	case ir.IPv4:
		if offset == 9 && len(data) == 1 && mask == nil {
			m.l4proto(data[0], not)
			return true
		}
	case ir.IPv6:
		if offset == 6 && len(data) == 1 && mask == nil { // of a packet without extension headers
			m.l4proto(data[0], not)
			return true
		}
		src, size = 8, 16
	default:
		return false
	}
	switch {
	case offset == src && len(data) == 2*size && mask == nil && !not: // both at once
		return m.network(src, data[:size], nil, false) && m.network(src+size, data[size:], nil, false)
	case offset != src && offset != src+size, len(data) > size:
		return false
	}
	p, ok := prefix(data, mask, size)
	if !ok {
		return false
	}
	if offset == src {
		m.match(ir.SAddr{Prefix: p, Not: not})
	} else {
		m.match(ir.DAddr{Prefix: p, Not: not})
	}
	return true
}

// prefix reads the beginning of an address of size bytes, or one with its mask.
func prefix(data, mask []byte, size int) (netip.Prefix, bool) {
	length := len(data) * 8
	if mask != nil {
		length = 0
		for length < len(mask)*8 && mask[length/8]>>(7-length%8)&1 == 1 {
			length++
		}
	}
	whole := make([]byte, size)
	copy(whole, data)
	a, ok := netip.AddrFromSlice(whole)
	if !ok {
		return netip.Prefix{}, false
	}
	p := netip.PrefixFrom(a, length)
	for i, c := range mask {
		want := byte(0xff)
		if rest := length - i*8; rest < 8 {
			want = ^byte(0) << (8 - max(rest, 0))
		}
		if c != want {
			return netip.Prefix{}, false // a mask with holes
		}
	}
	return p, p.Masked() == p
}

// transport reads ports and ICMP types, once the protocol that they belong to is known.
func (m *machine) transport(offset int, data []byte, not bool) bool {
	switch {
	case ir.HasPorts(m.proto):
		return m.ports(offset, data, not)
	case m.proto == ir.ICMP, m.proto == ir.ICMPv6:
		return m.icmp(offset, data, not)
	}
	return false
}

// tcpFlags reads a comparison of the control bits of TCP.
func (m *machine) tcpFlags(flags byte, mask []byte, not bool) bool {
	under := ir.AllFlags
	if mask != nil {
		under = ir.Flags(mask[0])
	}
	if under == 0 || ir.Flags(flags)&^under != 0 {
		return false
	}
	m.match(ir.TCPFlags{Mask: under, Flags: ir.Flags(flags), Not: not})
	return true
}

func (m *machine) ports(offset int, data []byte, not bool) bool {
	if offset == 0 && len(data) == 4 && !not {
		return m.ports(0, data[:2], false) && m.ports(2, data[2:], false)
	}
	if len(data) != 2 {
		return false
	}
	n := binary.BigEndian.Uint16(data)
	return m.portMatch(offset, n, n, not)
}

func (m *machine) portMatch(offset int, from, to uint16, not bool) bool {
	switch offset {
	case 0:
		m.match(ir.SPort{From: from, To: to, Not: not})
	case 2:
		m.match(ir.DPort{From: from, To: to, Not: not})
	default:
		return false
	}
	return true
}

func (m *machine) icmp(offset int, data []byte, not bool) bool {
	switch {
	case offset == 0 && len(data) == 1:
		m.match(ir.ICMPType{Type: data[0], Not: not})
	case offset == 0 && len(data) == 2:
		m.match(ir.ICMPType{Type: data[0], Code: data[1], HasCode: true, Not: not})
	case offset == 1 && len(data) == 1 && !not && len(m.done) == 0: // the code of the type before
		for i, before := range m.out.Matches {
			if t, ok := before.(ir.ICMPType); ok && !t.Not && !t.HasCode {
				t.Code, t.HasCode = data[0], true
				m.out.Matches[i] = t
				return true
			}
		}
		return false
	default:
		return false
	}
	return true
}

// between adds the match that v is from, to or between, or is not.
func (m *machine) between(v *value, from, to []byte, not bool, last ...*wire.Expression) {
	if !m.rangeMatch(v, from, to, not) {
		m.opaque(append(v.steps[:len(v.steps):len(v.steps)], last...)...)
	}
}

func (m *machine) rangeMatch(v *value, from, to []byte, not bool) bool {
	if bytes.Compare(from, to) <= 0 && m.ordered(v) && m.key(v, from, to, not) || m.markRange(v, from, to, not) ||
		m.nameRange(v, from, to, not) {
		return true
	}
	if v.load == nil || v.load.Name != "payload" || v.mask != nil || len(from) != v.size || len(to) != v.size ||
		bytes.Compare(from, to) > 0 {
		return false
	}
	offset := int(v.load.Number(unix.NFTA_PAYLOAD_OFFSET))
	switch v.load.Number(unix.NFTA_PAYLOAD_BASE) {
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		return m.addrRange(offset, from, to, not)
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		return ir.HasPorts(m.proto) && len(from) == 2 &&
			m.portMatch(offset, binary.BigEndian.Uint16(from), binary.BigEndian.Uint16(to), not)
	}
	return false
}

// nameRange reads the range of all names that begin alike.
func (m *machine) nameRange(v *value, from, to []byte, not bool) bool {
	if v.load == nil || v.load.Name != "meta" || v.mask != nil || len(from) != unix.IFNAMSIZ || len(to) != len(from) {
		return false
	}
	n := 0
	for n < len(from) && from[n] == to[n] {
		n++
	}
	if n == 0 || n >= unix.IFNAMSIZ-1 || len(bytes.Trim(from[n:], "\x00")) != 0 || len(bytes.Trim(to[n:], "\xff")) != 0 {
		return false
	}
	name, wildcard, ok := ifnameOf(from[:n])
	switch v.load.Number(unix.NFTA_META_KEY) {
	case unix.NFT_META_IIFNAME:
		m.match(ir.IIfName{Name: name, Wildcard: wildcard, Not: not})
	case unix.NFT_META_OIFNAME:
		m.match(ir.OIfName{Name: name, Wildcard: wildcard, Not: not})
	default:
		return false
	}
	return ok
}

func (m *machine) addrRange(offset int, from, to []byte, not bool) bool {
	src, size := 12, 4
	switch m.out.Family {
	case ir.IPv4:
	case ir.IPv6:
		src, size = 8, 16
	default:
		return false
	}
	a, _ := netip.AddrFromSlice(from)
	z, _ := netip.AddrFromSlice(to)
	switch {
	case len(from) != size:
		return false
	case offset == src:
		m.match(ir.SAddrRange{From: a, To: z, Not: not})
	case offset == src+size:
		m.match(ir.DAddrRange{From: a, To: z, Not: not})
	default:
		return false
	}
	return true
}
