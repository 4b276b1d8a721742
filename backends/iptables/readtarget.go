package iptables

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// leads reads -j or -g. A target goes before a chain of the same name.
func (s *ruleReader) leads(goes bool, name string) error {
	switch {
	case s.not:
		return fmt.Errorf("a ! before -j or -g")
	case name == "" || len(name) > maxChainName || strings.ContainsAny(name, space):
		return fmt.Errorf("%q is not a name of a target or chain", name)
	}
	s.jump, s.goes = name, goes
	if e := s.find(&s.targets, s.known.targets, name); e != nil && !goes {
		s.load(e)
		s.target = len(s.loaded) - 1
	}
	return nil
}

// lands reports whether -j or -g leads somewhere.
func (s *ruleReader) lands() error {
	if s.jump == "" || s.target >= 0 {
		return nil
	}
	c := s.chains[chainKey{s.table, s.jump}]
	switch {
	case c != nil && c.Base != nil || builtin(s.table, s.jump) != nil:
		return fmt.Errorf("a jump to the built-in chain %s", s.jump)
	case c == nil && s.goes:
		return fmt.Errorf("a goto to chain %q, which is not there", s.jump)
	case c == nil:
		return fmt.Errorf("%q is not a target of iptables for family %s, and no chain of table %s",
			s.jump, s.family, s.table)
	}
	return nil
}

// verdict returns what the rule does.
func (s *ruleReader) verdict() ir.Verdict {
	switch {
	case s.jump == "":
		return ir.Counter{}
	case s.target < 0 && s.goes:
		return ir.Goto{Chain: s.jump}
	case s.target < 0:
		return ir.Jump{Chain: s.jump}
	}
	in := &s.loaded[s.target]
	if v := s.modelled(in); v != nil {
		return v
	}
	text := "-j " + in.ext.name
	for _, a := range s.args {
		if a.in == s.target {
			text += s.written(a.opt, a.not, a.at, a.next)
		}
	}
	switch in.ext.name {
	case "NFQUEUE", "QUEUE", "TPROXY", "SYNPROXY":
		return ir.Handed{Text: text}
	}
	return ir.Opaque{Text: text}
}

// modelled returns the verdict of a target with its options, nil if it is not modelled.
func (s *ruleReader) modelled(in *instance) ir.Verdict {
	name := in.ext.name
	switch name {
	case "ACCEPT":
		return ir.Accept{}
	case "DROP":
		return ir.Drop{}
	case "RETURN":
		return ir.Return{}
	case "CHECKSUM":
		return ir.ChecksumFill{}
	case "REJECT":
		if in.seen == 0 {
			return ir.Reject{With: ir.PortUnreachable}
		}
		return ir.Reject{With: rejectCode(s.value(in, "reject-with"), s.family)}
	case "MASQUERADE", "REDIRECT", "SNAT", "DNAT":
		return s.nat(in)
	}
	return nil
}

// nat returns the verdict of a NAT target, nil for one with port 0, or with a range that is
// reversed or shifted.
func (s *ruleReader) nat(in *instance) ir.Verdict {
	var flags ir.NATFlags
	for _, o := range in.ext.opts {
		if f, is := natFlags[o.names[0]]; is && in.seen&o.bit != 0 {
			flags |= f
		}
	}
	var to natRange
	if in.seen&1 != 0 {
		text := s.value(in, in.ext.opts[0].names[0])
		if in.ext.name == "SNAT" || in.ext.name == "DNAT" {
			to, _ = s.parseTo(text)
		} else {
			to, _ = s.parseNATPorts(text, false)
		}
	}
	if to.odd {
		return nil
	}
	switch in.ext.name {
	case "MASQUERADE":
		return ir.Masquerade{Ports: to.ports, Flags: flags}
	case "REDIRECT":
		return ir.Redirect{Ports: to.ports, Flags: flags}
	case "SNAT":
		return ir.SNAT{Addrs: to.addrs, Ports: to.ports, Flags: flags}
	}
	return ir.DNAT{Addrs: to.addrs, Ports: to.ports, Flags: flags}
}

// natFlags are the options of NAT targets that say how to choose.
var natFlags = map[string]ir.NATFlags{"random": ir.Random, "random-fully": ir.FullyRandom, "persistent": ir.Persistent}

// natRange is what NAT makes of an address and port; odd is true for what the IR has no word for.
type natRange struct {
	addrs ir.AddrRange
	ports ir.PortRange
	odd   bool
}

// parseNATPorts reads a port, by number or name, or two numbers; a shifted range has the port that
// it is shifted to.
func (s *ruleReader) parseNATPorts(text string, shifted bool) (r natRange, ok bool) {
	if !s.portsAllowed("tcp", "udp", "sctp", "dccp", "icmp", "icmpv6") {
		return r, false
	}
	low, rest, ok := strtoul(text)
	if !ok {
		p := serviceOf(text, "")
		return natRange{ports: ir.PortRange{From: p, To: p}}, p != 0
	}
	high := low
	if second, two := strings.CutPrefix(rest, "-"); two {
		if high, rest, ok = strtoul(second); !ok {
			return r, false
		}
		if base, more := strings.CutPrefix(rest, "/"); more && shifted {
			_, ok = parseUint(base, math.MaxUint16)
			r.odd, rest = true, ""
			ok = ok || serviceOf(base, "") != 0
		}
	}
	if !ok || rest != "" || low > high || high > math.MaxUint16 {
		return r, false
	}
	r.odd = r.odd || low == 0
	r.ports = ir.PortRange{From: uint16(low), To: uint16(high)}
	return r, true
}

// parseTo reads a-b:lo-hi, of which addresses or ports may be missing; for IPv6 [a-b]:lo-hi.
func (s *ruleReader) parseTo(text string) (r natRange, ok bool) {
	addrs, ports, hasPorts := text, "", false
	switch {
	case strings.HasPrefix(text, "[") && s.family == ir.IPv6:
		var rest string
		if addrs, rest, ok = strings.Cut(text[1:], "]"); !ok {
			return r, false
		}
		_, ports, hasPorts = strings.Cut(rest, ":") // without a colon iptables passes over what follows
		if addrs == "" && !hasPorts {
			return r, false
		}
	case strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::"):
		addrs, ports, hasPorts = "", text[1:], true
	case s.family == ir.IPv4:
		addrs, ports, hasPorts = strings.Cut(text, ":")
	}
	if hasPorts {
		if r, ok = s.parseNATPorts(ports, true); !ok {
			return r, false
		}
	}
	if addrs == "" {
		return r, hasPorts
	}
	first, last, two := strings.Cut(addrs, "-")
	if !two {
		last = first
	}
	from, ok := parseStrict(first, s.family)
	to, ok2 := parseStrict(last, s.family)
	if !ok || !ok2 {
		return r, false
	}
	r.addrs = ir.AddrRange{From: from, To: to}
	r.odd = r.odd || from.Compare(to) > 0
	return r, true
}

// parseStrict reads an address in full.
func parseStrict(text string, f ir.Family) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && a.Zone() == "" && familyOf(a) == f
}

// rejectCodes are the codes of REJECT by their full and short words, in the order in which iptables
// looks for them.
var rejectCodes = [...]struct {
	family      ir.Family
	full, short string
	code        ir.RejectCode
}{
	{ir.IPv4, "icmp-net-unreachable", "net-unreach", ir.NetUnreachable},
	{ir.IPv4, "icmp-host-unreachable", "host-unreach", ir.HostUnreachable},
	{ir.IPv4, "icmp-proto-unreachable", "proto-unreach", ir.ProtUnreachable},
	{ir.IPv4, "icmp-port-unreachable", "port-unreach", ir.PortUnreachable},
	{ir.IPv4, "icmp-net-prohibited", "net-prohib", ir.NetProhibited},
	{ir.IPv4, "icmp-host-prohibited", "host-prohib", ir.HostProhibited},
	{ir.IPv4, "tcp-reset", "tcp-rst", ir.TCPReset},
	{ir.IPv4, "icmp-admin-prohibited", "admin-prohib", ir.AdminProhibited},
	{ir.IPv6, "icmp6-no-route", "no-route", ir.NoRoute},
	{ir.IPv6, "icmp6-adm-prohibited", "adm-prohibited", ir.AdminProhibited},
	{ir.IPv6, "icmp6-addr-unreachable", "addr-unreach", ir.AddrUnreachable},
	{ir.IPv6, "icmp6-port-unreachable", "port-unreach", ir.PortUnreachable},
	{ir.IPv6, "tcp-reset", "tcp-reset", ir.TCPReset},
	{ir.IPv6, "icmp6-policy-fail", "policy-fail", ir.PolicyFail},
	{ir.IPv6, "icmp6-reject-route", "reject-route", ir.RejectRoute},
}

// rejectCode reads a code by the beginning of either word, "" if it begins none.
func rejectCode(word string, f ir.Family) ir.RejectCode {
	for _, c := range rejectCodes {
		if c.full == word && c.family == f {
			return c.code
		}
	}
	starts := func(name string) bool { return len(word) <= len(name) && strings.EqualFold(name[:len(word)], word) }
	for _, c := range rejectCodes {
		if c.family == f && (starts(c.full) || starts(c.short)) {
			return c.code
		}
	}
	return ""
}
