package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// verdict appends the -j or -g part of r.
func (l *lowering) verdict(f ir.Family, at *tableChain, r *ir.Rule, fs fields) *refusal {
	switch v := r.Verdict.(type) {
	case ir.Accept:
		l.text = append(l.text, " -j ACCEPT"...)
	case ir.Drop:
		if at.table == "nat" {
			return refusalf("only the filter tables may end packets",
				"put the rule into another table, or "+nftablesCan, "drop in table nat")
		}
		l.text = append(l.text, " -j DROP"...)
	case ir.Reject:
		return l.reject(f, at, v, fs)
	case ir.Return:
		l.text = append(l.text, " -j RETURN"...)
	case ir.Jump:
		return l.leave(" -j ", at, v.Chain)
	case ir.Goto:
		return l.leave(" -g ", at, v.Chain)
	case ir.Masquerade:
		t := natTarget{" -j MASQUERADE", " --to-ports ", ir.AddrRange{}, v.Ports, v.Flags}
		return l.nat(f, at, fs, t, ir.Postrouting)
	case ir.SNAT:
		t := natTarget{" -j SNAT", " --to-source ", v.Addrs, v.Ports, v.Flags}
		return l.nat(f, at, fs, t, ir.Postrouting, ir.Input)
	case ir.DNAT:
		t := natTarget{" -j DNAT", " --to-destination ", v.Addrs, v.Ports, v.Flags}
		return l.nat(f, at, fs, t, ir.Prerouting, ir.Output)
	case ir.Redirect:
		t := natTarget{" -j REDIRECT", " --to-ports ", ir.AddrRange{}, v.Ports, v.Flags}
		return l.nat(f, at, fs, t, ir.Prerouting, ir.Output)
	case ir.ChecksumFill:
		if at.table != "mangle" {
			return refusalf("target CHECKSUM works in table mangle only",
				"put the rule into a chain of priority mangle", "a checksum fill in table %s", at.table)
		}
		l.text = append(l.text, " -j CHECKSUM --checksum-fill"...)
	case ir.Counter: // every rule counts
	case ir.Handed:
		return refusalf("vnetc does not know what becomes of a packet there", "keep this rule where it is", "%q", v.Text)
	case ir.Opaque:
		return refusalf("it was read from a foreign rule set and is not modelled", "keep this rule where it is", "%q",
			v.Text)
	default:
		panic(fmt.Sprintf("iptables: unknown verdict %T", v))
	}
	return nil
}

// leave appends a jump or goto.
func (l *lowering) leave(option string, at *tableChain, chain string) *refusal {
	l.text = append(l.text, option...)
	if l.beside {
		l.text = append(l.text, l.prefix()...)
	}
	l.text = append(l.text, chain...)
	return nil
}

// rejectWith returns iptables-extensions(8)'s word for code c in family f, "" if there is none.
func rejectWith(f ir.Family, c ir.RejectCode) string {
	if c.Families()&f == 0 {
		return ""
	}
	switch {
	case c == ir.TCPReset:
		return "tcp-reset"
	case c == ir.ProtUnreachable:
		return "icmp-proto-unreachable"
	case f == ir.IPv4:
		return "icmp-" + string(c)
	case c == ir.AdminProhibited:
		return "icmp6-adm-prohibited"
	}
	return "icmp6-" + string(c)
}

// reject appends REJECT with its code, which iptables-save always prints.
func (l *lowering) reject(f ir.Family, at *tableChain, v ir.Reject, fs fields) *refusal {
	word := rejectWith(f, v.With)
	switch {
	case at.table != "filter":
		return refusalf("target REJECT works in table filter only", "put the rule into a chain of priority filter",
			"reject in table %s", at.table)
	case word == "":
		return refusalf("the code belongs to another address family", "make a rule for each family",
			"reject with %s for %s packets", v.With, f)
	case v.With == ir.TCPReset && fs.protocol != ir.TCP:
		return refusalf("only TCP knows resets: the rule must match protocol tcp", "name the protocol",
			"reject with tcp-reset in a rule for other protocols")
	}
	l.text = append(append(l.text, " -j REJECT --reject-with "...), word...)
	return nil
}

// natTarget is one of the four NAT targets: -j and its name, the option for ranges, the ranges.
type natTarget struct {
	jump, option string
	addrs        ir.AddrRange
	ports        ir.PortRange
	flags        ir.NATFlags
}

// nat appends t, which works at hooks only.
func (l *lowering) nat(f ir.Family, at *tableChain, fs fields, t natTarget, where ...ir.Hook) *refusal {
	name := t.jump[len(" -j "):]
	switch {
	case at.table != "nat":
		return refusalf("target "+name+" works in table nat only", "put the rule into a chain of type nat",
			"%s in table %s", name, at.table)
	case !at.hooks.within(where...):
		return refusalf("the target does not work at every hook that leads to the chain",
			"put the rule into a chain of another hook", "%s in chain %s", name, at.name)
	case !t.ports.IsZero() && !hasPorts(fs.protocol):
		return refusalf("ports belong to a protocol: the rule must match tcp, udp, sctp, dccp or icmp",
			"name the protocol", "%s to ports in a rule without such a protocol", name)
	case !t.addrs.IsZero() && familyOf(t.addrs.From) != f:
		return refusalf("the address belongs to another family", "make a rule for each family",
			"%s to %s for %s packets", name, t.addrs.From, f)
	}
	if t.addrs.IsZero() && t.ports.IsZero() {
		if t.option != " --to-ports " {
			return refusalf("the target needs an address or a port", "give one", "%s to nothing", name)
		}
		l.text = append(l.text, t.jump...)
		return l.natFlags(name, t.flags)
	}
	l.text = append(append(l.text, t.jump...), t.option...)
	l.natRange(t)
	return l.natFlags(name, t.flags)
}

// natFlags appends how to choose, if the target of this name can.
func (l *lowering) natFlags(name string, flags ir.NATFlags) *refusal {
	for _, f := range [...]struct {
		flag    ir.NATFlags
		option  string
		targets string
	}{{ir.Random, "random", "MASQUERADE REDIRECT SNAT DNAT"}, {ir.FullyRandom, "random-fully", "MASQUERADE SNAT"},
		{ir.Persistent, "persistent", "SNAT DNAT"}} {
		if flags&f.flag == 0 {
			continue
		}
		if !slices.Contains(strings.Fields(f.targets), name) {
			return refusalf("the target has no option --"+f.option, nftablesCan, "%s with flag %s", name, f.flag)
		}
		l.text = append(append(l.text, " --"...), f.option...)
	}
	return nil
}

// natRange appends addresses and ports: a-b:lo-hi, for IPv6 [a-b]:lo-hi; lo-hi alone after
// --to-ports.
func (l *lowering) natRange(t natTarget) {
	bracket := familyOf(t.addrs.From) == ir.IPv6 && !t.addrs.IsZero() && !t.ports.IsZero()
	if bracket {
		l.text = append(l.text, '[')
	}
	if !t.addrs.IsZero() {
		l.addrRange(t.addrs.From, t.addrs.To)
	}
	if bracket {
		l.text = append(l.text, ']')
	}
	if t.ports.IsZero() {
		return
	}
	if t.option != " --to-ports " {
		l.text = append(l.text, ':')
	}
	l.text = strconv.AppendUint(l.text, uint64(t.ports.From), 10)
	if t.ports.To != t.ports.From {
		l.text = strconv.AppendUint(append(l.text, '-'), uint64(t.ports.To), 10)
	}
}

func (l *lowering) addrRange(from, to netip.Addr) {
	l.addr(from)
	if to != from {
		l.text = append(l.text, '-')
		l.addr(to)
	}
}

// hasPorts is true for the protocols that the NAT targets take ports for; ICMP's are the
// identifiers of its questions.
func hasPorts(proto int) bool {
	return proto == ir.TCP || proto == ir.UDP || proto == ir.SCTP || proto == ir.DCCP || proto == ir.ICMP
}
