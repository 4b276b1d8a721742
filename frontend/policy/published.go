package policy

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// published is one published port, or a range of them, with the network that its guest is in.
type published struct {
	*crossing // from outside to the network
	net       *network
	guest     netip.Prefix
	mappings  []mapping
}

// mapping leads ports of the host to ports of the guest.
type mapping struct{ from, to ir.PortRange }

// publish adds the rules of a statement:
//
//   - the host's port is translated to the guest's, for what comes to an address of the host, or to
//     the one address given; and for the host's own connections, but those to the loopback: the
//     kernel lets nothing out that comes from there (route_localnet);
//   - what was translated so is accepted, told by guest, port and the port that it went to at first:
//     another program's translation to the same guest is not let in;
//   - guests of the same network get the host's address for their source, else the answer would not
//     come back through the host; all others keep theirs.
func (l *lowering) publish(s *Statement) {
	n := l.networkOf(s.Guest)
	if n == nil {
		return // Check has reported it
	}
	f := familyOf(s.Guest)
	from := &crossing{lowering: l, s: s, family: f, from: end{kind: Outside}, to: end{Network, n}}
	from.origin = ir.Origin{Span: s.Span, Element: "policy", Reason: s.String(), Network: n.link.Name}
	sources, ok := given(s.From, f)
	if !ok {
		return
	}
	from.sources = sources
	from.dests = []netip.Prefix{netip.PrefixFrom(s.Guest, s.Guest.BitLen())}
	from.out = n.out
	if s.On != "" {
		from.in = ir.IIfName{Name: s.On}
	}
	p := &published{crossing: from, net: n, guest: from.dests[0], mappings: s.mappings()}
	p.translate()
	p.accept()
	p.source()
}

// networkOf returns the network with the address among its subnets, nil if there is none.
func (l *lowering) networkOf(a netip.Addr) *network {
	for _, n := range l.nets {
		for _, p := range n.subnets(familyOf(a)) {
			if p.Contains(a) {
				return n
			}
		}
	}
	return nil
}

// mappings returns where each port leads. The kernel sends all ports of a range to the first of
// another; so each has a mapping of its own, unless all stay as they are.
func (s *Statement) mappings() (all []mapping) {
	ports := s.Ports[0]
	if s.GuestPorts.IsZero() || s.GuestPorts == ports {
		return []mapping{{ports, ports}}
	}
	for i := range int(ports.To-ports.From) + 1 {
		from, to := ports.From+uint16(i), s.GuestPorts.From+uint16(i)
		all = append(all, mapping{ir.PortRange{From: from, To: from}, ir.PortRange{From: to, To: to}})
	}
	return all
}

// target returns the verdict that leads to the guest.
func (p *published) target(m mapping) ir.Verdict {
	to := ir.DNAT{Addrs: ir.AddrRange{From: p.s.Guest, To: p.s.Guest}}
	if m.from != m.to {
		to.Ports = m.to
	}
	return to
}

// translate fills PRE and LOC.
func (p *published) translate() {
	var addressed []ir.Match
	if p.s.At.IsValid() {
		addressed = []ir.Match{ir.DAddr{Prefix: netip.PrefixFrom(p.s.At, p.s.At.BitLen())}}
	} else {
		addressed = []ir.Match{ir.AddrType{Types: ir.TypeLocal}}
	}
	own := addressed
	if !p.s.At.IsValid() {
		own = append(own[:1:1], ir.DAddr{Prefix: loopback(p.family), Not: true})
	}
	for _, m := range p.mappings {
		for _, source := range orAny(p.sources) {
			tail := p.portMatches(m.from)
			if source.IsValid() && source.Bits() > 0 {
				tail = append([]ir.Match{ir.SAddr{Prefix: source}}, tail...)
			}
			p.rule(&p.pre, p.target(m), p.in, addressed, tail)
			if p.s.On == "" {
				p.rule(&p.loc, p.target(m), nil, own, tail)
			}
		}
	}
}

func loopback(f ir.Family) netip.Prefix {
	if f == ir.IPv4 {
		return netip.MustParsePrefix("127.0.0.0/8")
	}
	return netip.PrefixFrom(netip.IPv6Loopback(), 128)
}

// rule adds one rule of these matches.
func (p *published) rule(to *rules, v ir.Verdict, first ir.Match, parts ...[]ir.Match) {
	var matches []ir.Match
	if first != nil {
		matches = append(matches, first)
	}
	for _, part := range parts {
		matches = append(matches, part...)
	}
	to.add(ir.Rule{Family: p.family, Matches: matches, Verdict: v, Origin: p.origin})
}

func (p *published) portMatches(ports ir.PortRange) []ir.Match {
	return []ir.Match{ir.L4Proto{Proto: p.s.Proto}, ir.DPort{From: ports.From, To: ports.To}}
}

// translated returns the matches of what a mapping has translated.
func (p *published) translated(m mapping) []ir.Match {
	return append(p.portMatches(m.to), ir.CTStatus{Status: ir.StatusDNAT},
		ir.Field{Key: ir.KeyOrigDPort, Mask: ir.KeyOrigDPort.All(), From: uint64(m.from.From), To: uint64(m.from.To)})
}

// accept lets in what was translated, and its answers out: from outside, from other networks, from
// guests of the same one, and from the host.
func (p *published) accept() {
	forth := *p.crossing
	for _, m := range p.mappings {
		forth.transports = append(forth.transports, p.translated(m))
	}
	forth.enter(&forth, opensOrGoesOn)
	forth.each(&p.refusals, ir.Return{}, opensOrGoesOn, forth.sources, forth.dests)
	forth.enter(forth.whole(), related)

	among := forth
	if among.in == nil {
		among.in = p.ours
	}
	if p.s.On == "" || p.isOurs(p.s.On) {
		among.each(&p.between, ir.Accept{}, opensOrGoesOn, among.sources, among.dests)
	}

	answers := forth.whole()
	answers.from, answers.to = forth.to, forth.from
	answers.in, answers.out = p.net.in, nil
	answers.sources, answers.dests = forth.dests, forth.sources
	answers.exit(&p.outReplies, answers, goesOn)
	if p.s.On == "" {
		host := forth
		host.in = nil
		host.each(&p.fromHost, ir.Accept{}, opensOrGoesOn, host.sources, host.dests)
		answers.each(&p.toHost, ir.Accept{}, goesOn, answers.sources, answers.dests)
	}
	back := *answers
	back.out = p.oursOut
	back.each(&p.replies, ir.Accept{}, goesOn, back.sources, back.dests)
}

func (l *lowering) isOurs(device string) bool {
	for _, n := range l.nets {
		if n.link.Bridge.Name == device {
			return true
		}
	}
	return false
}

// source decides what the guest sees as the source of what was translated.
func (p *published) source() {
	out := *p.crossing
	out.in, out.sources = nil, nil
	for _, m := range p.mappings {
		out.transports = [][]ir.Match{p.translated(m)}
		for _, own := range p.net.subnets(p.family) {
			out.each(&p.hairpins, ir.Masquerade{}, nil, []netip.Prefix{own}, out.dests)
		}
		out.each(&p.hairpins, ir.Return{}, nil, nil, out.dests)
	}
}
