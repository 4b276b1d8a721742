package delta

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

func (d *delta) tableMessage(typ uint16, flags netlink.HeaderFlags, t *Table) {
	at := d.Begin(typ, flags, t.Family, nil)
	d.Text(unix.NFTA_TABLE_NAME, t.Name)
	d.End(at)
}

// deletion adds a message that deletes what has the name in table t: a set, a chain, or all rules
// of a chain.
func (d *delta) deletion(typ uint16, t *Table, name string) {
	at := d.Begin(typ, 0, t.Family, nil)
	d.Text(1, t.Name) // NFTA_SET_TABLE, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE
	switch typ {
	case unix.NFT_MSG_DELSET:
		d.Text(unix.NFTA_SET_NAME, name)
	case unix.NFT_MSG_DELCHAIN:
		d.Text(unix.NFTA_CHAIN_NAME, name)
	case unix.NFT_MSG_DELRULE:
		d.Text(unix.NFTA_RULE_CHAIN, name)
	default:
		panic(typ)
	}
	d.End(at)
	d.report.Changed++
}

func (d *delta) deleteObject(t *Table, o Object) {
	if o.flowtable {
		at := d.Begin(unix.NFT_MSG_DELFLOWTABLE, 0, t.Family, nil)
		d.Text(wire.AttrFlowtableTable, t.Name)
		d.Text(wire.AttrFlowtableName, o.name)
		d.End(at)
	} else {
		at := d.Begin(unix.NFT_MSG_DELOBJ, 0, t.Family, nil)
		d.Text(unix.NFTA_OBJ_TABLE, t.Name)
		d.Text(unix.NFTA_OBJ_NAME, o.name)
		d.Uint32(unix.NFTA_OBJ_TYPE, o.kind)
		d.End(at)
	}
	d.report.Changed++
}

// listElements adds messages about elements of a set, as many as their number asks for.
func (d *delta) listElements(typ uint16, flags netlink.HeaderFlags, t *Table, s *Set, keys []string) {
	d.report.Changed += len(keys)
	for len(keys) > 0 {
		at := d.Begin(typ, flags, t.Family, d.from(s.Elements[keys[0]].seq))
		d.Text(unix.NFTA_SET_ELEM_LIST_TABLE, t.Name)
		d.Text(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
		list := d.Attr(unix.NFTA_SET_ELEM_LIST_ELEMENTS | unix.NLA_F_NESTED)
		for n := 0; n < wire.MaxElements && len(keys) > 0 && len(d.Bytes)-list < wire.MaxElementBytes; n++ {
			elem := d.Attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
			d.Bytes = append(d.Bytes, s.Elements[keys[0]].raw...)
			d.EndAttr(elem)
			keys = keys[1:]
		}
		d.EndAttr(list)
		d.End(at)
	}
}

func (d *delta) deleteRule(t *Table, c *Chain, r Rule) {
	at := d.Begin(unix.NFT_MSG_DELRULE, 0, t.Family, nil)
	d.Text(unix.NFTA_RULE_TABLE, t.Name)
	d.Text(unix.NFTA_RULE_CHAIN, c.Name)
	d.Uint64(unix.NFTA_RULE_HANDLE, r.handle)
	d.End(at)
	d.report.Changed++
}

// addRule adds a rule behind the one with the handle; with handle 0 at the end of its chain if
// last, else at the head.
func (d *delta) addRule(r Rule, handle uint64, last bool) {
	flags := netlink.Create
	if last {
		flags |= netlink.Append
	}
	at := d.copy(r.raw, r.seq, flags)
	if handle != 0 {
		d.Uint64(unix.NFTA_RULE_POSITION, handle)
		d.End(at)
	}
	d.report.Changed++
}

// copy adds a message of the wanted stream with other flags, and without the numbers that the
// kernel gave it if it came from a dump.
func (d *delta) copy(raw []byte, seq uint32, flags netlink.HeaderFlags) int {
	m, _, err := wire.Next(raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	at := d.Begin(m.Kind(), flags, m.Family, d.from(seq))
	size := int(binary.NativeEndian.Uint32(raw))
	for body := raw[unix.NLMSG_HDRLEN+wire.NfgenLen : size]; len(body) >= unix.NLA_HDRLEN; {
		length := int(binary.NativeEndian.Uint16(body))
		typ := binary.NativeEndian.Uint16(body[2:]) & wire.AttrTypeMask
		padded := min(len(body), (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1))
		if !numbered(m.Kind(), typ) {
			d.Bytes = append(d.Bytes, body[:padded]...)
		}
		body = body[padded:]
	}
	d.End(at)
	return at
}

// numbered is true for attributes that hold in their own stream only, or that only a dump has, and
// the kernel refuses: handles, positions, counts. Of a set newer kernels tell more behind
// NFTA_SET_EXPRESSIONS.
func numbered(kind, attr uint16) bool {
	switch kind {
	case unix.NFT_MSG_NEWRULE:
		return attr == unix.NFTA_RULE_HANDLE || attr == unix.NFTA_RULE_POSITION
	case unix.NFT_MSG_NEWCHAIN:
		return attr == unix.NFTA_CHAIN_HANDLE || attr == unix.NFTA_CHAIN_USE || attr == unix.NFTA_CHAIN_COUNTERS
	case unix.NFT_MSG_NEWSET:
		return attr == unix.NFTA_SET_ID || attr == wire.AttrSetHandle || attr > wire.AttrSetExpressions
	}
	return false
}

func (d *delta) from(seq uint32) *ir.Rule {
	if d.origin == nil {
		return nil
	}
	return d.origin(seq)
}
