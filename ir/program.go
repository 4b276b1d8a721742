// Package ir is vnetc's firewall program: groups of rules in the order packets meet them, and other
// chains beside them. It knows neither XML nor netfilter syntax nor the host, and imports neither
// frontend nor backends.
package ir

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
)

// Family is the set of address families that a chain or rule is for. The zero value is invalid.
type Family uint8

const (
	IPv4 Family        = 1 << iota // IPv4 packets
	IPv6                           // IPv6 packets
	Both = IPv4 | IPv6             // either, as nft's inet
)

// String returns nft(8)'s word: ip, ip6, inet.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ip"
	case IPv6:
		return "ip6"
	case Both:
		return "inet"
	}
	return fmt.Sprintf("family(%d)", uint8(f))
}

// Hook is a place in the kernel's path of a packet at which rules are met, netfilter's five for IP.
type Hook uint8

const (
	Prerouting Hook = iota + 1
	Input
	Forward
	Output
	Postrouting
)

var hookNames = [...]string{Prerouting: "prerouting", Input: "input", Forward: "forward", Output: "output",
	Postrouting: "postrouting"}

// String returns nft(8)'s word for h.
func (h Hook) String() string {
	if h >= Prerouting && h <= Postrouting {
		return hookNames[h]
	}
	return fmt.Sprintf("hook(%d)", uint8(h))
}

// ChainType is nft(8)'s chain type: what kind of work the rules of a base chain do. A nat chain
// sees only packets that may begin a connection. The iptables tables raw, mangle and security are
// of type filter and differ by priority.
type ChainType uint8

const (
	FilterType ChainType = iota + 1
	NATType
	RouteType
)

var chainTypeNames = [...]string{FilterType: "filter", NATType: "nat", RouteType: "route"}

// String returns nft(8)'s word for t.
func (t ChainType) String() string {
	if t >= FilterType && t <= RouteType {
		return chainTypeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Priorities of netfilter's own tables (include/uapi/linux/netfilter_ipv4.h); nft(8) names them
// raw, mangle, dstnat, filter, security, srcnat.
const (
	PriorityRaw       = -300
	PriorityConntrack = -200 // connection tracking itself
	PriorityMangle    = -150
	PriorityDstNAT    = -100
	PriorityFilter    = 0
	PrioritySecurity  = 50
	PrioritySrcNAT    = 100
)

// Base says where a chain is attached. Chains at one hook are met in the order of Priority; a
// packet accepted by one goes on to the next, a packet dropped or rejected does not.
type Base struct {
	Hook     Hook
	Type     ChainType
	Priority int
	// Drop is true if the policy, for packets that come to the end of the chain, is drop; else it
	// is accept.
	Drop bool
}

// Origin says who asked for a rule: the piece of source and the reason in words. It goes with the
// rule to every output.
type Origin struct {
	Span    diag.Span
	Network string // the network's name; empty for a rule that was read from a host
	Element string // path of the XML element or attribute, such as network/forward/nat/port
	Reason  string // one line, lower case, no full stop
}

// Rule is one line of a chain: to a packet of the family for which every match holds the actions
// are done, and it has the verdict.
type Rule struct {
	Family  Family
	Matches []Match  // all must hold; the order has no meaning and is kept for the back ends that print it
	Actions []Action // done in this order, before the verdict
	Verdict Verdict
	Comment string
	Origin  Origin
}

// Chain is a list of rules, met from the top. It is a group, or a base chain, or is reached by jump
// and goto only.
type Chain struct {
	Group  Group  // set for groups, whose other fields are then fixed: Family Both, no Table, no Base
	Family Family // of the table the chain is in
	Table  string
	Name   string // unique in its family and table
	Base   *Base  // nil if the chain is attached to no hook
	Rules  []Rule
	// Admin is true in a program that was read from a host for a chain of the administrator's
	// rules: one of [AdminChains], or another that only rules of those lead to.
	Admin bool
}

// Label returns the chain's name for people: the group's letters, or family, table and name.
func (c *Chain) Label() string {
	if c.Group != 0 {
		return c.Group.String()
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Family, c.Table, c.Name))
}

// Program is a firewall: chains, the sets that their rules use, and the links of the networks they
// were made for. The zero value is the empty firewall.
type Program struct {
	Chains []*Chain // base chains in the order in which they were registered
	Sets   []*Set   // those that rules look packets up in, and others
	Links  []*Link
	Unseen []string // what packets may pass that was not looked at, in words: chains of bridges or devices, a flowtable
}

// Group returns the chain of g, nil if p has none.
func (p *Program) Group(g Group) *Chain {
	for _, c := range p.Chains {
		if c.Group == g {
			return c
		}
	}
	return nil
}

// Add puts rules at the end of group g.
func (p *Program) Add(g Group, rules ...Rule) {
	c := p.Group(g)
	if c == nil {
		c = &Chain{Group: g, Family: Both, Name: g.String()}
		p.Chains = append(p.Chains, c)
	}
	c.Rules = append(c.Rules, rules...)
}

// Target returns the chain that a jump or goto from chain c to name leads to: the one of that name
// in c's family and table; nil if there is none. Groups are targets of nothing.
func (p *Program) Target(c *Chain, name string) *Chain {
	for _, t := range p.Chains {
		if t.Group == 0 && t.Family == c.Family && t.Table == c.Table && t.Name == name {
			return t
		}
	}
	return nil
}
