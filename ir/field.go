package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Key is a property of a packet, of its connection or of its sender that a [Field] matches. A
// packet says the value of some keys only; see [Packet.With].
type Key uint8

const (
	KeyCTMark    Key = iota // the mark of its connection
	KeyDirection            // 0 if it goes the way of the connection's first packet, 1 if it answers
	KeyTTL                  // time to live, or hop limit in IPv6
	KeyLength               // bytes, with the header of IP
	KeyTOS                  // type of service, or traffic class in IPv6: 6 bits of DSCP, 2 of ECN
	KeyFragment             // flags and offset of a fragment, as IPv4's header has them
	KeyPktType              // whom the frame is for: see pktTypes
	KeyUID                  // user of the host's socket that sends it
	KeyGID                  // group of the same
	KeyMAC                  // source address of its Ethernet frame
	KeyOrigDPort            // the destination port of the connection's first packet as it came, before NAT

	Keys // their number
)

// keyTable has the word of each key, its size, and which fields of a packet it is about.
var keyTable = [Keys]struct {
	name   string
	bits   int
	fields Fields
}{
	KeyCTMark:    {"ctmark", 32, FieldCTMark | FieldState},
	KeyDirection: {"direction", 1, FieldState},
	KeyTTL:       {"ttl", 8, FieldHeader},
	KeyLength:    {"length", 16, FieldHeader},
	KeyTOS:       {"tos", 8, FieldHeader},
	KeyFragment:  {"fragment", 16, FieldHeader},
	KeyPktType:   {"pkttype", 3, 0},
	KeyUID:       {"uid", 32, 0},
	KeyGID:       {"gid", 32, 0},
	KeyMAC:       {"mac", 48, 0},
	KeyOrigDPort: {"origdport", 16, FieldState},
}

// String returns the word of k.
func (k Key) String() string {
	if k < Keys {
		return keyTable[k].name
	}
	return fmt.Sprintf("key(%d)", uint8(k))
}

// Bits returns how many bits a value of k has.
func (k Key) Bits() int { return keyTable[k].bits }

// All returns the mask of all bits of k.
func (k Key) All() uint64 { return 1<<keyTable[k].bits - 1 }

// Field holds if the packet's value of Key, masked with Mask, is From, To or between. Of a key that
// the packet does not say it is not known whether it holds, but that the connection of a new packet
// has no mark, and that a new packet goes its direction. A packet without a connection has neither,
// one that came in by an interface has no sender here, and one that the host sends has no frame
// yet: there no match on these keys holds, negated or not. Fragments are told by the header of IPv4
// alone.
type Field struct {
	Key      Key
	Mask     uint64
	From, To uint64
	Not      bool
}

// FieldIs returns the match that a key has one value.
func FieldIs(k Key, value uint64) Field { return Field{Key: k, Mask: k.All(), From: value, To: value} }

func (Field) isMatch() {}

// Said is values of some keys. The others are 0.
type Said struct {
	Keys   uint32       // a bit for each
	Values [Keys]uint64 // by key
}

// Has is true if p has a property of this key, said or not.
func (p *Packet) Has(k Key) bool {
	switch k {
	case KeyCTMark, KeyDirection:
		return p.State&Tracked != 0
	case KeyOrigDPort:
		return p.State&Tracked != 0 && HasPorts(p.Proto)
	case KeyUID, KeyGID:
		return p.In == ""
	case KeyMAC:
		return p.In != ""
	case KeyFragment:
		return p.Family == IPv4
	}
	return true
}

// Value returns the value of a key that p has; known is false if p does not say it.
func (p *Packet) Value(k Key) (value uint64, known bool) {
	switch {
	case p.Said.Keys>>k&1 == 1:
		return p.Said.Values[k], true
	case p.State == StateNew && (k == KeyCTMark || k == KeyDirection):
		return 0, true
	case p.State == StateNew && k == KeyOrigDPort && p.Status&StatusDNAT == 0:
		return uint64(p.DPort), true
	}
	return 0, false
}

// Whole are the bits of KeyFragment that are 0 in a packet that is whole, as all are: others may
// have the bit that forbids to fragment them.
const Whole = 0xbfff

// Says is true if p says the value of k.
func (p *Packet) Says(k Key) bool { return p.Said.Keys>>k&1 == 1 }

// With returns p that says the value of a key.
func (p Packet) With(k Key, value uint64) Packet {
	p.Said.Values[k], p.Said.Keys = value, p.Said.Keys|1<<k
	return p
}

// Without returns p that says no value of a key.
func (p Packet) Without(k Key) Packet {
	p.Said.Values[k], p.Said.Keys = 0, p.Said.Keys&^(1<<k)
	return p
}

// has is true if a value is one that m is for, whatever m's sense.
func (m Field) has(value uint64) bool { return m.From <= value&m.Mask && value&m.Mask <= m.To }

// field is holds for a field.
func (e *evaluation) field(m Field) answer {
	p := &e.packet
	if !p.Has(m.Key) {
		return no
	}
	value, known := p.Value(m.Key)
	if !known && m.Key == KeyFragment && m.Mask&Whole == m.Mask {
		known = true
	}
	if !known {
		return maybe
	}
	return answerOf(m.has(value) != m.Not)
}

// pktTypes are the words of nft(8) for the values of KeyPktType (linux/if_packet.h).
var pktTypes = [...]string{"host", "broadcast", "multicast", "other"}

var directions = [...]string{"original", "reply"}

// valueWord returns a value of k in words.
func (k Key) valueWord(value uint64) string {
	switch {
	case k == KeyMAC:
		var b [6]string
		for i := range b {
			b[i] = fmt.Sprintf("%02x", byte(value>>(40-8*i)))
		}
		return strings.Join(b[:], ":")
	case k == KeyPktType && value < uint64(len(pktTypes)):
		return pktTypes[value]
	case k == KeyDirection && value < uint64(len(directions)):
		return directions[value]
	case k == KeyCTMark || k == KeyTOS || k == KeyFragment:
		return fmt.Sprintf("%#x", value)
	}
	return strconv.FormatUint(value, 10)
}

// parseValue is the inverse of valueWord.
func (k Key) parseValue(text string) (value uint64, ok bool) {
	for i, word := range pktTypes {
		if k == KeyPktType && word == text {
			return uint64(i), true
		}
	}
	for i, word := range directions {
		if k == KeyDirection && word == text {
			return uint64(i), true
		}
	}
	if k == KeyMAC {
		parts := strings.Split(text, ":")
		for _, part := range parts {
			n, err := strconv.ParseUint(part, 16, 8)
			if err != nil || len(part) != 2 {
				return 0, false
			}
			value = value<<8 | n
		}
		return value, len(parts) == 6
	}
	value, err := parseNumber(text, k.Bits())
	return value, err == nil
}

// fieldWords returns VALUE, FROM-TO, VALUE/MASK or FROM-TO/MASK.
func fieldWords(m Field) string {
	words := m.Key.valueWord(m.From)
	if m.To != m.From {
		words += "-" + m.Key.valueWord(m.To)
	}
	if m.Mask != m.Key.All() {
		words += fmt.Sprintf("/%#x", m.Mask)
	}
	return words
}

// keyOf returns the key of this word.
func keyOf(word string) (Key, bool) {
	for k := range Keys {
		if k.String() == word {
			return k, true
		}
	}
	return 0, false
}

// field reads what fieldWords writes.
func (t *textReader) field(k Key, m *textMatch) Match {
	text, maskText, masked := strings.Cut(t.text(m.Value), "/")
	f := Field{Key: k, Mask: k.All(), Not: m.Not}
	from, to := split(text, "-")
	var ok, ok2 bool
	f.From, ok = k.parseValue(from)
	f.To, ok2 = k.parseValue(to)
	if masked {
		mask, err := parseNumber(maskText, k.Bits())
		f.Mask, ok = mask, ok && err == nil
	}
	if !ok || !ok2 {
		t.value(m.Value, fmt.Sprintf("a value of %s", k), fmt.Sprintf(
			"write a number up to %#x, two with - between them for a range, and / and a mask for some of the bits; %s",
			k.All(), "or host, broadcast, multicast, original, reply, 52:54:00:00:00:01 where such a value is meant"))
	}
	return f
}

// field checks a match on a key.
func (v *ruleVerifier) field(m Field) {
	switch {
	case m.Key >= Keys:
		v.wrong("ir-match", fmt.Sprintf("match on %s", m.Key), "there is no such key", "use one of those of field.go")
	case m.Mask == 0 || m.Mask&^m.Key.All() != 0 || m.From > m.To || m.To&^m.Key.All() != 0 ||
		m.From == m.To && m.From&^m.Mask != 0:
		v.wrong("ir-match", fmt.Sprintf("%s %s", m.Key, fieldWords(m)),
			"no packet has such a value, or all have", "use values within the mask, the lower one first")
	case m.Key == KeyOrigDPort && !v.matchesProto(HasPorts):
		v.wrong("ir-match", "a match on the port that a connection went to at first, for any protocol",
			"only connections of tcp, udp, sctp, dccp and udplite have ports", "add a match on the protocol")
	}
}
