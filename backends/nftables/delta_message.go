package nftables

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

func (d *delta) tableMessage(typ uint16, flags netlink.HeaderFlags, t *heldTable) {
	at := d.begin(messageType(typ), flags, t.family, nil)
	d.text(unix.NFTA_TABLE_NAME, t.name)
	d.end(at)
}

// deletion adds a message that deletes what bears the name in table t: a set, a chain, or all rules of a chain.
func (d *delta) deletion(typ uint16, t *heldTable, name string) {
	at := d.begin(messageType(typ), 0, t.family, nil)
	d.text(1, t.name) // NFTA_SET_TABLE, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE
	switch typ {
	case unix.NFT_MSG_DELSET:
		d.text(unix.NFTA_SET_NAME, name)
	case unix.NFT_MSG_DELCHAIN:
		d.text(unix.NFTA_CHAIN_NAME, name)
	case unix.NFT_MSG_DELRULE:
		d.text(unix.NFTA_RULE_CHAIN, name)
	default:
		panic(typ)
	}
	d.end(at)
	d.report.Changed++
}

func (d *delta) deleteObject(t *heldTable, o heldObject) {
	if o.flowtable {
		at := d.begin(messageType(unix.NFT_MSG_DELFLOWTABLE), 0, t.family, nil)
		d.text(nftaFlowtableTable, t.name)
		d.text(nftaFlowtableName, o.name)
		d.end(at)
	} else {
		at := d.begin(messageType(unix.NFT_MSG_DELOBJ), 0, t.family, nil)
		d.text(unix.NFTA_OBJ_TABLE, t.name)
		d.text(unix.NFTA_OBJ_NAME, o.name)
		d.uint32(unix.NFTA_OBJ_TYPE, o.kind)
		d.end(at)
	}
	d.report.Changed++
}

// listElements adds messages about elements of a set, as many as their number asks for.
func (d *delta) listElements(typ uint16, flags netlink.HeaderFlags, t *heldTable, s *heldSet, keys []string) {
	d.report.Changed += len(keys)
	for len(keys) > 0 {
		at := d.begin(messageType(typ), flags, t.family, d.from(s.elements[keys[0]].seq))
		d.text(unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
		d.text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
		list := d.attr(unix.NFTA_SET_ELEM_LIST_ELEMENTS | unix.NLA_F_NESTED)
		for n := 0; n < maxElements && len(keys) > 0 && len(d.Bytes)-list < maxElementBytes; n++ {
			elem := d.attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
			d.Bytes = append(d.Bytes, s.elements[keys[0]].raw...)
			d.endAttr(elem)
			keys = keys[1:]
		}
		d.endAttr(list)
		d.end(at)
	}
}

func (d *delta) deleteRule(t *heldTable, c *heldChain, r heldRule) {
	at := d.begin(messageType(unix.NFT_MSG_DELRULE), 0, t.family, nil)
	d.text(unix.NFTA_RULE_TABLE, t.name)
	d.text(unix.NFTA_RULE_CHAIN, c.name)
	d.handle(unix.NFTA_RULE_HANDLE, r.handle)
	d.end(at)
	d.report.Changed++
}

// addRule adds a rule behind the one with the handle; with handle 0 at the end of its chain if last, else at the head.
func (d *delta) addRule(r heldRule, handle uint64, last bool) {
	flags := netlink.Create
	if last {
		flags |= netlink.Append
	}
	at := d.copy(r.raw, r.seq, flags)
	if handle != 0 {
		d.handle(unix.NFTA_RULE_POSITION, handle)
		d.end(at)
	}
	d.report.Changed++
}

func (d *delta) handle(typ uint16, n uint64) {
	at := d.attr(typ)
	d.Bytes = binary.BigEndian.AppendUint64(d.Bytes, n)
	d.endAttr(at)
}

// copy adds a message of the wanted stream with other flags, and without the numbers that the kernel gave it if it came
// from a dump.
func (d *delta) copy(raw []byte, seq uint32, flags netlink.HeaderFlags) int {
	m, _, err := nextMessage(raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	at := d.begin(netlink.HeaderType(m.typ), flags, m.family, d.from(seq))
	size := int(binary.NativeEndian.Uint32(raw))
	for body := raw[unix.NLMSG_HDRLEN+nfgenLen : size]; len(body) >= unix.NLA_HDRLEN; {
		length := int(binary.NativeEndian.Uint16(body))
		typ := binary.NativeEndian.Uint16(body[2:]) & nlaTypeMask
		padded := min(len(body), (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1))
		if !numbered(m.typ&0xff, typ) {
			d.Bytes = append(d.Bytes, body[:padded]...)
		}
		body = body[padded:]
	}
	d.end(at)
	return at
}

// nftaSetHandle is NFTA_SET_HANDLE (include/uapi/linux/netfilter/nf_tables.h), which package unix has not.
const nftaSetHandle = 16

// numbered is true for attributes that hold in their own stream only, or that only a dump has, and the kernel refuses: handles,
// positions, counts. Of a set newer kernels tell more behind NFTA_SET_EXPRESSIONS.
func numbered(kind, attr uint16) bool {
	switch kind {
	case unix.NFT_MSG_NEWRULE:
		return attr == unix.NFTA_RULE_HANDLE || attr == unix.NFTA_RULE_POSITION
	case unix.NFT_MSG_NEWCHAIN:
		return attr == unix.NFTA_CHAIN_HANDLE || attr == unix.NFTA_CHAIN_USE || attr == unix.NFTA_CHAIN_COUNTERS
	case unix.NFT_MSG_NEWSET:
		return attr == unix.NFTA_SET_ID || attr == nftaSetHandle || attr > nftaSetExpressions
	}
	return false
}

func (d *delta) from(seq uint32) *ir.Rule {
	if d.origin == nil {
		return nil
	}
	return d.origin(seq)
}
