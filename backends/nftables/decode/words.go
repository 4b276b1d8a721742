package decode

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// words returns what steps do in nft(8)'s words, as far as it is known here; else in the notation
// of [wire.Debug]. Different steps have different words: equal words are taken to mean the same.
func (m *machine) words(steps ...*wire.Expression) string {
	if text, ok := m.phrase(steps); ok {
		return wire.OneLine([]byte(text))
	}
	return debugText(steps...)
}

// phrase returns the words for steps that load a value and do one thing with it, or for one step
// that needs none.
func (m *machine) phrase(steps []*wire.Expression) (string, bool) {
	last := steps[len(steps)-1]
	if len(steps) == 1 {
		return m.single(last)
	}
	first := steps[0]
	if first.Name == "immediate" {
		data := first.Value(unix.NFTA_IMMEDIATE_DATA)
		to, ok := m.setSubject(last)
		return fmt.Sprintf("%s set %s", to.name, to.show(data)), ok && len(steps) == 2
	}
	s, ok := m.subjectOf(first)
	if !ok {
		return "", false
	}
	name, masked, rest := s.name, false, steps[1:]
	for ; len(rest) > 1 && rest[0].Name != "cmp"; rest = rest[1:] {
		switch {
		case rest[0].Name == "byteorder" && s.kind == asHost: // as comparisons of greater and less need it
			s.kind = asNumber
		case rest[0].Name == "bitwise" && !masked:
			mask, xor := rest[0].Value(unix.NFTA_BITWISE_MASK), rest[0].Value(unix.NFTA_BITWISE_XOR)
			if len(mask) == 0 || len(mask) > 8 || len(xor) != len(mask) {
				return "", false
			}
			masked = true
			name += " & " + s.hex(mask)
			if strings.Trim(string(xor), "\x00") != "" {
				name += " ^ " + s.hex(xor)
			}
		default:
			return "", false
		}
	}
	switch {
	case len(rest) == 1:
		return m.doneWith(s, name, masked, last)
	case len(rest) == 2 && !masked && isCompare(rest[0], unix.NFT_CMP_GTE) && isCompare(rest[1], unix.NFT_CMP_LTE):
		return fmt.Sprintf("%s %s-%s", name, s.show(rest[0].Value(unix.NFTA_CMP_DATA)),
			s.show(rest[1].Value(unix.NFTA_CMP_DATA))), true
	}
	return "", false
}

func isCompare(e *wire.Expression, op uint32) bool {
	return e.Name == "cmp" && e.Number(unix.NFTA_CMP_OP) == op
}

// doneWith returns the words for the last step, which does something with a value called name.
func (m *machine) doneWith(s subject, name string, masked bool, last *wire.Expression) (string, bool) {
	show := s.show
	if masked {
		show = s.hex
	}
	switch last.Name {
	case "cmp":
		op, ok := operators[last.Number(unix.NFTA_CMP_OP)]
		if masked && op == "" {
			op = "== "
		}
		return fmt.Sprintf("%s %s%s", name, op, show(last.Value(unix.NFTA_CMP_DATA))), ok
	case "range":
		op := operators[last.Number(unix.NFTA_RANGE_OP)]
		return fmt.Sprintf("%s %s%s-%s", name, op, show(last.Value(unix.NFTA_RANGE_FROM_DATA)),
			show(last.Value(unix.NFTA_RANGE_TO_DATA))), true
	case "lookup":
		set := "@" + last.Text(unix.NFTA_LOOKUP_SET) + m.contents(last)
		_, mapped := last.Uint32(unix.NFTA_LOOKUP_DREG)
		switch {
		case mapped && last.Number(unix.NFTA_LOOKUP_DREG) == unix.NFT_REG_VERDICT:
			return name + " vmap " + set, true
		case mapped:
			return name + " map " + set, true
		case last.Number(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0:
			return name + " != " + set, true
		}
		return name + " " + set, true
	case "meta", "ct", "payload":
		to, ok := m.setSubject(last)
		return to.name + " set " + name, ok
	}
	return "", false
}

// contents says what is in the set of a look-up, if that doesn't change: two programs may have
// different sets of one name. Of more than a few elements it gives a digest.
func (m *machine) contents(lookup *wire.Expression) string {
	const few = 4
	s := m.setOf(lookup)
	if s == nil || !s.closed {
		return ""
	}
	var words []string
	for _, e := range s.ranges() {
		word := fmt.Sprintf("%#x", e.from)
		if e.to != nil {
			word += fmt.Sprintf("-%#x", e.to)
		}
		words = append(words, word)
	}
	text := strings.Join(words, ", ")
	if len(words) > few {
		text = fmt.Sprintf("%d elements, sha256 %x", len(words), sha256.Sum256([]byte(text)))
	}
	return " { " + text + " }"
}

// operators are the words of comparisons, with a blank behind; one for equality is not needed.
var operators = map[uint32]string{
	unix.NFT_CMP_EQ: "", unix.NFT_CMP_NEQ: "!= ", unix.NFT_CMP_LT: "< ", unix.NFT_CMP_LTE: "<= ", unix.NFT_CMP_GT: "> ",
	unix.NFT_CMP_GTE: ">= ",
}

// subject is something that an expression loads or sets.
type subject struct {
	name string
	kind showing
}

// showing is how values of a subject are shown.
type showing uint8

const (
	asHex    showing = iota // in the order of the network
	asHost                  // a number in the host's order
	asHostX                 // the same, in hexadecimal
	asNumber                // a number in the order of the network
	asText
	asAddr
)

func (s subject) show(data []byte) string {
	switch {
	case s.kind == asText:
		text, rest, ended := strings.Cut(string(data), "\x00")
		switch {
		case !ended && len(data) < unix.IFNAMSIZ:
			return fmt.Sprintf("%q", text+"*")
		case strings.Trim(rest, "\x00") == "":
			return fmt.Sprintf("%q", text)
		}
	case s.kind == asAddr:
		if a, ok := netip.AddrFromSlice(data); ok {
			return a.String()
		}
	case s.kind == asHost && len(data) <= 8 && len(data) > 0:
		return fmt.Sprint(number(data, binary.NativeEndian))
	case s.kind == asNumber && len(data) <= 8 && len(data) > 0:
		return fmt.Sprint(number(data, binary.BigEndian))
	}
	return s.hex(data)
}

// hex shows a value, or a mask of it, in hexadecimal.
func (s subject) hex(data []byte) string {
	switch {
	case len(data) == 0 || len(data) > 8:
		return fmt.Sprintf("0x%x", data)
	case s.kind == asHostX && len(data) == 4:
		return fmt.Sprintf("0x%08x", number(data, binary.NativeEndian))
	case s.kind == asHost || s.kind == asHostX:
		return fmt.Sprintf("%#x", number(data, binary.NativeEndian))
	}
	return fmt.Sprintf("%#x", number(data, binary.BigEndian))
}

// number returns the number of up to eight bytes.
func number(data []byte, order binary.ByteOrder) uint64 {
	var b [8]byte
	if order.Uint16([]byte{1, 0}) == 1 { // little
		copy(b[:], data)
	} else {
		copy(b[8-len(data):], data)
	}
	return order.Uint64(b[:])
}

// subjectOf returns what e loads.
func (m *machine) subjectOf(e *wire.Expression) (subject, bool) {
	switch e.Name {
	case "meta":
		s, ok := metaSubjects[e.Number(unix.NFTA_META_KEY)]
		return s, ok
	case "ct":
		s, ok := ctSubjects[e.Number(unix.NFTA_CT_KEY)]
		return s, ok
	case "payload":
		return m.header(e)
	}
	return subject{}, false
}

// setSubject returns what e sets.
func (m *machine) setSubject(e *wire.Expression) (subject, bool) {
	sets := map[string]int{"meta": unix.NFTA_META_SREG, "ct": unix.NFTA_CT_SREG, "payload": unix.NFTA_PAYLOAD_SREG}
	if attr, ok := sets[e.Name]; !ok || e.Attrs[attr] == nil {
		return subject{}, false
	}
	return m.subjectOf(e)
}

// metaSubjects are the words of nft(8) for keys of meta (enum nft_meta_keys).
var metaSubjects = map[uint32]subject{
	unix.NFT_META_LEN: {"meta length", asHost}, unix.NFT_META_PROTOCOL: {"meta protocol", asHex},
	unix.NFT_META_PRIORITY: {"meta priority", asHostX},
	unix.NFT_META_MARK:     {"meta mark", asHostX}, unix.NFT_META_IIF: {"iif", asHost},
	unix.NFT_META_OIF:     {"oif", asHost},
	unix.NFT_META_IIFNAME: {"iifname", asText}, unix.NFT_META_OIFNAME: {"oifname", asText},
	unix.NFT_META_IIFTYPE: {"iiftype", asHost},
	unix.NFT_META_OIFTYPE: {"oiftype", asHost}, unix.NFT_META_SKUID: {"meta skuid", asHost},
	unix.NFT_META_SKGID:   {"meta skgid", asHost},
	unix.NFT_META_NFTRACE: {"meta nftrace", asHost}, unix.NFT_META_RTCLASSID: {"meta rtclassid", asHostX},
	unix.NFT_META_NFPROTO: {"meta nfproto", asNumber},
	unix.NFT_META_L4PROTO: {"meta l4proto", asNumber}, unix.NFT_META_PKTTYPE: {"meta pkttype", asHost},
	unix.NFT_META_CPU:      {"meta cpu", asHost},
	unix.NFT_META_IIFGROUP: {"iifgroup", asHost}, unix.NFT_META_OIFGROUP: {"oifgroup", asHost},
	unix.NFT_META_CGROUP: {"meta cgroup", asHost},
}

// ctSubjects are those for keys of ct (enum nft_ct_keys).
var ctSubjects = map[uint32]subject{
	unix.NFT_CT_STATE: {"ct state", asHostX}, unix.NFT_CT_DIRECTION: {"ct direction", asNumber},
	unix.NFT_CT_STATUS: {"ct status", asHostX},
	unix.NFT_CT_MARK:   {"ct mark", asHostX}, unix.NFT_CT_EXPIRATION: {"ct expiration", asHost},
	unix.NFT_CT_HELPER: {"ct helper", asText},
	unix.NFT_CT_ZONE:   {"ct zone", asHost}, unix.NFT_CT_LABELS: {"ct label", asHex},
	unix.NFT_CT_EVENTMASK: {"ct event", asHostX},
}

// header returns the field of a header that e loads or writes.
func (m *machine) header(e *wire.Expression) (s subject, ok bool) {
	offset, size := e.Number(unix.NFTA_PAYLOAD_OFFSET), e.Number(unix.NFTA_PAYLOAD_LEN)
	type place struct{ offset, size uint32 }
	var fields map[place]subject
	base := ""
	switch e.Number(unix.NFTA_PAYLOAD_BASE) {
	case unix.NFT_PAYLOAD_LL_HEADER:
		base = "ll"
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		base = "nh"
		switch m.out.Family {
		case ir.IPv4:
			fields = map[place]subject{
				{1, 1}: {"ip tos", asHex}, {2, 2}: {"ip length", asNumber}, {4, 2}: {"ip id", asNumber},
				{6, 2}: {"ip frag-off", asHex},
				{8, 1}: {"ip ttl", asNumber}, {9, 1}: {"ip protocol", asNumber}, {12, 4}: {"ip saddr", asAddr},
				{16, 4}: {"ip daddr", asAddr},
			}
		case ir.IPv6:
			fields = map[place]subject{
				{4, 2}: {"ip6 length", asNumber}, {6, 1}: {"ip6 nexthdr", asNumber}, {7, 1}: {"ip6 hoplimit", asNumber},
				{8, 16}: {"ip6 saddr", asAddr}, {24, 16}: {"ip6 daddr", asAddr},
			}
		}
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		base = "th"
		name := "th"
		if ir.HasPorts(m.proto) {
			name = ir.ProtoName(m.proto)
		}
		fields = map[place]subject{{0, 2}: {name + " sport", asNumber}, {2, 2}: {name + " dport", asNumber}}
		switch m.proto {
		case ir.TCP:
			fields[place{13, 1}] = subject{"tcp flags", asHex}
		case ir.ICMP, ir.ICMPv6:
			fields = map[place]subject{{0, 1}: {ir.ProtoName(m.proto) + " type", asNumber},
				{1, 1}: {ir.ProtoName(m.proto) + " code", asNumber}}
		}
	}
	if s, ok := fields[place{offset, size}]; ok {
		return s, true
	}
	return subject{fmt.Sprintf("@%s,%d,%d", base, offset*8, size*8), asHex},
		base != "" // nft(8), raw payload expression
}
