package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// manyRules returns a program with n rules, each with an origin of its own.
func manyRules(n int) *ir.Program {
	p := &ir.Program{}
	for i := range n {
		p.Add(ir.FWO, ir.Rule{
			Family: ir.IPv4, Verdict: ir.Accept{},
			Matches: []ir.Match{ir.IIfName{Name: fmt.Sprintf("vbr%d", i)},
				ir.SAddr{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)}},
			Origin: ir.Origin{Span: diag.Span{File: "lab.xml", Start: diag.Pos{Line: i + 1, Col: 1}}},
		})
	}
	return p
}

func batchOf(t *testing.T, p *ir.Program) *wire.Batch {
	t.Helper()
	rules, found := Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
		Layout: backends.Chains})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return rules.(*Ruleset).Batch()
}

// TestKernelSend: a batch far larger than the usual buffers goes in whole, and replaces itself.
func TestKernelSend(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	const n = 20000
	b := batchOf(t, manyRules(n))
	for range 2 {
		ns.Do(func() {
			if err := b.Send(); err != nil {
				t.Fatal(err)
			}
		})
		if got := strings.Count(ns.Exec("nft", "list", "chain", "ip", "vnetc", "fwo"), "accept"); got != n {
			t.Errorf("%d rules of %d are there", got, n)
		}
	}
}

// TestKernelSendRefused: what the kernel refuses is named by the XML line of its rule, and nothing
// of the batch stays.
func TestKernelSendRefused(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	for _, bad := range []int{0, 7, 499} {
		b := batchOf(t, manyRules(500))
		seq := uint32(0)
		for s := uint32(1); s <= uint32(b.Len()); s++ {
			if r := b.Rule(s); r != nil && r.Origin.Span.Start.Line == bad+1 {
				seq = s
			}
		}
		spoil(t, b, seq)
		var err error
		ns.Do(func() { err = b.Send() })
		var refused *wire.RefusedError
		if !errors.As(err, &refused) {
			t.Fatalf("rule %d: got %v, want a refusal", bad, err)
		}
		if refused.Seq != seq || !errors.Is(err, unix.ENOENT) ||
			!strings.HasPrefix(refused.Error(), fmt.Sprintf("lab.xml:%d:1: ", bad+1)) {
			t.Errorf("rule %d, message %d: got message %d: %v", bad, seq, refused.Seq, err)
		}
		if left := ns.Exec("nft", "list", "ruleset"); left != "" {
			t.Errorf("rule %d: this stays:\n%s", bad, left)
		}
	}
}

// spoil makes the message with this sequence number name a chain that does not exist.
func spoil(t *testing.T, b *wire.Batch, seq uint32) {
	t.Helper()
	rest := b.Bytes
	for s := uint32(1); ; s++ {
		size := (int(le32(rest)) + 3) &^ 3
		if s == seq {
			at := strings.Index(string(rest[:size]), "fwo\x00")
			if at < 0 {
				t.Fatalf("message %d names no chain", seq)
			}
			copy(rest[at:], "xyz")
			return
		}
		rest = rest[size:]
	}
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
