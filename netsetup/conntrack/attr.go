package conntrack

import (
	"encoding/binary"
	"fmt"
)

// Numbers of attributes in linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaTupleOrig  = 1
	ctaTupleReply = 2
	ctaStatus     = 3
	ctaTimeout    = 7
	ctaID         = 12
	ctaZone       = 18

	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaTupleZone  = 3

	ctaIPv4Src = 1
	ctaIPv4Dst = 2
	ctaIPv6Src = 3
	ctaIPv6Dst = 4

	ctaProtoNum        = 1
	ctaProtoSrcPort    = 2
	ctaProtoDstPort    = 3
	ctaProtoICMPID     = 4
	ctaProtoICMPType   = 5
	ctaProtoICMPCode   = 6
	ctaProtoICMPv6ID   = 7
	ctaProtoICMPv6Type = 8
	ctaProtoICMPv6Code = 9
)

const (
	attrHeader = 4       // bytes: length with the header, and type
	attrNested = 1 << 15 // NLA_F_NESTED
	attrTypes  = 1<<14 - 1
)

// attr is one attribute of netlink.
type attr struct {
	typ   uint16 // without its flags
	value []byte
	raw   []byte // all of it, with header and padding
}

// nextAttr returns the first attribute of b, and what is behind it.
func nextAttr(b []byte) (a attr, rest []byte, err error) {
	if len(b) < attrHeader {
		return a, nil, fmt.Errorf("%d bytes where an attribute should be", len(b))
	}
	size := int(binary.NativeEndian.Uint16(b))
	if size < attrHeader || size > len(b) {
		return a, nil, fmt.Errorf("an attribute of %d bytes in %d", size, len(b))
	}
	padded := min(len(b), (size+3)&^3)
	return attr{binary.NativeEndian.Uint16(b[2:]) & attrTypes, b[attrHeader:size], b[:padded]}, b[padded:], nil
}

// sized returns the value of a, which must have this many bytes.
func (a attr) sized(n int) ([]byte, error) {
	if len(a.value) != n {
		return nil, fmt.Errorf("attribute %d has %d bytes, not %d", a.typ, len(a.value), n)
	}
	return a.value, nil
}

func (a attr) uint8() (uint8, error) {
	b, err := a.sized(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// uint16 returns a number in network byte order, as ctnetlink has them all.
func (a attr) uint16() (uint16, error) {
	b, err := a.sized(2)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(b), nil
}

func (a attr) uint32() (uint32, error) {
	b, err := a.sized(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}
