package policy

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// crossing is one way that a statement speaks of: packets of one family from one end to another.
type crossing struct {
	*lowering
	s        *Statement
	family   ir.Family
	from, to end
	// How packets come and go, as matches; nil for no condition.
	in, out ir.Match
	// The addresses that an allow is about; nil for any.
	sources, dests []netip.Prefix
	transports     [][]ir.Match // alternatives of protocol, ports and types
	origin         ir.Origin
}

// States of packets that open a connection, go on with one, or belong to none.
var (
	opensOrGoesOn = ir.CTState{States: ir.StateNew | ir.StateEstablished}
	goesOn        = ir.CTState{States: ir.StateEstablished | ir.StateRelated}
	related       = ir.CTState{States: ir.StateRelated}
	notGoingOn    = ir.CTState{States: ir.StateNew | ir.StateInvalid | ir.StateUntracked}
)

// crossing returns the way from one end to the other; ok is false if no packets of the family go
// there.
func (l *lowering) crossing(s *Statement, f ir.Family, from, to end) (c crossing, ok bool) {
	c = crossing{lowering: l, s: s, family: f, from: from, to: to, transports: s.transports(f)}
	c.origin = ir.Origin{Span: s.Span, Element: "policy", Reason: s.String(), Network: s.Network}
	var ok1, ok2 bool
	c.sources, ok1 = given(s.From, f)
	c.dests, ok2 = given(s.To, f)
	if s.Kind == Allow {
		ok1, ok2 = ok1 && from.speaks(f), ok2 && to.speaks(f)
		if from.net != nil && s.From.Addrs == nil {
			c.sources = from.net.subnets(f)
		}
	}
	c.in, c.out = device(s.From, from, l.ours, false), device(s.To, to, l.oursOut, true)
	for _, e := range []end{to, from} {
		if e.net != nil {
			c.origin.Network = e.net.link.Name
		}
	}
	return c, ok1 && ok2 && len(c.transports) > 0
}

// given returns the addresses of the family that an end is narrowed to, nil for all; ok is false if
// those that were given are all of the other family.
func given(e End, f ir.Family) (all []netip.Prefix, ok bool) {
	for _, p := range e.Addrs {
		if familyOf(p.Addr()) == f {
			all = append(all, p)
		}
	}
	return all, e.Addrs == nil || len(all) > 0
}

// speaks is true if the end has packets of the family: a network without an address has none.
func (e end) speaks(f ir.Family) bool { return e.net == nil || len(e.net.subnets(f)) > 0 }

// device returns by which interface packets come or go at an end, nil for no condition.
func device(e End, at end, ours ir.Match, out bool) ir.Match {
	switch {
	case at.net != nil && out:
		return at.net.out
	case at.net != nil:
		return at.net.in
	case at.kind == Network:
		return ours
	case at.kind == Outside && e.By != "" && out:
		return ir.OIfName{Name: e.By}
	case at.kind == Outside && e.By != "":
		return ir.IIfName{Name: e.By}
	}
	return nil
}

// transports returns the alternatives of protocol, ports and ICMP types that s speaks of, one
// without a match for all packets, none if the family has no such packets.
func (s *Statement) transports(f ir.Family) (all [][]ir.Match) {
	switch {
	case s.Proto == ir.ICMP && f != ir.IPv4, s.Proto == ir.ICMPv6 && f != ir.IPv6:
		return nil
	case len(s.Ports) > 0:
		protocols := []uint8{s.Proto}
		if s.Proto == 0 {
			protocols = []uint8{ir.TCP, ir.UDP, ir.SCTP, ir.DCCP, ir.UDPLite}
		}
		for _, proto := range protocols {
			for _, ports := range s.Ports {
				all = append(all, []ir.Match{ir.L4Proto{Proto: proto}, ir.DPort{From: ports.From, To: ports.To}})
			}
		}
	case len(s.ICMP) > 0:
		for _, t := range s.ICMP {
			all = append(all, []ir.Match{ir.L4Proto{Proto: s.Proto}, t})
		}
	case s.Proto != 0:
		all = [][]ir.Match{{ir.L4Proto{Proto: s.Proto}}}
	default:
		all = [][]ir.Match{nil}
	}
	return all
}

// lower adds the rules of the crossing to the places where its packets are met.
func (c *crossing) lower() {
	if c.s.Kind == Allow && c.from.kind != Host && c.to.kind != Host {
		c.forwarded(c.from, c.to)
	}
	switch {
	case c.s.Kind == Deny && c.from.kind == Network:
		c.refuseGuests()
	case c.s.Kind == Deny && c.from.kind == Host:
		c.to.net.note(1, c)
		c.each(&c.fromHost, ir.Reject{With: ir.PortUnreachable}, notGoingOn, c.sources, c.dests)
	case c.s.Kind == Deny:
		c.each(&c.refusals, ir.Reject{With: ir.PortUnreachable}, notGoingOn, c.sources, c.dests)
	case c.to.kind == Host:
		c.each(&c.toHost, ir.Accept{}, opensOrGoesOn, c.sources, c.dests)
		c.back(&c.fromHost)
	case c.from.kind == Host:
		c.each(&c.fromHost, ir.Accept{}, opensOrGoesOn, c.sources, c.dests)
		c.back(&c.toHost)
	case c.to.kind == Outside:
		c.exit(&c.outward, c, opensOrGoesOn)
		c.exit(&c.outReplies, c.whole(), related)
		c.enter(c.reversed(), goesOn)
	case c.from.kind == Outside:
		c.each(&c.refusals, ir.Return{}, opensOrGoesOn, c.sources, c.dests)
		c.enter(c, opensOrGoesOn)
		c.enter(c.whole(), related)
		c.exit(&c.outReplies, c.reversed(), goesOn)
	default:
		c.each(&c.between, ir.Accept{}, opensOrGoesOn, c.sources, c.dests)
		c.each(&c.replies, ir.Accept{}, related, c.sources, c.dests, nil)
		c.back(&c.replies)
		c.keepSource()
	}
}

// forwarded notes that packets of the family go into or out of the networks at the ends.
func (c *crossing) forwarded(ends ...end) {
	for _, e := range ends {
		if e.net != nil && e.net.link.Mode == ir.ModeNone {
			if c.family == ir.IPv4 {
				e.net.link.Forwards4 = true
			} else {
				e.net.link.Forwards6 = true
			}
		}
	}
}

// refuseGuests adds the rules of a deny from a network: a refusal for the network's own addresses,
// and silence for others, as an answer would go to whoever has them.
func (c *crossing) refuseGuests() {
	list := map[EndKind]*rules{Host: &c.toHost, Network: &c.between, Outside: &c.outward}[c.to.kind]
	if c.to.kind == Host {
		c.from.net.note(0, c)
	}
	own := c.from.net.subnets(c.family)
	if c.s.From.Addrs == nil {
		if len(own) > 0 {
			c.each(list, ir.Reject{With: ir.PortUnreachable}, notGoingOn, own, c.dests)
		}
		c.each(list, ir.Drop{}, notGoingOn, nil, c.dests)
		return
	}
	for _, p := range c.sources {
		whole := false
		for _, o := range own {
			if !o.Overlaps(p) {
				continue
			}
			common := p
			if o.Bits() > p.Bits() {
				common = o
			}
			whole = whole || common == p
			c.each(list, ir.Reject{With: ir.PortUnreachable}, notGoingOn, []netip.Prefix{common}, c.dests)
		}
		if !whole {
			c.each(list, ir.Drop{}, notGoingOn, []netip.Prefix{p}, c.dests)
		}
	}
}

// note remembers that a deny is about what the network's guests send to the host (0), or get from
// it (1).
func (n *network) note(way int, c *crossing) {
	denied := [...]*ir.Family{&n.deniesToHost, &n.deniesFromHost}[way]
	if *denied == 0 {
		n.origin[way] = c.origin
	}
	*denied |= c.family
}

// each adds a rule for each combination of addresses and of transports, those of the crossing
// unless others are given; nil stands for any.
func (c *crossing) each(to *rules, v ir.Verdict, state ir.Match, sources, dests []netip.Prefix,
	transports ...[]ir.Match) {
	if transports == nil {
		transports = c.transports
	}
	for _, src := range orAny(sources) {
		for _, dst := range orAny(dests) {
			for _, transport := range transports {
				matches := make([]ir.Match, 0, 8)
				for _, m := range []ir.Match{c.in, c.out} {
					if m != nil {
						matches = append(matches, m)
					}
				}
				if src.IsValid() && src.Bits() > 0 {
					matches = append(matches, ir.SAddr{Prefix: src})
				}
				if dst.IsValid() && dst.Bits() > 0 {
					matches = append(matches, ir.DAddr{Prefix: dst})
				}
				matches = append(matches, transport...)
				if state != nil {
					matches = append(matches, state)
				}
				to.add(ir.Rule{Family: c.family, Matches: matches, Verdict: v, Origin: c.origin})
			}
		}
	}
}

// orAny returns list, or one that is not valid where there is none.
func orAny(list []netip.Prefix) []netip.Prefix {
	if len(list) == 0 {
		return []netip.Prefix{{}}
	}
	return list
}

// reversed returns the way back, for packets of all transports.
func (c *crossing) reversed() *crossing {
	back := *c
	back.from, back.to, back.sources, back.dests = c.to, c.from, c.dests, c.sources
	back.in = device(c.s.To, c.to, c.ours, false)
	back.out = device(c.s.From, c.from, c.oursOut, true)
	back.transports = [][]ir.Match{nil}
	return &back
}

// whole returns the same way for packets of all transports.
func (c *crossing) whole() *crossing {
	all := *c
	all.transports = [][]ir.Match{nil}
	return &all
}

// back adds the way back for replies and related errors.
func (c *crossing) back(to *rules) {
	back := c.reversed()
	back.each(to, ir.Accept{}, goesOn, back.sources, back.dests)
}

// enter accepts what comes from outside: FWI lets it go on, POI accepts it.
func (c *crossing) enter(w *crossing, state ir.Match) {
	w.each(&w.to.net.enters, ir.Return{}, state, w.sources, w.dests)
	w.each(&c.inward, ir.Accept{}, state, w.sources, w.dests)
}

// exit accepts what goes outside: a network that confines its guests lets it go on in FWX, POO
// accepts it.
func (c *crossing) exit(to *rules, w *crossing, state ir.Match) {
	w.each(&w.from.net.exits, ir.Return{}, state, w.sources, w.dests)
	w.each(to, ir.Accept{}, state, w.sources, w.dests)
}

// keepSource keeps the source of what goes from a translated network to another of our networks.
func (c *crossing) keepSource() {
	if c.from.net.link.Mode != ir.ModeNAT {
		return
	}
	w := *c
	w.in = nil // not to be had at postrouting, where the source says the same
	w.each(&c.untranslate, ir.Return{}, nil, c.sources, c.dests)
}
