package policy

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Lower adds the rules of statements to p, the program of the networks that they speak of: its
// links say which bridges and addresses these have. The statements have passed [Check]. Assertions
// have no rules.
//
//  1. The first statement that matches a new connection decides; then the networks' own rules.
//  2. allow accepts what it matches in state new, and the rest of that connection. From a network
//     it matches the network's own addresses, or those given; to a network whatever the host sends
//     out by its bridge.
//  3. deny refuses what it matches in every state but established and related. From a network it
//     matches whatever comes in by the bridge. Only the network's own addresses get an answer.
//  4. Replies, and errors related to a connection, are accepted between the two ends of an allow,
//     whatever the modes of the networks.
//  5. What goes from one of our networks to another is decided before all networks' rules; so are
//     refusals of what comes from outside. What goes outside is decided between the rules about
//     entering a network and those about leaving one, libvirt's included. What is accepted from
//     outside is accepted behind all of them.
//  6. What an allow lets from one of our networks to another keeps its source.
//  7. deny to the host leaves alone DHCP, DNS and TFTP as the network offers them, ICMP echo,
//     neighbour discovery, and reports of multicast groups.
//  8. publish leads what goes to a port of the host to a guest, port by port; see publish.
//  9. clamp limits what TCP connections offer at their beginning, into and out of the network.
//  10. But for published ports, no rule matches a packet that neither enters nor leaves by a bridge
//     of ours.
func Lower(p *ir.Program, list []Statement) {
	l := newLowering(p)
	for i := range list {
		l.statement(&list[i])
	}
	l.finish()
}

// lowering gathers the rules of all statements by the place at which they are met.
type lowering struct {
	*ir.Program
	nets        []*network
	ours        ir.Match // in by a bridge of ours
	oursOut     ir.Match // out by one
	replies     rules    // of POX
	between     rules    // the rest of POX
	refusals    rules    // of what comes from outside, in POX behind what is between networks
	outReplies  rules    // of POO
	outward     rules    // the rest of POO
	inward      rules    // POI
	toHost      rules    // POH, behind the exceptions
	fromHost    rules    // POG, likewise
	segments    rules    // MSS
	pre         rules    // PRE
	loc         rules    // LOC
	hairpins    rules    // at the head of PRT: the sources of what goes to published ports
	untranslate rules    // behind these
}

// rules is a list without the same rule twice.
type rules struct {
	list []ir.Rule
	has  map[string]bool
}

func (r *rules) add(one ir.Rule) {
	key := one.String()
	if r.has[key] {
		return
	}
	if r.has == nil {
		r.has = make(map[string]bool)
	}
	r.has[key] = true
	r.list = append(r.list, one)
}

// network is one network of ours.
type network struct {
	link    *ir.Link
	in, out ir.Match
	enters  rules // what its FWI lets go on to POI
	exits   rules // what its FWX lets go on to POO, where that confines its guests
	// Set where a deny is about what guests send to the host, or the host to guests.
	deniesToHost, deniesFromHost ir.Family
	origin                       [2]ir.Origin // of the first such statement
}

func newLowering(p *ir.Program) *lowering {
	l := &lowering{Program: p}
	in, out := &ir.Set{Family: ir.Both, Name: "bridges"}, &ir.Set{Family: ir.Both, Name: "bridges_out"}
	for _, link := range p.Links {
		if !link.Mode.Managed() {
			continue
		}
		n := &network{link: link, in: ir.IIfName{Name: link.Bridge.Name}, out: ir.OIfName{Name: link.Bridge.Name}}
		l.nets = append(l.nets, n)
		in.Elements = append(in.Elements, []ir.Match{n.in})
		out.Elements = append(out.Elements, []ir.Match{n.out})
	}
	if len(l.nets) == 1 {
		l.ours, l.oursOut = l.nets[0].in, l.nets[0].out
	} else {
		l.ours, l.oursOut = ir.Lookup{Set: in}, ir.Lookup{Set: out}
	}
	return l
}

// subnets returns the network's own prefixes of the family.
func (n *network) subnets(f ir.Family) (all []netip.Prefix) {
	for _, a := range n.link.Addresses {
		if familyOf(a.Prefix.Addr()) == f {
			all = append(all, a.Prefix.Masked())
		}
	}
	return all
}

// statement adds the rules of one.
func (l *lowering) statement(s *Statement) {
	switch s.Kind {
	case Publish:
		l.publish(s)
		return
	case Clamp:
		l.clamp(s)
		return
	case Allow, Deny:
	default:
		return
	}
	for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
		if s.Family&f == 0 {
			continue
		}
		for _, from := range l.ends(s.From) {
			for _, to := range l.targets(from, s.To) {
				if c, ok := l.crossing(s, f, from, to); ok {
					c.lower()
				}
			}
		}
	}
}

// end is an end of connections as rules see it. Of kind Network without a network it is any of
// ours.
type end struct {
	kind EndKind
	net  *network
}

// ends returns what e stands for, network by network.
func (l *lowering) ends(e End) (all []end) {
	if e.Kind != Network && e.Kind != Anywhere {
		return []end{{kind: e.Kind}}
	}
	for _, n := range l.nets {
		if e.Kind == Anywhere || n.link.Name == e.Name {
			all = append(all, end{Network, n})
		}
	}
	if e.Kind == Anywhere {
		all = append(all, end{kind: Host}, end{kind: Outside})
	}
	return all
}

// targets returns what e stands for as the other end of from. From a network any network of ours is
// one target: to name each would take a rule for each pair.
func (l *lowering) targets(from end, e End) (all []end) {
	for _, to := range l.ends(e) {
		switch {
		case from.kind != Network && to.kind != Network: // meets no rule of networks
		case from.kind == Network && to.kind == Network && e.Kind == Anywhere:
			if len(all) == 0 {
				all = append(all, end{kind: Network})
			}
		default:
			all = append(all, to)
		}
	}
	return all
}
