package nftables

import (
	"fmt"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// batch is a batch that lowered tables, chains, sets and rules are added to.
type batch struct{ wire.Batch }

// Batch returns the same as [Ruleset.Emit], as netlink messages in the same order.
func (r *Ruleset) Batch() *wire.Batch {
	b := batch{wire.Batch{Bytes: make([]byte, 0, r.batchSize())}}
	b.Open(0)
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
	b.Close()
	return &b.Batch
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

func (b *batch) table(typ uint16, flags netlink.HeaderFlags, t *table) {
	at := b.Begin(typ, flags, familyNumber(t.family), nil)
	b.Text(unix.NFTA_TABLE_NAME, t.name)
	if typ == unix.NFT_MSG_NEWTABLE {
		b.Uint32(unix.NFTA_TABLE_FLAGS, 0)
	}
	b.End(at)
}

func (b *batch) chain(c *chain) {
	at := b.Begin(unix.NFT_MSG_NEWCHAIN, netlink.Create, familyNumber(c.table.family), nil)
	b.Text(unix.NFTA_CHAIN_TABLE, c.table.name)
	b.Text(unix.NFTA_CHAIN_NAME, c.name)
	if c.base != nil {
		hook := b.Attr(unix.NFTA_CHAIN_HOOK | unix.NLA_F_NESTED)
		b.Uint32(unix.NFTA_HOOK_HOOKNUM, hookNumber(c.base.Hook))
		b.Uint32(unix.NFTA_HOOK_PRIORITY, uint32(int32(c.base.Priority)))
		b.EndAttr(hook)
		policy := uint32(wire.VerdictAccept)
		if c.base.Drop {
			policy = wire.VerdictDrop
		}
		b.Uint32(unix.NFTA_CHAIN_POLICY, policy)
		b.Text(unix.NFTA_CHAIN_TYPE, c.base.Type.String())
	}
	b.End(at)
}

// rule adds a rule at the end of its chain.
func (b *batch) rule(c *chain, r *rule) {
	at := b.Begin(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, familyNumber(c.table.family), r.origin)
	b.Text(unix.NFTA_RULE_TABLE, c.table.name)
	b.Text(unix.NFTA_RULE_CHAIN, c.name)
	list := b.Attr(unix.NFTA_RULE_EXPRESSIONS | unix.NLA_F_NESTED)
	var room [16]expr.Any
	x := room[:0]
	for _, s := range r.statements {
		x = s.exprs(x)
	}
	for _, e := range x {
		elem := b.Attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
		b.Expr(familyNumber(c.table.family), e)
		b.EndAttr(elem)
	}
	b.EndAttr(list)
	if r.comment != "" {
		data := b.Attr(unix.NFTA_RULE_USERDATA)
		b.Bytes = userdata.AppendString(b.Bytes, userdata.TypeComment, r.comment)
		b.EndAttr(data)
	}
	b.End(at)
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
