package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// statement is one condition or action of a rule in both its forms, which mean the same: text as
// nft(8) reads and prints it, and the expressions that nft 1.0.6 sends for that text. A statement
// without text is one that nft adds by itself because the next one needs it (meta l4proto before
// tcp dport).
type statement interface {
	appendText(b []byte, f form) []byte
	exprs(x []expr.Any) []expr.Any
}

// form is whom a text is for. The two differ where nft 1.0.6 prints what it can't read, or reads as
// something else.
type form uint8

const (
	script  form = iota // nft -f
	listing             // nft -s list ruleset
)

// reg is the register that conditions load into, the first of the 16-byte ones.
const reg = unix.NFT_REG_1

// compare is the end of most conditions: the register has (or has not) this value.
func compare(not bool, value []byte) *expr.Cmp {
	op := expr.CmpOpEq
	if not {
		op = expr.CmpOpNeq
	}
	return &expr.Cmp{Op: op, Register: reg, Data: value}
}

// within compares with a range: two comparisons, or for "not" one range expression.
func within(x []expr.Any, not bool, from, to []byte) []expr.Any {
	if not {
		return append(x, &expr.Range{Op: expr.CmpOpNeq, Register: reg, FromData: from, ToData: to})
	}
	return append(x, &expr.Cmp{Op: expr.CmpOpGte, Register: reg, Data: from},
		&expr.Cmp{Op: expr.CmpOpLte, Register: reg, Data: to})
}

func appendNot(b []byte, not bool) []byte {
	if not {
		b = append(b, "!= "...)
	}
	return b
}

// ifname is iifname or oifname. The kernel compares as many bytes as there are: all sixteen for a
// name, the beginning for a wildcard.
type ifname struct {
	out      bool
	name     string
	wildcard bool
	not      bool
}

func (s ifname) appendText(b []byte, _ form) []byte {
	if s.out {
		b = append(b, "oifname "...)
	} else {
		b = append(b, "iifname "...)
	}
	b = append(appendNot(b, s.not), '"')
	b = append(b, s.name...)
	if s.wildcard {
		b = append(b, '*')
	}
	return append(b, '"')
}

func (s ifname) exprs(x []expr.Any) []expr.Any {
	key := expr.MetaKeyIIFNAME
	if s.out {
		key = expr.MetaKeyOIFNAME
	}
	size := unix.IFNAMSIZ
	if s.wildcard {
		size = len(s.name)
	}
	value := make([]byte, size)
	copy(value, s.name)
	return append(x, &expr.Meta{Key: key, Register: reg}, compare(s.not, value))
}

// shown says where a statement has a text.
type shown uint8

const (
	everywhere shown = iota
	inScript         // nft does not add it by itself, and does not print it
	nowhere          // nft adds it by itself, and does not print it
)

func (s shown) hides(f form) bool { return s == nowhere || s == inScript && f == listing }

// nfproto is the family of a packet in an inet table.
type nfproto struct {
	family ir.Family
	shown  shown
}

func (s nfproto) appendText(b []byte, f form) []byte {
	switch {
	case s.shown.hides(f):
		return b
	case s.family == ir.IPv4:
		return append(b, "meta nfproto ipv4"...)
	}
	return append(b, "meta nfproto ipv6"...)
}

func (s nfproto) exprs(x []expr.Any) []expr.Any {
	return append(x, &expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg},
		compare(false, []byte{familyNumber(s.family)}))
}

// familyNumber returns the kernel's NFPROTO number of a table's family.
func familyNumber(f ir.Family) byte {
	switch f {
	case ir.IPv4:
		return unix.NFPROTO_IPV4
	case ir.IPv6:
		return unix.NFPROTO_IPV6
	case ir.Both:
		return unix.NFPROTO_INET
	}
	panic(fmt.Sprintf("nftables: no number for family %s", f))
}

// l4proto is the transport protocol.
type l4proto struct {
	proto uint8
	not   bool
	shown shown
}

func (s l4proto) appendText(b []byte, f form) []byte {
	if s.shown.hides(f) {
		return b
	}
	b = appendNot(append(b, "meta l4proto "...), s.not)
	return appendWord(b, protocolName(s.proto), uint64(s.proto))
}

func (s l4proto) exprs(x []expr.Any) []expr.Any {
	return append(x, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, compare(s.not, []byte{s.proto}))
}

// appendWord appends a value's name, or its number where it has none.
func appendWord(b []byte, name string, number uint64) []byte {
	if name == "" {
		return strconv.AppendUint(b, number, 10)
	}
	return append(b, name...)
}

// addr is a source or destination address in a prefix. A prefix that ends with a byte is compared
// by its own bytes alone, any other after masking.
type addr struct {
	dst    bool
	prefix netip.Prefix
	not    bool
}

func (s addr) appendText(b []byte, _ form) []byte {
	b = appendNot(appendAddrField(b, s.prefix.Addr(), s.dst), s.not)
	return appendPrefix(b, s.prefix)
}

func (s addr) exprs(x []expr.Any) []expr.Any {
	value, bits := s.prefix.Addr().AsSlice(), s.prefix.Bits()
	size := len(value)
	if bits > 0 && bits%8 == 0 {
		return append(x, loadAddr(value, s.dst, bits/8), compare(s.not, value[:bits/8]))
	}
	mask := make([]byte, size)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return append(x, loadAddr(value, s.dst, size),
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(size), Mask: mask, Xor: make([]byte, size)},
		compare(s.not, value))
}

// addrRange is a source or destination address between two.
type addrRange struct {
	dst      bool
	from, to netip.Addr
	not      bool
}

func (s addrRange) appendText(b []byte, _ form) []byte {
	b = appendNot(appendAddrField(b, s.from, s.dst), s.not)
	return appendAddr(append(appendAddr(b, s.from), '-'), s.to)
}

func (s addrRange) exprs(x []expr.Any) []expr.Any {
	from, to := s.from.AsSlice(), s.to.AsSlice()
	return within(append(x, loadAddr(from, s.dst, len(from))), s.not, from, to)
}

func appendAddrField(b []byte, a netip.Addr, dst bool) []byte {
	b = append(b, familyOf(a).String()...)
	if dst {
		return append(b, " daddr "...)
	}
	return append(b, " saddr "...)
}

// loadAddr loads the first size bytes of an address from the IPv4 header (RFC 791) or the IPv6
// header (RFC 8200), as value is the one or the other.
func loadAddr(value []byte, dst bool, size int) *expr.Payload {
	offset := 12
	if len(value) == 16 {
		offset = 8
	}
	if dst {
		offset += len(value)
	}
	return &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: uint32(offset),
		Len: uint32(size)}
}

// ctState is a set of connection tracking states: any bit, or for "not" none of them.
type ctState struct {
	states ir.State
	not    bool
}

// ctStates lists the states in the order in which nft prints them, with the kernel's bits
// (include/uapi/linux/netfilter/nf_conntrack_common.h, NF_CT_STATE_BIT).
var ctStates = [...]struct {
	state ir.State
	bit   uint32
	word  string
}{
	{ir.StateInvalid, 0x01, "invalid"},
	{ir.StateEstablished, 0x02, "established"},
	{ir.StateRelated, 0x04, "related"},
	{ir.StateNew, 0x08, "new"},
	{ir.StateUntracked, 0x40, "untracked"},
}

func (s ctState) appendText(b []byte, _ form) []byte {
	b = append(b, "ct state "...)
	if s.not {
		b = append(b, "! "...)
	}
	first := true
	for _, w := range ctStates {
		if s.states&w.state == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		b, first = append(b, w.word...), false
	}
	return b
}

func (s ctState) exprs(x []expr.Any) []expr.Any {
	var bits uint32
	for _, w := range ctStates {
		if s.states&w.state != 0 {
			bits |= w.bit
		}
	}
	return append(x, &expr.Ct{Key: expr.CtKeySTATE, Register: reg}, masked(hostEndian32(bits)),
		compare(!s.not, hostEndian32(0)))
}

// ctStatus is what NAT does to the connection: any bit, or for "not" none of them. A rule that
// loads it ends for a packet without a connection (nft_ct_get_eval in net/netfilter/nft_ct.c).
type ctStatus struct {
	status ir.Status
	not    bool
}

// ctStatuses lists the bits in the order in which nft prints them, with the kernel's
// (include/uapi/linux/netfilter/nf_conntrack_common.h, IPS_SRC_NAT and IPS_DST_NAT).
var ctStatuses = [...]struct {
	status ir.Status
	bit    uint32
	word   string
}{{ir.StatusSNAT, 0x10, "snat"}, {ir.StatusDNAT, 0x20, "dnat"}}

func (s ctStatus) appendText(b []byte, _ form) []byte {
	b = append(b, "ct status "...)
	if s.not {
		b = append(b, "! "...)
	}
	first := true
	for _, w := range ctStatuses {
		if s.status&w.status == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		b, first = append(b, w.word...), false
	}
	return b
}

func (s ctStatus) exprs(x []expr.Any) []expr.Any {
	var bits uint32
	for _, w := range ctStatuses {
		if s.status&w.status != 0 {
			bits |= w.bit
		}
	}
	return append(x, &expr.Ct{Key: expr.CtKeySTATUS, Register: reg}, masked(hostEndian32(bits)),
		compare(!s.not, hostEndian32(0)))
}

// masked keeps the bits of mask in a register of four bytes.
func masked(mask []byte) *expr.Bitwise {
	return &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(len(mask)), Mask: mask,
		Xor: make([]byte, len(mask))}
}

func hostEndian32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// mark is the packet's mark. Nft prints a mask of leading ones as a prefix length.
type mark struct {
	value, mask uint32
	not         bool
}

func (s mark) appendText(b []byte, _ form) []byte {
	return markText(append(b, "meta mark "...), s.value, s.mask, s.not)
}

// markText appends a mark and its mask.
func markText(b []byte, value, mask uint32, not bool) []byte {
	length := leadingOnes(mask)
	switch {
	case length == 32:
		return fmt.Appendf(appendNot(b, not), "0x%08x", value)
	case length >= 0:
		return fmt.Appendf(appendNot(b, not), "0x%08x/%d", value, length)
	}
	b = fmt.Appendf(b, "& 0x%08x ", mask)
	if not {
		return fmt.Appendf(b, "!= 0x%08x", value)
	}
	return fmt.Appendf(b, "== 0x%08x", value)
}

// leadingOnes returns the length of a mask of leading ones, -1 for any other mask.
func leadingOnes(mask uint32) int {
	for n := 0; n <= 32; n++ {
		if mask == ^uint32(0)<<(32-n) {
			return n
		}
	}
	return -1
}

func (s mark) exprs(x []expr.Any) []expr.Any {
	x = append(x, &expr.Meta{Key: expr.MetaKeyMARK, Register: reg})
	if s.mask != ^uint32(0) {
		x = append(x, masked(hostEndian32(s.mask)))
	}
	return append(x, compare(s.not, hostEndian32(s.value)))
}
