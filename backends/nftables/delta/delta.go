package delta

import (
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// delta builds the batch that turns what the kernel holds into what is wanted, leaving alone what
// is right already.
type delta struct {
	wire.Batch
	report backends.Report
	origin func(seq uint32) *ir.Rule // of a message of the wanted stream
}

// Between returns the batch that makes have into want. Generation, if not 0, is that of have: the
// kernel then refuses the batch if anybody has changed the ruleset since. Tables that want lacks
// are deleted. What is the administrator's in have stays ([Inventory.Administer]). The report says
// whether there is anything to send.
//
// A packet meets the old rules or the new ones, and this depends on base chains staying where they
// are. A chain hands out its old rules until the instant of the change and its new ones after it
// (nft_do_chain reads the generation once), while a chain that is deleted lets through what comes
// to it from that instant on (nf_remove_net_hook), be it of a packet that has passed the chain
// which is to follow while that was still empty. So a table is never deleted to recreate it:
// whatever differs in it is changed. What old rules look up is there as long as they are: a deleted
// set keeps its elements until no packet is in its rules. That is not so for maps, whose elements
// go at once (nft_map_deactivate), and no layout may use maps for what decides. TestFloodRebuild in
// netsetup/firewall watches all this. Only a base chain that somebody has moved to another hook or
// priority has to be deleted, and fixing it has that gap.
func Between(have, want *Inventory, generation uint32, origin func(seq uint32) *ir.Rule) (*wire.Batch,
	backends.Report) {
	d := &delta{origin: origin}
	d.Open(generation)
	for _, t := range want.Tables {
		old := have.Table(t.Family, t.Name)
		if old != nil && old.dormant { // no packet meets it
			if old.Administered() != nil {
				d.wake(t)
			} else {
				d.tableMessage(unix.NFT_MSG_DELTABLE, 0, t)
				old = nil
			}
		}
		if old == nil {
			d.tableMessage(unix.NFT_MSG_NEWTABLE, netlink.Create, t)
			d.report.Changed++
			old = &Table{}
		}
		d.update(old, t.keeping(old))
	}
	for _, t := range have.Tables {
		if want.Table(t.Family, t.Name) != nil {
			continue
		}
		if his := t.Administered(); his != nil {
			d.update(t, his)
			continue
		}
		d.tableMessage(unix.NFT_MSG_DELTABLE, 0, t)
		d.report.Changed++
	}
	d.Close()
	d.report.Rebuilt = d.report.Kept == 0 && d.report.Changed > 0
	return &d.Batch, d.report
}

// update changes what differs between old and t. All that goes is deleted first, and users before
// what they use: the kernel deletes nothing that is in use, and what comes may have the same name.
func (d *delta) update(old, t *Table) {
	p := planOf(old, t)
	for _, c := range p.goneChains {
		d.deletion(unix.NFT_MSG_DELRULE, t, c.Name) // all of the chain
	}
	for _, c := range t.Chains {
		d.deleteRules(t, p.chains[c.Name])
	}
	for _, s := range p.goneSets {
		d.deletion(unix.NFT_MSG_DELSET, t, s.Name)
	}
	for _, c := range p.goneChains {
		d.deletion(unix.NFT_MSG_DELCHAIN, t, c.Name)
	}
	for _, o := range old.Others {
		if !slices.Contains(t.Others, o) {
			d.deleteObject(t, o)
		}
	}
	for _, c := range t.Chains {
		if stays := p.chains[c.Name]; stays == nil || stays.old.policy != c.policy {
			d.copy(c.raw, c.seq, netlink.Create)
			d.report.Changed++
		}
	}
	for i, s := range t.Sets {
		if stays := p.sets[s.Name]; stays != nil {
			d.updateSet(t, stays)
		} else {
			d.addSet(t, s.countingOn(old.Set(s.Name)), uint32(i+1))
		}
	}
	for _, c := range t.Chains {
		if stays := p.chains[c.Name]; stays != nil {
			d.addRules(stays)
		} else {
			for _, r := range c.Rules {
				d.addRule(r, 0, true)
			}
		}
	}
}

// addSet makes a set with its elements. Number is its name in the batch, which the kernel wants and
// does not return.
func (d *delta) addSet(t *Table, s *Set, number uint32) {
	at := d.copy(s.raw, s.seq, netlink.Create)
	d.Uint32(unix.NFTA_SET_ID, number)
	d.End(at)
	d.report.Changed++
	d.listElements(unix.NFT_MSG_NEWSETELEM, netlink.Create, t, s, s.Order)
}

func (d *delta) updateSet(t *Table, s *setPlan) {
	if s.new == s.old {
		return // the administrator's
	}
	d.report.Kept += len(s.new.Order) - len(s.come)
	d.listElements(unix.NFT_MSG_DELSETELEM, 0, t, s.old, s.gone)
	d.listElements(unix.NFT_MSG_NEWSETELEM, netlink.Create, t, s.new, s.come)
}

// deleteRules deletes the rules of a chain that don't stay; p is nil if there is no such chain.
func (d *delta) deleteRules(t *Table, p *chainPlan) {
	if p == nil {
		return
	}
	for _, r := range p.gone() {
		d.deleteRule(t, p.old, r)
	}
}

// addRules puts the rules that come in their places among those that stay. Each is put directly
// behind the last one that stays before it; so of several the last goes first.
func (d *delta) addRules(p *chainPlan) {
	for end := len(p.stays); end > 0; {
		if p.stays[end-1] >= 0 {
			if !p.new.kept {
				d.report.Kept++
			}
			end--
			continue
		}
		begin := end - 1
		for begin > 0 && p.stays[begin-1] < 0 {
			begin--
		}
		if begin == 0 && end == len(p.stays) { // nothing stays
			for i := range p.stays {
				d.addRule(p.comes(i), 0, true)
			}
			return
		}
		handle := uint64(0)
		if begin > 0 {
			handle = p.old.Rules[p.stays[begin-1]].handle
		}
		for i := end - 1; i >= begin; i-- {
			d.addRule(p.comes(i), handle, handle != 0)
		}
		end = begin
	}
}
