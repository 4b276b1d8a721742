package iptables

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// addrs reads the addresses of -s or -d.
func (s *ruleReader) addrs(t token, source bool) error {
	value, err := s.arg(t)
	if err != nil {
		return err
	}
	list := &s.dests
	if source {
		list = &s.sources
	}
	if len(*list) > 0 {
		return fmt.Errorf("option %s stands twice", t.text)
	}
	for value != "" || len(*list) == 0 {
		one, rest, _ := strings.Cut(value, ",")
		prefix, modelled, err := parsePrefix(one, s.family)
		if err != nil {
			return err
		}
		if !modelled {
			if rest != "" || len(*list) > 0 {
				return fmt.Errorf("a list of addresses with %q, which is not an address and a prefix length", one)
			}
			s.opaqueValue(t, value)
			return nil
		}
		if source {
			*list = append(*list, ir.SAddr{Prefix: prefix, Not: s.not})
		} else {
			*list = append(*list, ir.DAddr{Prefix: prefix, Not: s.not})
		}
		if len(*list) > maxExpansion {
			return fmt.Errorf("a list of more than %d addresses", maxExpansion)
		}
		value = rest
	}
	if s.not && len(*list) > 1 {
		return fmt.Errorf("a list of addresses can't be negated")
	}
	if m, all := (*list)[0], isAll((*list)[0]); len(*list) > 1 || !all || s.not {
		s.one(m)
	}
	return nil
}

// isAll is true for a prefix of length 0.
func isAll(m ir.Match) bool {
	switch m := m.(type) {
	case ir.SAddr:
		return m.Prefix.Bits() == 0
	case ir.DAddr:
		return m.Prefix.Bits() == 0
	}
	return false
}

// opaqueValue keeps a general option with a value that is not modelled.
func (s *ruleReader) opaqueValue(t token, value string) {
	text := t.text + " " + value
	if s.not {
		text = "! " + text
	}
	s.one(ir.Opaque{Text: text})
}

// parsePrefix reads an address with a prefix length, a mask, or neither. Host names and masks with holes are not modelled.
func parsePrefix(text string, f ir.Family) (p netip.Prefix, modelled bool, err error) {
	host, mask, masked := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if f == ir.IPv4 && strings.Trim(host, "0123456789.") != "" && isHostName(host) || f == ir.IPv6 && isHostName(host) && !isDigits(host) {
			return p, false, nil
		}
		return p, false, fmt.Errorf("%q is no address", host)
	}
	if addr.Zone() != "" || familyOf(addr) != f {
		return p, false, fmt.Errorf("%q is no address of family %s", host, f)
	}
	bits := addr.BitLen()
	if masked {
		if bits, modelled, err = parseMask(mask, addr.BitLen()); err != nil || !modelled {
			return p, false, err
		}
	}
	return netip.PrefixFrom(addr, bits).Masked(), true, nil
}

// isHostName is true if text may be the name of a host.
func isHostName(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !isBare(c) && c != '.' {
			return false
		}
	}
	return text != ""
}

// parseMask reads a prefix length or a mask.
func parseMask(text string, size int) (bits int, modelled bool, err error) {
	if isDigits(text) {
		n, ok := parseNumber(text, uint64(size))
		if !ok {
			return 0, false, fmt.Errorf("%q is no prefix length up to %d", text, size)
		}
		return int(n), true, nil
	}
	mask, err := netip.ParseAddr(text)
	if err != nil || mask.BitLen() != size {
		return 0, false, fmt.Errorf("%q is no mask", text)
	}
	for bits < size && mask.AsSlice()[bits/8]>>(7-bits%8)&1 == 1 {
		bits++
	}
	if p := netip.PrefixFrom(mask, bits).Masked(); p.Addr() != mask {
		return 0, false, nil
	}
	return bits, true, nil
}

// interfaceName reads -i or -o.
func (s *ruleReader) interfaceName(t token, in bool) error {
	name, err := s.arg(t)
	if err != nil {
		return err
	}
	if len(name) > maxInterfaceName {
		return fmt.Errorf("interface name %q is longer than %d bytes", name, maxInterfaceName)
	}
	name, wildcard := strings.CutSuffix(name, "+")
	if name == "" && !s.not {
		return nil
	}
	if in {
		s.one(ir.IIfName{Name: name, Wildcard: wildcard, Not: s.not})
	} else {
		s.one(ir.OIfName{Name: name, Wildcard: wildcard, Not: s.not})
	}
	return nil
}

// protocol reads -p.
func (s *ruleReader) protocol(t token) error {
	name, err := s.arg(t)
	if err != nil {
		return err
	}
	number, modelled := parseProtocol(name)
	switch {
	case !modelled && isDigits(name):
		return fmt.Errorf("%q is no protocol number up to 255", name)
	case !modelled:
		s.opaqueValue(t, name)
	case number == 0 && s.not:
		return fmt.Errorf("a rule for no protocol at all")
	case number != 0:
		s.one(ir.L4Proto{Proto: number, Not: s.not})
	}
	return nil
}

// parseProtocol reads a number, or a name of Debian's /etc/protocols or iptables' own. "all" is 0.
func parseProtocol(name string) (number uint8, ok bool) {
	if n, ok := parseNumber(name, 255); ok {
		return uint8(n), true
	}
	switch strings.ToLower(name) {
	case "all":
		return 0, true
	case "tcp":
		return ir.TCP, true
	case "udp":
		return ir.UDP, true
	case "icmp":
		return ir.ICMP, true
	case "ipv6-icmp", "icmpv6", "icmp6":
		return ir.ICMPv6, true
	case "mh", "ipv6-mh", "mobility-header":
		return 135, true
	}
	for _, p := range protocols {
		if p.name == strings.ToLower(name) {
			return p.number, true
		}
	}
	return 0, false
}

// protocols are names that iptables-save takes from /etc/protocols: IANA's list of protocol numbers.
var protocols = [...]struct {
	number uint8
	name   string
}{
	{2, "igmp"}, {4, "ipencap"}, {8, "egp"}, {9, "igp"}, {12, "pup"}, {20, "hmp"}, {22, "xns-idp"}, {27, "rdp"}, {29, "iso-tp4"},
	{33, "dccp"}, {36, "xtp"}, {37, "ddp"}, {38, "idpr-cmtp"}, {41, "ipv6"}, {43, "ipv6-route"}, {44, "ipv6-frag"}, {45, "idrp"},
	{46, "rsvp"}, {47, "gre"}, {50, "esp"}, {51, "ah"}, {57, "skip"}, {59, "ipv6-nonxt"}, {60, "ipv6-opts"}, {73, "rspf"},
	{81, "vmtp"}, {88, "eigrp"}, {89, "ospf"}, {93, "ax.25"}, {94, "ipip"}, {97, "etherip"}, {98, "encap"}, {103, "pim"},
	{108, "ipcomp"}, {112, "vrrp"}, {115, "l2tp"}, {124, "isis"}, {132, "sctp"}, {133, "fc"}, {136, "udplite"},
	{137, "mpls-in-ip"}, {138, "manet"}, {139, "hip"}, {140, "shim6"}, {141, "wesp"}, {142, "rohc"}, {143, "ethernet"},
}

// counters reads -c packets bytes.
func (s *ruleReader) counters(t token) error {
	for range 2 {
		n, err := s.arg(t)
		if err != nil {
			return err
		}
		if !isDigits(n) {
			return fmt.Errorf("%q is no counter", n)
		}
	}
	return nil
}
