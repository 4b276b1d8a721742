package iptables

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxExpansion is how many rules one line may stand for, through lists of addresses.
const maxExpansion = 1024

// ruleReader reads the options of one rule.
type ruleReader struct {
	*reader
	line string
	rest []token // what was not read yet

	not     bool   // a ! stood before the option
	module  string // the extension of the last -m; "" before the first
	sources []ir.Match
	dests   []ir.Match
	matches []ir.Match
	verdict ir.Verdict
	comment string
	skip    bool // skip is true for a rule that is only for the other family: -4, -6
}

// rules reads one line's rule, or rules if it has lists of addresses, and appends them.
func (r *reader) rules(into []ir.Rule, line string, tokens []token) ([]ir.Rule, error) {
	s := r.rule
	*s = ruleReader{
		reader: r, line: line, rest: tokens,
		sources: s.sources[:0], dests: s.dests[:0], matches: s.matches[:0],
	}
	for len(s.rest) > 0 {
		if err := s.option(); err != nil {
			return into, err
		}
	}
	if s.skip {
		return into, nil
	}
	if s.verdict == nil {
		s.verdict = ir.Counter{}
	}
	rule := ir.Rule{Family: r.family, Verdict: s.verdict, Comment: s.comment, Origin: r.origin(line)}
	if len(s.sources) <= 1 && len(s.dests) <= 1 {
		rule.Matches = r.keep(s.matches)
		return append(into, rule), nil
	}
	return r.expand(into, rule)
}

// keep returns a copy of matches that nothing else writes to.
func (r *reader) keep(matches []ir.Match) []ir.Match {
	if len(matches) == 0 {
		return nil
	}
	if cap(r.arena)-len(r.arena) < len(matches) {
		r.arena = make([]ir.Match, 0, max(1024, len(matches)))
	}
	from := len(r.arena)
	r.arena = append(r.arena, matches...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// expand appends a rule for each pair of addresses, as iptables makes them.
func (r *reader) expand(into []ir.Rule, rule ir.Rule) ([]ir.Rule, error) {
	s := r.rule
	if max(1, len(s.sources))*max(1, len(s.dests)) > maxExpansion {
		return into, fmt.Errorf("lists of addresses that stand for more than %d rules", maxExpansion)
	}
	for i := range max(1, len(s.sources)) {
		for j := range max(1, len(s.dests)) {
			for k, m := range s.matches {
				switch m.(type) {
				case ir.SAddr:
					s.matches[k] = s.sources[i]
				case ir.DAddr:
					s.matches[k] = s.dests[j]
				}
			}
			rule.Matches = r.keep(s.matches)
			into = append(into, rule)
		}
	}
	return into, nil
}

// option reads one option with its values.
func (s *ruleReader) option() error {
	t := s.rest[0]
	if t.is("!") {
		if s.not {
			return fmt.Errorf("two ! in a row")
		}
		s.not, s.rest = true, s.rest[1:]
		if len(s.rest) == 0 {
			return fmt.Errorf("a ! with no option behind it")
		}
		return nil
	}
	s.rest = s.rest[1:]
	err := s.read(t)
	s.not = false
	return err
}

// read reads the values of option t.
func (s *ruleReader) read(t token) error {
	if t.quoted || len(t.text) < 2 || t.text[0] != '-' {
		return fmt.Errorf("%q is no option", t.text)
	}
	switch t.text {
	case "-s", "--source", "--src":
		return s.addrs(t, true)
	case "-d", "--destination", "--dst":
		return s.addrs(t, false)
	case "-i", "--in-interface":
		return s.interfaceName(t, true)
	case "-o", "--out-interface":
		return s.interfaceName(t, false)
	case "-p", "--protocol", "--proto":
		return s.protocol(t)
	case "-m", "--match":
		return s.extension(t)
	case "-j", "--jump":
		return s.target(t, false)
	case "-g", "--goto":
		return s.target(t, true)
	case "-f", "--fragment":
		s.opaque(t)
		return nil
	case "-c", "--set-counters":
		return s.counters(t)
	case "-4", "--ipv4":
		s.skip = s.skip || s.family != ir.IPv4
		return nil
	case "-6", "--ipv6":
		s.skip = s.skip || s.family != ir.IPv6
		return nil
	}
	if len(t.text) < 3 || t.text[1] != '-' {
		return fmt.Errorf("option %s is not understood", t.text)
	}
	return s.extensionOption(t)
}

// general is true for the options that belong to no extension: one of them ends an extension's or a target's own options.
func (t token) general() bool {
	if !t.isOption() {
		return false
	}
	switch t.text {
	case "-s", "--source", "--src", "-d", "--destination", "--dst", "-i", "--in-interface", "-o", "--out-interface",
		"-p", "--protocol", "--proto", "-m", "--match", "-j", "--jump", "-g", "--goto", "-f", "--fragment", "-c", "--set-counters",
		"-4", "--ipv4", "-6", "--ipv6":
		return true
	}
	return false
}

// arg takes the value of option t; a ! before it negates, as old iptables had it.
func (s *ruleReader) arg(t token) (string, error) {
	if len(s.rest) > 1 && s.rest[0].is("!") {
		if s.not {
			return "", fmt.Errorf("option %s is negated twice", t.text)
		}
		s.not, s.rest = true, s.rest[1:]
	}
	if len(s.rest) == 0 {
		return "", fmt.Errorf("option %s needs a value", t.text)
	}
	a := s.rest[0].text
	s.rest = s.rest[1:]
	return a, nil
}

// one keeps a match.
func (s *ruleReader) one(m ir.Match) { s.matches = append(s.matches, m) }

// until returns how many of the words to come belong to an extension or target: all before the next general option, and
// the ! before that.
func (s *ruleReader) until() int {
	for i, t := range s.rest {
		if t.general() {
			if i > 0 && s.rest[i-1].is("!") {
				return i - 1
			}
			return i
		}
	}
	return len(s.rest)
}

// take takes n words, and returns the text of the line from word t to the last of them.
func (s *ruleReader) take(t token, n int) string {
	end := t.to
	if n > 0 {
		end = s.rest[n-1].to
	}
	s.rest = s.rest[n:]
	return s.line[t.from:end]
}

// opaque keeps option t, and the values that follow it, as they are written.
func (s *ruleReader) opaque(t token) {
	n := 0
	for n < len(s.rest) && !s.rest[n].isOption() && !s.rest[n].is("!") {
		n++
	}
	s.opaqueText(s.take(t, n))
}

// opaqueText keeps the text of an option that is not modelled; the module it belongs to goes with it.
func (s *ruleReader) opaqueText(text string) {
	if s.not {
		text = "! " + text
	}
	if s.module != "" && strings.Contains(text, "--") {
		text = "-m " + s.module + " " + text
	}
	s.one(ir.Opaque{Text: text})
}

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
