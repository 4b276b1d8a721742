package iptables

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// own reads an option of iptables itself. value is what getopt(3) takes for it; given is false if
// an option that may have one has none.
func (s *ruleReader) own(letter byte, value string, given bool) error {
	switch letter {
	case 'A', 'C', 'D', 'R', 'I', 'N', 'E', 'P', 'L', 'S', 'F', 'Z', 'X':
		return s.commandOption(letter, value, given)
	case 'm':
		return s.match(value)
	case '4', '6':
		s.skip = (letter == '4') != (s.family == ir.IPv4)
		return nil
	case 'M': // which program loads modules
		return nil
	case 'v':
		s.given |= bit('v')
		return nil
	case 'h', 'V':
		return fmt.Errorf("option -%c, behind which iptables-restore reads nothing and leaves what it read", letter)
	case 't', 'w', 'W':
		return fmt.Errorf("option -%c, which iptables-restore does not take", letter)
	}
	if s.given.has(letter) || s.given.has('j') && letter == 'g' || s.given.has('g') && letter == 'j' {
		return fmt.Errorf("option -%c appears twice", letter)
	}
	s.given |= bit(letter)
	if s.not {
		s.nots |= bit(letter)
	}
	switch letter {
	case 's', 'd', 'p', 'i', 'o':
		return s.basic(letter, s.tokens[s.next-1].text)
	case 'f':
		return s.fragment()
	case 'n', 'x', 'l':
		return nil
	case 'j', 'g':
		return s.leads(letter == 'g', s.tokens[s.next-1].text)
	case 'c':
		return s.counters(value)
	}
	panic("iptables: unknown option " + string(letter))
}

// basic reads one of the options that may be negated. iptables takes the word that it read last, so
// -ieth0 names the interface "-ieth0".
func (s *ruleReader) basic(letter byte, word string) error {
	switch letter {
	case 's', 'd':
		return s.addrs(word, letter == 's')
	case 'p':
		return s.protocolOption(word)
	}
	return s.interfaceName(word, letter == 'i')
}

// fragment reads -f.
func (s *ruleReader) fragment() error {
	if s.family == ir.IPv6 {
		return fmt.Errorf("option -f is of IPv4; IPv6 has -m frag")
	}
	s.one(ir.Field{Key: ir.KeyFragment, Mask: 0x1fff, Not: !s.not}) // those that are not the first
	return nil
}

// addrs reads the addresses of -s or -d.
func (s *ruleReader) addrs(text string, source bool) error {
	var list []ir.Match
	for {
		if text != "" && text[0] <= ' ' {
			text = strings.TrimLeft(text, space)
		}
		word, rest, more := strings.Cut(text, ",")
		m, err := s.address(word, source)
		if err != nil {
			return err
		}
		if !more && list == nil {
			if m != nil {
				s.one(m)
			}
			return nil
		}
		if list = append(list, m); len(list) > maxExpansion {
			return fmt.Errorf("a list of more than %d addresses", maxExpansion)
		}
		if text = rest; !more {
			break
		}
	}
	if source {
		s.sources, s.source = list, len(s.matches)
	} else {
		s.dests, s.dest = list, len(s.matches)
	}
	s.one(nil)
	return nil
}

// address reads one address with a prefix length, a mask, or neither; nil is any address. Names of
// hosts, and masks with holes, are kept as text.
func (s *ruleReader) address(text string, source bool) (ir.Match, error) {
	prefix, err := parseNet(text, s.family)
	switch {
	case err != nil:
		return nil, err
	case !prefix.IsValid() || prefix.Bits() == 0 && s.not: // one kind of iptables takes the negated whole for nothing
		option := "-d "
		if source {
			option = "-s "
		}
		if s.not {
			option = "! " + option
		}
		return ir.Opaque{Text: option + text}, nil
	case prefix.Bits() == 0:
		return nil, nil
	case source:
		return same(&s.recent.src, ir.SAddr{Prefix: prefix, Not: s.not}), nil
	}
	return same(&s.recent.dst, ir.DAddr{Prefix: prefix, Not: s.not}), nil
}

// parseNet reads an address and a mask or prefix length. The prefix is not valid for what is right,
// but is none: a host's name or a mask with holes.
func parseNet(text string, f ir.Family) (netip.Prefix, error) {
	host, mask, bits := text, "", bitLen(f)
	if i := strings.LastIndexByte(text, '/'); i >= 0 {
		host, mask = text[:i], text[i+1:]
		var ok bool
		if bits, ok = parseMask(mask, f); !ok {
			return netip.Prefix{}, fmt.Errorf("%q is not a mask, and no prefix length up to %d", mask, bitLen(f))
		}
	}
	if bits == 0 && host != "" { // whatever stands before
		return netip.PrefixFrom(zeroOf(f), 0), nil
	}
	addr, ok := parseHost(host, f)
	switch {
	case !ok:
		return netip.Prefix{}, fmt.Errorf("%q is not an address of family %s", host, f)
	case !addr.IsValid() || bits < 0:
		return netip.Prefix{}, nil
	}
	return netip.PrefixFrom(addr, bits).Masked(), nil
}

func bitLen(f ir.Family) int {
	if f == ir.IPv4 {
		return 32
	}
	return 128
}

func zeroOf(f ir.Family) netip.Addr {
	if f == ir.IPv4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// parseHost reads an address. It is not valid for a word that may be the name of a host.
func parseHost(text string, f ir.Family) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err == nil && addr.Zone() == "" && familyOf(addr) == f:
		return addr, true
	case f == ir.IPv4 && text != "" && digit(text[0]) < 10 && strings.Trim(text, "0123456789abcdefABCDEFxX.") == "":
		return parseParts(text)
	}
	last := text[strings.LastIndexByte(text, '.')+1:]
	return netip.Addr{}, isHostName(text) && strings.Trim(last, "0123456789") != ""
}

// parseParts reads an address of up to four numbers, decimal, octal or hexadecimal. Of less than
// four the last stands for the rest if it is alone; else bytes that are missing are 0.
func parseParts(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if n, ok := parseUint(text, math.MaxUint32); ok && len(parts) == 1 && n > math.MaxUint8 {
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), true
	}
	var a [4]byte
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	for i, p := range parts {
		n, ok := parseUint(p, math.MaxUint8)
		if !ok {
			return netip.Addr{}, false
		}
		a[i] = byte(n)
	}
	return netip.AddrFrom4(a), true
}

// isHostName is true if text may be the name of a host.
func isHostName(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !isBare(c) && c != '.' {
			return false
		}
	}
	return text != "" && text[0] != '.' && text[0] != '-'
}

// parseMask reads a prefix length or a mask, -1 for one with holes.
func parseMask(text string, f ir.Family) (bits int, ok bool) {
	size := bitLen(f)
	if n, ok := parseUint(text, uint64(size)); ok {
		return int(n), true
	}
	mask, err := netip.ParseAddr(text)
	if err != nil || mask.BitLen() != size || mask.Zone() != "" {
		return 0, false
	}
	for bits < size && mask.AsSlice()[bits/8]>>(7-bits%8)&1 == 1 {
		bits++
	}
	if p := netip.PrefixFrom(mask, bits).Masked(); p.Addr() != mask {
		return -1, true
	}
	return bits, true
}

// interfaceName reads -i or -o.
func (s *ruleReader) interfaceName(name string, in bool) error {
	switch {
	case name == "":
		return fmt.Errorf("an interface without a name")
	case len(name) > maxInterfaceName:
		return fmt.Errorf("interface name %q is longer than %d bytes", name, maxInterfaceName)
	}
	stem, wildcard := strings.CutSuffix(name, "+")
	switch {
	case stem == "" && s.not && in: // one kind of iptables takes it for any interface, the other for none
		s.one(ir.Opaque{Text: "! -i +"})
	case stem == "" && s.not:
		s.one(ir.Opaque{Text: "! -o +"})
	case stem == "":
	case in:
		s.one(same(&s.recent.in, ir.IIfName{Name: stem, Wildcard: wildcard, Not: s.not}))
	default:
		s.one(same(&s.recent.out, ir.OIfName{Name: stem, Wildcard: wildcard, Not: s.not}))
	}
	return nil
}

// protocolOption reads -p.
func (s *ruleReader) protocolOption(name string) error {
	name = strings.ToLower(name)
	number, ok := parseProtocol(name)
	switch {
	case !ok:
		return fmt.Errorf("%q is not a protocol; its number works on every host", name)
	case number == 0 && s.not:
		return fmt.Errorf("a rule for no protocol at all")
	}
	s.protocol, s.number, s.protocolNot = name, number, s.not
	if number != 0 {
		s.one(same(&s.recent.protocol, ir.L4Proto{Proto: number, Not: s.not}))
	}
	return nil
}

// counters reads -c packets bytes, or packets,bytes.
func (s *ruleReader) counters(packets string) error {
	packets, bytes, two := strings.Cut(packets, ",")
	if !two {
		if !s.hasMore() {
			return fmt.Errorf("option -c needs two counters")
		}
		bytes = s.tokens[s.next].text
		s.next++
	}
	for _, n := range [...]string{packets, bytes} {
		if n == "" || n[0] < '0' || n[0] > '9' {
			return fmt.Errorf("%q is not a counter", n)
		}
	}
	return nil
}
