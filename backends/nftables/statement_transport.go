package nftables

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/google/nftables/expr"

	"github.com/vnetc/vnetc/ir"
)

// port is a source or destination port of proto. Nft sends one comparison for a port, and range
// expressions for a range.
type port struct {
	proto    uint8
	dst      bool
	from, to uint16
	not      bool
	spread   bool // spread is true if a single port is to be sent as a range from itself to itself
}

func (s port) appendText(b []byte, _ form) []byte {
	b = append(b, protocolName(s.proto)...)
	if s.dst {
		b = append(b, " dport "...)
	} else {
		b = append(b, " sport "...)
	}
	b = strconv.AppendUint(appendNot(b, s.not), uint64(s.from), 10)
	if s.single() {
		return b
	}
	return strconv.AppendUint(append(b, '-'), uint64(s.to), 10)
}

// single is true if the port is compared as a single value.
func (s port) single() bool { return s.from == s.to && !s.spread }

func (s port) exprs(x []expr.Any) []expr.Any {
	offset := uint32(0)
	if s.dst {
		offset = 2
	}
	x = append(x, loadTransport(offset, 2))
	if s.single() {
		return append(x, compare(s.not, bigEndian16(s.from)))
	}
	return within(x, s.not, bigEndian16(s.from), bigEndian16(s.to))
}

func loadTransport(offset, size uint32) *expr.Payload {
	return &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: size}
}

// portPair is a single source port and a single destination port, which nft compares as one value
// of four bytes.
type portPair struct{ src, dst port }

func (s portPair) appendText(b []byte, f form) []byte {
	return s.dst.appendText(append(s.src.appendText(b, f), ' '), f)
}

func (s portPair) exprs(x []expr.Any) []expr.Any {
	return append(x, loadTransport(0, 4), compare(false, append(bigEndian16(s.src.from), bigEndian16(s.dst.from)...)))
}

func bigEndian16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// icmp is the type, or type and code, of ICMP or ICMPv6. Nft compares type and code as one value of
// two bytes. "Not this type with this code" has no text of its own: the raw bytes say it, and nft
// 1.0.6 lists them in words that would mean something else if they were read strictly.
type icmp struct {
	proto     uint8
	typ, code uint8
	hasCode   bool
	not       bool
}

// raw is true if the script has no words for it.
func (s icmp) raw() bool { return s.not && s.hasCode }

func (s icmp) appendText(b []byte, f form) []byte {
	word := "icmp"
	if s.proto == ir.ICMPv6 {
		word = "icmpv6"
	}
	if s.raw() && f == script {
		return fmt.Appendf(b, "@th,0,16 != 0x%02x%02x", s.typ, s.code)
	}
	b = appendNot(append(append(b, word...), " type "...), s.not)
	b = appendWord(b, icmpTypeName(s.proto, s.typ), uint64(s.typ))
	if !s.hasCode {
		return b
	}
	b = appendNot(append(append(append(b, ' '), word...), " code "...), s.not)
	return appendWord(b, icmpCodeName(s.proto, s.code), uint64(s.code))
}

func (s icmp) exprs(x []expr.Any) []expr.Any {
	value := []byte{s.typ, s.code}
	if !s.hasCode {
		value = value[:1]
	}
	return append(x, loadTransport(0, uint32(len(value))), compare(s.not, value))
}

// tcpFlags is a comparison of control bits of TCP. Nft 1.0 lists each form in words of its own, and
// takes them all.
type tcpFlags struct {
	flags, mask ir.Flags
	not         bool
}

func (s tcpFlags) appendText(b []byte, _ form) []byte {
	b = append(b, "tcp flags "...)
	compare := "== "
	if s.not {
		compare = "!= "
	}
	switch {
	case s.mask == ir.AllFlags:
		return appendFlags(append(b, compare...), s.flags)
	case s.flags == 0 && s.not: // any of them
		return append(b, s.mask.String()...)
	case s.flags == 0:
		return append(append(b, "! "...), s.mask.String()...)
	case s.mask&(s.mask-1) == 0:
		return fmt.Appendf(b, "& %s %s%s", s.mask, compare, s.flags)
	}
	return fmt.Appendf(appendNot(b, s.not), "%s / %s", s.flags, s.mask)
}

// appendFlags appends flags that are compared with the whole header field.
func appendFlags(b []byte, flags ir.Flags) []byte {
	if flags != 0 && flags&(flags-1) == 0 {
		return append(b, flags.String()...)
	}
	return fmt.Appendf(b, "%#x", uint8(flags))
}

func (s tcpFlags) exprs(x []expr.Any) []expr.Any {
	x = append(x, loadTransport(13, 1))
	if s.mask != ir.AllFlags {
		x = append(x, masked([]byte{byte(s.mask)}))
	}
	return append(x, compare(s.not, []byte{byte(s.flags)}))
}
