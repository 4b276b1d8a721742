package ir

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Packet is what a rule can see of one packet, and what connection tracking says of it. It is
// whole: fragments have no ports to match, and are not modelled.
type Packet struct {
	Family   Family // IPv4 or IPv6
	In, Out  string // interfaces; empty for a packet from, or to, the host itself
	Src, Dst netip.Addr
	Proto    uint8 // IANA number of the transport protocol

	SPort, DPort       uint16 // for protocols with ports
	ICMPType, ICMPCode uint8  // for ICMP and ICMPv6
	Flags              Flags  // for TCP, if HasFlags; see [Packet.TCPFlags]
	HasFlags           bool

	State  State  // one bit
	Status Status // of its connection, when it meets the first rule
	Mark   uint32

	Said Said // further values, if it says them; see [Packet.With]
}

// HasPorts is true if packets of protocol proto have ports: TCP, UDP, SCTP, DCCP and UDP-Lite.
func HasPorts(proto uint8) bool {
	switch proto {
	case TCP, UDP, SCTP, DCCP, UDPLite:
		return true
	}
	return false
}

// TCPFlags returns the control bits of a TCP packet: Flags if HasFlags, else those that are usual
// in its state, SYN for a packet that begins a connection and ACK for any other.
func (p Packet) TCPFlags() Flags {
	switch {
	case p.HasFlags:
		return p.Flags
	case p.State == StateNew:
		return FlagSYN
	}
	return FlagACK
}

var protoNames = [...]struct {
	proto uint8
	name  string
}{{ICMP, "icmp"}, {TCP, "tcp"}, {UDP, "udp"}, {DCCP, "dccp"}, {ICMPv6, "icmpv6"}, {SCTP, "sctp"}, {UDPLite, "udplite"}}

// ProtoName returns the word for a protocol number where vnetc has one, else the number.
func ProtoName(proto uint8) string {
	for _, p := range protoNames {
		if p.proto == proto {
			return p.name
		}
	}
	return strconv.Itoa(int(proto))
}

// ProtoNumber returns the number of a protocol that is given as [ProtoName] gives it, or by a
// number in Go's decimal or hexadecimal form; ok is false if it is neither.
func ProtoNumber(word string) (proto uint8, ok bool) {
	for _, p := range protoNames {
		if p.name == word {
			return p.proto, true
		}
	}
	n, err := parseNumber(word, 8)
	return uint8(n), err == nil
}

// Hooks returns the hooks that p meets, in order. A packet with both interfaces is forwarded, one
// with only In is for the host, one with only Out is from it; one with neither meets nothing.
func (p Packet) Hooks() []Hook {
	switch {
	case p.In != "" && p.Out != "":
		return []Hook{Prerouting, Forward, Postrouting}
	case p.In != "":
		return []Hook{Prerouting, Input}
	case p.Out != "":
		return []Hook{Output, Postrouting}
	}
	return nil
}

// check returns why p is no packet, nil if it is one.
func (p Packet) check() error {
	switch {
	case p.Family != IPv4 && p.Family != IPv6:
		return fmt.Errorf("packet of %s: its family must be ip or ip6", p.Family)
	case addrFamily(p.Src) != p.Family:
		return fmt.Errorf("packet of %s with source address %s", p.Family, p.Src)
	case addrFamily(p.Dst) != p.Family:
		return fmt.Errorf("packet of %s with destination address %s", p.Family, p.Dst)
	case p.In == "" && p.Out == "":
		return errors.New("packet without an interface: it needs one by which it came, or leaves, or both")
	case bits.OnesCount8(uint8(p.State)) != 1 || p.State > StateUntracked:
		return fmt.Errorf("packet with connection state %q: it has exactly one", stateWords(p.State))
	case p.Proto != TCP && (p.HasFlags || p.Flags != 0), !p.HasFlags && p.Flags != 0:
		return fmt.Errorf("packet of %s with TCP flags %s", ProtoName(p.Proto), p.Flags)
	case p.Said.Values[KeyFragment]&Whole != 0:
		return fmt.Errorf("packet with fragment %#x: it is whole", p.Said.Values[KeyFragment])
	case p.Status > StatusSNAT|StatusDNAT || p.Status != 0 && p.State&Tracked == 0:
		return fmt.Errorf("packet in state %s with status %#x: only connections have one, snat and dnat", p.State,
			uint8(p.Status))
	}
	return nil
}

// addrFamily returns the family of a, 0 for the zero address.
func addrFamily(a netip.Addr) Family {
	switch {
	case a.Is4():
		return IPv4
	case a.Is6():
		return IPv6
	}
	return 0
}

var stateNames = [...]struct {
	state State
	name  string
}{{StateInvalid, "invalid"}, {StateEstablished, "established"}, {StateRelated, "related"}, {StateNew, "new"},
	{StateUntracked, "untracked"}}

// stateWords returns nft(8)'s words for the states of s, with commas.
func stateWords(s State) string {
	var words []string
	for _, n := range stateNames {
		if s&n.state != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, ",")
}

var statusNames = [...]struct {
	status Status
	name   string
}{{StatusSNAT, "snat"}, {StatusDNAT, "dnat"}}

// statusWords returns nft(8)'s words for the bits of s, with commas.
func statusWords(s Status) string {
	var words []string
	for _, n := range statusNames {
		if s&n.status != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, ",")
}

var flagNames = [...]struct {
	flag Flags
	name string
}{
	{FlagFIN, "fin"}, {FlagSYN, "syn"}, {FlagRST, "rst"}, {FlagPSH, "psh"},
	{FlagACK, "ack"}, {FlagURG, "urg"}, {FlagECE, "ecn"}, {FlagCWR, "cwr"},
}

// flagWords returns nft(8)'s words for the bits of f, with commas; "none" for no bit, "all" for
// all.
func flagWords(f Flags) string {
	switch f {
	case 0:
		return "none"
	case AllFlags:
		return "all"
	}
	var words []string
	for _, n := range flagNames {
		if f&n.flag != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, ",")
}

// String returns p as one line of words, which [ParsePacket] reads: tcp from 10.20.1.5:40000 on
// virbr0 to 198.51.100.7:443 out eth0 state new.
func (p Packet) String() string {
	var b strings.Builder
	b.WriteString(ProtoName(p.Proto))
	if p.Proto == ICMP || p.Proto == ICMPv6 {
		fmt.Fprintf(&b, " type %d code %d", p.ICMPType, p.ICMPCode)
	}
	end := func(a netip.Addr, port uint16) string {
		if HasPorts(p.Proto) {
			return netip.AddrPortFrom(a, port).String()
		}
		return a.String()
	}
	fmt.Fprintf(&b, " from %s", end(p.Src, p.SPort))
	if p.In != "" {
		fmt.Fprintf(&b, " on %s", word(p.In))
	}
	fmt.Fprintf(&b, " to %s", end(p.Dst, p.DPort))
	if p.Out != "" {
		fmt.Fprintf(&b, " out %s", word(p.Out))
	}
	fmt.Fprintf(&b, " state %s", stateWords(p.State))
	if p.Proto == TCP && p.HasFlags {
		fmt.Fprintf(&b, " flags %s", p.Flags)
	}
	if p.Status != 0 {
		fmt.Fprintf(&b, " status %s", statusWords(p.Status))
	}
	if p.Mark != 0 {
		fmt.Fprintf(&b, " mark %#x", p.Mark)
	}
	for k := range Keys {
		if p.Says(k) {
			fmt.Fprintf(&b, " %s %s", k, k.valueWord(p.Said.Values[k]))
		}
	}
	return b.String()
}
