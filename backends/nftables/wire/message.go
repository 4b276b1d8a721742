package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// Message is one netlink message of nf_tables, cut out of a stream but not read further.
type Message struct {
	At     int // where the message begins in the stream, for errors
	Type   uint16
	Flags  uint16
	Seq    uint32
	Family byte // NFPROTO_*
	Attrs  Attrs
}

// Kind returns what the message is of those of nf_tables: NFT_MSG_*.
func (m *Message) Kind() uint16 { return m.Type & 0xff }

// controlMessages is the first type that is not netlink's own, such as error and done.
const controlMessages = unix.NLMSG_MIN_TYPE

// Next cuts the first message off b, which begins at offset at of the stream. Messages of netlink
// itself and the edges of a batch have a Type below controlMessages or unix.NFNL_MSG_BATCH_*; they
// have no attributes.
func Next(b []byte, at int) (m Message, rest []byte, err error) {
	if len(b) < unix.NLMSG_HDRLEN {
		return m, nil, fmt.Errorf("byte %d: %d bytes are no netlink header", at, len(b))
	}
	size := int64(binary.NativeEndian.Uint32(b))
	if size < unix.NLMSG_HDRLEN || size > int64(len(b)) {
		return m, nil, fmt.Errorf("byte %d: a message of %d bytes in %d", at, size, len(b))
	}
	m = Message{At: at, Type: binary.NativeEndian.Uint16(b[4:]), Flags: binary.NativeEndian.Uint16(b[6:]),
		Seq: binary.NativeEndian.Uint32(b[8:])}
	body := b[unix.NLMSG_HDRLEN:size]
	rest = b[min(int64(len(b)), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	switch {
	case m.Type == unix.NLMSG_ERROR:
		if len(body) < 4 || binary.NativeEndian.Uint32(body) != 0 {
			return m, nil, fmt.Errorf("byte %d: the stream holds an error of the kernel", at)
		}
		return m, rest, nil
	case m.Type < controlMessages, m.Type == unix.NFNL_MSG_BATCH_BEGIN, m.Type == unix.NFNL_MSG_BATCH_END:
		return m, rest, nil
	case m.Type>>8 != unix.NFNL_SUBSYS_NFTABLES:
		return m, nil, fmt.Errorf("byte %d: message type 0x%x is not nf_tables'", at, m.Type)
	case len(body) < NfgenLen:
		return m, nil, fmt.Errorf("byte %d: a message without a family", at)
	}
	m.Family = body[0]
	m.Attrs, err = ParseAttrs(body[NfgenLen:])
	if err != nil {
		err = fmt.Errorf("byte %d: %w", at, err)
	}
	return m, rest, err
}

// Dormant is true for a table whose flag dormant is set (NFT_TABLE_F_DORMANT in
// include/uapi/linux/netfilter/nf_tables.h): no packet meets its chains.
func (m *Message) Dormant() bool {
	return m.Attrs.Number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0
}

// Each calls f for each message of nf_tables in stream, with its bytes.
func Each(stream []byte, f func(m Message, raw []byte) error) error {
	for at := 0; at < len(stream); {
		m, rest, err := Next(stream[at:], at)
		if err != nil {
			return err
		}
		end := len(stream) - len(rest)
		if m.Type>>8 == unix.NFNL_SUBSYS_NFTABLES {
			if err := f(m, stream[at:end:end]); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// Attrs holds the attributes of one level by their number; of two with the same number, the last.
// Numbers that nf_tables does not use where this is read are left out.
type Attrs [19][]byte

// ParseAttrs reads the attributes of one level.
func ParseAttrs(b []byte) (a Attrs, err error) {
	err = EachAttr(b, func(typ uint16, data []byte) {
		if int(typ) < len(a) {
			a[typ] = data
		}
	})
	return a, err
}

// EachAttr calls f with each attribute of b: its number without flags, and its data, not nil.
func EachAttr(b []byte, f func(typ uint16, data []byte)) error {
	for len(b) > 0 {
		if len(b) < unix.NLA_HDRLEN {
			if len(bytes.Trim(b, "\x00")) == 0 {
				return nil // padding
			}
			return fmt.Errorf("%d bytes are no attribute", len(b))
		}
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.NLA_HDRLEN || size > len(b) {
			return fmt.Errorf("an attribute of %d bytes in %d", size, len(b))
		}
		f(binary.NativeEndian.Uint16(b[2:])&AttrTypeMask, b[unix.NLA_HDRLEN:size:size])
		b = b[min(len(b), (size+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	return nil
}

// Text returns a string attribute up to its NUL.
func (a *Attrs) Text(typ int) string {
	s, _, _ := bytes.Cut(a[typ], []byte{0})
	return string(s)
}

// Uint32 returns a number in network byte order; ok is false if there is none.
func (a *Attrs) Uint32(typ int) (n uint32, ok bool) {
	if len(a[typ]) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(a[typ]), true
}

// Number is [Attrs.Uint32] with 0 for a missing attribute.
func (a *Attrs) Number(typ int) uint32 {
	n, _ := a.Uint32(typ)
	return n
}

// Value returns the bytes of an attribute of type nft_data that holds a value, nil if it holds
// none.
func (a *Attrs) Value(typ int) []byte {
	data, err := ParseAttrs(a[typ])
	if err != nil {
		return nil
	}
	return data[unix.NFTA_DATA_VALUE]
}

// Verdict returns code and chain of an attribute of type nft_data that holds a verdict.
func (a *Attrs) Verdict(typ int) (code int32, chain string, ok bool) {
	data, err := ParseAttrs(a[typ])
	if err != nil || data[unix.NFTA_DATA_VERDICT] == nil {
		return 0, "", false
	}
	v, err := ParseAttrs(data[unix.NFTA_DATA_VERDICT])
	n, ok := v.Uint32(unix.NFTA_VERDICT_CODE)
	if err != nil || !ok {
		return 0, "", false
	}
	return int32(n), v.Text(unix.NFTA_VERDICT_CHAIN), true
}

// Expression is one step of the virtual machine that a rule is.
type Expression struct {
	Name string
	Attrs
}

// Expressions reads the list of a rule's expressions, into list.
func Expressions(list []Expression, b []byte) (_ []Expression, err error) {
	walk := EachAttr(b, func(_ uint16, data []byte) {
		e, bad := parseExpression(data)
		if bad != nil && err == nil {
			err = bad
		}
		list = append(list, e)
	})
	if walk != nil {
		err = walk
	}
	return list, err
}

// parseExpression reads one expression.
func parseExpression(b []byte) (e Expression, err error) {
	elem, err := ParseAttrs(b)
	if err != nil {
		return e, err
	}
	if elem[unix.NFTA_EXPR_NAME] == nil {
		return e, fmt.Errorf("an expression without a name")
	}
	e.Name = elem.Text(unix.NFTA_EXPR_NAME)
	e.Attrs, err = ParseAttrs(elem[unix.NFTA_EXPR_DATA])
	return e, err
}

// Actions returns what the elements of a set do when they are found. It takes the attributes for
// one such expression and for a list of them; both may be nil.
func Actions(one, list []byte) ([]Expression, error) {
	if one == nil {
		return Expressions(nil, list)
	}
	e, err := parseExpression(one)
	return []Expression{e}, err
}

// Comment returns the comment in a rule's user data, which is a list of byte-sized types and
// lengths (libnftnl's udata.h); it is whatever another program put there, so nothing about it is
// sure.
func Comment(userdata []byte) string {
	const typeComment = 0
	for len(userdata) >= 2 {
		typ, size := userdata[0], int(userdata[1])
		if userdata = userdata[2:]; size > len(userdata) {
			return ""
		}
		if typ == typeComment {
			text, _, _ := bytes.Cut(userdata[:size], []byte{0})
			return OneLine(text)
		}
		userdata = userdata[size:]
	}
	return ""
}

// OneLine returns text as valid UTF-8 without control characters.
func OneLine(text []byte) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(string(text), "?"))
}
