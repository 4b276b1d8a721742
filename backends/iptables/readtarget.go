package iptables

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// target reads -j or -g and what belongs to it.
func (s *ruleReader) target(t token, goes bool) error {
	if s.not {
		return fmt.Errorf("a ! before %s", t.text)
	}
	if s.verdict != nil {
		return fmt.Errorf("a rule with two targets")
	}
	name, err := s.arg(t)
	if err != nil {
		return err
	}
	s.module = ""
	n := s.until()
	isChain := s.chains[chainKey{s.table, name}] != nil
	var verdict ir.Verdict
	switch {
	case isChain && goes:
		verdict = ir.Goto{Chain: name}
	case goes:
		return fmt.Errorf("a goto to chain %q, which is not there", name)
	case isChain:
		verdict = ir.Jump{Chain: name}
	default:
		if verdict, err = s.known(name, s.rest[:n]); err != nil {
			return err
		}
	}
	if _, leads := target(verdict); leads && n > 0 {
		return fmt.Errorf("option %q behind a jump to chain %s", s.rest[0].text, name)
	}
	text := s.take(t, n)
	if verdict == nil {
		verdict = ir.Opaque{Text: text}
	}
	s.verdict = verdict
	return nil
}

// known returns the verdict of a target with its options, nil if it is not modelled.
func (s *ruleReader) known(name string, options []token) (ir.Verdict, error) {
	switch name {
	case "ACCEPT", "DROP", "RETURN":
		if len(options) > 0 {
			return nil, fmt.Errorf("target %s has no option %q", name, options[0].text)
		}
		return plainTarget(name), nil
	case "REJECT":
		return s.readReject(options)
	case "CHECKSUM":
		if len(options) == 1 && options[0].is("--checksum-fill") {
			return ir.ChecksumFill{}, nil
		}
	case "MASQUERADE", "REDIRECT":
		return readPorts(name, options)
	case "SNAT", "DNAT":
		return s.readAddrs(name, options)
	}
	return nil, nil
}

// plainTarget returns the verdict of a target without options.
func plainTarget(name string) ir.Verdict {
	switch name {
	case "ACCEPT":
		return ir.Accept{}
	case "DROP":
		return ir.Drop{}
	case "RETURN":
		return ir.Return{}
	}
	panic("iptables: unknown target " + name)
}

// only returns the value of the only option if it is called name, "" if there is no option; ok is false for other options.
func only(options []token, name string) (value string, ok bool) {
	switch {
	case len(options) == 0:
		return "", true
	case len(options) == 2 && options[0].is(name) && options[1].text != "":
		return options[1].text, true
	}
	return "", false
}

// readReject reads REJECT, by default with port-unreachable.
func (s *ruleReader) readReject(options []token) (ir.Verdict, error) {
	word, ok := only(options, "--reject-with")
	if !ok {
		return nil, fmt.Errorf("target REJECT takes --reject-with and a code")
	}
	code := ir.PortUnreachable
	if word != "" {
		if code = rejectCode(word, s.family); code == "" {
			return nil, fmt.Errorf("%q is no code of REJECT", word)
		}
	}
	return ir.Reject{With: code}, nil
}

// rejectCode reads a code by its full name or the short one; iptables-extensions(8).
func rejectCode(word string, f ir.Family) ir.RejectCode {
	if word == "tcp-reset" || word == "tcp-rst" {
		return ir.TCPReset
	}
	if f == ir.IPv4 {
		switch word {
		case "icmp-net-unreachable", "net-unreach":
			return ir.NetUnreachable
		case "icmp-host-unreachable", "host-unreach":
			return ir.HostUnreachable
		case "icmp-proto-unreachable", "proto-unreach":
			return ir.ProtUnreachable
		case "icmp-port-unreachable", "port-unreach":
			return ir.PortUnreachable
		case "icmp-net-prohibited", "net-prohib":
			return ir.NetProhibited
		case "icmp-host-prohibited", "host-prohib":
			return ir.HostProhibited
		case "icmp-admin-prohibited", "admin-prohib":
			return ir.AdminProhibited
		}
		return ""
	}
	switch word {
	case "icmp6-no-route", "no-route":
		return ir.NoRoute
	case "icmp6-adm-prohibited", "adm-prohibited":
		return ir.AdminProhibited
	case "icmp6-addr-unreachable", "addr-unreach":
		return ir.AddrUnreachable
	case "icmp6-port-unreachable", "port-unreach":
		return ir.PortUnreachable
	case "icmp6-policy-fail", "policy-fail":
		return ir.PolicyFail
	case "icmp6-reject-route", "reject-route":
		return ir.RejectRoute
	}
	return ""
}

// readPorts reads MASQUERADE and REDIRECT, which take --to-ports and, not modelled, --random.
func readPorts(name string, options []token) (ir.Verdict, error) {
	value, ok := only(options, "--to-ports")
	if !ok {
		if value, ok = only(options, "--to-port"); !ok {
			return nil, nil
		}
	}
	var ports ir.PortRange
	if value != "" {
		from, to, err := parsePorts(value, '-')
		if err != nil || strings.HasPrefix(value, "-") || strings.HasSuffix(value, "-") {
			return nil, fmt.Errorf("%q is no port or range of ports", value)
		}
		if from == 0 {
			return nil, nil
		}
		ports = ir.PortRange{From: from, To: to}
	}
	if name == "REDIRECT" {
		return ir.Redirect{Ports: ports}, nil
	}
	return ir.Masquerade{Ports: ports}, nil
}

// readAddrs reads SNAT and DNAT. Options beside the address (--random, --persistent) are not modelled.
func (s *ruleReader) readAddrs(name string, options []token) (ir.Verdict, error) {
	option := "--to-source"
	if name == "DNAT" {
		option = "--to-destination"
	}
	if len(options) == 0 || !options[0].is(option) {
		return nil, fmt.Errorf("target %s needs %s", name, option)
	}
	value, ok := only(options, option)
	if !ok {
		return nil, nil
	}
	addrs, ports, err := parseTo(value, s.family)
	if err != nil {
		return nil, err
	}
	if name == "DNAT" {
		if strings.Count(value, "/") > 0 { // a shifted range of ports
			return nil, nil
		}
		return ir.DNAT{Addrs: addrs, Ports: ports}, nil
	}
	return ir.SNAT{Addrs: addrs, Ports: ports}, nil
}

// parseTo reads a-b:lo-hi, of which addresses or ports may be missing; for IPv6 [a-b]:lo-hi.
func parseTo(text string, f ir.Family) (addrs ir.AddrRange, ports ir.PortRange, err error) {
	bad := fmt.Errorf("%q is no range of addresses and ports", text)
	addrText, portText, hasPorts := text, "", false
	switch {
	case strings.HasPrefix(text, "["):
		end := strings.LastIndexByte(text, ']')
		if end < 0 {
			return addrs, ports, bad
		}
		addrText = strings.ReplaceAll(strings.ReplaceAll(text[1:end], "[", ""), "]", "")
		portText, hasPorts = strings.CutPrefix(text[end+1:], ":")
		if !hasPorts && portText != "" {
			return addrs, ports, bad
		}
	case strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::"):
		addrText, portText, hasPorts = "", text[1:], true
	case f == ir.IPv4:
		addrText, portText, hasPorts = strings.Cut(text, ":")
	}
	if addrText != "" {
		var ok bool
		if addrs, ok = parseRange(addrText, f); !ok {
			return addrs, ports, bad
		}
	}
	if hasPorts {
		portText, _, _ = strings.Cut(portText, "/")
		from, to, err := parsePorts(portText, '-')
		if err != nil || from == 0 || strings.HasSuffix(portText, "-") {
			return addrs, ports, bad
		}
		ports = ir.PortRange{From: from, To: to}
	}
	return addrs, ports, nil
}
