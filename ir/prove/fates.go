package prove

import (
	"github.com/vnetc/vnetc/ir"
)

// fate is [ir.Fate] as a value to compare by: without trace, and without the checksum, which no
// packet's fate depends on.
type fate struct {
	outcome    ir.Outcome
	reject     ir.RejectCode
	snat, dnat ir.NAT
	altered    ir.Alteration
	unknown    *ir.Rule // set if a verdict or an action that is not modelled decides
}

// fates is a partition of all packets by their fate.
type fates map[fate]node

// way is one of the three ways of a packet through the hooks.
type way struct {
	name  string
	hooks []ir.Hook
	in    bool // in is true if the packet came in by an interface
	out   bool // out is true if it leaves by one
}

var ways = [...]way{
	{"forwarded", []ir.Hook{ir.Prerouting, ir.Forward, ir.Postrouting}, true, true},
	{"input", []ir.Hook{ir.Prerouting, ir.Input}, true, false},
	{"output", []ir.Hook{ir.Output, ir.Postrouting}, false, true},
}

// packets returns the packets that go way w.
func (s *space) packets(w way) node {
	side := func(f field, some bool) node {
		return s.turned(always, s.value(f, 0), some)
	}
	return s.And(s.valid, s.And(side(s.iif, w.in), side(s.oif, w.out)))
}

// walk is the base chains that packets of one way meet, in order.
type walk struct {
	*model
	bases []hooked
	among node // the packets that are looked at
	known map[walkAt]fates
}

type hooked struct {
	hook ir.Hook
	base ir.BaseView
}

// walkAt is a point on the way: before base number next, with or without an address rewritten
// already.
type walkAt struct {
	next       int
	dnat, snat bool
}

// fates returns the fate of the packets of among that go way w. Among may be less than all packets
// only if none is rewritten before the last base chain.
func (m *model) fates(w way, among node) fates {
	k := m.newWalk(w)
	k.among = among
	return m.seen(k.from(walkAt{}))
}

// newWalk returns the base chains on way w that may change a packet's fate.
func (m *model) newWalk(w way) *walk {
	k := &walk{model: m, among: always, known: make(map[walkAt]fates)}
	for _, h := range w.hooks {
		for _, b := range m.program.Bases(h) {
			if b.Meets(m.family) && !letsAll(b) {
				k.bases = append(k.bases, hooked{h, b})
			}
		}
	}
	return k
}

// letsAll is true if every packet that meets b is accepted as it is, whichever rule it meets.
func letsAll(b ir.BaseView) bool {
	for _, c := range b.Chains {
		for i := range c.Rules {
			if c.Rules[i].Alters() {
				return false
			}
			switch v := c.Rules[i].Verdict.(type) {
			case ir.Accept, ir.Return:
			default:
				if !passes(v) {
					return false
				}
			}
		}
	}
	return !b.Drop
}

// from returns the fate of packets at that point of the way. A fate is about the packet as it is
// there.
func (k *walk) from(at walkAt) fates {
	if at.next == len(k.bases) {
		return fates{fate{outcome: ir.Accepted}: always}
	}
	if f, ok := k.known[at]; ok {
		return f
	}
	b := k.bases[at.next]
	entering := k.among
	if b.base.Type == ir.NATType {
		entering = k.And(entering, k.meetsNAT(at, b.hook))
	}
	if entering == never {
		at.next++
		return k.from(at)
	}
	part := k.base(b)
	out := make(fates)
	for _, x := range part.ends {
		k.finish(out, at, b, k.ends[x.end], k.And(entering, x.set))
	}
	rest := end{kind: endAccept}
	if b.base.Drop {
		rest.kind = endDrop
	}
	k.finish(out, at, b, rest, k.And(entering, part.on))
	for _, f := range part.altered {
		rest := rest
		if rest.kind == endAccept {
			rest.change = f.change
		}
		k.finish(out, at, b, rest, k.And(entering, f.on))
	}
	k.finish(out, at, b, end{kind: endAccept}, k.Diff(k.among, entering))
	k.known[at] = out
	return out
}

// meetsNAT returns the packets that meet a nat chain: a connection's first, unless that end of it
// is rewritten already.
func (k *walk) meetsNAT(at walkAt, hook ir.Hook) node {
	rewritten := at.snat
	if hook == ir.Prerouting || hook == ir.Output {
		rewritten = at.dnat
	}
	if rewritten {
		return never
	}
	return k.match(hook, ir.CTState{States: ir.StateNew})
}

// base returns what a base chain, or the groups that act as one, do.
func (k *walk) base(b hooked) part {
	var parts []part
	for _, c := range b.base.Chains {
		parts = append(parts, k.selected(c, b.hook, b.base))
	}
	return k.fold(parts)
}

// piecesAt returns what base is folded of: what each of the groups does, or each run of rules of a
// single chain.
func (k *walk) piecesAt(b hooked) []part {
	if len(b.base.Chains) == 1 {
		return k.piecesOf(b.base.Chains[0], b.hook, b.base)
	}
	var parts []part
	for _, c := range b.base.Chains {
		parts = append(parts, k.selected(c, b.hook, b.base))
	}
	return parts
}

// finish adds to out the fate of the packets in set after base b, where their walk through it had
// end e.
func (k *walk) finish(out fates, at walkAt, b hooked, e end, set node) {
	if set == never {
		return
	}
	add := func(f fate, set node) {
		if set != never {
			out[f] = k.Or(out[f], set)
		}
	}
	switch e.kind {
	case endDrop:
		add(fate{outcome: ir.Dropped}, set)
		return
	case endReject:
		add(fate{outcome: ir.Rejected, reject: e.reject}, set)
		return
	case endUnknown:
		add(fate{unknown: e.rule}, set)
		return
	}
	at.next++
	switch e.nat.Kind {
	case ir.KindDNAT, ir.KindRedirect:
		at.dnat = true
	case ir.KindMasquerade, ir.KindSNAT:
		at.snat = true
	}
	left := set
	for f, later := range k.from(at) {
		if e.kind == endNAT {
			later = k.rewritten(later, b.hook, e.nat)
			switch {
			case f.outcome != ir.Accepted: // its connection never comes to be
			case isDestination(e.nat):
				f.dnat = e.nat
			default:
				f.snat = e.nat
			}
		}
		if e.change != (ir.Alteration{}) {
			later = k.before(later, e.change)
			if f.outcome == ir.Accepted {
				f.altered = k.compose(e.change, f.altered)
			}
			left = k.Diff(left, later)
		}
		add(f, k.And(set, later))
	}
	if e.change != (ir.Alteration{}) {
		f := fate{unknown: k.causes[e.change]}
		k.numberOf(f) // in the order of the chains, which results are told in
		add(f, left)
	}
}

func isDestination(n ir.NAT) bool { return n.Kind == ir.KindDNAT || n.Kind == ir.KindRedirect }

// rewritten returns the packets that are in set after n was done to them at hook, as far as n
// tells: the first address of its range, and the packet's own port if it is in the range, else the
// first; and the status that goes with n, if that changes something.
func (k *walk) rewritten(set node, hook ir.Hook, n ir.NAT) node {
	addr, port, status := k.saddr, k.sport, ir.StatusSNAT
	if isDestination(n) {
		addr, port, status = k.daddr, k.dport, ir.StatusDNAT
	}
	before := set
	set = k.Fix(set, k.hasStatus(status))
	asked, changed := set != before, always
	first := n.Addrs.From
	if n.Kind == ir.KindRedirect && hook == ir.Output {
		first = ir.Loopback(k.family)
	}
	if first.IsValid() && first.BitLen() == addr.bits {
		same := k.addrs(addr, first, first)
		set, changed = k.Fix(set, same), k.Not(same)
	}
	if !n.Ports.IsZero() {
		moved := k.Diff(k.ports, k.between(port, uint64(n.Ports.From), uint64(n.Ports.To)))
		changed = k.Or(changed, moved)
		set = k.Or(k.Diff(set, moved), k.And(moved, k.Fix(set, k.value(port, uint64(n.Ports.From)))))
	}
	if asked {
		set = k.Or(k.And(changed, set), k.Diff(before, changed))
	}
	return set
}
