package nftables

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// TestBatchRules: each message's sequence number leads to its rule, and to no other.
func TestBatchRules(t *testing.T) {
	p := networks(2)
	b := lowered(t, p, vnetcOptions).Batch()
	seen := make(map[*ir.Rule]int)
	seq := uint32(0)
	for at := 0; at < len(b.Bytes); {
		m, rest, err := wire.Next(b.Bytes[at:], at)
		if err != nil {
			t.Fatal(err)
		}
		at = len(b.Bytes) - len(rest)
		if seq++; m.Seq != seq {
			t.Fatalf("message %d has sequence number %d", seq, m.Seq)
		}
		if r := b.Rule(m.Seq); r != nil {
			seen[r]++
			if m.Type != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWRULE {
				t.Errorf("message %d of type 0x%x leads to a rule", m.Seq, m.Type)
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

// TestBatchFrame checks the headers of the first and the last message by hand (nfnetlink(7) has no
// page; the layout is in include/uapi/linux/netfilter/nfnetlink.h): the resource id names
// nf_tables.
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
	if first, last := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[len(b)-16:]); first != 0x10 ||
		last != 0x11 {
		t.Errorf("types 0x%x and 0x%x, want 0x10 and 0x11", first, last)
	}
}
