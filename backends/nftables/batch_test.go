package nftables

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// TestMasqueradeFlag watches the library's fault that [marshal] cures: without NF_NAT_RANGE_PROTO_SPECIFIED the kernel
// ignores the ports, and nft lists them all the same. When the library is mended this test fails, and the cure can go.
func TestMasqueradeFlag(t *testing.T) {
	ports := func(masq []byte) ir.Verdict {
		load, err := expr.Marshal(unix.NFPROTO_IPV4, &expr.Immediate{Register: 1, Data: []byte{4, 0}})
		if err != nil {
			t.Fatal(err)
		}
		var b Batch
		for _, data := range [][]byte{load, masq} {
			at := b.attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
			b.Bytes = append(b.Bytes, data...)
			b.endAttr(at)
		}
		list, err := expressions(nil, b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		m := machine{table: ir.IPv4, proto: ir.TCP}
		return m.rule(list).Verdict
	}
	e := &expr.Masq{ToPorts: true, RegProtoMin: 1}
	library, err := expr.Marshal(unix.NFPROTO_IPV4, e)
	if err != nil {
		t.Fatal(err)
	}
	if got := ports(library); got != (ir.Masquerade{}) {
		t.Errorf("the library now encodes %+v: take marshalMasq out of batch.go", got)
	}
	if got, want := ports(marshal(unix.NFPROTO_IPV4, e)), (ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 1024}}); got != want {
		t.Errorf("cured: got %+v, want %+v", got, want)
	}
}

// TestBatchRules: each message's sequence number leads to its rule, and to no other.
func TestBatchRules(t *testing.T) {
	p := networks(2)
	b := lowered(t, p, vnetcOptions).Batch()
	seen := make(map[*ir.Rule]int)
	seq := uint32(0)
	for at := 0; at < len(b.Bytes); {
		m, rest, err := nextMessage(b.Bytes[at:], at)
		if err != nil {
			t.Fatal(err)
		}
		at = len(b.Bytes) - len(rest)
		if seq++; m.seq != seq {
			t.Fatalf("message %d has sequence number %d", seq, m.seq)
		}
		if r := b.Rule(m.seq); r != nil {
			seen[r]++
			if m.typ != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWRULE {
				t.Errorf("message %d of type 0x%x leads to a rule", m.seq, m.typ)
			}
		}
	}
	if int(seq) != b.Len() {
		t.Errorf("got %d messages, Len is %d", seq, b.Len())
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			if n := seen[&c.Rules[i]]; n != 1 {
				t.Errorf("%d messages lead to rule %d of %s, want 1", n, i, c.Label())
			}
		}
	}
	for _, n := range []uint32{0, seq + 1, 1 << 31} {
		if b.Rule(n) != nil {
			t.Errorf("sequence number %d leads to a rule", n)
		}
	}
}

// TestBatchFrame checks the headers of the first and the last message by hand (nfnetlink(7) has no page; the layout is in
// include/uapi/linux/netfilter/nfnetlink.h): the resource id names nf_tables.
func TestBatchFrame(t *testing.T) {
	b := lowered(t, new(ir.Program), vnetcOptions).Batch().Bytes
	for _, m := range [][]byte{b[:20], b[len(b)-20:]} {
		if n := binary.NativeEndian.Uint32(m); n != 20 {
			t.Errorf("length %d, want 20", n)
		}
		if id := binary.BigEndian.Uint16(m[18:]); id != unix.NFNL_SUBSYS_NFTABLES {
			t.Errorf("resource id %d, want %d", id, unix.NFNL_SUBSYS_NFTABLES)
		}
	}
	if first, last := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[len(b)-16:]); first != 0x10 || last != 0x11 {
		t.Errorf("types 0x%x and 0x%x, want 0x10 and 0x11", first, last)
	}
}

// TestAttributeLimit: a length that does not fit its sixteen bits must never go out.
func TestAttributeLimit(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an attribute of 70,000 bytes was written")
		}
	}()
	new(Batch).text(1, strings.Repeat("x", 70_000))
}
