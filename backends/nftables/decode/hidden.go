package decode

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// hidden is something that packets may pass and whose rules are not read.
type hidden struct {
	ir.Hidden
	key  chainKey
	drop bool // drop is true if it is a chain with policy drop.
}

// Survey is [Read] for all that a kernel holds. What is not read comes in parts, without base
// chains that have no rule and let everything pass, such as ebtables leaves behind.
func Survey(links Links, images []backends.Document) (*ir.Program, []ir.Hidden, error) {
	r, err := readAll(links, images)
	if err != nil {
		return nil, nil, err
	}
	var all []ir.Hidden
	for _, h := range r.hidden {
		if h.Chain == "" || h.drop || r.hasRules(h.key) {
			all = append(all, h.Hidden)
		}
	}
	return r.program(), all, nil
}

// hasRules is true if a rule of the chain was among the messages.
func (r *reader) hasRules(key chainKey) bool {
	return slices.ContainsFunc(r.rules, func(m ruleMessage) bool {
		return key == chainKey{m.Family, m.Attrs.Text(unix.NFTA_RULE_TABLE), m.Attrs.Text(unix.NFTA_RULE_CHAIN)}
	})
}

// hide notes something that packets may pass and that is not read.
func (r *reader) hide(h hidden) {
	h.Text = wire.OneLine([]byte(h.Text))
	r.hidden = append(r.hidden, h)
}

// hiddenFlowtable says which flowtable it is: packets of connections in it pass by the rules.
func hiddenFlowtable(m *wire.Message) hidden {
	family, table := wire.FamilyWord(m.Family), m.Attrs.Text(1)
	text := fmt.Sprintf("flowtable %s of table %s %s", m.Attrs.Text(wire.AttrFlowtableName), family, table)
	return hidden{Hidden: ir.Hidden{Family: family, Table: table, Text: text}}
}

// hiddenChain says which base chain it is.
func hiddenChain(key chainKey, m *wire.Message, hook []byte) hidden {
	h := hidden{key: key, Hidden: ir.Hidden{Family: wire.FamilyWord(key.family), Table: key.table, Chain: key.name}}
	h.Text = fmt.Sprintf("chain %s of table %s %s", key.name, h.Family, key.table)
	if policy, ok := m.Attrs.Uint32(unix.NFTA_CHAIN_POLICY); ok {
		h.drop = policy == wire.VerdictDrop
	}
	attrs, err := wire.ParseAttrs(hook)
	number, ok := attrs.Uint32(unix.NFTA_HOOK_HOOKNUM)
	if err != nil || !ok {
		return h
	}
	h.Hook = hookWord(key.family, number)
	h.Text += ", at hook " + h.Hook
	if h.Device = attrs.Text(unix.NFTA_HOOK_DEV); h.Device != "" {
		h.Text += " of device " + h.Device
	}
	return h
}
