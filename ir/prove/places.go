package prove

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// places says which packets come from and go to which endpoint.
type places struct {
	space   *space
	links   []*ir.Link // of managed networks
	inside  [2]edge    // packets by their source, and by their destination
	special [2]node    // those whose address is no host's
	known   map[interfaces][]Endpoint
}

// interfaces is some interfaces at one end.
type interfaces struct {
	set node
	end int
}

// edge is the networks' side of one end: interfaces and addresses.
type edge struct {
	bridges, subnets node
}

const (
	source = iota
	dest
)

func newPlaces(s *space, links []*ir.Link) *places {
	a := &places{space: s, known: make(map[interfaces][]Endpoint)}
	for _, l := range links {
		if l.Mode.Managed() {
			a.links = append(a.links, l)
		}
	}
	for end := range a.inside {
		var bridges, subnets []node
		for _, l := range a.links {
			bridges = append(bridges, s.iface(a.iface(end), l.Bridge.Name, false))
			for _, addr := range l.Addresses {
				subnets = append(subnets, s.prefix(a.addr(end), addr.Prefix))
			}
		}
		a.inside[end] = edge{s.Union(bridges), s.Union(subnets)}
		a.special[end] = special(s, a.addr(end))
	}
	return a
}

func (a *places) iface(end int) field { return []field{a.space.iif, a.space.oif}[end] }
func (a *places) addr(end int) field  { return []field{a.space.saddr, a.space.daddr}[end] }

// from returns the packets that begin at p, to those that end there.
func (a *places) from(p Endpoint) node { return a.at(p, source) }
func (a *places) to(p Endpoint) node   { return a.at(p, dest) }

func (a *places) at(p Endpoint, end int) node {
	switch p.Kind {
	case Outside:
		return a.space.Diff(a.by(p, end), a.space.Or(a.inside[end].subnets, a.special[end]))
	case Network:
		for _, l := range a.links {
			if l.Name == p.Name {
				return a.space.And(a.by(p, end), a.addresses(l, end))
			}
		}
	}
	return a.by(p, end)
}

// by returns the packets that come or go by an interface of p, whatever their addresses.
func (a *places) by(p Endpoint, end int) node {
	s := a.space
	switch p.Kind {
	case Host:
		return s.value(a.iface(end), 0)
	case Outside:
		return s.Not(s.Union([]node{a.inside[end].bridges, s.value(a.iface(end), 0), a.loopback(end)}))
	}
	for _, l := range a.links {
		if l.Name == p.Name {
			return s.iface(a.iface(end), l.Bridge.Name, false)
		}
	}
	return never
}

// loopback returns the packets that come or go by the loopback interface, none if no rule names it.
// It leads to the host itself: the kernel forwards nothing from there or to there.
func (a *places) loopback(end int) node {
	if atom, ok := a.space.atoms["lo"]; ok && atom <= a.space.exact {
		return a.space.value(a.iface(end), uint64(atom))
	}
	return never
}

// addresses returns the packets whose address at that end is of the network; any host's address
// where the network has none in this family.
func (a *places) addresses(l *ir.Link, end int) node {
	var sets []node
	for _, addr := range l.Addresses {
		sets = append(sets, a.space.prefix(a.addr(end), addr.Prefix))
	}
	if set := a.space.Union(sets); set != never {
		return set
	}
	return a.space.Not(a.special[end])
}

// has is true if network p has a subnet of the family.
func (a *places) has(p Endpoint, family ir.Family) bool {
	for _, l := range a.links {
		for _, addr := range l.Addresses {
			if l.Name == p.Name && addr.Prefix.Addr().Is4() == (family == ir.IPv4) {
				return true
			}
		}
	}
	return false
}

// occurring returns the endpoints at that end of packets in set, by interface. The list is for
// reading: it is the same one for other packets that have them.
func (a *places) occurring(set node, end int) []Endpoint {
	at := interfaces{a.space.project(set, a.iface(end)), end}
	list, ok := a.known[at]
	if !ok {
		list = a.among(at.set, end)
		a.known[at] = list
	}
	return list
}

// among returns the endpoints that have an interface of present.
func (a *places) among(present node, end int) []Endpoint {
	s := a.space
	var list []Endpoint
	bridges := map[int]bool{0: true}
	if atom, ok := s.atoms["lo"]; ok && atom <= s.exact {
		bridges[atom] = true
	}
	for _, l := range a.links {
		if atom, ok := s.atoms[l.Bridge.Name]; ok && !bridges[atom] {
			bridges[atom] = true
			if s.has1(present, a.iface(end), atom) {
				list = append(list, Endpoint{Network, l.Name})
			}
		}
	}
	if s.has1(present, a.iface(end), 0) {
		list = append(list, Endpoint{Kind: Host})
	}
	for atom := range s.names {
		if !bridges[atom] && s.has1(present, a.iface(end), atom) {
			return append(list, Endpoint{Kind: Outside})
		}
	}
	return list
}

// special returns the packets whose address field holds what is no host's address outside:
// multicast, limited broadcast, unspecified, loopback and link-local addresses (RFC 6890).
func special(s *space, addr field) node {
	texts := []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"}
	if s.family == ir.IPv6 {
		texts = []string{"::/127", "fe80::/10", "ff00::/8"}
	}
	var sets []node
	for _, t := range texts {
		sets = append(sets, s.prefix(addr, netip.MustParsePrefix(t)))
	}
	return s.Union(sets)
}
