package prove

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// pick returns one packet of set, which must not be empty: the most ordinary one, a new TCP
// connection between usual ports if the set has it, so that people recognise what they see.
func (s *space) pick(set node) ir.Packet {
	prefer := func(f field, values ...uint64) {
		for _, v := range values {
			if some := s.And(set, s.value(f, v)); some != never {
				set = some
				return
			}
		}
	}
	if s.larger(set, maxPicked) {
		set = s.onePair(set)
	}
	prefer(s.mark, 0)
	prefer(s.state, 0)
	prefer(s.status, 0)
	prefer(s.proto, ir.TCP, ir.UDP, ir.ICMP, ir.ICMPv6)
	prefer(s.dport, 443, 53, 80)
	prefer(s.sport, 40000)
	prefer(s.flags, uint64(ir.FlagSYN), uint64(ir.FlagACK))
	prefer(s.icmpType, 8, 128)
	prefer(s.icmpCode, 0)
	if some := s.And(set, s.usual); some != never {
		set = some
	}
	said := s.dependsOn(set)
	set = s.preferAddr(set, s.saddr, 5)
	set = s.preferAddr(set, s.daddr, 7)
	read := s.assignment(set)
	p := ir.Packet{
		Family: s.family, In: s.names[read(s.iif)], Out: s.names[read(s.oif)], Proto: uint8(read(s.proto)),
		State: states[read(s.state)], Mark: uint32(read(s.mark)),
		Src: s.readAddr(read, s.saddr), Dst: s.readAddr(read, s.daddr),
	}
	for i := range s.status.bits {
		if p.State&ir.Tracked != 0 && read(field{s.status.first + i, 1}) == 1 {
			p.Status |= 1 << i
		}
	}
	if flags := ir.Flags(read(s.flags)); p.Proto == ir.TCP && flags != p.TCPFlags() {
		p.Flags, p.HasFlags = flags, true
	}
	switch {
	case ir.HasPorts(p.Proto):
		p.SPort, p.DPort = uint16(read(s.sport)), uint16(read(s.dport))
	case p.Proto == ir.ICMP || p.Proto == ir.ICMPv6:
		p.ICMPType, p.ICMPCode = uint8(read(s.icmpType)), uint8(read(s.icmpCode))
	}
	for _, k := range said {
		value, known := p.Value(k)
		if want := read(s.keys[k]); p.Has(k) && (!known || value != want) {
			p = p.With(k, want)
		}
	}
	return p
}

// maxPicked is how many vertices a set may have of which the most ordinary packet is looked for.
const maxPicked = 20_000

// larger is true if set has more than so many vertices.
func (s *space) larger(set node, than int) bool {
	seen := make(map[node]bool)
	var look func(n node) bool
	look = func(n node) bool {
		if n <= always || seen[n] {
			return false
		}
		seen[n] = true
		lo, hi := s.Halves(n)
		return len(seen) > than || look(lo) || look(hi)
	}
	return look(set)
}

// onePair returns the packets of set that have one source and one destination that some have.
func (s *space) onePair(set node) node {
	for _, f := range []field{s.saddr, s.daddr} {
		if some := s.And(set, s.prefix(f, s.documented())); some != never {
			set = some
		}
	}
	read := s.assignment(set)
	for _, f := range []field{s.saddr, s.daddr} {
		a := s.readAddr(read, f)
		set = s.And(set, s.prefix(f, netip.PrefixFrom(a, a.BitLen())))
	}
	return set
}

// documented returns addresses of documentation (RFC 5737, RFC 3849).
func (s *space) documented() netip.Prefix {
	if s.family == ir.IPv6 {
		return netip.MustParsePrefix("2001:db8::/32")
	}
	return netip.MustParsePrefix("198.51.100.0/24")
}

// dependsOn returns the keys of which packets in set must say the value.
func (s *space) dependsOn(set node) (keys []ir.Key) {
	for k := range ir.Keys {
		f := s.keys[k]
		free := s.Diff(s.usual, s.And(set, s.usual)) // of a packet with other values it is not in the set
		if other := s.And(s.Without(set, s.cube(f)), free); other != never {
			keys = append(keys, k)
		}
	}
	return keys
}

// preferAddr narrows set to packets whose address field ends in the byte last, or begins as
// documentation addresses do, where it has any.
func (s *space) preferAddr(set node, f field, last byte) node {
	if some := s.And(set, s.prefix(f, s.documented())); some != never {
		set = some
	}
	tail := field{f.first + f.bits - 8, 8}
	if s.family == ir.IPv6 { // few ones elsewhere in the host part
		if some := s.And(set, s.value(field{f.first + 64, 56}, 0)); some != never {
			set = some
		}
	}
	if some := s.And(set, s.value(tail, uint64(last))); some != never {
		set = some
	}
	return set
}

// assignment finds one path through set to a packet and returns a reader of fields up to 64 bits;
// what the path leaves open is 0.
func (s *space) assignment(set node) func(field) uint64 {
	one := make(map[int]bool)
	for set > always {
		lo, hi := s.Halves(set)
		if lo != never {
			set = lo
			continue
		}
		one[int(s.Level(set))] = true
		set = hi
	}
	return func(f field) uint64 {
		var value uint64
		for i := range f.bits {
			value <<= 1
			if one[f.first+i] {
				value |= 1
			}
		}
		return value
	}
}

func (s *space) readAddr(read func(field) uint64, f field) netip.Addr {
	raw := make([]byte, f.bits/8)
	for i := range raw {
		raw[i] = byte(read(field{f.first + 8*i, 8}))
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}
