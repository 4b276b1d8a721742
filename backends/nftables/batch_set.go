package nftables

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
)

// set adds a set, as nft 1.0.6 does: what it keeps as user data is for itself, so that it can list
// the set again. Each element that is added to a counted set gets a counter of its own, without
// asking for it (nft_set_elem_expr_clone in the kernel).
func (b *batch) set(t *table, s *set, id uint32) {
	at := b.Begin(unix.NFT_MSG_NEWSET, netlink.Create, familyNumber(t.family), s.firstOrigin())
	b.Text(unix.NFTA_SET_TABLE, t.name)
	b.Text(unix.NFTA_SET_NAME, s.name)
	b.Uint32(unix.NFTA_SET_FLAGS, 0)
	b.Uint32(unix.NFTA_SET_KEY_TYPE, s.typeNumber())
	b.Uint32(unix.NFTA_SET_KEY_LEN, uint32(s.stride))
	b.Uint32(unix.NFTA_SET_ID, id)
	desc := b.Attr(unix.NFTA_SET_DESC | unix.NLA_F_NESTED)
	b.Uint32(unix.NFTA_SET_DESC_SIZE, uint32(s.size()))
	b.EndAttr(desc)
	data := b.Attr(unix.NFTA_SET_USERDATA)
	b.Bytes = s.appendUserdata(b.Bytes)
	b.EndAttr(data)
	if s.counted {
		each := b.Attr(wire.AttrSetExpr | unix.NLA_F_NESTED)
		b.Expr(familyNumber(t.family), &expr.Counter{})
		b.EndAttr(each)
	}
	b.End(at)
}

// typeNumber returns nft's number for the type of keys: six bits for each part.
func (s *set) typeNumber() (n uint32) {
	for _, t := range s.types {
		n = n<<6 | uint32(t)
	}
	return n
}

// appendUserdata appends what nft keeps with a set: the byte order of keys, a mark for
// concatenations, the comment. It is a list of a byte for the type, a byte for the length, and the
// value (libnftnl's udata.h).
func (s *set) appendUserdata(b []byte) []byte {
	const (
		keyByteOrder = 0
		keyTypeof    = 3
		comment      = 7
	)
	order := uint32(0) // of a concatenation: none
	if len(s.types) == 1 {
		order = 2 // network byte order
		if s.types[0] == ifName {
			order = 1 // the host's; else nft lists "" for names
		}
	}
	b = binary.NativeEndian.AppendUint32(append(b, keyByteOrder, 4), order)
	if len(s.types) > 1 {
		const concat = 13 // what the key is, as nft's own enum expr_types has it, and nothing on its parts
		b = append(b, keyTypeof, 8, 0, 4)
		b = append(binary.NativeEndian.AppendUint32(b, concat), 1, 0)
	}
	if c := s.comment(); c != "" {
		b = append(append(append(b, comment, byte(len(c)+1)), c...), 0)
	}
	return b
}

// elements adds the elements of a set, in as many messages as they need.
func (b *batch) elements(t *table, s *set) {
	for i := 0; i < s.len(); {
		at := b.Begin(unix.NFT_MSG_NEWSETELEM, netlink.Create, familyNumber(t.family), s.origins[i])
		b.Text(unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
		b.Text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
		list := b.Attr(unix.NFTA_SET_ELEM_LIST_ELEMENTS | unix.NLA_F_NESTED)
		for n := 0; n < wire.MaxElements && i < s.len() && len(b.Bytes)-list < wire.MaxElementBytes; n++ {
			b.element(s, i)
			i++
		}
		b.EndAttr(list)
		b.End(at)
	}
}

func (b *batch) element(s *set, i int) {
	elem := b.Attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
	key := b.Attr(unix.NFTA_SET_ELEM_KEY | unix.NLA_F_NESTED)
	value := b.Attr(unix.NFTA_DATA_VALUE)
	b.Bytes = append(b.Bytes, s.key(i)...)
	b.EndAttr(value)
	b.EndAttr(key)
	if s.notes != nil && s.notes[i] != "" {
		data := b.Attr(unix.NFTA_SET_ELEM_USERDATA)
		b.Bytes = append(b.Bytes, 0, byte(len(s.notes[i])+1)) // a comment
		b.Bytes = append(append(b.Bytes, s.notes[i]...), 0)
		b.EndAttr(data)
	}
	b.EndAttr(elem)
}
