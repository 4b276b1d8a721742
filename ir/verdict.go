package ir

import (
	"net/netip"
	"strings"
)

// Verdict is what happens to a packet for which a rule's matches hold. The kinds are the types of
// this file and [Opaque]; [SampleVerdicts] has one of each.
type Verdict interface{ isVerdict() }

// Accept ends the packet's walk through the chains of this base chain and lets it go on to the
// next.
type Accept struct{}

// Drop ends the packet.
type Drop struct{}

// RejectCode is the answer to the sender of a rejected packet: nft(8)'s name of the ICMP or ICMPv6
// code, or tcp-reset. RFC 792, RFC 4443, netfilter's ipt_REJECT.h and ip6t_REJECT.h.
type RejectCode string

const (
	NetUnreachable  RejectCode = "net-unreachable"  // IPv4
	HostUnreachable RejectCode = "host-unreachable" // IPv4
	ProtUnreachable RejectCode = "prot-unreachable" // IPv4
	PortUnreachable RejectCode = "port-unreachable" // both; what reject says when nothing else is asked for
	NetProhibited   RejectCode = "net-prohibited"   // IPv4
	HostProhibited  RejectCode = "host-prohibited"  // IPv4
	AdminProhibited RejectCode = "admin-prohibited" // both
	NoRoute         RejectCode = "no-route"         // IPv6
	AddrUnreachable RejectCode = "addr-unreachable" // IPv6
	PolicyFail      RejectCode = "policy-fail"      // IPv6
	RejectRoute     RejectCode = "reject-route"     // IPv6
	TCPReset        RejectCode = "tcp-reset"        // both, in rules that match protocol TCP
)

// RejectCodes lists the codes.
var RejectCodes = [...]RejectCode{
	NetUnreachable, HostUnreachable, ProtUnreachable, PortUnreachable, NetProhibited, HostProhibited, AdminProhibited,
	NoRoute, AddrUnreachable, PolicyFail, RejectRoute, TCPReset,
}

// Families returns the families that have code c; 0 if c is no code.
func (c RejectCode) Families() Family {
	switch c {
	case NetUnreachable, HostUnreachable, ProtUnreachable, NetProhibited, HostProhibited:
		return IPv4
	case NoRoute, AddrUnreachable, PolicyFail, RejectRoute:
		return IPv6
	case PortUnreachable, AdminProhibited, TCPReset:
		return Both
	}
	return 0
}

// Reject ends the packet and sends its sender a code.
type Reject struct{ With RejectCode }

// Return goes back to the rule after the jump that led to this chain. In a base chain it ends the
// walk as the policy says; in a group it leaves the group, and the walk goes on with the next one
// of the same hook: from FWX in FWI, from FWI in FWO.
type Return struct{}

// Jump goes on in the chain of this name in the same table, and comes back at its end or at a
// Return.
type Jump struct{ Chain string }

// Goto goes on in the chain of this name and does not come back: at its end the packet is where a
// Return of the calling chain would lead.
type Goto struct{ Chain string }

// AddrRange is a range of addresses, both ends included. The zero value means "no address given".
type AddrRange struct{ From, To netip.Addr }

// IsZero is true if r gives no address.
func (r AddrRange) IsZero() bool { return !r.From.IsValid() }

// PortRange is a range of ports, both ends included. The zero value means "no port given".
type PortRange struct{ From, To uint16 }

// IsZero is true if r gives no port.
func (r PortRange) IsZero() bool { return r == PortRange{} }

// NATFlags says how NAT chooses among the addresses and ports that it has: nft(8)'s flags. Eval
// does not see them.
type NATFlags uint8

const (
	Random      NATFlags = 1 << iota // ports are shuffled
	FullyRandom                      // they are drawn
	Persistent                       // a sender gets the same address each time

	allNATFlags = Persistent<<1 - 1
)

var natFlagNames = [...]string{"random", "fully-random", "persistent"}

// String returns nft(8)'s words for the flags of f, with commas.
func (f NATFlags) String() string {
	var words []string
	for i, name := range natFlagNames {
		if f>>i&1 == 1 {
			words = append(words, name)
		}
	}
	return strings.Join(words, ",")
}

// Masquerade gives the connection the address of the interface it leaves by, and a source port of
// Ports if given.
type Masquerade struct {
	Ports PortRange
	Flags NATFlags
}

// SNAT gives the connection a source address of Addrs and, if given, a source port of Ports.
type SNAT struct {
	Addrs AddrRange
	Ports PortRange
	Flags NATFlags
}

// DNAT gives the connection a destination address of Addrs and, if given, a destination port of
// Ports.
type DNAT struct {
	Addrs AddrRange
	Ports PortRange
	Flags NATFlags
}

// Redirect sends the connection to the host itself, to a port of Ports if given.
type Redirect struct {
	Ports PortRange
	Flags NATFlags
}

// Handed gives the packet to who is no part of the program: a queue of another program, a proxy.
// What becomes of it there is not known. It has the words of the rule set that it was read from.
// Nothing lowers it.
type Handed struct{ Text string }

// ChecksumFill computes the packet's transport checksum, which virtual devices leave open, and goes
// on.
type ChecksumFill struct{}

// Counter counts the packet and goes on; it is the verdict of a rule that has no other.
type Counter struct{}

func (Accept) isVerdict()       {}
func (Drop) isVerdict()         {}
func (Reject) isVerdict()       {}
func (Return) isVerdict()       {}
func (Jump) isVerdict()         {}
func (Goto) isVerdict()         {}
func (Masquerade) isVerdict()   {}
func (SNAT) isVerdict()         {}
func (DNAT) isVerdict()         {}
func (Redirect) isVerdict()     {}
func (ChecksumFill) isVerdict() {}
func (Counter) isVerdict()      {}
func (Handed) isVerdict()       {}
func (Opaque) isVerdict()       {}

// VerdictFamilies returns the families of the packets that v is for: a code of a reject, or an
// address of NAT, may have one only.
func VerdictFamilies(v Verdict) Family {
	switch v := v.(type) {
	case Reject:
		return v.With.Families()
	case SNAT:
		return v.Addrs.families()
	case DNAT:
		return v.Addrs.families()
	}
	return Both
}

func (r AddrRange) families() Family {
	switch {
	case r.IsZero():
		return Both
	case r.From.Is4():
		return IPv4
	}
	return IPv6
}
