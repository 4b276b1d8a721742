package ir

import (
	"fmt"
	"slices"
)

// Group is one of the groups that a network front end fills. Where packets meet it is fixed by
// [GroupTable], whatever the order in which rules were added. The zero value is no group.
type Group uint8

const (
	INP Group = iota + 1
	OUT
	FWX
	FWI
	FWO
	PRT
	PRE
	LOC
	POH
	POG
	POX
	POO
	POI
	MSS
)

// GroupRow is one line of [GroupTable]: a group, and where in the kernel packets meet its rules.
type GroupRow struct {
	Group Group
	Name  string // three letters
	About string // what its rules are about, in words
	Base         // where it is attached; its policy is accept

	// Of selects the rules of the group that are met here, nil if all are. A group has several rows
	// if its rules are met at several places, each rule at one.
	Of func(*Rule) bool

	Accepts Direction // which way the forwarded packets go that its rules accept
	Opens   bool      // Opens is true if its accepts are for hosts where other rules refuse: alone they change nothing
	// Optional is true if back ends make a chain for the group only where it has rules.
	Optional bool
}

// Direction is the way of forwarded packets, seen from a network.
type Direction uint8

const (
	NotForwarded Direction = iota
	Between                // from guests of the network to others of it
	Into                   // to guests, from elsewhere
	OutOf                  // from guests, to elsewhere
)

// GroupTable lists the groups in the order in which a packet may meet them: everything that
// distinguishes the groups, except the names that back ends give them and the rules that front ends
// put in. Rows with the same Base stand together and are met one after the other, as if one base
// chain jumped to each.
//
// The groups of policies stand around those of networks so that each statement is met where neither
// our networks' rules nor those of libvirt's, which may be in the same kernel chain, are evaded.
// What goes from one of our networks to another is decided before all that networks say. What comes
// from outside is refused there too, but is accepted behind everything: libvirt's FWO must first
// have refused what its isolated guests send. What goes outside is decided between libvirt's FWI,
// which refuses what would enter its isolated networks, and FWO.
var GroupTable = [...]GroupRow{
	{
		Group: PRE, Name: "PRE", About: "published ports",
		Base: Base{Hook: Prerouting, Type: NATType, Priority: PriorityDstNAT}, Optional: true,
	},
	{
		Group: POH, Name: "POH", About: "policies: guests to the host",
		Base: Base{Hook: Input, Type: FilterType, Priority: PriorityFilter}, Opens: true, Optional: true,
	},
	{
		Group: INP, Name: "INP", About: "guests to services on the host",
		Base: Base{Hook: Input, Type: FilterType, Priority: PriorityFilter}, Opens: true,
	},
	{
		Group: LOC, Name: "LOC", About: "the host's own connections to published ports",
		Base: Base{Hook: Output, Type: NATType, Priority: PriorityDstNAT}, Optional: true,
	},
	{
		Group: POG, Name: "POG", About: "policies: the host to guests",
		Base: Base{Hook: Output, Type: FilterType, Priority: PriorityFilter}, Opens: true, Optional: true,
	},
	{
		Group: OUT, Name: "OUT", About: "the host's answers",
		Base: Base{Hook: Output, Type: FilterType, Priority: PriorityFilter}, Opens: true,
	},
	{
		Group: MSS, Name: "MSS", About: "policies: segment sizes of TCP",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityMangle}, Accepts: Between, Optional: true,
	},
	{
		Group: POX, Name: "POX", About: "policies: between networks, and refusals of what comes from outside",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}, Accepts: Between, Optional: true,
	},
	{
		Group: FWX, Name: "FWX", About: "between guests of one network",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}, Accepts: Between,
	},
	{
		Group: FWI, Name: "FWI", About: "into a network",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}, Accepts: Into,
	},
	{
		Group: POO, Name: "POO", About: "policies: to outside",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}, Accepts: OutOf, Optional: true,
	},
	{
		Group: FWO, Name: "FWO", About: "out of a network",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}, Accepts: OutOf,
	},
	{
		Group: POI, Name: "POI", About: "policies: what is accepted from outside",
		Base: Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}, Accepts: Into, Optional: true,
	},
	{
		Group: PRT, Name: "PRT", About: "source NAT",
		Base: Base{Hook: Postrouting, Type: FilterType, Priority: PriorityMangle}, Of: (*Rule).Mangles,
	},
	{
		Group: PRT, Name: "PRT", About: "source NAT",
		Base: Base{Hook: Postrouting, Type: NATType, Priority: PrioritySrcNAT}, Of: notMangles,
	},
}

// Groups lists the groups in the order of [GroupTable].
var Groups = groupsOf(GroupTable[:])

func groupsOf(rows []GroupRow) (all []Group) {
	for i := range rows {
		if !slices.Contains(all, rows[i].Group) {
			all = append(all, rows[i].Group)
		}
	}
	return all
}

// GroupBases returns the rows of [GroupTable], those with the same Base together.
func GroupBases() (all [][]GroupRow) {
	for from := 0; from < len(GroupTable); {
		to := from + 1
		for to < len(GroupTable) && GroupTable[to].Base == GroupTable[from].Base {
			to++
		}
		all, from = append(all, GroupTable[from:to]), to
	}
	return all
}

// Rows returns the rows of g in the table, none if g is no group.
func (g Group) Rows() (rows []*GroupRow) {
	for i := range GroupTable {
		if GroupTable[i].Group == g {
			rows = append(rows, &GroupTable[i])
		}
	}
	return rows
}

// row returns the first row of g, nil if g is no group.
func (g Group) row() *GroupRow {
	for i := range GroupTable {
		if GroupTable[i].Group == g {
			return &GroupTable[i]
		}
	}
	return nil
}

// String returns the three letters.
func (g Group) String() string {
	if row := g.row(); row != nil {
		return row.Name
	}
	return fmt.Sprintf("group(%d)", uint8(g))
}

// About says what the rules of g are about.
func (g Group) About() string { return g.known().About }

// HasPolicies is true if p has rules of groups that are there for policies only.
func (p *Program) HasPolicies() bool {
	return slices.ContainsFunc(p.Chains, func(c *Chain) bool {
		return c.Group != 0 && c.Group.Optional() && len(c.Rules) > 0
	})
}

// Hook returns the hook at which g is met.
func (g Group) Hook() Hook { return g.known().Hook }

// Optional is true if a program has g only for its rules; see [GroupRow].
func (g Group) Optional() bool { return g.known().Optional }

// Opens is true if the accepts of g are for hosts where other rules refuse; see [GroupRow].
func (g Group) Opens() bool {
	row := g.row()
	return row != nil && row.Opens
}

func (g Group) known() *GroupRow {
	row := g.row()
	if row == nil {
		panic(fmt.Sprintf("ir: %s is not in GroupTable", g))
	}
	return row
}

// Mangles is true if r belongs to group PRT's mangle half: it alters the packet and lets it go on.
// The kernel meets that half (priority mangle) before the nat half (priority srcnat), so a return
// in one never hides a rule of the other.
func (r *Rule) Mangles() bool {
	_, ok := r.Verdict.(ChecksumFill)
	return ok
}

func notMangles(r *Rule) bool { return !r.Mangles() }
