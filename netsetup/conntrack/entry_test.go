package conntrack

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// at encodes an attribute. A value of no bytes and some inner attributes is nested.
func at(typ uint16, value []byte, inner ...[]byte) []byte {
	for _, one := range inner {
		value = append(value, one...)
	}
	if inner != nil {
		typ |= attrNested
	}
	b := binary.NativeEndian.AppendUint16(nil, uint16(attrHeader+len(value)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// ip encodes the addresses of a tuple.
func ip(src, dst string) []byte {
	from, to := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	typ := uint16(ctaIPv6Src)
	if from.Is4() {
		typ = ctaIPv4Src
	}
	return at(ctaTupleIP, nil, at(typ, from.AsSlice()), at(typ+1, to.AsSlice()))
}

// transport encodes protocol and ports of a tuple.
func transport(proto uint8, sport, dport uint16) []byte {
	return at(ctaTupleProto, nil, at(ctaProtoNum, []byte{proto}), at(ctaProtoSrcPort, be16(sport)),
		at(ctaProtoDstPort, be16(dport)))
}

// join puts attributes one behind the other.
func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var (
	goodOrig  = at(ctaTupleOrig, nil, ip("10.0.0.5", "192.0.2.1"), transport(6, 4000, 80))
	goodReply = at(ctaTupleReply, nil, ip("10.0.1.7", "10.0.0.5"), transport(6, 8080, 4000))
)

var equalAddrs = cmpopts.EquateComparable(netip.Addr{})

func TestParse(t *testing.T) {
	addr := netip.MustParseAddr
	orig := Tuple{Src: addr("10.0.0.5"), Dst: addr("192.0.2.1"), Proto: 6, SPort: 4000, DPort: 80}
	reply := Tuple{Src: addr("10.0.1.7"), Dst: addr("10.0.0.5"), Proto: 6, SPort: 8080, DPort: 4000}
	ping := Tuple{Src: addr("fd00::1"), Dst: addr("fd00::2"), Proto: 58, ICMPID: 9, ICMPType: 128, ICMPCode: 3}
	pong := ping.reversed()
	echo := at(ctaTupleProto, nil, at(ctaProtoNum, []byte{58}), at(ctaProtoICMPv6ID, be16(9)),
		at(ctaProtoICMPv6Type, []byte{128}), at(ctaProtoICMPv6Code, []byte{3}))
	tests := []struct {
		name  string
		attrs []byte
		want  Entry
		err   string
	}{
		{"all", join(goodOrig, goodReply, at(ctaStatus, be32(0x2e)), at(ctaTimeout, be32(90)), at(ctaID, be32(7)),
			at(ctaZone, be16(3)), at(200, []byte("what is new"))),
			Entry{orig, reply, SeenReply | Assured | 8 | DestNAT, 3, 7, 90 * time.Second}, ""},
		{"IPv6, ICMP", join(at(ctaTupleOrig, nil, ip("fd00::1", "fd00::2"), echo),
			at(ctaTupleReply, nil, ip("fd00::2", "fd00::1"), echo)),
			Entry{Original: ping, Reply: pong}, ""},
		{"zone of one direction", join(at(ctaTupleOrig, nil, ip("10.0.0.5", "192.0.2.1"), transport(6, 4000, 80),
			at(ctaTupleZone, be16(5))), goodReply), Entry{Original: orig, Reply: reply, Zone: 5}, ""},
		{"nothing", nil, Entry{}, "without the addresses of its first packet"},
		{"no answers", goodOrig, Entry{}, "without the addresses of its answers"},
		{"no first packet", goodReply, Entry{}, "without the addresses of its first packet"},
		{"two families", join(goodOrig, at(ctaTupleReply, nil, ip("fd00::2", "fd00::1"))), Entry{}, "two families"},
		{"two protocols", join(goodOrig, at(ctaTupleReply, nil, ip("10.0.1.7", "10.0.0.5"), transport(17, 1, 2))),
			Entry{}, "two protocols"},
		{"short address", join(at(ctaTupleOrig, nil, at(ctaTupleIP, nil, at(ctaIPv4Src, []byte{1, 2, 3}))), goodReply),
			Entry{}, "attribute 1 has 3 bytes, not 4"},
		{"long port", join(at(ctaTupleOrig, nil, at(ctaTupleProto, nil, at(ctaProtoDstPort, be32(1)))), goodReply),
			Entry{}, "attribute 3 has 4 bytes, not 2"},
		{"longer than there is", join(goodOrig, []byte{12, 0, ctaStatus, 0, 0, 0, 0, 0}), Entry{},
			"an attribute of 12 bytes in 8"},
		{"shorter than its header", join(goodOrig, []byte{3, 0, ctaStatus, 0}), Entry{}, "an attribute of 3 bytes in 4"},
		{"a rest", join(goodOrig, goodReply, []byte{0, 0}), Entry{}, "2 bytes where an attribute should be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.attrs)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, %v, want an error about %q", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, equalAddrs); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestParseAllocates: a listing of a busy host is long.
func TestParseAllocates(t *testing.T) {
	attrs := join(goodOrig, goodReply, at(ctaStatus, be32(8)), at(ctaID, be32(7)))
	n := testing.AllocsPerRun(100, func() {
		if _, _, err := parse(attrs); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("reading an entry allocates %v times", n)
	}
}

// FuzzParse: no bytes make the parser panic. What it reads has whole tuples of one family, and the
// keys that a deletion repeats mean the same entry.
func FuzzParse(f *testing.F) {
	f.Add(join(goodOrig, goodReply, at(ctaStatus, be32(0x2e)), at(ctaID, be32(7)), at(ctaZone, be16(3))))
	f.Add(join(at(ctaTupleOrig, nil, ip("fd00::1", "fd00::2"), transport(17, 53, 54), at(ctaTupleZone, be16(5))),
		at(ctaTupleReply, nil, ip("fd00::2", "fd00::1"), transport(17, 54, 53))))
	f.Add(goodOrig)
	f.Add([]byte{4, 0, 1, 0})
	f.Add(join(goodOrig, goodReply, at(ctaID, be32(7)), at(ctaZone, be16(3))[:6])) // the last one without padding
	const text = "deny from network web to network db\nallow from outside to network safe"
	judge := NewJudge(nil, program(f, 5, text), machine())
	f.Fuzz(func(t *testing.T, attrs []byte) {
		e, k, err := parse(attrs)
		if err != nil {
			return
		}
		for _, a := range []netip.Addr{e.Original.Src, e.Original.Dst, e.Reply.Src, e.Reply.Dst} {
			if !a.IsValid() || a.Is4() != e.Original.Src.Is4() {
				t.Errorf("%s has the address %s", e, a)
			}
		}
		again := appendPadded(appendPadded(appendPadded(goodReplyOf(e), k.tuple), k.zone), k.id)
		back, err := Parse(again)
		if err != nil {
			t.Fatalf("the keys of %s are not read: %v", e, err)
		}
		if back.Original != e.Original || back.ID != e.ID {
			t.Errorf("the keys of %v are those of %v", e, back)
		}
		if judge.Concerns(&e) {
			judge.Judge(e)
		}
	})
}

// goodReplyOf encodes answers that fit e.
func goodReplyOf(e Entry) []byte {
	o := &e.Original
	return at(ctaTupleReply, nil, ip(o.Dst.String(), o.Src.String()), transport(o.Proto, 1, 2))
}
