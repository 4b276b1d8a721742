package ir

import (
	"net/netip"
	"time"
)

// Match is one condition on a packet. The kinds are the types of this file, [Field], [AddrType],
// [Unknown] and [Lookup], and no others; [SampleMatches] has one of each. A field Not turns the
// condition around.
type Match interface{ isMatch() }

// IIfName holds if the packet came in by the interface of this name, or by one whose name begins
// with Name if Wildcard. A packet from the host itself has no such interface; its name counts as
// empty.
type IIfName struct {
	Name     string
	Wildcard bool // Wildcard is true if Name is the beginning of a name: vb+ in iptables(8), "vb*" in nft(8)
	Not      bool
}

// OIfName is [IIfName] for the interface by which the packet leaves.
type OIfName struct {
	Name     string
	Wildcard bool
	Not      bool
}

// SAddr holds if the packet's source address is in Prefix, which has no host bits set.
type SAddr struct {
	Prefix netip.Prefix
	Not    bool
}

// DAddr is [SAddr] for the destination address.
type DAddr struct {
	Prefix netip.Prefix
	Not    bool
}

// SAddrRange holds if the packet's source address is From, To or between.
type SAddrRange struct {
	From, To netip.Addr
	Not      bool
}

// DAddrRange is [SAddrRange] for the destination address.
type DAddrRange struct {
	From, To netip.Addr
	Not      bool
}

// Protocol numbers of IANA that vnetc names.
const (
	ICMP    = 1
	TCP     = 6
	UDP     = 17
	DCCP    = 33
	ICMPv6  = 58
	SCTP    = 132
	UDPLite = 136
)

// L4Proto holds if the packet's transport protocol has this IANA number.
type L4Proto struct {
	Proto uint8
	Not   bool
}

// SPort holds if the packet's source port is From, To or between. It stands in rules that match a
// protocol with ports.
type SPort struct {
	From, To uint16
	Not      bool
}

// DPort is [SPort] for the destination port.
type DPort struct {
	From, To uint16
	Not      bool
}

// ICMPType holds if the packet's ICMP or ICMPv6 type is Type and, if HasCode, its code is Code. It
// stands in rules that match protocol ICMP (IPv4) or ICMPv6 (IPv6).
type ICMPType struct {
	Type    uint8
	Code    uint8
	HasCode bool
	Not     bool
}

// Flags are control bits of a TCP header (RFC 9293, section 3.1), as they stand there: FIN is the
// lowest.
type Flags uint8

const (
	FlagFIN Flags = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
	FlagECE
	FlagCWR

	AllFlags = ^Flags(0)
)

// String returns nft(8)'s words for the bits of f, with commas; "none" for no bit, "all" for all.
func (f Flags) String() string { return flagWords(f) }

// TCPFlags holds if, of the control bits in Mask, exactly those in Flags are set. It stands in
// rules that match protocol TCP.
type TCPFlags struct {
	Mask, Flags Flags
	Not         bool
}

// State is a set of connection tracking states, the bits of nft(8)'s ct state.
type State uint8

const (
	StateInvalid State = 1 << iota
	StateEstablished
	StateRelated
	StateNew
	StateUntracked
)

// Tracked are the states of packets that belong to a connection.
const Tracked = StateEstablished | StateRelated | StateNew

// String returns nft(8)'s words for the states of s, with commas.
func (s State) String() string { return stateWords(s) }

// CTState holds if the packet's connection tracking state is one of States.
type CTState struct {
	States State
	Not    bool
}

// Status is a set of what NAT does to a packet's connection, the bits of nft(8)'s ct status that
// rules look at.
type Status uint8

const (
	StatusSNAT Status = 1 << iota // its source is rewritten
	StatusDNAT                    // its destination is rewritten
)

// String returns nft(8)'s words for the bits of s, with commas.
func (s Status) String() string { return statusWords(s) }

// CTStatus holds if NAT does one of Status to the packet's connection: ct status in nft(8), the
// states SNAT and DNAT in iptables-extensions(8). A packet without a connection, invalid or
// untracked, has no status, and the match does not hold for it, negated or not.
type CTStatus struct {
	Status Status
	Not    bool
}

// Mark holds if the packet's mark, masked with Mask, equals Value.
type Mark struct {
	Value, Mask uint32
	Not         bool
}

// Limit holds for a packet as long as a bucket has a token for it: Burst tokens at first, and Rate
// more in each Per, up to Burst. It is limit in nft(8) and iptables-extensions(8). A packet's
// fields don't tell whether it holds, and two limits are independent though their words are the
// same. A packet takes a token only if the matches before the limit hold, so it is the last match
// of a rule that is lowered.
type Limit struct {
	Rate  uint32
	Per   time.Duration // a second, minute, hour, day or week
	Burst uint32        // in packets
	Over  bool          // Over is true if it holds where there is no token.
}

// Normal returns m by the smallest unit that leaves a whole rate: 60 a minute are 1 a second, and
// fill the same bucket.
func (m Limit) Normal() Limit {
	for _, u := range limitUnits {
		if whole := uint64(m.Rate) * uint64(u.per/time.Second); u.per < m.Per && whole%uint64(m.Per/time.Second) == 0 {
			m.Rate, m.Per = uint32(whole/uint64(m.Per/time.Second)), u.per
			break
		}
	}
	return m
}

// Undecided is true for a match of which a packet's fields don't tell whether it holds, or not
// those that every packet has.
func Undecided(m Match) bool {
	switch m := m.(type) {
	case Opaque, Limit, Unknown, Field:
		return true
	case AddrType:
		return !m.Decided()
	}
	return false
}

// Opaque is what was read from a foreign rule set and is not modelled, a match or a verdict, with
// the text (or the notation of its bytes) it had there. As a match it may hold or not; as a verdict
// it may end the packet's walk or not. Nothing lowers it.
type Opaque struct{ Text string }

func (IIfName) isMatch()    {}
func (OIfName) isMatch()    {}
func (SAddr) isMatch()      {}
func (DAddr) isMatch()      {}
func (SAddrRange) isMatch() {}
func (DAddrRange) isMatch() {}
func (L4Proto) isMatch()    {}
func (SPort) isMatch()      {}
func (DPort) isMatch()      {}
func (ICMPType) isMatch()   {}
func (TCPFlags) isMatch()   {}
func (CTState) isMatch()    {}
func (CTStatus) isMatch()   {}
func (Mark) isMatch()       {}
func (Limit) isMatch()      {}
func (Opaque) isMatch()     {}
