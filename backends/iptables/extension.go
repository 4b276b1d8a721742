package iptables

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// extension appends the -m part of match i, if it has one and is not appended with an earlier one.
func (l *lowering) extension(f ir.Family, r *ir.Rule, i int, fs fields) *refusal {
	switch m := r.Matches[i].(type) {
	case ir.SPort, ir.DPort, ir.TCPFlags:
		if fs.transport() == i {
			return l.transport(r, fs)
		}
	case ir.SAddrRange:
		if fs.dstRange < 0 || i < fs.dstRange {
			l.ranges(r, fs)
		}
	case ir.DAddrRange:
		if fs.srcRange < 0 || i < fs.srcRange {
			l.ranges(r, fs)
		}
	case ir.ICMPType:
		return l.icmp(f, m, fs)
	case ir.CTState:
		return l.ctstate(m)
	case ir.CTStatus:
		return l.ctstatus(m)
	case ir.Mark:
		l.mark(m)
	case ir.Limit:
		return l.limit(m)
	case ir.Lookup:
		return refusalf("iptables uses the sets of ipset(8), which iptables-restore does not load", nftablesCan,
			"a look-up in the set %s", m.Set.Name)
	case ir.AddrType:
		return l.addrType(m)
	case ir.Unknown:
		return refusalf("it was read from a foreign rule set, and vnetc does not model what it asks", "keep this rule where it is",
			"%q", m.Text)
	case ir.Opaque:
		return refusalf("it was read from a foreign rule set and is not modelled", "keep this rule where it is", "%q",
			m.Text)
	case ir.Field, ir.IIfName, ir.OIfName, ir.SAddr, ir.DAddr, ir.L4Proto: // see field, basic
	default:
		panic(fmt.Sprintf("iptables: unknown match %T", m))
	}
	return nil
}

// transport returns the first match of the rule that is an option of -m tcp (udp, ...).
func (fs fields) transport() int {
	first := -1
	for _, i := range [...]int{fs.sport, fs.dport, fs.flags} {
		if i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// transport appends -m tcp (udp, sctp, dccp) with its ports and flags.
func (l *lowering) transport(r *ir.Rule, fs fields) *refusal {
	name, options := "", [2]string{"--sport", "--dport"}
	switch fs.protocol {
	case ir.TCP:
		name = "tcp"
	case ir.UDP:
		name = "udp"
	case ir.SCTP:
		name = "sctp"
	case ir.DCCP:
		name = "dccp"
	case ir.UDPLite: // which has no extension of its own
		name, options = "multiport", [2]string{"--sports", "--dports"}
	default:
		return refusalf("ports belong to a protocol: the rule must match tcp, udp, sctp, dccp or udplite",
			"name the protocol", "ports in a rule without such a protocol")
	}
	opened := false
	add := func(option string, from, to uint16, not bool) *refusal {
		if from == 0 && to == 65535 {
			if not {
				return refusalf("iptables-nft takes ! "+option+" 0:65535 for no condition",
					"leave the rule out, no packet meets it", "a rule for no port at all")
			}
			return nil
		}
		if not && from == 0 { // iptables-nft lists the rest of the ports instead
			from, to, not = to+1, 65535, false
		} else if not && to == 65535 {
			from, to, not = 0, from-1, false
		}
		if !opened || name == "multiport" {
			l.text = append(append(l.text, " -m "...), name...)
			opened = true
		}
		l.option(option, not)
		l.text = strconv.AppendUint(l.text, uint64(from), 10)
		if to != from {
			l.text = strconv.AppendUint(append(l.text, ':'), uint64(to), 10)
		}
		return nil
	}
	if fs.sport >= 0 {
		m := r.Matches[fs.sport].(ir.SPort)
		if why := add(options[0], m.From, m.To, m.Not); why != nil {
			return why
		}
	}
	if fs.dport >= 0 {
		m := r.Matches[fs.dport].(ir.DPort)
		if why := add(options[1], m.From, m.To, m.Not); why != nil {
			return why
		}
	}
	if fs.flags >= 0 {
		if !opened {
			l.text = append(l.text, " -m tcp"...)
		}
		return l.tcpFlags(r.Matches[fs.flags].(ir.TCPFlags))
	}
	return nil
}

// knownFlags are the bits of TCP's header that iptables knows.
const knownFlags = ir.FlagFIN | ir.FlagSYN | ir.FlagRST | ir.FlagPSH | ir.FlagACK | ir.FlagURG

// tcpFlags appends --tcp-flags.
func (l *lowering) tcpFlags(m ir.TCPFlags) *refusal {
	if m.Mask&^knownFlags != 0 {
		return refusalf("--tcp-flags knows FIN, SYN, RST, PSH, ACK and URG only", nftablesCan, "TCP flags %s", m.Mask)
	}
	l.option("--tcp-flags", m.Not)
	l.text = append(l.text, strings.ToUpper(m.Mask.String()+" "+m.Flags.String())...)
	return nil
}

// ranges appends -m iprange with both its ranges.
func (l *lowering) ranges(r *ir.Rule, fs fields) {
	l.text = append(l.text, " -m iprange"...)
	add := func(option string, from, to netip.Addr, not bool) {
		l.option(option, not)
		l.addr(from)
		l.text = append(l.text, '-')
		l.addr(to)
	}
	if fs.srcRange >= 0 {
		m := r.Matches[fs.srcRange].(ir.SAddrRange)
		add("--src-range", m.From, m.To, m.Not)
	}
	if fs.dstRange >= 0 {
		m := r.Matches[fs.dstRange].(ir.DAddrRange)
		add("--dst-range", m.From, m.To, m.Not)
	}
}

// icmp appends -m icmp or -m icmp6.
func (l *lowering) icmp(f ir.Family, m ir.ICMPType, fs fields) *refusal {
	switch {
	case f == ir.IPv4 && fs.protocol == ir.ICMP:
		if m.Type == 255 {
			return refusalf("--icmp-type 255 means any type", nftablesCan, "ICMP type 255")
		}
		l.text = append(l.text, " -m icmp"...)
		l.option("--icmp-type", m.Not)
	case f == ir.IPv6 && fs.protocol == ir.ICMPv6:
		l.text = append(l.text, " -m icmp6"...)
		l.option("--icmpv6-type", m.Not)
	default:
		return refusalf("a type belongs to a protocol: an IPv4 rule must match icmp, an IPv6 rule icmpv6",
			"name the protocol and the family",
			"an ICMP type in a rule without its protocol")
	}
	l.text = strconv.AppendUint(l.text, uint64(m.Type), 10)
	if m.HasCode {
		l.text = strconv.AppendUint(append(l.text, '/'), uint64(m.Code), 10)
	}
	return nil
}

type ctstate struct {
	state ir.State
	name  string
}

// ctstates are the words of --ctstate in the order in which iptables-save prints them.
var ctstates = [...]ctstate{{ir.StateInvalid, "INVALID"}, {ir.StateNew, "NEW"}, {ir.StateRelated, "RELATED"},
	{ir.StateEstablished, "ESTABLISHED"}, {ir.StateUntracked, "UNTRACKED"}}

// ctstate appends -m conntrack.
func (l *lowering) ctstate(m ir.CTState) *refusal {
	if m.States == 0 {
		return refusalf("--ctstate needs a state", "leave the condition out", "a rule for no connection state at all")
	}
	l.text = append(l.text, " -m conntrack"...)
	l.option("--ctstate", m.Not)
	for _, s := range ctstates {
		if m.States&s.state != 0 {
			l.text = append(append(l.text, s.name...), ',')
		}
	}
	l.text = l.text[:len(l.text)-1]
	return nil
}

type natstate struct {
	status ir.Status
	name   string
}

// natstates are the words of --ctstate about NAT, in the order in which iptables-save prints them
// behind ctstates.
var natstates = [...]natstate{{ir.StatusSNAT, "SNAT"}, {ir.StatusDNAT, "DNAT"}}

// noConnection are the states of packets that belong to none.
const noConnection = ir.StateInvalid | ir.StateUntracked

// ctstatus appends -m conntrack with the virtual states SNAT and DNAT. ! --ctstate DNAT holds for
// packets without a connection too (conntrack_mt in net/netfilter/xt_conntrack.c); the match does
// not, so that their states are named beside it.
func (l *lowering) ctstatus(m ir.CTStatus) *refusal {
	if m.Status == 0 {
		return refusalf("--ctstate needs a state", "leave the condition out", "a rule for no connection status at all")
	}
	l.text = append(l.text, " -m conntrack"...)
	l.option("--ctstate", m.Not)
	if m.Not {
		l.text = append(l.text, "INVALID,UNTRACKED,"...)
	}
	for _, s := range natstates {
		if m.Status&s.status != 0 {
			l.text = append(append(l.text, s.name...), ',')
		}
	}
	l.text = l.text[:len(l.text)-1]
	return nil
}

// mark appends -m mark.
func (l *lowering) mark(m ir.Mark) {
	l.text = append(l.text, " -m mark"...)
	l.option("--mark", m.Not)
	l.text = strconv.AppendUint(append(l.text, "0x"...), uint64(m.Value), 16)
	if m.Mask != 0xffffffff {
		l.text = strconv.AppendUint(append(l.text, "/0x"...), uint64(m.Mask), 16)
	}
}
