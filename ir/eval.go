package ir

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Eval is the meaning of a program: it walks pkt through p as the kernel would, on a host that has
// p and nothing else.
//
// At each hook that the packet meets (see [Packet.Hooks]) it walks the base chains in the order of
// their priority. The groups are base chains with policy accept, which [GroupTable] lists. At equal
// priority groups come first; of other chains the kernel meets the one first that was registered
// last (nf_hook_entries_grow in net/netfilter/core.c), and p has them in the order in which they
// were registered: see [Program.AssumedOrder]. Accept ends the walk in one base chain; drop and
// reject end it for good.
//
// Chains of type nat are met by packets of state new only: the kernel runs them once, for a
// connection's first packet, and treats the others like it (nf_nat_inet_fn in
// net/netfilter/nf_nat_core.c). Two things are given up: a connection that conntrack helpers
// expected (state related) has a first packet too, and a packet of an old connection shows no NAT
// here though its addresses are rewritten. After a NAT verdict the other nat chains of that hook
// are not met.
//
// Later chains see a rewritten packet: the first address of the range, and the packet's own port if
// it is in the range, else the first. Where the kernel takes the address from an interface
// (masquerade, redirect of what came in), the old one stays, as no packet tells it. Its connection
// has the status that goes with it from then on, unless what is known of address and port is what
// the packet had anyhow (nf_nat_setup_info in net/netfilter/nf_nat_core.c sets the status only
// where the tuple changes).
//
// Actions alter what later rules see of the packet. What an [OpaqueAction] touches has no known
// value any more, and no match on it is known to hold or not. Routes are not asked again, whatever
// is altered.
//
// Eval fails on what is no packet, on a fate that depends on what is not modelled
// (*[UnknownError]), and on jumps that lead nowhere or in a circle, which [Verify] finds
// beforehand.
func Eval(p *Program, pkt Packet) (Fate, error) {
	e := &evaluation{program: p, packet: pkt}
	return e.run()
}

// run walks the packet through all hooks.
func (e *evaluation) run() (Fate, error) {
	if err := e.packet.check(); err != nil {
		return Fate{}, err
	}
	e.began = e.packet
	for _, hook := range e.packet.Hooks() {
		e.hook = hook
		for _, base := range e.program.Bases(hook) {
			if base.Type == NATType && e.unknown()&FieldState != 0 && base.Meets(e.packet.Family) {
				return Fate{}, &UnknownError{Packet: e.packet, Step: e.cause}
			}
			if base.Type == NATType && !e.meetsNAT() {
				continue
			}
			verdict, err := e.walkBase(base)
			if err != nil {
				return Fate{}, err
			}
			if verdict == stop {
				return Fate{Outcome: e.fate.Outcome, Reject: e.fate.Reject, Trace: e.fate.Trace}, nil
			}
		}
	}
	if e.doubted {
		return Fate{}, &UnknownError{Packet: e.packet, Step: e.cause}
	}
	e.fate.Outcome = Accepted
	e.fate.Altered = e.fate.Altered.Seen(e.began)
	return e.fate, nil
}

// BaseView is what is attached to a hook: a base chain of the program, or groups that act as one.
type BaseView struct {
	Chains   []*Chain // walked one after the other
	Priority int
	Type     ChainType
	Drop     bool             // Drop is true if the policy is drop.
	Of       func(*Rule) bool // which rules are met; nil for all
}

// Meets is true if packets of family f meet v, its policy included. The groups are met by both.
func (v BaseView) Meets(f Family) bool {
	return slices.ContainsFunc(v.Chains, func(c *Chain) bool { return c.Group != 0 || c.Family&f != 0 })
}

// Bases returns what is attached to hook, in the order in which packets meet it: see [Eval].
func (p *Program) Bases(hook Hook) []BaseView {
	var all []BaseView
	for i := range GroupTable {
		row := &GroupTable[i]
		if row.Hook != hook {
			continue
		}
		c := p.Group(row.Group)
		switch last := len(all) - 1; {
		case c == nil:
		case last >= 0 && all[last].Priority == row.Priority && all[last].Type == row.Type:
			all[last].Chains = append(all[last].Chains, c)
		default:
			all = append(all, BaseView{Chains: []*Chain{c}, Priority: row.Priority, Type: row.Type, Of: row.Of})
		}
	}
	for _, c := range slices.Backward(p.Chains) {
		if c.Base != nil && c.Group == 0 && c.Base.Hook == hook {
			all = append(all, BaseView{Chains: []*Chain{c}, Priority: c.Base.Priority, Type: c.Base.Type,
				Drop: c.Base.Drop})
		}
	}
	slices.SortStableFunc(all, func(a, b BaseView) int { return cmp.Compare(a.Priority, b.Priority) })
	return all
}

// evaluation is one packet on its way.
type evaluation struct {
	program *Program
	packet  Packet
	hook    Hook
	fate    Fate
	visit   func(Visit)               // called for everything met; nil if not wanted
	decide  func(at, cause Step) bool // see [EvalIf]

	began    Packet // as it was
	hidden   Fields // marks whose value is not known, as that of the connection was not
	doubtful Fields // those touched by actions that perhaps were not done
	cause    Step   // the last rule that made a field unknown
	doubted  bool   // doubted is true if there were such actions.
}

// meetsNAT is true if the packet meets a nat chain at the present hook.
func (e *evaluation) meetsNAT() bool {
	if e.packet.State != StateNew {
		return false
	}
	if e.hook == Prerouting || e.hook == Output {
		return e.fate.DNAT == nil
	}
	return e.fate.SNAT == nil
}

// course is where a packet goes after a chain or a rule.
type course uint8

const (
	onward course = iota // the next rule; from a chain: the rule after the jump, or the policy
	back                 // as from the end of the chain
	done                 // accepted in this base chain
	stop                 // dropped or rejected
)

// walkBase walks the packet through a base chain to its policy.
func (e *evaluation) walkBase(b BaseView) (course, error) {
	if !b.Meets(e.packet.Family) {
		return done, nil
	}
	for _, c := range b.Chains {
		after, err := e.walk(c, b.Of, 0)
		if err != nil || after != onward {
			return after, err
		}
		if c.Group == 0 {
			policy := Step{Chain: c, Index: len(c.Rules)}
			e.fate.Trace = append(e.fate.Trace, policy)
			e.see(Policy, policy)
		}
	}
	if b.Drop {
		e.fate.Outcome = Dropped
		return stop, nil
	}
	return done, nil
}

// walk walks the packet through the rules of c, those that of lets through. It returns onward at
// the end of the chain.
func (e *evaluation) walk(c *Chain, of func(*Rule) bool, depth int) (course, error) {
	if depth > len(e.program.Chains) {
		return stop, fmt.Errorf("jumps lead in a circle through %s", c.Label())
	}
	e.see(Entered, Step{Chain: c})
	for i := range c.Rules {
		r := &c.Rules[i]
		if of != nil && !of(r) {
			continue
		}
		step := Step{Chain: c, Index: i, Rule: r}
		switch e.meets(r) {
		case no:
			e.see(Passed, step)
			continue
		case maybe:
			if e.decide != nil && mattersIf(r) {
				if e.decide(step, e.blamed(step)) {
					break
				}
				e.see(Passed, step)
				continue
			}
			if _, goesOn := r.Verdict.(Counter); goesOn {
				e.mayAct(step)
				continue
			}
			return stop, &UnknownError{Packet: e.packet, Step: e.blamed(step)}
		}
		e.fate.Trace = append(e.fate.Trace, step)
		e.see(Matched, step)
		e.act(step)
		after, err := e.apply(step, depth)
		if err != nil {
			return stop, err
		}
		switch after {
		case back:
			return onward, nil
		case done, stop:
			return after, nil
		}
	}
	return onward, nil
}

// mattersIf is true if it makes a difference to a packet whether r matches.
func mattersIf(r *Rule) bool {
	_, goesOn := r.Verdict.(Counter)
	return !goesOn || r.Alters()
}

// apply does to the packet what the step's rule says.
func (e *evaluation) apply(step Step, depth int) (course, error) {
	switch v := step.Rule.Verdict.(type) {
	case Accept:
		return done, nil
	case Drop:
		e.fate.Outcome = Dropped
		return stop, nil
	case Reject:
		e.fate.Outcome, e.fate.Reject = Rejected, v.With
		return stop, nil
	case Return:
		return back, nil
	case Jump:
		return e.call(step, v.Chain, depth)
	case Goto:
		after, err := e.call(step, v.Chain, depth)
		if after == onward {
			after = back
		}
		return after, err
	case Masquerade:
		return e.rewrite(NAT{Kind: KindMasquerade, Ports: v.Ports, Flags: v.Flags})
	case SNAT:
		return e.rewrite(NAT{Kind: KindSNAT, Addrs: v.Addrs, Ports: v.Ports, Flags: v.Flags})
	case DNAT:
		return e.rewrite(NAT{Kind: KindDNAT, Addrs: v.Addrs, Ports: v.Ports, Flags: v.Flags})
	case Redirect:
		return e.rewrite(NAT{Kind: KindRedirect, Ports: v.Ports, Flags: v.Flags})
	case ChecksumFill:
		e.fate.Checksum = true
		return onward, nil
	case Counter:
		return onward, nil
	case Handed, Opaque:
		return stop, &UnknownError{Packet: e.packet, Step: step}
	}
	panic(fmt.Sprintf("ir: unknown verdict %T", step.Rule.Verdict))
}

// act does the actions of the step's rule.
func (e *evaluation) act(step Step) {
	if len(step.Rule.Actions) == 0 {
		return
	}
	change := step.Rule.Alteration(e.packet.State&Tracked != 0)
	e.fate.Altered = e.fate.Altered.Then(change)
	if change.Unknown() != 0 {
		e.cause = step
	}
	if change.markText == "" {
		e.mark(step, change.marks)
	}
	if change.Untracked() {
		if e.packet.Proto == TCP { // those that were usual before
			e.packet.Flags, e.packet.HasFlags = e.packet.TCPFlags(), true
		}
		e.packet.State, e.packet.Status = StateUntracked, 0
	}
}

// mark changes the marks. The connection's is not always known, nor then what is taken from it.
func (e *evaluation) mark(step Step, change marks) {
	if change == (marks{}) {
		return
	}
	ct, known := e.packet.Value(KeyCTMark)
	hid, hidCT := e.hidden&FieldMark != 0, e.hidden&FieldCTMark != 0 || !known
	if hidCT && change.fromCT != 0 {
		e.cause = step
	}
	e.hidden = 0
	if hid && ^change.clear != 0 || hidCT && change.fromCT != 0 {
		e.hidden |= FieldMark
	}
	if hidCT && ^change.ctClear != 0 || hid && change.fromMark != 0 {
		e.hidden |= FieldCTMark
	}
	mark, newCT := change.of(e.packet.Mark, uint32(ct))
	e.packet.Mark = mark
	if e.packet.State&Tracked != 0 && e.hidden&FieldCTMark == 0 {
		e.packet = e.packet.With(KeyCTMark, uint64(newCT))
	}
}

// mayAct is act for a rule that may match or not: what its actions touch is unknown afterwards.
func (e *evaluation) mayAct(step Step) {
	if !step.Rule.Alters() {
		return
	}
	for _, a := range step.Rule.Actions {
		e.doubtful |= Touches(a)
	}
	e.cause, e.doubted = e.blamed(step), true
}

// unknown returns the fields of which the values are not known.
func (e *evaluation) unknown() Fields { return e.doubtful | e.hidden | e.fate.Altered.Unknown() }

// blamed returns the rule that is not modelled where it isn't known if that of step matches: it, or
// the one whose action made unknown what it looks at.
func (e *evaluation) blamed(step Step) Step {
	if e.cause.Rule != nil && !slices.ContainsFunc(step.Rule.Matches, Undecided) {
		return e.cause
	}
	return step
}

// call walks the packet through the chain called name.
func (e *evaluation) call(step Step, name string, depth int) (course, error) {
	target := e.program.Target(step.Chain, name)
	if target == nil {
		return stop, fmt.Errorf("rule %d of %s leads to %q, which is no chain there", step.Index+1, step.Chain.Label(),
			name)
	}
	return e.walk(target, nil, depth+1)
}

// rewrite gives the packet the address and port of n, as far as they are known.
func (e *evaluation) rewrite(n NAT) (course, error) {
	addr, port, status := &e.packet.Src, &e.packet.SPort, StatusSNAT
	if n.Kind == KindDNAT || n.Kind == KindRedirect {
		addr, port, status = &e.packet.Dst, &e.packet.DPort, StatusDNAT
		e.fate.DNAT = &n
	} else {
		e.fate.SNAT = &n
	}
	if e.unknown()&natFields(n.Kind) != 0 {
		e.doubtful |= FieldState // whether there is a change, which the status tells, depends on what there was
	}
	hadAddr, hadPort := *addr, *port
	if original, known := e.packet.Value(KeyOrigDPort); known && e.packet.Has(KeyOrigDPort) {
		e.packet = e.packet.With(KeyOrigDPort, original)
	}
	if !n.Addrs.IsZero() {
		*addr = n.Addrs.From
	} else if n.Kind == KindRedirect &&
		e.hook == Output { // nf_nat_redirect.c: what the host sends to itself goes to lo
		*addr = Loopback(e.packet.Family)
	}
	if !n.Ports.IsZero() && HasPorts(e.packet.Proto) && (*port < n.Ports.From || *port > n.Ports.To) {
		*port = n.Ports.From
	}
	if !n.TellsAddr(e.hook) || *addr != hadAddr || *port != hadPort {
		e.packet.Status |= status
	}
	return done, nil
}

// natFields returns the fields of the end of a connection that a kind of NAT rewrites.
func natFields(kind NATKind) Fields {
	if kind == KindDNAT || kind == KindRedirect {
		return FieldDAddr | FieldDPort | FieldL4Proto
	}
	return FieldSAddr | FieldSPort | FieldL4Proto
}

// Loopback returns the address of a family by which a host reaches itself.
func Loopback(f Family) netip.Addr {
	if f == IPv6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
