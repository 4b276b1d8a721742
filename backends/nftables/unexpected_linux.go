package nftables

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/decode"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Auditor = Loader{}

// Unexpected implements [backends.Auditor]: sets that none of our rules asks or that are of another
// kind than meant, and objects such as counters, which vnetc doesn't make; and foreign chains that
// drop by policy what we accept.
func (Loader) Unexpected(rules backends.Ruleset) (backends.Unexpected, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return backends.Unexpected{}, err
	}
	want, have, err := set.inventories()
	if err != nil {
		return backends.Unexpected{}, err
	}
	var unexpected []backends.UnexpectedItem
	for _, old := range have.Tables {
		t, his := want.Table(old.Family, old.Name), old.Administered()
		if his == nil {
			his = &delta.Table{}
		}
		add := func(text string) {
			unexpected = append(unexpected, backends.UnexpectedItem{Family: decode.Family(old.Family), Table: old.Name,
				Text: text})
		}
		for _, s := range old.Sets {
			if wanted := t.Set(s.Name); wanted == nil && his.Set(s.Name) == nil {
				add("set " + s.Name)
			} else if wanted != nil && !wanted.Alike(s) {
				add("set " + s.Name + ", of another kind")
			}
		}
		for _, o := range old.Others {
			if !slices.Contains(his.Others, o) {
				add(o.String())
			}
		}
	}
	closed, err := closedChains(want)
	return backends.Unexpected{Items: append(unexpected, closed...)}, explain(err)
}

// closedChains returns the base chains of tables that ours doesn't have, in the way of forwarded
// packets and with policy drop. Our accept ends the walk through our chain only; there the packet
// needs another.
func closedChains(ours *delta.Inventory) ([]backends.UnexpectedItem, error) {
	r, err := wire.Dial()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	stream, err := r.Ask(nil, unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil)
	if err != nil {
		return nil, err
	}
	var closed []backends.UnexpectedItem
	err = wire.Each(stream, func(m wire.Message, _ []byte) error {
		table, hook := m.Attrs.Text(unix.NFTA_CHAIN_TABLE), m.Attrs[unix.NFTA_CHAIN_HOOK]
		family := decode.Family(m.Family)
		if hook == nil || family == 0 || ours.Table(m.Family, table) != nil {
			return nil
		}
		base, err := decode.Base(&m, hook)
		if err != nil || base == nil || !base.Drop || base.Hook == ir.Input || base.Hook == ir.Output {
			return err
		}
		closed = append(closed, backends.UnexpectedItem{
			Family: family, Table: table, Chain: m.Attrs.Text(unix.NFTA_CHAIN_NAME), Kind: backends.ForeignDrop,
			Text: "policy drop: packets that no rule of this chain accepts are dropped, whatever our rules say",
		})
		return nil
	})
	return closed, err
}
