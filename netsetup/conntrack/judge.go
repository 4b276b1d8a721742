package conntrack

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// policyGroups are the groups that hold the rules of policies.
var policyGroups = [...]ir.Group{ir.POX, ir.POO, ir.POI, ir.POH, ir.POG}

// Verdict is what becomes of an entry. The zero value is that it stays.
type Verdict struct {
	Cut    bool
	Cause       // if it is cut
	Unsure bool // Unsure is true if it stays only because the rules don't say for certain.
}

// Judge decides which entries a change of rules forbids.
type Judge struct {
	ends          *ends
	before, after *rules
	known         map[Entry]Verdict
}

// NewJudge returns the judge of the change from one program of our rules, with its links, to
// another. A host that is not known is nil.
func NewJudge(before, after *ir.Program, h *ir.Host) *Judge {
	if before == nil {
		before = &ir.Program{}
	}
	if h == nil {
		h = &ir.Host{}
	}
	was, is := newPlaces(before, h), newPlaces(after, h)
	before, after = onHost(before, was, h), onHost(after, is, h)
	return &Judge{ends: newEnds(before, after), before: newRules(before, was), after: newRules(after, is),
		known: make(map[Entry]Verdict)}
}

// Idle is true if no entry can be forbidden: there are no policies, and there were none.
func (j *Judge) Idle() bool { return !j.before.policies && !j.after.policies }

// Concerns is true if the entry has an end in one of the networks of before or after, or is to a
// port that either of them publishes. No other is ever cut.
func (j *Judge) Concerns(e *Entry) bool { return j.ends.concern(e) || j.ends.has(&e.Original) }

// maxKnown is how many verdicts are remembered: a few megabytes.
const maxKnown = 1 << 14

// Judge decides about an entry that the change concerns. It is cut
//
//   - if a published port leads elsewhere than the connection does, or the port by which it came is
//     not published any more;
//   - if its first packet would be refused now, as it would come and go, and a rule of a policy
//     refuses it, or one accepted it before. What networks without policies refuse lives on, as it
//     always did.
func (j *Judge) Judge(e Entry) Verdict {
	key := e
	key.ID, key.Timeout, key.Zone, key.Status = 0, 0, 0, e.Status&(Expected|DestNAT)
	key.Original.ICMPID, key.Reply.ICMPID = 0, 0
	if !j.before.sourcePorts && !j.after.sourcePorts {
		key.Original.SPort, key.Reply.DPort = 0, 0
	}
	v, ok := j.known[key]
	if !ok {
		if len(j.known) >= maxKnown {
			clear(j.known)
		}
		v = j.decide(&e)
		j.known[key] = v
	}
	return v
}

func (j *Judge) decide(e *Entry) Verdict {
	v := Verdict{}
	if j.ends.has(&e.Original) {
		v = j.translation(e)
	}
	if v.Cut || !j.ends.concern(e) {
		return v
	}
	refused := j.refusal(e)
	refused.Unsure = !refused.Cut && (v.Unsure || refused.Unsure)
	return refused
}

// translation decides by where the entry's first packet would be sent.
func (j *Judge) translation(e *Entry) Verdict {
	now, err := j.after.target(e)
	if err != nil {
		return Verdict{Unsure: true}
	}
	if now != nil {
		if now.reached(e) {
			return Verdict{}
		}
		return Verdict{Cut: true, Cause: causeOf(Published, now.rule)}
	}
	if e.Status&DestNAT == 0 {
		return Verdict{}
	}
	then, err := j.before.target(e)
	switch {
	case err != nil:
		return Verdict{Unsure: true}
	case then == nil || !then.reached(e): // another's translation
		return Verdict{}
	}
	return Verdict{Cut: true, Cause: causeOf(Unpublished, then.rule)}
}

// refusal decides by whether the first packet would be refused, wherever it may come in or go out.
func (j *Judge) refusal(e *Entry) Verdict {
	var v Verdict
	refused, passes := 0, 0
	for _, pkt := range j.after.packets(e) {
		by, err := j.after.refuses(pkt)
		switch {
		case err != nil:
			v.Unsure = true
		case by == nil:
			passes++
		default:
			refused++
			if v.Reason == "" && by.policy {
				v.Cause = causeOf(Denied, by.rule)
			}
		}
	}
	if refused == 0 || passes > 0 || v.Unsure {
		return Verdict{Unsure: v.Unsure || refused > 0}
	}
	if v.Reason != "" {
		v.Cut = true
		return v
	}
	for _, pkt := range j.before.packets(e) {
		if r := j.before.accepts(pkt); r != nil {
			return Verdict{Cut: true, Cause: causeOf(Withdrawn, r)}
		}
	}
	return Verdict{}
}

func causeOf(reason Reason, r *ir.Rule) Cause {
	c := Cause{Reason: reason, Statement: r.Origin.Reason, Network: r.Origin.Network}
	if r.Origin.Span.IsValid() {
		c.Source = r.Origin.Span.String()
	}
	return c
}

// rules is one program in the parts that are asked.
type rules struct {
	filters     narrowed // without translations: an entry tells its own
	policy      narrowed // the rules of policies alone
	nat         narrowed // what translates destinations alone
	policies    bool     // policies is true if a policy has a rule.
	sourcePorts bool     // sourcePorts is true if a rule looks at the source port.
	*places
}

func newRules(p *ir.Program, at *places) *rules {
	r := &rules{places: at}
	for _, n := range []*narrowed{&r.filters, &r.policy, &r.nat} {
		n.Program = &ir.Program{}
	}
	for _, c := range p.Chains {
		hooked := c.Group != 0 || c.Base != nil
		switch {
		case !hooked: // reached by jumps of any
			r.nat.Chains = append(r.nat.Chains, c)
			r.filters.Chains = append(r.filters.Chains, c)
		case translates(c):
			r.nat.Chains = append(r.nat.Chains, c)
			r.policies = r.policies || len(c.Rules) > 0
		case c.Group != ir.PRT && (c.Base == nil || c.Base.Type != ir.NATType):
			r.filters.Chains = append(r.filters.Chains, c)
		}
		if slices.Contains(policyGroups[:], c.Group) {
			r.policy.Chains = append(r.policy.Chains, c)
			r.policies = r.policies || len(c.Rules) > 0
		}
		for i := range c.Rules {
			for _, m := range c.Rules[i].Matches {
				r.sourcePorts = r.sourcePorts || ir.FieldsOf(m)&ir.FieldSPort != 0
			}
		}
	}
	return r
}

// packets returns the first packet of the entry's connection as the filters meet it, once for each
// pair of devices by which it may come and go: behind the translation of its destination, before
// that of its source.
func (r *rules) packets(e *Entry) (all []ir.Packet) {
	p := first(e)
	p.Dst, p.DPort = e.Reply.Src, 0
	if ir.HasPorts(p.Proto) {
		p.DPort = e.Reply.SPort
	}
	if e.Status&DestNAT != 0 {
		p.Status = ir.StatusDNAT
	}
	return r.onDevices(p, e.Original.Dst)
}

// onDevices returns p once for each pair of devices. What the host sends to one of its own
// addresses is on its way to the loopback when it meets rules, whatever they translate.
func (r *rules) onDevices(p ir.Packet, sentTo netip.Addr) (all []ir.Packet) {
	for _, p.In = range r.from(p.Src) {
		outs := r.to(p.Dst)
		if p.In == "" && r.isHost(sentTo) {
			outs = []string{"lo"}
		}
		for _, p.Out = range outs {
			all = append(all, p)
		}
	}
	return all
}

// first returns the entry's first packet as it came, without devices.
func first(e *Entry) ir.Packet {
	t := &e.Original
	p := ir.Packet{Family: ir.IPv6, Src: t.Src, Dst: t.Dst, Proto: t.Proto, State: ir.StateNew}
	if t.Src.Is4() {
		p.Family = ir.IPv4
	}
	if ir.HasPorts(t.Proto) {
		p.SPort, p.DPort = t.SPort, t.DPort
		p = p.With(ir.KeyOrigDPort, uint64(t.DPort))
	}
	if isICMP(t.Proto) {
		p.ICMPType, p.ICMPCode = t.ICMPType, t.ICMPCode
	}
	if e.Status&Expected != 0 {
		p.State = ir.StateRelated
	}
	return p
}

// refuser is the rule that refuses a packet.
type refuser struct {
	rule   *ir.Rule
	policy bool // policy is true if rules of policies alone refuse it; then rule is theirs.
}

// refuses returns what refuses a packet, nil if nothing does.
func (r *rules) refuses(p ir.Packet) (*refuser, error) {
	rule, err := refusedBy(r.filters.of(p), p)
	if rule == nil || err != nil {
		return nil, err
	}
	if own, err := refusedBy(r.policy.of(p), p); err == nil && own != nil {
		return &refuser{own, true}, nil
	}
	return &refuser{rule, false}, nil
}

// unnamed is the rule of a chain's policy.
var unnamed = &ir.Rule{}

// refusedBy returns the rule of p that refuses a packet, nil if none does.
func refusedBy(p *ir.Program, pkt ir.Packet) (*ir.Rule, error) {
	fate, err := ir.Eval(p, pkt)
	if err != nil || fate.Outcome == ir.Accepted {
		return nil, err
	}
	if len(fate.Trace) > 0 && fate.Trace[len(fate.Trace)-1].Rule != nil {
		return fate.Trace[len(fate.Trace)-1].Rule, nil
	}
	return unnamed, nil
}

// accepts returns the rule of a policy by which a packet came through, nil if there was none.
func (r *rules) accepts(p ir.Packet) *ir.Rule {
	fate, err := ir.Eval(r.filters.of(p), p)
	if err != nil || fate.Outcome != ir.Accepted {
		return nil
	}
	for _, step := range fate.Trace {
		if step.Rule == nil || !slices.Contains(policyGroups[:], step.Chain.Group) {
			continue
		}
		if _, ok := step.Rule.Verdict.(ir.Accept); ok {
			return step.Rule
		}
	}
	return nil
}

// target is where rules send a connection.
type target struct {
	ir.NAT
	rule *ir.Rule
}

var errDevices = errors.New("the target depends on a device that is not known")

// target returns where the rules send the entry's first packet, nil if they leave that to it.
func (r *rules) target(e *Entry) (*target, error) {
	if e.Status&Expected != 0 {
		return nil, nil // its target came from the connection that announced it
	}
	p := first(e)
	var found *target
	for i, p := range r.onDevices(p, p.Dst) {
		fate, err := ir.Eval(r.nat.of(p), p)
		if err != nil {
			return nil, err
		}
		var one *target
		if fate.DNAT != nil {
			one = &target{*fate.DNAT, translator(fate.Trace)}
		}
		if i > 0 && ((one == nil) != (found == nil) || one != nil && one.NAT != found.NAT) {
			return nil, errDevices
		}
		found = one
	}
	return found, nil
}

// translator returns the rule of a trace that translated the destination.
func translator(trace []ir.Step) *ir.Rule {
	for _, step := range trace {
		if step.Rule == nil {
			continue
		}
		switch step.Rule.Verdict.(type) {
		case ir.DNAT, ir.Redirect:
			return step.Rule
		}
	}
	panic("conntrack: a translation without a rule")
}

// reached is true if the entry's connection goes to the target, or may: by which address a redirect
// reaches the host the rules don't tell.
func (t *target) reached(e *Entry) bool {
	if !t.Addrs.IsZero() && !within(e.Reply.Src, t.Addrs) {
		return false
	}
	ports := t.Ports
	if ports.IsZero() {
		ports = ir.PortRange{From: e.Original.DPort, To: e.Original.DPort}
	}
	return !ir.HasPorts(e.Original.Proto) || ports.From <= e.Reply.SPort && e.Reply.SPort <= ports.To
}
