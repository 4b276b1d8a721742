package nftables

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// key is a match on a key of the IR, as nft(8) says it for one family.
type key struct {
	ir.Field
	family ir.Family
}

// keyWords are nft(8)'s words for keys of any family.
var keyWords = map[ir.Key]string{ir.KeyDirection: "ct direction", ir.KeyOrigDPort: "ct original proto-dst", ir.KeyLength: "meta length",
	ir.KeyPktType: "meta pkttype", ir.KeyUID: "meta skuid", ir.KeyGID: "meta skgid", ir.KeyMAC: "ether saddr"}

// word returns nft(8)'s words for the key; masked is true if only some bits of the header's bytes
// are its own.
func (s key) word() string {
	switch v6 := s.family == ir.IPv6; {
	case s.Key == ir.KeyTTL && v6:
		return "ip6 hoplimit"
	case s.Key == ir.KeyTTL:
		return "ip ttl"
	case s.Key == ir.KeyTOS && v6:
		return "ip6 dscp"
	case s.Key == ir.KeyTOS:
		return "ip dscp"
	}
	return keyWords[s.Key]
}

// dscpNames are the names of classes that nft(8) lists (datatype dscp).
var dscpNames = map[uint64]string{0: "cs0", 8: "cs1", 16: "cs2", 24: "cs3", 32: "cs4", 40: "cs5", 48: "cs6", 56: "cs7",
	10: "af11", 12: "af12", 14: "af13", 18: "af21", 20: "af22", 22: "af23", 26: "af31", 28: "af32", 30: "af33",
	34: "af41", 36: "af42", 38: "af43", 46: "ef", 44: "va", 1: "lephb"}

func (s key) value(n uint64) string {
	switch s.Key {
	case ir.KeyTOS:
		if name := dscpNames[n>>2]; name != "" {
			return name
		}
		return fmt.Sprintf("0x%02x", n>>2)
	case ir.KeyDirection:
		return [...]string{"original", "reply"}[n]
	case ir.KeyPktType:
		return [...]string{"host", "broadcast", "multicast", "other"}[n]
	case ir.KeyMAC:
		b := binary.BigEndian.AppendUint64(nil, n)
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[2], b[3], b[4], b[5], b[6], b[7])
	}
	return fmt.Sprint(n)
}

func (s key) appendText(b []byte, _ form) []byte {
	switch {
	case s.Key == ir.KeyCTMark:
		return markText(append(b, "ct mark "...), uint32(s.From), uint32(s.Mask), s.Not)
	case s.Key == ir.KeyFragment:
		return fmt.Appendf(b, "ip frag-off & %d %s %d", s.Mask, map[bool]string{true: "!=", false: "=="}[s.Not], s.From)
	}
	b = appendNot(append(append(b, s.word()...), ' '), s.Not)
	b = append(b, s.value(s.From)...)
	if s.From != s.To {
		b = append(append(b, '-'), s.value(s.To)...)
	}
	return b
}

func (s key) exprs(x []expr.Any) []expr.Any {
	header := func(at, size uint32) expr.Any {
		return &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: size}
	}
	single := s.From == s.To
	host := func(load expr.Any) []expr.Any { // four bytes in the host's order
		if x = append(x, load); single {
			return append(x, compare(s.Not, hostEndian32(uint32(s.From))))
		}
		x = append(x, &expr.Byteorder{SourceRegister: reg, DestRegister: reg, Op: expr.ByteorderHton, Len: 4, Size: 4})
		return within(x, s.Not, bigEndian32(s.From), bigEndian32(s.To))
	}
	switch s.Key {
	case ir.KeyCTMark:
		x = append(x, &expr.Ct{Key: expr.CtKeyMARK, Register: reg})
		if s.Mask != s.Key.All() {
			x = append(x, masked(hostEndian32(uint32(s.Mask))))
		}
		return append(x, compare(s.Not, hostEndian32(uint32(s.From))))
	case ir.KeyDirection:
		return append(x, &expr.Ct{Key: expr.CtKeyDIRECTION, Register: reg}, compare(s.Not, []byte{byte(s.From)}))
	case ir.KeyOrigDPort:
		if x = append(x, &expr.Ct{Key: expr.CtKeyPROTODST, Register: reg}); single {
			return append(x, compare(s.Not, bigEndian16(uint16(s.From))))
		}
		return within(x, s.Not, bigEndian16(uint16(s.From)), bigEndian16(uint16(s.To)))
	case ir.KeyPktType:
		return append(x, &expr.Meta{Key: expr.MetaKeyPKTTYPE, Register: reg}, compare(s.Not, []byte{byte(s.From)}))
	case ir.KeyLength:
		return host(&expr.Meta{Key: expr.MetaKeyLEN, Register: reg})
	case ir.KeyUID:
		return host(&expr.Meta{Key: expr.MetaKeySKUID, Register: reg})
	case ir.KeyGID:
		return host(&expr.Meta{Key: expr.MetaKeySKGID, Register: reg})
	case ir.KeyFragment:
		return append(x, header(6, 2), masked(bigEndian16(uint16(s.Mask))), compare(s.Not, bigEndian16(uint16(s.From))))
	case ir.KeyTOS:
		if s.family == ir.IPv6 {
			return append(x, header(0, 2), masked(bigEndian16(uint16(s.Mask)<<4)),
				compare(s.Not, bigEndian16(uint16(s.From)<<4)))
		}
		return append(x, header(1, 1), masked([]byte{byte(s.Mask)}), compare(s.Not, []byte{byte(s.From)}))
	case ir.KeyTTL:
		at := uint32(8)
		if s.family == ir.IPv6 {
			at = 7
		}
		if x = append(x, header(at, 1)); single {
			return append(x, compare(s.Not, []byte{byte(s.From)}))
		}
		return within(x, s.Not, []byte{byte(s.From)}, []byte{byte(s.To)})
	case ir.KeyMAC:
		return append(x, &expr.Meta{Key: expr.MetaKeyIIFTYPE, Register: reg},
			compare(false, binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_ETHER)),
			&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 6},
			compare(s.Not, binary.BigEndian.AppendUint64(nil, s.From)[2:]))
	}
	panic(fmt.Sprintf("nftables: unknown key %s", s.Key))
}

func bigEndian32(n uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// field lowers a match on a key.
func (s *ruleLowering) field(m ir.Field) {
	whole := m.Mask == m.Key.All()
	fine := false
	switch m.Key {
	case ir.KeyCTMark:
		fine = m.From == m.To
	case ir.KeyTOS:
		fine = m.Mask == 0xfc && m.From == m.To
	case ir.KeyFragment:
		fine = m.From == m.To
	case ir.KeyTTL, ir.KeyLength, ir.KeyUID, ir.KeyGID, ir.KeyOrigDPort:
		fine = whole
	case ir.KeyDirection:
		fine = whole && m.From == m.To
	case ir.KeyPktType:
		fine = whole && m.From == m.To && m.From < 4
	case ir.KeyMAC:
		fine = whole && m.From == m.To
	}
	if !fine {
		s.refuse("a match that nftables has no words for: "+ir.MatchText(m), "nft(8) compares other bits, or single values",
			"write the rule in nft(8)'s words, in a table of your own")
		return
	}
	if m.Key == ir.KeyMAC && s.table == ir.Both && s.family != ir.Both {
		s.refuse("an Ethernet address in a rule for one family, in a table of both",
			"nft(8) tells the family of what follows it by the frame, and so not as the rest of the table",
			"put the rule into a table of its family")
		return
	}
	switch m.Key {
	case ir.KeyTTL, ir.KeyTOS, ir.KeyFragment:
		if m.Key == ir.KeyFragment {
			s.family &= ir.IPv4
		}
		if s.family != ir.IPv4 && s.family != ir.IPv6 {
			s.refuse("a match on "+m.Key.String()+" in a rule for both families, or none",
				"the headers of IPv4 and IPv6 have it at different places", "make a rule for each family")
			return
		}
		s.needFamily(s.family, nowhere)
	}
	s.add(key{m, s.family})
}

// addrType is the type of an address.
type addrType struct{ ir.AddrType }

func (s addrType) appendText(b []byte, _ form) []byte {
	side := "fib daddr type "
	if s.Source {
		side = "fib saddr type "
	}
	return append(appendNot(append(b, side...), s.Not), s.Types.String()...)
}

func (s addrType) exprs(x []expr.Any) []expr.Any {
	number := uint32(0)
	for s.Types>>number > 1 {
		number++
	}
	return append(x, &expr.Fib{Register: reg, ResultADDRTYPE: true, FlagSADDR: s.Source, FlagDADDR: !s.Source},
		compare(s.Not, hostEndian32(number)))
}

// addrType lowers a match on the type of an address.
func (s *ruleLowering) addrType(m ir.AddrType) {
	if m.Types&(m.Types-1) != 0 {
		s.refuse("a match on several types of addresses: "+m.Types.String(), "nft(8) looks them up in a set of types",
			"write a rule for each type")
		return
	}
	s.add(addrType{m})
}

// copyMark copies bits of a mark. All others are cleared.
type copyMark struct {
	save bool
	take uint32
}

func (s copyMark) appendText(b []byte, _ form) []byte {
	words := [2]string{"meta mark", "ct mark"}
	if s.save {
		slices.Reverse(words[:])
	}
	b = append(append(append(b, words[0]...), " set "...), words[1]...)
	if s.take != ^uint32(0) {
		b = fmt.Appendf(b, " & 0x%08x", s.take)
	}
	return b
}

func (s copyMark) exprs(x []expr.Any) []expr.Any {
	if s.save {
		x = append(x, &expr.Meta{Key: expr.MetaKeyMARK, Register: reg})
	} else {
		x = append(x, &expr.Ct{Key: expr.CtKeyMARK, Register: reg})
	}
	if s.take != ^uint32(0) {
		x = append(x, masked(hostEndian32(s.take)))
	}
	if s.save {
		return append(x, &expr.Ct{Key: expr.CtKeyMARK, Register: reg, SourceRegister: true})
	}
	return append(x, &expr.Meta{Key: expr.MetaKeyMARK, Register: reg, SourceRegister: true})
}

// clampMSS lowers the maximum segment size of a TCP packet.
type clampMSS struct{ size uint16 }

func (s clampMSS) appendText(b []byte, _ form) []byte {
	if s.size == 0 {
		return append(b, "tcp option maxseg size set rt mtu"...)
	}
	return fmt.Appendf(b, "tcp option maxseg size set %d", s.size)
}

func (s clampMSS) exprs(x []expr.Any) []expr.Any {
	if s.size == 0 {
		x = append(x, &expr.Rt{Register: reg, Key: expr.RtTCPMSS},
			&expr.Byteorder{SourceRegister: reg, DestRegister: reg, Op: expr.ByteorderHton, Len: 2, Size: 2})
	} else {
		x = append(x, &expr.Immediate{Register: reg, Data: bigEndian16(s.size)})
	}
	const maxSegment = 2 // TCPOPT_MAXSEG of linux/tcp.h
	return append(x, &expr.Exthdr{SourceRegister: reg, Type: maxSegment, Offset: 2, Len: 2, Op: expr.ExthdrOpTcpopt})
}
