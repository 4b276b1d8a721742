package delta

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
)

// Cut is a batch that takes single rules away.
type Cut struct {
	Batch   *wire.Batch
	Changed int // rules and tables that go
	Kept    int // tables that stay
}

// Without returns the batch that takes the rules away that goes names, true for each of a chain
// that goes, nil for none of it. With a frame, which is what stands when no network is in force,
// tables go in which nothing else is left. Generation is that of have: the kernel refuses the batch
// if anybody has changed the ruleset since.
func Without(have, frame *Inventory, generation uint32, goes func(*Table, *Chain) ([]bool, error)) (Cut, error) {
	d := &delta{}
	d.Open(generation)
	kept := 0
	for _, t := range have.Tables {
		left := &Table{Family: t.Family, Name: t.Name, Sets: t.Sets, Others: t.Others}
		gone := make([][]Rule, len(t.Chains))
		for i, c := range t.Chains {
			named, err := goes(t, c)
			if err != nil {
				return Cut{}, err
			}
			stays := &Chain{Name: c.Name, place: c.place, policy: c.policy}
			for k, r := range c.Rules {
				if named != nil && named[k] {
					gone[i] = append(gone[i], r)
				} else {
					stays.Rules = append(stays.Rules, r)
				}
			}
			left.Chains = append(left.Chains, stays)
		}
		if frame != nil && left.within(frame.Table(t.Family, t.Name)) {
			d.tableMessage(unix.NFT_MSG_DELTABLE, 0, t)
			d.report.Changed++
			continue
		}
		kept++
		for i, c := range t.Chains {
			for _, r := range gone[i] {
				d.deleteRule(t, c, r)
			}
		}
	}
	d.Close()
	return Cut{Batch: &d.Batch, Changed: d.report.Changed, Kept: kept}, nil
}

// within is true if t has nothing but what frame has.
func (t *Table) within(frame *Table) bool {
	if frame == nil || len(t.Sets)+len(t.Others) > 0 {
		return false
	}
	for _, c := range t.Chains {
		bare := frame.Chain(c.Name)
		if bare == nil || bare.place != c.place || bare.policy != c.policy {
			return false
		}
		for _, r := range c.Rules {
			if !slices.ContainsFunc(bare.Rules, func(b Rule) bool { return b.key == r.key }) {
				return false
			}
		}
	}
	return true
}
