package decode

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// immediate runs an expression that stores a value, or a verdict, which ends the rule.
func (m *machine) immediate(e *wire.Expression) {
	code, chain, isVerdict := e.Verdict(unix.NFTA_IMMEDIATE_DATA)
	if !isVerdict {
		data := e.Value(unix.NFTA_IMMEDIATE_DATA)
		if !m.set(e.Number(unix.NFTA_IMMEDIATE_DREG), &value{steps: []*wire.Expression{e}, size: len(data),
			data: data}) {
			m.opaque(e)
		}
		return
	}
	m.verdict(code, chain, e)
}

// verdict ends the rule with a verdict.
func (m *machine) verdict(code int32, chain string, e *wire.Expression) {
	switch {
	case code == wire.VerdictAccept:
		m.end(ir.Accept{})
	case code == wire.VerdictDrop:
		m.end(ir.Drop{})
	case code == unix.NFT_RETURN:
		m.end(ir.Return{})
	case code == unix.NFT_JUMP && chain != "":
		m.end(ir.Jump{Chain: chain})
	case code == unix.NFT_GOTO && chain != "":
		m.end(ir.Goto{Chain: chain})
	case code == unix.NFT_CONTINUE:
		m.end(ir.Counter{})
	default:
		m.end(ir.Opaque{Text: m.words(e)})
	}
}

// reject reads a reject. A code of either family means for each the one that the kernel makes of it
// (net/netfilter/nft_reject.c).
func (m *machine) reject(e *wire.Expression) {
	typ, ok := e.Uint32(unix.NFTA_REJECT_TYPE)
	if ok && typ == unix.NFT_REJECT_TCP_RST && m.proto == ir.TCP {
		m.end(ir.Reject{With: ir.TCPReset})
		return
	}
	number := e.Attrs[unix.NFTA_REJECT_ICMP_CODE]
	if !ok || len(number) != 1 {
		m.end(ir.Opaque{Text: m.words(e)})
		return
	}
	code := rejectCode(typ, number[0], m.out.Family)
	if code == "" {
		m.end(ir.Opaque{Text: m.words(e)})
		return
	}
	m.end(ir.Reject{With: code})
}

// rejectCode returns the code for packets of a family, "" if there is none in the IR.
func rejectCode(typ uint32, number byte, family ir.Family) ir.RejectCode {
	switch {
	case typ == unix.NFT_REJECT_ICMP_UNREACH && family == ir.IPv4:
		return codesV4[number]
	case typ == unix.NFT_REJECT_ICMP_UNREACH && family == ir.IPv6:
		return codesV6[number]
	case typ != unix.NFT_REJECT_ICMPX_UNREACH:
		return ""
	case family == ir.IPv4:
		return codesEither[number].v4
	case family == ir.IPv6:
		return codesEither[number].v6
	case codesEither[number].v4 == codesEither[number].v6:
		return codesEither[number].v4
	}
	return ""
}

// The codes of RFC 792, of RFC 4443, and of the kernel's NFT_REJECT_ICMPX_* for the one and the
// other family.
var (
	codesV4 = map[byte]ir.RejectCode{0: ir.NetUnreachable, 1: ir.HostUnreachable, 2: ir.ProtUnreachable,
		3: ir.PortUnreachable,
		9: ir.NetProhibited, 10: ir.HostProhibited, 13: ir.AdminProhibited}
	codesV6 = map[byte]ir.RejectCode{0: ir.NoRoute, 1: ir.AdminProhibited, 3: ir.AddrUnreachable, 4: ir.PortUnreachable,
		5: ir.PolicyFail, 6: ir.RejectRoute}
	codesEither = map[byte]struct{ v4, v6 ir.RejectCode }{
		0: {ir.NetUnreachable, ir.NoRoute},
		1: {ir.PortUnreachable, ir.PortUnreachable},
		2: {ir.HostUnreachable, ir.AddrUnreachable},
		3: {ir.AdminProhibited, ir.AdminProhibited},
	}
)

// natFlags are the flags that only repeat what the registers say: addresses, ports. Others change
// the meaning.
const natFlags = unix.NF_NAT_RANGE_MAP_IPS | unix.NF_NAT_RANGE_PROTO_SPECIFIED

// choosing are the flags that say how to choose among addresses and ports.
const choosing = unix.NF_NAT_RANGE_PROTO_RANDOM | unix.NF_NAT_RANGE_PROTO_RANDOM_FULLY | unix.NF_NAT_RANGE_PERSISTENT

func flagsOf(bits uint32) (f ir.NATFlags) {
	for _, x := range [...]struct {
		bit  uint32
		flag ir.NATFlags
	}{{unix.NF_NAT_RANGE_PROTO_RANDOM, ir.Random}, {unix.NF_NAT_RANGE_PROTO_RANDOM_FULLY, ir.FullyRandom},
		{unix.NF_NAT_RANGE_PERSISTENT, ir.Persistent}} {
		if bits&x.bit != 0 {
			f |= x.flag
		}
	}
	return f
}

// nat reads snat and dnat. The kernel takes ports as given whenever their register is, with or
// without the flag.
func (m *machine) nat(e *wire.Expression) {
	family := Family(byte(e.Number(unix.NFTA_NAT_FAMILY)))
	addrs, ok := m.addrs(e, family)
	ports, ok2 := m.portRange(e, unix.NFTA_NAT_REG_PROTO_MIN, unix.NFTA_NAT_REG_PROTO_MAX)
	typ, ok3 := e.Uint32(unix.NFTA_NAT_TYPE)
	switch {
	case !ok || !ok2 || !ok3 || e.Number(unix.NFTA_NAT_FLAGS)&^(natFlags|choosing) != 0 || m.out.Family&family == 0:
		m.end(ir.Opaque{Text: m.words(e)})
		return
	case addrs.IsZero() || typ != unix.NFT_NAT_SNAT && typ != unix.NFT_NAT_DNAT:
		m.end(ir.Opaque{Text: m.words(e)})
		return
	}
	m.out.Family &= family
	flags := flagsOf(e.Number(unix.NFTA_NAT_FLAGS))
	if typ == unix.NFT_NAT_SNAT {
		m.end(ir.SNAT{Addrs: addrs, Ports: ports, Flags: flags})
		return
	}
	m.end(ir.DNAT{Addrs: addrs, Ports: ports, Flags: flags})
}

// addrs reads the range of addresses in the registers that e names; zero if it names none.
func (m *machine) addrs(e *wire.Expression, family ir.Family) (r ir.AddrRange, ok bool) {
	if e.Attrs[unix.NFTA_NAT_REG_ADDR_MIN] == nil {
		return r, e.Attrs[unix.NFTA_NAT_REG_ADDR_MAX] == nil
	}
	size := 4
	if family == ir.IPv6 {
		size = 16
	}
	if r.From, ok = m.addr(e.Number(unix.NFTA_NAT_REG_ADDR_MIN), size); !ok {
		return r, false
	}
	r.To = r.From
	if e.Attrs[unix.NFTA_NAT_REG_ADDR_MAX] != nil {
		r.To, ok = m.addr(e.Number(unix.NFTA_NAT_REG_ADDR_MAX), size)
	}
	return r, ok && !r.To.Less(r.From)
}

func (m *machine) addr(n uint32, size int) (netip.Addr, bool) {
	v := m.get(n)
	if v == nil || len(v.data) < size {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(v.data[:size])
}

// portRange reads the range of ports in the registers that attributes low and high name; zero if e
// names none. Ports mean nothing before a protocol that has them was matched.
func (m *machine) portRange(e *wire.Expression, low, high int) (r ir.PortRange, ok bool) {
	if e.Attrs[low] == nil {
		return r, e.Attrs[high] == nil
	}
	if r.From, ok = m.port(e.Number(low)); !ok {
		return r, false
	}
	r.To = r.From
	if e.Attrs[high] != nil {
		r.To, ok = m.port(e.Number(high))
	}
	return r, ok && r.From <= r.To && r.From > 0 && ir.HasPorts(m.proto)
}

func (m *machine) port(n uint32) (uint16, bool) {
	v := m.get(n)
	if v == nil || len(v.data) < 2 || len(v.data) > 2 && binary.BigEndian.Uint16(v.data[2:]) != 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(v.data), true
}

// masquerade reads masq. Without its flag the kernel ignores the ports, whatever the registers say
// and nft(8) prints.
func (m *machine) masquerade(e *wire.Expression) {
	ports, ok := m.portRange(e, unix.NFTA_MASQ_REG_PROTO_MIN, unix.NFTA_MASQ_REG_PROTO_MAX)
	flags := e.Number(unix.NFTA_MASQ_FLAGS)
	switch {
	case flags&^(natFlags|choosing) != 0, !ok:
		m.end(ir.Opaque{Text: m.words(e)})
	case flags&unix.NF_NAT_RANGE_PROTO_SPECIFIED == 0:
		m.end(ir.Masquerade{Flags: flagsOf(flags)})
	default:
		m.end(ir.Masquerade{Ports: ports, Flags: flagsOf(flags)})
	}
}

// redirect reads redir. The kernel takes ports as given whenever their register is.
func (m *machine) redirect(e *wire.Expression) {
	ports, ok := m.portRange(e, unix.NFTA_REDIR_REG_PROTO_MIN, unix.NFTA_REDIR_REG_PROTO_MAX)
	if !ok || e.Number(unix.NFTA_REDIR_FLAGS)&^(natFlags|choosing) != 0 {
		m.end(ir.Opaque{Text: m.words(e)})
		return
	}
	m.end(ir.Redirect{Ports: ports, Flags: flagsOf(e.Number(unix.NFTA_REDIR_FLAGS))})
}
