package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// Batch is one transaction of nf_tables as it goes over the socket.
type Batch struct {
	// Bytes holds the messages one after the other, from NFNL_MSG_BATCH_BEGIN to
	// NFNL_MSG_BATCH_END. Their sequence numbers count from 1. None asks for an answer: the kernel
	// speaks of a message only to refuse it.
	Bytes []byte
	rules []*ir.Rule // by sequence number less one; nil for a message that no rule of the program asked for
}

// Len returns the number of messages.
func (b *Batch) Len() int { return len(b.rules) }

// Rule returns the rule of the program that the message with this sequence number came from, nil if
// it came from none: so an error of the kernel, which has the number, is traced back. Elements of a
// set share a message; for these it is the rule of the first.
func (b *Batch) Rule(seq uint32) *ir.Rule {
	if seq < 1 || int64(seq) > int64(len(b.rules)) {
		return nil
	}
	return b.rules[seq-1]
}

// Open begins the transaction. With a generation other than 0 the kernel refuses the batch if
// anybody has changed the ruleset since it had this number.
func (b *Batch) Open(generation uint32) {
	b.edge(unix.NFNL_MSG_BATCH_BEGIN)
	if generation != 0 {
		b.Uint32(1, generation) // NFNL_BATCH_GENID
		b.End(0)
	}
}

// Close ends the transaction.
func (b *Batch) Close() { b.edge(unix.NFNL_MSG_BATCH_END) }

// edge adds the message that opens or closes the transaction; its resource id names the subsystem.
func (b *Batch) edge(typ uint16) {
	at := b.message(typ, 0, unix.NFPROTO_UNSPEC, nil)
	binary.BigEndian.PutUint16(b.Bytes[at+unix.NLMSG_HDRLEN+2:], unix.NFNL_SUBSYS_NFTABLES)
	b.End(at)
}

// Expr adds the attributes of one expression, for a table of the family.
func (b *Batch) Expr(family byte, e expr.Any) { b.Bytes = append(b.Bytes, marshal(family, e)...) }

// marshal returns the attributes of one expression, by the library's encoder with its faults cured:
// it leaves out the flag without which the kernel ignores the ports of a masquerade, and gives a
// direction four bytes, of which the kernel complains in its log.
func marshal(family byte, e expr.Any) []byte {
	data, err := expr.Marshal(family, e)
	if err != nil {
		panic(fmt.Sprintf("nftables: marshal %T: %v", e, err)) // of fixed size, and built here
	}
	if m, ok := e.(*expr.Masq); ok && m.ToPorts {
		return marshalMasq(family, m)
	}
	if c, ok := e.(*expr.Ct); ok && c.Key == expr.CtKeyPROTODST {
		return marshalCt(c)
	}
	return data
}

func marshalCt(c *expr.Ct) []byte {
	var b Batch
	b.Text(unix.NFTA_EXPR_NAME, "ct")
	at := b.Attr(unix.NFTA_EXPR_DATA | unix.NLA_F_NESTED)
	b.Uint32(unix.NFTA_CT_KEY, uint32(c.Key))
	b.Uint32(unix.NFTA_CT_DREG, c.Register)
	direction := b.Attr(unix.NFTA_CT_DIRECTION)
	b.Bytes = append(b.Bytes, byte(c.Direction))
	b.EndAttr(direction)
	b.EndAttr(at)
	return b.Bytes
}

func marshalMasq(family byte, m *expr.Masq) []byte {
	data, err := expr.MarshalExprData(family, m)
	if err != nil {
		panic(fmt.Sprintf("nftables: marshal masquerade: %v", err))
	}
	var b Batch
	b.Text(unix.NFTA_EXPR_NAME, "masq")
	at := b.Attr(unix.NFTA_EXPR_DATA | unix.NLA_F_NESTED)
	b.Bytes = append(b.Bytes, data...)
	flags := uint32(unix.NF_NAT_RANGE_PROTO_SPECIFIED)
	for _, f := range [...]struct {
		is  bool
		bit uint32
	}{{m.Random, unix.NF_NAT_RANGE_PROTO_RANDOM}, {m.FullyRandom, unix.NF_NAT_RANGE_PROTO_RANDOM_FULLY},
		{m.Persistent, unix.NF_NAT_RANGE_PERSISTENT}} {
		if f.is {
			flags |= f.bit
		}
	}
	b.Uint32(unix.NFTA_MASQ_FLAGS, flags)
	b.EndAttr(at)
	return b.Bytes
}

// Begin opens a message of nf_tables, NFT_MSG_*, that rule r, which may be nil, asked for. It
// returns where the message begins.
func (b *Batch) Begin(kind uint16, flags netlink.HeaderFlags, family byte, r *ir.Rule) int {
	return b.message(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, family, r)
}

// message adds the netlink header, in host byte order, and the header of nfnetlink.
func (b *Batch) message(typ uint16, flags netlink.HeaderFlags, family byte, r *ir.Rule) int {
	at := len(b.Bytes)
	b.rules = append(b.rules, r)
	b.Bytes = binary.NativeEndian.AppendUint32(b.Bytes, 0) // length, set by End
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, typ)
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, uint16(netlink.Request|flags))
	b.Bytes = binary.NativeEndian.AppendUint32(b.Bytes, uint32(len(b.rules)))
	b.Bytes = binary.NativeEndian.AppendUint32(b.Bytes, 0) // port: the kernel
	b.Bytes = append(b.Bytes, family, unix.NFNETLINK_V0, 0, 0)
	return at
}

// End sets the length of the message that begins at a place.
func (b *Batch) End(at int) {
	binary.NativeEndian.PutUint32(b.Bytes[at:], uint32(len(b.Bytes)-at))
}

// Attr opens an attribute and returns where it begins.
func (b *Batch) Attr(typ uint16) int {
	at := len(b.Bytes)
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, 0) // length, set by EndAttr
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, typ)
	return at
}

// EndAttr sets the length of the attribute, which has sixteen bits and would wrap without a word,
// and fills it up to a multiple of four bytes.
func (b *Batch) EndAttr(at int) {
	size := len(b.Bytes) - at
	if size > math.MaxUint16 {
		panic(fmt.Sprintf("nftables: a netlink attribute of %d bytes", size))
	}
	binary.NativeEndian.PutUint16(b.Bytes[at:], uint16(size))
	for len(b.Bytes)%unix.NLA_ALIGNTO != 0 {
		b.Bytes = append(b.Bytes, 0)
	}
}

// Text adds a string attribute, which ends with a NUL.
func (b *Batch) Text(typ uint16, s string) {
	at := b.Attr(typ)
	b.Bytes = append(append(b.Bytes, s...), 0)
	b.EndAttr(at)
}

// Uint32 adds a number, which nf_tables has in network byte order.
func (b *Batch) Uint32(typ uint16, n uint32) {
	at := b.Attr(typ)
	b.Bytes = binary.BigEndian.AppendUint32(b.Bytes, n)
	b.EndAttr(at)
}

// Uint64 adds a number of eight bytes.
func (b *Batch) Uint64(typ uint16, n uint64) {
	at := b.Attr(typ)
	b.Bytes = binary.BigEndian.AppendUint64(b.Bytes, n)
	b.EndAttr(at)
}
