package nftables

import (
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Auditor = Loader{}

// Strays implements [backends.Auditor]: sets that no rule of ours asks or that are of another kind than meant, and objects
// such as counters, which vnetc doesn't make; and chains of others that drop by policy what we accept.
func (Loader) Strays(rules backends.Ruleset) ([]backends.Stray, error) {
	want, have, err := rules.(*Ruleset).inventories()
	if err != nil {
		return nil, err
	}
	var strays []backends.Stray
	for _, old := range have.tables {
		t := want.table(old.family, old.name)
		add := func(text string) {
			strays = append(strays, backends.Stray{Family: familyOfNumber(old.family), Table: old.name, Text: text})
		}
		for _, s := range old.sets {
			if wanted := t.set(s.name); wanted == nil {
				add("set " + s.name)
			} else if wanted.kind != s.kind || wanted.userdata != s.userdata {
				add("set " + s.name + ", of another kind")
			}
		}
		for _, o := range old.others {
			add(o.String())
		}
	}
	closed, err := closedChains(want)
	return append(strays, closed...), explain(err)
}

// closedChains returns the base chains of tables that ours doesn't have, in the way of forwarded packets and with policy drop.
// An accept of ours ends the walk through our chain only; there the packet needs another.
func closedChains(ours *inventory) ([]backends.Stray, error) {
	r, err := openAsker()
	if err != nil {
		return nil, err
	}
	defer r.close()
	stream, err := r.ask(nil, unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil)
	if err != nil {
		return nil, err
	}
	var closed []backends.Stray
	err = eachMessage(stream, func(m message, _ []byte) error {
		table, hook := m.attrs.text(unix.NFTA_CHAIN_TABLE), m.attrs[unix.NFTA_CHAIN_HOOK]
		family := familyOfNumber(m.family)
		if hook == nil || family == 0 || ours.table(m.family, table) != nil {
			return nil
		}
		base, err := base(&m, hook)
		if err != nil || base == nil || !base.Drop || base.Hook == ir.Input || base.Hook == ir.Output {
			return err
		}
		closed = append(closed, backends.Stray{
			Family: family, Table: table, Chain: m.attrs.text(unix.NFTA_CHAIN_NAME), Foreign: true,
			Text: "policy drop, for what no rule of this chain accepts, whatever ours say",
		})
		return nil
	})
	return closed, err
}
