package doctor

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/ir/prove"
)

// curer finds whose rules are in the way of an answer, and what to type against them.
type curer struct {
	Patient
	budget *prove.Budget
	known  map[string][]expect.Block
}

// maxBlocks bounds how many chains, one behind the other, are looked through for who drops a
// packet.
const maxBlocks = 4

// blame fills in the blocks of a. Answers that the same rules make, about the same networks, have
// the same.
func (c *curer) blame(a *expect.Answer) {
	if a.Fact != nil || len(a.Ends) == 0 {
		return
	}
	key := fmt.Sprint(a.Network, a.Kind, a.Family, a.Device, a.To, a.Verdict)
	if a.Kind == expect.DNS {
		key += a.Proto
	}
	for _, s := range a.Ends {
		key += fmt.Sprint("/", s.Chain.Label(), s.Index)
	}
	if c.known == nil {
		c.known = make(map[string][]expect.Block)
	}
	blocks, ok := c.known[key]
	if !ok {
		blocks = c.blocks(*a)
		c.known[key] = blocks
	}
	a.Blocks = blocks
}

// blocks returns the rules in the way of a, with cures that are proved together: inserted into the
// program they let the lost packets through, and open nothing else.
func (c *curer) blocks(a expect.Answer) []expect.Block {
	var all []expect.Block
	cured, now := c.Survey.Program, a
	for len(all) < maxBlocks && (now.Verdict == a.Verdict) && len(now.Ends) > 0 {
		step := now.Ends[0]
		block := expect.Block{Step: step, World: c.Survey.worldOf(step.Chain), Owner: ownerOf(cured, step)}
		if slices.ContainsFunc(all, func(b expect.Block) bool {
			return b.Step.Chain.Label() == step.Chain.Label() && b.Step.Index == step.Index
		}) {
			return unproved(all)
		}
		into := c.into(cured, step, block.Owner)
		if block.Owner == vnetc || block.Owner == libvirt {
			block.Cure = commands(block, into, a, nil) // to be looked into, first of all
			return append(unproved(all), block)
		}
		if a.Verdict != expect.No || into == nil {
			return append(unproved(all), block)
		}
		rules := openings(a, into.hook)
		if block.Owner == ufw && into.chain.Base == nil && len(rules) > 1 {
			rules = rules[:1] // ufw lets answers pass by itself
		}
		block.Cure = commands(block, into, a, rules)
		all = append(all, block)
		if len(rules) == 0 || len(block.Cure) == 0 {
			return unproved(all)
		}
		cured = inserted(cured, into.chain, rules)
		now = expect.Again(c.question(cured), a)
	}
	if now.Verdict == expect.No || now.Verdict == expect.CantTell {
		return unproved(all)
	}
	opened, whole := c.spare().Opens(c.Survey.Program, cured, allowed(a))
	if opened != nil || !whole {
		return unproved(all)
	}
	for i := range all {
		all[i].Proved = all[i].Owner != firewalld // it makes rules of its own of what it is told
	}
	return all
}

// unproved takes the cures out of blocks: what is not shown to do what is meant, and no more, is
// not advised.
func unproved(all []expect.Block) []expect.Block {
	for i := range all {
		all[i].Cure, all[i].Proved = nil, false
	}
	return all
}

func (c *curer) spare() *prove.Budget {
	if c.budget == nil {
		c.budget = prove.NewBudget()
	}
	return c.budget
}

func (c *curer) question(whole *ir.Program) expect.Question {
	return expect.Question{Meant: c.Meant, Whole: whole, Host: c.Host, Budget: c.spare()}
}

// worldOf returns the place that a chain is in.
func (s *Survey) worldOf(c *ir.Chain) string {
	if tool := s.worlds[c]; tool != "" {
		return tool
	}
	for known, tool := range s.worlds { // of a copy
		if known.Label() == c.Label() {
			return tool
		}
	}
	return "nftables"
}

// place is where a cure's rule goes.
type place struct {
	chain *ir.Chain
	hook  ir.Hook
}

// into returns where a rule must stand that comes before the step: the chain that its owner leaves
// to the administrator if it has one, else the head of the base chain; nil if there is none.
func (c *curer) into(p *ir.Program, s ir.Step, owner string) *place {
	base := baseOf(p, s.Chain)
	if base == nil {
		return nil
	}
	for _, name := range adminChains(owner, base.Base.Hook, base.Family) {
		if chain := p.Target(base, name); chain != nil && base.Base.Priority == ir.PriorityFilter {
			return &place{chain, base.Base.Hook}
		}
	}
	return &place{base, base.Base.Hook}
}

// adminChains are the chains that an owner's own rules come behind.
func adminChains(owner string, hook ir.Hook, f ir.Family) []string {
	switch {
	case owner == docker && hook == ir.Forward:
		return []string{"DOCKER-USER"}
	case owner == ufw && f == ir.IPv6:
		return []string{"ufw6-user-" + hook.String()}
	case owner == ufw:
		return []string{"ufw-user-" + hook.String()}
	case owner == nixos && hook == ir.Input:
		return []string{"nixos-fw"}
	}
	return nil
}

// baseOf returns the base chain from which packets come to c: c itself, or the first whose jumps
// lead there.
func baseOf(p *ir.Program, c *ir.Chain) *ir.Chain {
	if c.Base != nil {
		return c
	}
	seen := map[string]bool{}
	var leads func(from *ir.Chain) bool
	leads = func(from *ir.Chain) bool {
		if seen[from.Label()] {
			return false
		}
		seen[from.Label()] = true
		for i := range from.Rules {
			name := ""
			switch v := from.Rules[i].Verdict.(type) {
			case ir.Jump:
				name = v.Chain
			case ir.Goto:
				name = v.Chain
			default:
				continue
			}
			if to := p.Target(from, name); to != nil && (to.Label() == c.Label() || leads(to)) {
				return true
			}
		}
		return false
	}
	for _, b := range p.Chains {
		if clear(seen); b.Base != nil && b.Family == c.Family && b.Table == c.Table && leads(b) {
			return b
		}
	}
	return nil
}

// inserted returns p with rules at the head of chain.
func inserted(p *ir.Program, chain *ir.Chain, rules []ir.Rule) *ir.Program {
	out := *p
	out.Chains = slices.Clone(p.Chains)
	for i, c := range out.Chains {
		if c.Label() == chain.Label() && c.Group == chain.Group {
			more := *c
			more.Rules = slices.Concat(rules, c.Rules)
			out.Chains[i] = &more
		}
	}
	return &out
}

// replies are the states of packets that answer.
const replies = ir.StateEstablished | ir.StateRelated

// openings returns the rules that let the packets of a through at a hook, and no more than its
// network means: all that guests send outside, whatever the protocol, but of the host its services
// only.
func openings(a expect.Answer, hook ir.Hook) (rules []ir.Rule) {
	for i, leg := range a.Legs {
		if !comesTo(leg, hook) || i > 0 && a.Kind == expect.Inside { // whose answers go like first packets
			continue
		}
		var matches []ir.Match
		if leg.In != "" {
			matches = append(matches, ir.IIfName{Name: leg.In})
		}
		if leg.Out != "" && hook != ir.Prerouting {
			matches = append(matches, ir.OIfName{Name: leg.Out})
		}
		matches = append(matches, kept(a.Kind, leg)...)
		if i > 0 && (a.Kind == expect.Out || a.Kind == expect.In || a.Kind == expect.Across || a.Kind == expect.DNS) {
			matches = append(matches, ir.CTState{States: replies})
		}
		rules = append(rules, ir.Rule{Family: a.Family, Matches: matches, Verdict: ir.Accept{}})
	}
	// the question for the same address again is like the first
	if a.Kind == expect.DHCP && len(rules) > 1 && hook == ir.Input {
		rules = rules[:1]
	}
	return rules
}

// comesTo is true if packets of the leg meet the hook.
func comesTo(leg expect.Leg, hook ir.Hook) bool {
	return slices.Contains(ir.Packet{In: leg.In, Out: leg.Out}.Hooks(), hook)
}

// kept returns the matches of a leg that its rule has: addresses of the network, not those of the
// outside; services by their port.
func kept(k expect.Kind, leg expect.Leg) (matches []ir.Match) {
	service := k == expect.DHCP || k == expect.DNS || k == expect.RA
	for _, m := range leg.Matches {
		switch m := m.(type) {
		case ir.SAddr:
			if !service {
				matches = append(matches, m)
			}
		case ir.DAddr:
			if !service && !m.Not {
				matches = append(matches, m)
			}
		case ir.L4Proto:
			if service {
				matches = append(matches, m)
			}
		case ir.DPort:
			if service && m.From == m.To {
				matches = append(matches, m)
			}
		case ir.SPort:
			if service && m.From == m.To && k == expect.DNS {
				matches = append(matches, m)
			}
		case ir.ICMPType:
			if service {
				matches = append(matches, m)
			}
		}
	}
	return matches
}

// allowed is the traffic that a cure of a may open.
func allowed(a expect.Answer) (all []prove.Traffic) {
	any := ir.StateNew | ir.StateEstablished | ir.StateRelated | ir.StateInvalid | ir.StateUntracked
	for _, leg := range a.Legs {
		q := prove.Traffic{Family: a.Family, In: leg.In, Out: leg.Out, State: any, Matches: kept(a.Kind, leg)}
		all = append(all, q)
	}
	return all
}
