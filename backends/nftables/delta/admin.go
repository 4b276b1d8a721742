package delta

import (
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Administer says which chains of the tables of a name, in whatever family, are for the
// administrator's rules. [Between] then keeps those that hold any, whatever is wanted.
func (inv *Inventory) Administer(table string, chains []string) {
	for _, t := range inv.Tables {
		if t.Name == table {
			t.admin = chains
		}
	}
}

// Administered returns what t holds of the administrator: his chains with rules in them, what those
// rules use, and of base chains the rules that lead there. It is nil if there are no such rules.
func (t *Table) Administered() *Table {
	var filled []string
	for _, c := range t.Chains {
		if len(c.Rules) > 0 && slices.Contains(t.admin, c.Name) {
			filled = append(filled, c.Name)
		}
	}
	if len(filled) == 0 {
		return nil
	}
	return t.only(filled, t.reach(filled, nil))
}

// UsedByOthers returns the names of chains and of sets that other rules use than the
// administrator's: those that packets meet from base chains, or from the chains named, without
// meeting his.
func (t *Table) UsedByOthers(chains ...string) (names, sets []string) {
	for _, c := range t.Chains {
		if c.place != "" {
			chains = append(chains, c.Name)
		}
	}
	u := t.reach(chains, t.admin)
	return u.chains, u.sets
}

// reach returns what rules of some chains use, directly and through what they use, and these
// chains; what only rules of chains in not use is not among it.
func (t *Table) reach(chains, not []string) uses {
	var found uses
	queue := uses{chains: slices.Clone(chains)}
	for len(queue.chains)+len(queue.sets) > 0 {
		var next uses
		for _, name := range queue.chains {
			c := t.Chain(name)
			if c == nil || slices.Contains(found.chains, name) || slices.Contains(not, name) {
				continue
			}
			found.chains = append(found.chains, name)
			for i := range c.Rules {
				next.add(c.Rules[i].uses())
			}
		}
		for _, name := range queue.sets {
			if s := t.Set(name); s != nil && !slices.Contains(found.sets, name) {
				found.sets = append(found.sets, name)
				next.add(s.uses())
			}
		}
		found.objects = append(found.objects, next.objects...)
		queue = next
	}
	return found
}

func (u *uses) add(o uses) {
	u.chains = append(u.chains, o.chains...)
	u.sets = append(u.sets, o.sets...)
	u.objects = append(u.objects, o.objects...)
}

// only returns the part of t that is owned, and of other base chains the rules that lead to the
// filled.
func (t *Table) only(filled []string, owned uses) *Table {
	out := &Table{Family: t.Family, Name: t.Name, admin: t.admin}
	for _, c := range t.Chains {
		part := *c
		switch {
		case slices.Contains(owned.chains, c.Name):
			part.kept = true
		case c.place == "":
			continue
		default:
			isFilled := func(to string) bool { return slices.Contains(filled, to) }
			part.Rules = slices.DeleteFunc(slices.Clone(c.Rules), func(r Rule) bool {
				return !slices.ContainsFunc(r.uses().chains, isFilled)
			})
			if len(part.Rules) == 0 {
				continue
			}
		}
		out.Chains = append(out.Chains, &part)
	}
	for _, s := range t.Sets {
		if slices.Contains(owned.sets, s.Name) {
			out.Sets = append(out.Sets, s)
		}
	}
	for _, o := range t.Others {
		if slices.Contains(owned.objects, o.name) {
			out.Others = append(out.Others, o)
		}
	}
	return out
}

// keeping returns what t, which is wanted, is with what old has of the administrator: his chains as
// they are, whatever t has in them, and all that their rules use. A rule of his that uses a set of
// ours stays unless that set is recreated: then it is added again in its place, with what it has
// counted.
func (t *Table) keeping(old *Table) *Table {
	out := *t
	out.Others = nil
	out.Chains = slices.Clone(t.Chains)
	for i, c := range out.Chains {
		if was := old.Chain(c.Name); was != nil && slices.Contains(old.admin, c.Name) {
			same := *c
			same.Rules, same.kept = was.Rules, true
			out.Chains[i] = &same
		}
	}
	his := old.Administered()
	if his == nil {
		return &out
	}
	for _, c := range his.Chains {
		i := slices.IndexFunc(out.Chains, func(o *Chain) bool { return o.Name == c.Name })
		switch {
		case i < 0:
			out.Chains = append(out.Chains, c)
		case !c.kept:
			out.Chains[i] = out.Chains[i].leadingTo(c.Rules)
		}
	}
	out.Sets = slices.Clone(t.Sets)
	for _, s := range his.Sets {
		if t.Set(s.Name) == nil {
			out.Sets = append(out.Sets, s)
		}
	}
	out.Others = his.Others
	return &out
}

// leadingTo returns c with jumps at its head, where it has not got them.
func (c *Chain) leadingTo(jumps []Rule) *Chain {
	out := *c
	for _, j := range slices.Backward(jumps) {
		if !slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.key == j.key }) {
			out.Rules = slices.Insert(slices.Clone(out.Rules), 0, j)
		}
	}
	return &out
}

// wake takes the flag dormant from a table that can't be recreated, for what the administrator has
// in it.
func (d *delta) wake(t *Table) {
	at := d.Begin(unix.NFT_MSG_NEWTABLE, netlink.Create, t.Family, nil)
	d.Text(unix.NFTA_TABLE_NAME, t.Name)
	d.Uint32(unix.NFTA_TABLE_FLAGS, 0)
	d.End(at)
	d.report.Changed++
}
