package ir

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
)

// value reports w as a wrong value.
func (t *textReader) value(w textWord, want, fix string) {
	t.errorf(t.area+"-value", w.Pos.Offset, len(w.Text), fmt.Sprintf("%s is not %s", shown(w.Text), want),
		"nothing else can stand here", fix)
}

// text returns the word without its quotes.
func (t *textReader) text(w textWord) string {
	if !strings.HasPrefix(w.Text, `"`) {
		return w.Text
	}
	s, err := strconv.Unquote(w.Text)
	if err != nil {
		t.value(w, "a quoted string", `write \\ for a backslash, \" for a quote, \x1b for any other byte`)
	}
	return s
}

// optional returns the word without its quotes, nothing where there is no word.
func (t *textReader) optional(w *textWord) string {
	if w == nil {
		return ""
	}
	return t.text(*w)
}

// choose returns the one of all that w names.
func choose[T fmt.Stringer](t *textReader, w textWord, want string, all ...T) T {
	text := t.text(w)
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = v.String()
		if names[i] == text {
			return v
		}
	}
	t.value(w, want, "write one of "+strings.Join(names, ", "))
	var none T
	return none
}

// number returns w as a number of at most bits bits: decimal, or hexadecimal with 0x.
func (t *textReader) number(w textWord, bits int) uint64 {
	n, err := parseNumber(t.text(w), bits)
	if err != nil {
		t.value(w, fmt.Sprintf("a number up to %d", uint64(1)<<bits-1),
			"write a decimal number, or a hexadecimal one with 0x before it")
	}
	return n
}

func parseNumber(s string, bits int) (uint64, error) {
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		return strconv.ParseUint(hex, 16, bits)
	}
	return strconv.ParseUint(s, 10, bits)
}

// ports returns w as FROM-TO, or as one port.
func (t *textReader) ports(w textWord) PortRange {
	from, to := split(t.text(w), "-")
	a, err := parseNumber(from, 16)
	b, err2 := parseNumber(to, 16)
	if err != nil || err2 != nil {
		t.value(w, "a port or a range of ports", "write a number up to 65535, or two with - between them")
	}
	return PortRange{From: uint16(a), To: uint16(b)}
}

// addrs returns w as FROM-TO, or as one address.
func (t *textReader) addrs(w textWord) AddrRange {
	from, to := split(t.text(w), "-")
	a, err := netip.ParseAddr(from)
	b, err2 := netip.ParseAddr(to)
	if err != nil || err2 != nil || a.Zone()+b.Zone() != "" {
		t.value(w, "an address or a range of addresses",
			"write an address such as 192.0.2.1 or fd00::1, or two with - between them")
	}
	return AddrRange{From: a, To: b}
}

func (t *textReader) prefix(w textWord) netip.Prefix {
	p, err := netip.ParsePrefix(t.text(w))
	if err != nil {
		t.value(w, "an address prefix or a range of addresses",
			"write an address and its length, such as 192.0.2.0/24, or two addresses with - between them")
	}
	return p
}

// split cuts s at the first sep; what is not cut is both halves.
func split(s, sep string) (before, after string) {
	if before, after, ok := strings.Cut(s, sep); ok {
		return before, after
	}
	return s, s
}

func (t *textReader) proto(w textWord) uint8 {
	n, ok := ProtoNumber(t.text(w))
	if !ok {
		t.value(w, "a protocol", "write a number up to 255, or one of icmp, tcp, udp, dccp, icmpv6, sctp, udplite")
	}
	return n
}

func (t *textReader) states(w textWord) State {
	var all State
	for _, name := range strings.Split(t.text(w), ",") {
		known := State(0)
		for _, n := range stateNames {
			if n.name == name {
				known = n.state
			}
		}
		if known == 0 {
			t.value(w, "a list of connection states",
				"write some of invalid, established, related, new, untracked with commas between them")
			return 0
		}
		all |= known
	}
	return all
}

func (t *textReader) status(w textWord) Status {
	var all Status
	for _, name := range strings.Split(t.text(w), ",") {
		known := Status(0)
		for _, n := range statusNames {
			if n.name == name {
				known = n.status
			}
		}
		if known == 0 {
			t.value(w, "a connection's NAT status", "write snat, dnat, or both with a comma between them")
			return 0
		}
		all |= known
	}
	return all
}

// flags reads TCP flags with commas between them, none or all.
func (t *textReader) flags(w textWord) Flags {
	flags, ok := parseFlags(t.text(w))
	if !ok {
		t.value(w, "a list of TCP flags", flagsFix)
	}
	return flags
}

// flagsUnder reads FLAGS/MASK.
func (t *textReader) flagsUnder(w textWord) (flags, mask Flags) {
	before, after, both := strings.Cut(t.text(w), "/")
	flags, ok := parseFlags(before)
	mask, ok2 := parseFlags(after)
	if !both || !ok || !ok2 {
		t.value(w, "TCP flags under a mask", "write FLAGS/MASK, such as syn/fin,syn,rst,ack")
	}
	return flags, mask
}

const flagsFix = "write some of fin, syn, rst, psh, ack, urg, ecn, cwr with commas between them; none; or all"

func parseFlags(text string) (all Flags, ok bool) {
	switch text {
	case "none":
		return 0, true
	case "all":
		return AllFlags, true
	}
	for name := range strings.SplitSeq(text, ",") {
		known := Flags(0)
		for _, n := range flagNames {
			if n.name == name {
				known = n.flag
			}
		}
		if known == 0 {
			return 0, false
		}
		all |= known
	}
	return all, true
}

// mark returns w as VALUE/MASK, or as VALUE alone for all bits.
func (t *textReader) mark(w textWord) (value, mask uint32) {
	text := t.text(w)
	valueText, maskText, masked := strings.Cut(text, "/")
	if !masked {
		maskText = "0xffffffff"
	}
	v, err := parseNumber(valueText, 32)
	m, err2 := parseNumber(maskText, 32)
	if err != nil || err2 != nil {
		t.value(w, "a mark", "write VALUE or VALUE/MASK, such as 0x10/0xf0")
	}
	return uint32(v), uint32(m)
}

// place fills in the lines and columns of a span from LINE:COL-LINE:COL.
func (t *textReader) place(w textWord, s *diag.Span) {
	from, to := split(t.text(w), "-")
	ok := parsePair(from, ":", &s.Start.Line, &s.Start.Col) && parsePair(to, ":", &s.End.Line, &s.End.Col)
	if !ok {
		t.value(w, "a place", "write LINE:COLUMN-LINE:COLUMN")
	}
}

// bytes fills in the offsets of a span from FROM-TO.
func (t *textReader) bytes(w textWord, s *diag.Span) {
	if !parsePair(t.text(w), "-", &s.Start.Offset, &s.End.Offset) {
		t.value(w, "a range of bytes", "write FROM-TO")
	}
}

func parsePair(s, sep string, a, b *int) bool {
	before, after, _ := strings.Cut(s, sep)
	x, err := strconv.ParseUint(before, 10, 31)
	y, err2 := strconv.ParseUint(after, 10, 31)
	*a, *b = int(x), int(y)
	return err == nil && err2 == nil
}
