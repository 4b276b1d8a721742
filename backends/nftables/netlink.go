package nftables

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// message is one netlink message of nf_tables, cut out of a stream but not read further. The reading side (netlink.go,
// debug.go, read*.go) shares nothing with the emitting side but the kernel's numbers.
type message struct {
	at     int // where the message begins in the stream, for errors
	typ    uint16
	flags  uint16
	seq    uint32
	family byte
	attrs  attrs
}

// subsystem of nfnetlink and the messages that frame a batch.
const (
	controlMessages = unix.NLMSG_MIN_TYPE // types below are netlink's own: error, done
	nfgenLen        = 4
)

// nextMessage cuts the first message off b, which begins at offset at of the stream. Messages of netlink itself and the
// edges of a batch have typ below controlMessages or unix.NFNL_MSG_BATCH_*; they have no attributes.
func nextMessage(b []byte, at int) (m message, rest []byte, err error) {
	if len(b) < unix.NLMSG_HDRLEN {
		return m, nil, fmt.Errorf("byte %d: %d bytes are no netlink header", at, len(b))
	}
	size := int64(binary.NativeEndian.Uint32(b))
	if size < unix.NLMSG_HDRLEN || size > int64(len(b)) {
		return m, nil, fmt.Errorf("byte %d: a message of %d bytes in %d", at, size, len(b))
	}
	m = message{at: at, typ: binary.NativeEndian.Uint16(b[4:]), flags: binary.NativeEndian.Uint16(b[6:]), seq: binary.NativeEndian.Uint32(b[8:])}
	body := b[unix.NLMSG_HDRLEN:size]
	rest = b[min(int64(len(b)), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	switch {
	case m.typ == unix.NLMSG_ERROR:
		if len(body) < 4 || binary.NativeEndian.Uint32(body) != 0 {
			return m, nil, fmt.Errorf("byte %d: the stream holds an error of the kernel", at)
		}
		return m, rest, nil
	case m.typ < controlMessages, m.typ == unix.NFNL_MSG_BATCH_BEGIN, m.typ == unix.NFNL_MSG_BATCH_END:
		return m, rest, nil
	case m.typ>>8 != unix.NFNL_SUBSYS_NFTABLES:
		return m, nil, fmt.Errorf("byte %d: message type 0x%x is not nf_tables'", at, m.typ)
	case len(body) < nfgenLen:
		return m, nil, fmt.Errorf("byte %d: a message without a family", at)
	}
	m.family = body[0]
	m.attrs, err = parseAttrs(body[nfgenLen:])
	if err != nil {
		err = fmt.Errorf("byte %d: %w", at, err)
	}
	return m, rest, err
}

// attrs holds the attributes of one level by their number; of two with the same number, the last. Numbers that nf_tables
// does not use where this is read are left out.
type attrs [19][]byte

// parseAttrs reads the attributes of one level.
func parseAttrs(b []byte) (a attrs, err error) {
	err = eachAttr(b, func(typ uint16, data []byte) {
		if int(typ) < len(a) {
			a[typ] = data
		}
	})
	return a, err
}

// eachAttr calls f with each attribute of b: its number without flags, and its data, not nil.
func eachAttr(b []byte, f func(typ uint16, data []byte)) error {
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
		f(binary.NativeEndian.Uint16(b[2:])&nlaTypeMask, b[unix.NLA_HDRLEN:size:size])
		b = b[min(len(b), (size+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	return nil
}

// text returns a string attribute up to its NUL.
func (a *attrs) text(typ int) string {
	s, _, _ := bytes.Cut(a[typ], []byte{0})
	return string(s)
}

// uint32 returns a number in network byte order; ok is false if there is none.
func (a *attrs) uint32(typ int) (n uint32, ok bool) {
	if len(a[typ]) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(a[typ]), true
}

// number is uint32 with 0 for a missing attribute.
func (a *attrs) number(typ int) uint32 {
	n, _ := a.uint32(typ)
	return n
}

// value returns the bytes of an attribute of type nft_data that holds a value, nil if it holds none.
func (a *attrs) value(typ int) []byte {
	data, err := parseAttrs(a[typ])
	if err != nil {
		return nil
	}
	return data[unix.NFTA_DATA_VALUE]
}

// verdict returns code and chain of an attribute of type nft_data that holds a verdict.
func (a *attrs) verdict(typ int) (code int32, chain string, ok bool) {
	data, err := parseAttrs(a[typ])
	if err != nil || data[unix.NFTA_DATA_VERDICT] == nil {
		return 0, "", false
	}
	v, err := parseAttrs(data[unix.NFTA_DATA_VERDICT])
	n, ok := v.uint32(unix.NFTA_VERDICT_CODE)
	if err != nil || !ok {
		return 0, "", false
	}
	return int32(n), v.text(unix.NFTA_VERDICT_CHAIN), true
}

// expression is one step of the virtual machine that a rule is.
type expression struct {
	name string
	attrs
}

// expressions reads the list of a rule's expressions, into list.
func expressions(list []expression, b []byte) (_ []expression, err error) {
	walk := eachAttr(b, func(_ uint16, data []byte) {
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
func parseExpression(b []byte) (e expression, err error) {
	elem, err := parseAttrs(b)
	if err != nil {
		return e, err
	}
	if elem[unix.NFTA_EXPR_NAME] == nil {
		return e, fmt.Errorf("an expression without a name")
	}
	e.name = elem.text(unix.NFTA_EXPR_NAME)
	e.attrs, err = parseAttrs(elem[unix.NFTA_EXPR_DATA])
	return e, err
}

// actions returns what the elements of a set do when they are found. It takes the attributes for one such expression and for a
// list of them; both may be nil.
func actions(one, list []byte) ([]expression, error) {
	if one == nil {
		return expressions(nil, list)
	}
	e, err := parseExpression(one)
	return []expression{e}, err
}

// comment returns the comment in a rule's user data, which is a list of byte-sized types and lengths (libnftnl's udata.h);
// it is whatever another program put there, so nothing about it is sure.
func comment(userdata []byte) string {
	const typeComment = 0
	for len(userdata) >= 2 {
		typ, size := userdata[0], int(userdata[1])
		if userdata = userdata[2:]; size > len(userdata) {
			return ""
		}
		if typ == typeComment {
			text, _, _ := bytes.Cut(userdata[:size], []byte{0})
			return oneLine(text)
		}
		userdata = userdata[size:]
	}
	return ""
}

// oneLine returns text as valid UTF-8 without control characters.
func oneLine(text []byte) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(string(text), "?"))
}
