package prove

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// Rules of others have many matches that are not modelled, each of which may hold or not. To keep a
// variable for each makes sets that grow with every combination of them. So a model of what may
// happen has none: it says of each end which packets may come to it, and a packet that may come to
// one end only does for certain. Two such matches are independent, even if it is one rule that a
// packet meets twice; that errs to "depends". Where equal texts must be the same match, as in a
// comparison of two programs, the model with variables is the right one.

// newMayModel returns a model of what may happen to packets under p.
func newMayModel(s *space, p *ir.Program) *model {
	m := bareModel(s, p)
	m.may = true
	return m
}

// plain returns a change without the words of what is not known, so that there are few.
func plain(a ir.Alteration) (out ir.Alteration) {
	if value, mask, ok := a.SetsMark(); !ok {
		out = ir.AlterationOf(ir.OpaqueAction{Text: "?", Touches: ir.FieldMark})
	} else if mask != 0 {
		out = ir.AlterationOf(ir.SetMark{Value: value, Mask: mask})
	}
	if a.Untracked() {
		out = out.Then(ir.AlterationOf(ir.NoTrack{}))
	}
	if unknown := a.Unknown(); unknown != 0 {
		out = out.Then(ir.AlterationOf(ir.OpaqueAction{Text: "?", Touches: unknown}))
	}
	return out
}

// earlier returns the packets that are in set after change, for every value of what it makes
// unknown; in a model of what may happen, for some value.
func (m *model) earlier(set node, change ir.Alteration) node {
	if !m.may {
		return m.before(set, change)
	}
	if value, mask := change.Mark(); mask != 0 {
		set = m.Fix(set, m.marked(value, mask))
	}
	if change.Untracked() {
		set = m.Fix(set, m.untracked())
	}
	if unknown := change.Unknown(); unknown != 0 {
		set = m.Without(m.And(set, m.below(m.state, len(states))), m.cube(m.fieldsOf(unknown)...))
	}
	return set
}

// limited returns p for the packets that are looked at: others go on.
func (m *model) limited(p part) part {
	if m.scope == always {
		return p
	}
	out := part{ends: m.within(m.scope, p.ends), back: m.And(m.scope, p.back), on: m.Or(p.on, m.Not(m.scope))}
	for _, f := range p.altered {
		out.addFlow(m.space, flow{f.change, m.And(m.scope, f.back), m.And(m.scope, f.on)})
	}
	return out
}

// outcome is what may become of packets: each is in one of the sets at least.
type outcome struct {
	pass, stop node
	unknown    fates // by the rule whose verdict is not modelled
}

// passing is a walk through the base chains of one way in a model of what may happen.
type passing struct {
	*walk
	at    []node // the packets that may come to each base chain, as they are there
	known map[walkAt]outcome
}

// crossing returns what gets through on way w, of the packets in among. Sets say nothing of others.
func (m *model) crossing(w way, among node) crossing {
	k := &passing{walk: m.newWalk(w), known: make(map[walkAt]outcome)}
	for n := len(k.bases); n > 0 && k.harmless(k.bases[n-1]); n-- {
		k.bases = k.bases[:n-1]
	}
	among = m.And(among, m.packets(w))
	k.spread(among)
	o := k.from(walkAt{})
	c := crossing{unknown: make(fates)}
	doubt := never
	for f, set := range o.unknown {
		if set = m.And(set, among); set != never {
			c.unknown[f] = set
			doubt = m.Or(doubt, set)
		}
	}
	c.accepted = m.And(among, m.Diff(o.pass, m.Or(o.stop, doubt)))
	c.depends = m.And(among, m.Or(m.And(o.pass, o.stop), doubt))
	c.closed = m.And(among, m.Diff(o.stop, m.Or(o.pass, doubt)))
	return c
}

// harmless is true if a base chain has no verdict that ends a packet: what it does else does not
// matter at the end of a way.
func (k *passing) harmless(b hooked) bool {
	if b.base.Drop {
		return false
	}
	seen := make(map[*ir.Chain]bool)
	for _, c := range b.base.Chains {
		if k.stops(c, seen) {
			return false
		}
	}
	return true
}

// stops is true if a rule of c, or of a chain that it leads to, may end a packet.
func (k *passing) stops(c *ir.Chain, seen map[*ir.Chain]bool) bool {
	if seen[c] {
		return false
	}
	seen[c] = true
	for i := range c.Rules {
		switch v := c.Rules[i].Verdict.(type) {
		case ir.Drop, ir.Reject, ir.Handed, ir.Opaque:
			return true
		case ir.Jump:
			if k.stops(k.program.Target(c, v.Chain), seen) {
				return true
			}
		case ir.Goto:
			if k.stops(k.program.Target(c, v.Chain), seen) {
				return true
			}
		}
	}
	return false
}

// spread fills in which packets may come to each base chain: those that began, as what rules do to
// them may have made them.
func (k *passing) spread(among node) {
	touched := k.touched()
	for _, b := range k.bases {
		if among != always {
			among = k.Without(among, k.cube(touched...))
		}
		k.at = append(k.at, among)
		if b.base.Type != ir.NATType {
			continue
		}
		sets := []node{among}
		for _, x := range k.partAt(len(k.at) - 1).ends {
			if e := k.ends[x.end]; e.kind == endNAT {
				sets = append(sets, k.after(k.And(among, x.set), b.hook, e.nat))
			}
		}
		among = k.Union(sets)
	}
}

// touched returns the fields that actions of any rule alter. All bits of a mark count as one.
func (k *passing) touched() []field {
	var all ir.Fields
	for _, c := range k.program.Chains {
		for i := range c.Rules {
			for _, a := range c.Rules[i].Actions {
				all |= ir.Touches(a)
			}
		}
	}
	return k.fieldsOf(all)
}

// after returns packets that set may have become when n was done to them at hook.
func (k *passing) after(set node, hook ir.Hook, n ir.NAT) node {
	addr, port := k.saddr, k.sport
	if isDestination(n) {
		addr, port = k.daddr, k.dport
	}
	set = k.Without(set, k.cube(k.status))
	first := n.Addrs.From
	if n.Kind == ir.KindRedirect && hook == ir.Output {
		first = ir.Loopback(k.family)
	}
	if first.IsValid() && first.BitLen() == addr.bits {
		set = k.And(k.Without(set, k.cube(addr)), k.addrs(addr, first, first))
	}
	if !n.Ports.IsZero() {
		set = k.Without(set, k.cube(port))
	}
	return set
}

// partAt returns what base chain number i does with the packets that may come there.
func (k *passing) partAt(i int) part {
	k.scope = k.at[i]
	p := k.base(k.bases[i])
	k.scope = always
	return p
}

// from returns what may become of packets at that point of the way.
func (k *passing) from(at walkAt) outcome {
	if at.next == len(k.bases) {
		return outcome{pass: always}
	}
	if o, ok := k.known[at]; ok {
		return o
	}
	b, part := k.bases[at.next], k.partAt(at.next)
	entering := always
	if b.base.Type == ir.NATType {
		entering = k.meetsNAT(at, b.hook)
	}
	next := at
	next.next++
	var o joined
	for _, x := range part.ends {
		k.meets(&o, next, b.hook, k.ends[x.end], k.And(entering, x.set))
	}
	rest := end{kind: endAccept}
	if b.base.Drop {
		rest.kind = endDrop
	}
	k.meets(&o, next, b.hook, rest, k.And(entering, part.on))
	for _, f := range part.altered {
		changed := rest
		changed.change = f.change
		k.meets(&o, next, b.hook, changed, k.And(entering, f.on))
	}
	k.meets(&o, next, b.hook, end{kind: endAccept}, k.Not(entering))
	k.known[at] = o.outcome(k.space)
	return k.known[at]
}

// joined collects outcomes. They are joined at the end: rules for NAT are many, and hardly any two
// meet the same packets.
type joined struct {
	pass, stop []node
	unknown    map[fate][]node
}

func (j *joined) outcome(s *space) outcome {
	o := outcome{pass: s.Union(j.pass), stop: s.Union(j.stop), unknown: make(fates)}
	for f, sets := range j.unknown {
		o.unknown[f] = s.Union(sets)
	}
	return o
}

func (j *joined) doubt(f fate, set node) {
	if set == bdd.Never {
		return
	}
	if j.unknown == nil {
		j.unknown = make(map[fate][]node)
	}
	j.unknown[f] = append(j.unknown[f], set)
}

// meets adds what may become of the packets in set, which came to end e at hook.
func (k *passing) meets(o *joined, next walkAt, hook ir.Hook, e end, set node) {
	if set == never {
		return
	}
	switch e.kind {
	case endDrop, endReject:
		o.stop = append(o.stop, set)
		return
	case endUnknown:
		f := fate{unknown: e.rule}
		k.numberOf(f) // in the order of the chains, which results are told in
		o.doubt(f, set)
		return
	}
	switch e.nat.Kind {
	case ir.KindDNAT, ir.KindRedirect:
		next.dnat = true
	case ir.KindMasquerade, ir.KindSNAT:
		next.snat = true
	}
	later := k.from(next)
	earlier := func(part node) node {
		if e.kind == endNAT {
			part = k.rewritten(part, hook, e.nat)
		}
		if e.change != (ir.Alteration{}) {
			part = k.earlier(part, e.change)
		}
		return k.And(set, part)
	}
	o.pass, o.stop = append(o.pass, earlier(later.pass)), append(o.stop, earlier(later.stop))
	for f, part := range later.unknown {
		o.doubt(f, earlier(part))
	}
}
