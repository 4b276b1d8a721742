package nftables

import (
	"slices"

	"github.com/vnetc/vnetc/backends"
)

var _ backends.Auditor = Loader{}

// Strays implements [backends.Auditor]: sets that no rule of ours asks or that are of another kind than meant, and objects
// such as counters, which vnetc doesn't make.
func (Loader) Strays(rules backends.Ruleset) ([]backends.Stray, error) {
	want, err := takeInventory(rules.(*Ruleset).Batch().Bytes)
	if err != nil {
		return nil, err
	}
	stream, _, err := dumpTables(want.where())
	if err != nil {
		return nil, explain(err)
	}
	have, err := takeInventory(stream)
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
			} else if wanted.kind != s.kind {
				add("set " + s.name + ", of another kind")
			}
		}
		for _, name := range slices.Sorted(slices.Values(old.others)) {
			add(name)
		}
	}
	return strays, nil
}
