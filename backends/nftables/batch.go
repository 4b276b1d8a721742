package nftables

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// Batch is one transaction of nf_tables as it goes over the socket.
type Batch struct {
	// Bytes holds the messages one after the other, from NFNL_MSG_BATCH_BEGIN to NFNL_MSG_BATCH_END. Their sequence numbers
	// count from 1. None asks for an answer: the kernel speaks of a message only to refuse it.
	Bytes []byte
	rules []*ir.Rule // by sequence number less one; nil for a message that no rule of the program asked for
}

// Len returns the number of messages.
func (b *Batch) Len() int { return len(b.rules) }

// Rule returns the rule of the program that the message with this sequence number came from, nil if it came from none: so
// an error of the kernel, which bears the number, is traced back. Elements of a set share a message; for these it is the rule
// of the first.
func (b *Batch) Rule(seq uint32) *ir.Rule {
	if seq < 1 || int64(seq) > int64(len(b.rules)) {
		return nil
	}
	return b.rules[seq-1]
}

// Batch returns the same as [Ruleset.Emit], as netlink messages in the same order.
func (r *Ruleset) Batch() *Batch {
	b := &Batch{Bytes: make([]byte, 0, r.batchSize())}
	b.edge(unix.NFNL_MSG_BATCH_BEGIN)
	for _, t := range r.tables {
		b.table(unix.NFT_MSG_NEWTABLE, netlink.Create, t)
		b.table(unix.NFT_MSG_DELTABLE, 0, t)
		b.table(unix.NFT_MSG_NEWTABLE, netlink.Create, t)
		for i, s := range t.sets {
			b.set(t, s, uint32(i+1))
		}
		for _, s := range t.sets {
			b.elements(t, s)
		}
		for _, c := range t.chains {
			b.chain(c)
		}
		for _, c := range t.chains {
			for i := range c.rules {
				b.rule(c, &c.rules[i])
			}
		}
	}
	b.edge(unix.NFNL_MSG_BATCH_END)
	return b
}

// batchSize returns about how many bytes the batch has.
func (r *Ruleset) batchSize() int {
	const perSet, perElement, perRule = 1 << 9, 4 * unix.NLA_HDRLEN, 1 << 9
	n := 1 << 12
	for _, t := range r.tables {
		for _, s := range t.sets {
			n += perSet + s.len()*(s.stride+perElement)
		}
		for _, c := range t.chains {
			n += len(c.rules) * perRule
		}
	}
	return n
}

// edge adds the message that opens or closes the transaction; its resource id names the subsystem.
func (b *Batch) edge(typ uint16) {
	at := b.begin(netlink.HeaderType(typ), 0, unix.NFPROTO_UNSPEC, nil)
	binary.BigEndian.PutUint16(b.Bytes[at+unix.NLMSG_HDRLEN+2:], unix.NFNL_SUBSYS_NFTABLES)
	b.end(at)
}

func (b *Batch) table(typ uint16, flags netlink.HeaderFlags, t *table) {
	at := b.begin(messageType(typ), flags, familyNumber(t.family), nil)
	b.text(unix.NFTA_TABLE_NAME, t.name)
	if typ == unix.NFT_MSG_NEWTABLE {
		b.uint32(unix.NFTA_TABLE_FLAGS, 0)
	}
	b.end(at)
}

func (b *Batch) chain(c *chain) {
	at := b.begin(messageType(unix.NFT_MSG_NEWCHAIN), netlink.Create, familyNumber(c.table.family), nil)
	b.text(unix.NFTA_CHAIN_TABLE, c.table.name)
	b.text(unix.NFTA_CHAIN_NAME, c.name)
	if c.base != nil {
		hook := b.attr(unix.NFTA_CHAIN_HOOK | unix.NLA_F_NESTED)
		b.uint32(unix.NFTA_HOOK_HOOKNUM, hookNumber(c.base.Hook))
		b.uint32(unix.NFTA_HOOK_PRIORITY, uint32(int32(c.base.Priority)))
		b.endAttr(hook)
		policy := uint32(nfAccept)
		if c.base.Drop {
			policy = nfDrop
		}
		b.uint32(unix.NFTA_CHAIN_POLICY, policy)
		b.text(unix.NFTA_CHAIN_TYPE, c.base.Type.String())
	}
	b.end(at)
}

// rule adds a rule at the end of its chain.
func (b *Batch) rule(c *chain, r *rule) {
	at := b.begin(messageType(unix.NFT_MSG_NEWRULE), netlink.Create|netlink.Append, familyNumber(c.table.family), r.origin)
	b.text(unix.NFTA_RULE_TABLE, c.table.name)
	b.text(unix.NFTA_RULE_CHAIN, c.name)
	list := b.attr(unix.NFTA_RULE_EXPRESSIONS | unix.NLA_F_NESTED)
	var room [16]expr.Any
	x := room[:0]
	for _, s := range r.statements {
		x = s.exprs(x)
	}
	for _, e := range x {
		elem := b.attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
		b.Bytes = append(b.Bytes, marshal(familyNumber(c.table.family), e)...)
		b.endAttr(elem)
	}
	b.endAttr(list)
	if r.comment != "" {
		data := b.attr(unix.NFTA_RULE_USERDATA)
		b.Bytes = userdata.AppendString(b.Bytes, userdata.TypeComment, r.comment)
		b.endAttr(data)
	}
	b.end(at)
}

// marshal returns the attributes of one expression, by the library's encoder with its one fault cured: it leaves out the
// flag without which the kernel ignores the ports of a masquerade.
func marshal(family byte, e expr.Any) []byte {
	data, err := expr.Marshal(family, e)
	if err != nil {
		panic(fmt.Sprintf("nftables: marshal %T: %v", e, err)) // of fixed size, and built here
	}
	if m, ok := e.(*expr.Masq); ok && m.ToPorts {
		return marshalMasq(family, m)
	}
	return data
}

func marshalMasq(family byte, m *expr.Masq) []byte {
	data, err := expr.MarshalExprData(family, m)
	if err != nil {
		panic(fmt.Sprintf("nftables: marshal masquerade: %v", err))
	}
	var b Batch
	b.text(unix.NFTA_EXPR_NAME, "masq")
	at := b.attr(unix.NFTA_EXPR_DATA | unix.NLA_F_NESTED)
	b.Bytes = append(b.Bytes, data...)
	b.uint32(unix.NFTA_MASQ_FLAGS, unix.NF_NAT_RANGE_PROTO_SPECIFIED)
	b.endAttr(at)
	return b.Bytes
}

func messageType(typ uint16) netlink.HeaderType {
	return netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | typ)
}

// hookNumber returns the kernel's number of a hook (enum nf_inet_hooks).
func hookNumber(h ir.Hook) uint32 {
	switch h {
	case ir.Prerouting:
		return unix.NF_INET_PRE_ROUTING
	case ir.Input:
		return unix.NF_INET_LOCAL_IN
	case ir.Forward:
		return unix.NF_INET_FORWARD
	case ir.Output:
		return unix.NF_INET_LOCAL_OUT
	case ir.Postrouting:
		return unix.NF_INET_POST_ROUTING
	}
	panic(fmt.Sprintf("nftables: no number for %s", h))
}

// begin opens a message: the netlink header, in host byte order, and the header of nfnetlink. It returns where it begins.
func (b *Batch) begin(typ netlink.HeaderType, flags netlink.HeaderFlags, family byte, r *ir.Rule) int {
	at := len(b.Bytes)
	b.rules = append(b.rules, r)
	b.Bytes = binary.NativeEndian.AppendUint32(b.Bytes, 0) // length, set by end
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, uint16(typ))
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, uint16(netlink.Request|flags))
	b.Bytes = binary.NativeEndian.AppendUint32(b.Bytes, uint32(len(b.rules)))
	b.Bytes = binary.NativeEndian.AppendUint32(b.Bytes, 0) // port: the kernel
	b.Bytes = append(b.Bytes, family, unix.NFNETLINK_V0, 0, 0)
	return at
}

func (b *Batch) end(at int) {
	binary.NativeEndian.PutUint32(b.Bytes[at:], uint32(len(b.Bytes)-at))
}

// attr opens an attribute and returns where it begins.
func (b *Batch) attr(typ uint16) int {
	at := len(b.Bytes)
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, 0) // length, set by endAttr
	b.Bytes = binary.NativeEndian.AppendUint16(b.Bytes, typ)
	return at
}

// endAttr sets the length of the attribute, which has sixteen bits and would wrap without a word, and fills it up to a
// multiple of four bytes.
func (b *Batch) endAttr(at int) {
	size := len(b.Bytes) - at
	if size > math.MaxUint16 {
		panic(fmt.Sprintf("nftables: a netlink attribute of %d bytes", size))
	}
	binary.NativeEndian.PutUint16(b.Bytes[at:], uint16(size))
	for len(b.Bytes)%unix.NLA_ALIGNTO != 0 {
		b.Bytes = append(b.Bytes, 0)
	}
}

// text adds a string attribute, which ends with a NUL.
func (b *Batch) text(typ uint16, s string) {
	at := b.attr(typ)
	b.Bytes = append(append(b.Bytes, s...), 0)
	b.endAttr(at)
}

// uint32 adds a number, which nf_tables has in network byte order.
func (b *Batch) uint32(typ uint16, n uint32) {
	at := b.attr(typ)
	b.Bytes = binary.BigEndian.AppendUint32(b.Bytes, n)
	b.endAttr(at)
}
