package prove

import (
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// node is a set of packets, as a function of the variables of a space.
type node = bdd.Node

const (
	never  = bdd.Never  // no packet
	always = bdd.Always // every packet
)

// field is a run of variables that hold one property of a packet, the most significant bit first.
type field struct{ first, bits int }

// space is the set of all packets of one family, as far as the rules of some programs distinguish
// them. Interfaces are numbered atoms: every name that occurs, one stand-in for the other names
// that each wildcard covers, one for any other name, and 0 for no interface.
type space struct {
	*bdd.Manager
	family ir.Family

	iif, oif, saddr, daddr, proto, sport, dport, icmpType, icmpCode, state, status, mark, flags field

	keys  [ir.Keys]field // what few packets say; behind all other fields
	usual node           // what packets say of them anyhow

	names    []string       // by atom
	atoms    map[string]int // by name
	prefixes []string       // of the wildcards, sorted
	exact    int            // atoms from 1 to here are names that occur; those behind are stand-ins
	valid    node           // what is a packet at all
	ports    node           // packets that have ports
	known    map[ir.Match]node
	sets     map[setAt]node
	ends     []end // by number
	numbers  map[end]endNumber

	free    int             // the first of the variables that are no field's
	opaque  map[string]int  // variable of each opaque match, by its text and its place among equal ones
	unknown map[int]ir.Step // the rule behind each of these variables
	width   int             // number of variables
}

// order is the order of a space's variables. It changes no answer; the size of a set can depend on
// it by a factor of the number of networks.
type order bool

const (
	// byField has both interfaces first and both addresses last, which keeps what a chain does
	// small.
	byField order = false
	// byEnd has each interface with its address: what a network lets out depends on the one pair,
	// what it lets in on the other, so that what gets through all chains is shared by the networks
	// it comes from.
	byEnd order = true
)

// newSpace returns the space in which the programs' rules for family can be distinguished.
func newSpace(family ir.Family, programs ...*ir.Program) *space {
	return newOrderedSpace(byField, family, programs...)
}

func newOrderedSpace(o order, family ir.Family, programs ...*ir.Program) *space {
	return newSpaceIn(bdd.New(), o, family, programs...)
}

// newSpaceIn is newOrderedSpace with its functions in b.
func newSpaceIn(b *bdd.Manager, o order, family ir.Family, programs ...*ir.Program) *space {
	s := &space{
		Manager: b, family: family, known: make(map[ir.Match]node), sets: make(map[setAt]node),
		numbers: make(map[end]endNumber),
		atoms:   make(map[string]int), opaque: make(map[string]int), unknown: make(map[int]ir.Step),
	}
	s.nameAtoms(programs)
	atomBits := 1
	for 1<<atomBits < len(s.names) {
		atomBits++
	}
	addrBits := 32
	if family == ir.IPv6 {
		addrBits = 128
	}
	take := func(bits int) field {
		f := field{s.width, bits}
		s.width += bits
		return f
	}
	if o == byEnd {
		s.iif, s.saddr = take(atomBits), take(addrBits)
		s.oif, s.daddr = take(atomBits), take(addrBits)
	} else {
		s.iif, s.oif = take(atomBits), take(atomBits)
	}
	s.state, s.status = take(3), take(2)
	s.proto = take(8)
	if o == byField {
		s.saddr, s.daddr = take(addrBits), take(addrBits)
	}
	s.sport, s.dport = take(16), take(16)
	s.icmpType, s.icmpCode = take(8), take(8)
	s.mark = take(32)
	s.flags = take(8)
	for k := range ir.Keys {
		s.keys[k] = take(k.Bits())
	}
	s.free = s.width
	s.valid = s.And(s.And(s.below(s.iif, len(s.names)), s.below(s.oif, len(s.names))), s.below(s.state, len(states)))
	s.valid = s.And(s.valid, s.masked(s.keys[ir.KeyFragment], 0, ir.Whole))
	s.usual = s.usually()
	for proto := range 256 {
		if ir.HasPorts(uint8(proto)) {
			s.ports = s.Or(s.ports, s.value(s.proto, uint64(proto)))
		}
	}
	return s
}

// states numbers the connection states as the state field holds them.
var states = [...]ir.State{ir.StateNew, ir.StateEstablished, ir.StateRelated, ir.StateInvalid, ir.StateUntracked}

// nameAtoms collects the interface names of the programs' rules.
func (s *space) nameAtoms(programs []*ir.Program) {
	exact, prefixes := make(map[string]bool), make(map[string]bool)
	note := func(name string, wildcard bool) {
		if wildcard {
			prefixes[name] = true
		} else {
			exact[name] = true
		}
	}
	for _, p := range programs {
		for _, l := range p.Links {
			note(l.Bridge.Name, false)
		}
		for _, set := range p.Sets {
			for _, element := range set.Elements {
				for _, m := range element {
					noteName(m, note)
				}
			}
		}
		for _, c := range p.Chains {
			for i := range c.Rules {
				for _, m := range c.Rules[i].Matches {
					noteName(m, note)
				}
			}
		}
	}
	delete(exact, "")
	s.names = append([]string{""}, sorted(exact)...)
	s.exact = len(s.names) - 1
	s.prefixes = sorted(prefixes)
	for _, prefix := range s.prefixes {
		s.names = append(s.names, s.standIn(prefix, exact, prefix+"0"))
	}
	s.names = append(s.names, s.standIn("", exact, "other0"))
	for atom, name := range s.names {
		s.atoms[name] = atom
	}
}

// noteName calls note with the interface name that m matches, if it matches one.
func noteName(m ir.Match, note func(name string, wildcard bool)) {
	switch m := m.(type) {
	case ir.IIfName:
		note(m.Name, m.Wildcard)
	case ir.OIfName:
		note(m.Name, m.Wildcard)
	}
}

func sorted(set map[string]bool) []string {
	var list []string
	for name := range set {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// standIn returns a name that begins with prefix, is none of taken, and is covered by no wildcard
// that does not cover prefix itself: usual, if it will do.
func (s *space) standIn(prefix string, taken map[string]bool, usual string) string {
	free := func(name string) bool {
		return !taken[name] && !slices.ContainsFunc(s.prefixes, func(p string) bool {
			return strings.HasPrefix(name, p) && !strings.HasPrefix(prefix, p)
		})
	}
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if free(usual) {
		return usual
	}
	for _, a := range letters {
		for _, b := range letters {
			for _, name := range []string{prefix + string(a), prefix + string(a) + string(b)} {
				if free(name) {
					return name
				}
			}
		}
	}
	return usual // wildcards leave no name of letters
}

// named returns the packets whose interface field f is name, or that no rule distinguishes from it.
func (s *space) named(f field, name string) node {
	if atom := s.atoms[name]; atom > 0 && atom <= s.exact {
		return s.value(f, uint64(atom))
	}
	for atom := s.exact + 1; atom < len(s.names); atom++ {
		alike := !slices.ContainsFunc(s.prefixes, func(p string) bool {
			return strings.HasPrefix(name, p) != strings.HasPrefix(s.names[atom], p)
		})
		if alike {
			return s.value(f, uint64(atom))
		}
	}
	return never
}

// value returns the packets whose field f is v.
func (s *space) value(f field, v uint64) node {
	set := always
	for i := f.bits - 1; i >= 0; i-- {
		set = s.bit(f.first+i, v>>(f.bits-1-i)&1 == 1, set)
	}
	return set
}

// bit returns the packets of rest whose variable v is as wanted; rest depends on later variables
// only.
func (s *space) bit(v int, want bool, rest node) node {
	if want {
		return s.Vertex(uint16(v), never, rest)
	}
	return s.Vertex(uint16(v), rest, never)
}

// below returns the packets whose field f is less than n.
func (s *space) below(f field, n int) node {
	if n >= 1<<f.bits {
		return always
	}
	return s.between(f, 0, uint64(n-1))
}

// between returns the packets whose field f is from, to or between.
func (s *space) between(f field, from, to uint64) node {
	lo, hi := make([]byte, f.bits), make([]byte, f.bits)
	for i := range f.bits {
		lo[i], hi[i] = byte(from>>(f.bits-1-i)&1), byte(to>>(f.bits-1-i)&1)
	}
	return s.And(s.bound(f, lo, true), s.bound(f, hi, false))
}

// bound returns the packets whose field f is at least (or at most) limit, given bit by bit.
func (s *space) bound(f field, limit []byte, least bool) node {
	set := always
	for i := f.bits - 1; i >= 0; i-- {
		v := uint16(f.first + i)
		switch {
		case least && limit[i] == 1:
			set = s.Vertex(v, never, set)
		case least:
			set = s.Vertex(v, set, always)
		case limit[i] == 1:
			set = s.Vertex(v, always, set)
		default:
			set = s.Vertex(v, set, never)
		}
	}
	return set
}

// prefix returns the packets whose address field f is in p, none if p is of another family.
func (s *space) prefix(f field, p netip.Prefix) node {
	raw := p.Addr().AsSlice()
	if len(raw)*8 != f.bits {
		return never
	}
	set := always
	for i := p.Bits() - 1; i >= 0; i-- {
		set = s.bit(f.first+i, raw[i/8]>>(7-i%8)&1 == 1, set)
	}
	return set
}

// addrs returns the packets whose address field f is from, to or between; none for another family.
func (s *space) addrs(f field, from, to netip.Addr) node {
	lo, hi := from.AsSlice(), to.AsSlice()
	if len(lo)*8 != f.bits {
		return never
	}
	return s.And(s.bound(f, bitsOf(lo), true), s.bound(f, bitsOf(hi), false))
}

func bitsOf(raw []byte) []byte {
	out := make([]byte, 8*len(raw))
	for i := range out {
		out[i] = raw[i/8] >> (7 - i%8) & 1
	}
	return out
}

// iface returns the packets whose interface field f has the name, or a name that begins with it.
func (s *space) iface(f field, name string, wildcard bool) node {
	if !wildcard {
		return s.value(f, uint64(s.atoms[name]))
	}
	var sets []node
	for atom, n := range s.names {
		if strings.HasPrefix(n, name) {
			sets = append(sets, s.value(f, uint64(atom)))
		}
	}
	return s.Union(sets)
}
