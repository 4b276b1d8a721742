package nftables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// layOut lowers p in a layout.
func layOut(t *testing.T, p *ir.Program, layout backends.Layout) *Ruleset {
	t.Helper()
	rules, found := Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: layout})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return rules.(*Ruleset)
}

// toSend returns the batch that Load would send to make the namespace hold rules.
func toSend(t *testing.T, ns *netnstest.NS, rules *Ruleset) *wire.Batch {
	t.Helper()
	batch := rules.Batch()
	want, err := delta.Take(batch.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var change *wire.Batch
	ns.Do(func() {
		stream, generation, err := wire.Dump(tablesOf(backends.VnetcNames))
		if err != nil {
			t.Fatal(err)
		}
		have, err := delta.Take(stream)
		if err != nil {
			t.Fatal(err)
		}
		change, _ = delta.Between(have, want, generation, batch.Rule)
	})
	return change
}

// forge gives the message with this sequence number a type that nf_tables doesn't know.
func forge(b *wire.Batch, seq int) {
	at := 0
	for range seq - 1 {
		at += (int(binary.NativeEndian.Uint32(b.Bytes[at:])) + 3) &^ 3
	}
	binary.NativeEndian.PutUint16(b.Bytes[at+4:], unix.NFNL_SUBSYS_NFTABLES<<8|0x7f)
}

// faultLoads are loads whose batches have all kinds of messages: what is loaded before (nil for
// nothing), and what then.
func faultLoads(t *testing.T) map[string][2]*Ruleset {
	few, more := manyRules(3), manyRules(6)
	few.Add(ir.FWI, ir.Rule{Family: ir.Both, Verdict: ir.Reject{With: ir.PortUnreachable},
		Matches: []ir.Match{ir.OIfName{Name: "vbr0"}}})
	return map[string][2]*Ruleset{
		"first load":         {nil, layOut(t, more, backends.Sets)},
		"rules replaced":     {layOut(t, few, backends.Chains), layOut(t, more, backends.Chains)},
		"elements replaced":  {layOut(t, more, backends.Sets), layOut(t, few, backends.Sets)},
		"layout changed":     {layOut(t, few, backends.Chains), layOut(t, more, backends.Sets)},
		"all networks gone":  {layOut(t, more, backends.Sets), layOut(t, &ir.Program{}, backends.Sets)},
		"a chain not wanted": {layOut(t, withChain(few), backends.Chains), layOut(t, few, backends.Chains)},
	}
}

// withChain returns p with one chain more, to which nothing leads.
func withChain(p *ir.Program) *ir.Program {
	q := &ir.Program{Chains: append([]*ir.Chain{}, p.Chains...)}
	q.Chains = append(q.Chains, &ir.Chain{Family: ir.Both, Name: "more",
		Rules: []ir.Rule{{Family: ir.Both, Verdict: ir.Drop{}}}})
	return q
}

// TestKernelRefusedAtEach has the kernel refuse each message of a batch in turn: the error names
// it, its rule and the rule's place in the source; nothing is changed; the load then succeeds.
func TestKernelRefusedAtEach(t *testing.T) {
	netnstest.Require(t, "nft")
	for name, rules := range faultLoads(t) {
		t.Run(name, func(t *testing.T) {
			ns := netnstest.New(t)
			ns.Feed([]byte(foreignTable), "nft", "-f", "-")
			load := func(rules *Ruleset) {
				ns.Do(func() {
					if _, err := (Loader{}).Load(rules); err != nil {
						t.Fatal(err)
					}
				})
			}
			if rules[0] != nil {
				load(rules[0])
			}
			before := ns.Exec("nft", "-a", "list", "ruleset")
			n := toSend(t, ns, rules[1]).Len()
			for seq := 2; seq < n; seq++ { // between the messages that open and close the batch
				b := toSend(t, ns, rules[1])
				forge(b, seq)
				var err error
				ns.Do(func() { err = b.Send() })
				var refused *wire.RefusedError
				if !errors.As(err, &refused) || refused.Seq != uint32(seq) || !errors.Is(err, unix.EINVAL) {
					t.Errorf("message %d of %d: got %v", seq, n, err)
				} else if r := b.Rule(refused.Seq); r != nil && r.Origin.Span.File != "" &&
					!strings.HasPrefix(err.Error(), fmt.Sprintf("%s: the kernel refuses %q", r.Origin.Span, r)) {
					t.Errorf("message %d of %d: the error doesn't name rule and line: %v", seq, n, err)
				}
				if diff := cmp.Diff(before, ns.Exec("nft", "-a", "list", "ruleset")); diff != "" {
					t.Fatalf("message %d of %d was refused and this changed:\n%s", seq, n, diff)
				}
			}
			load(rules[1])
			if left := toSend(t, ns, rules[1]).Len(); left != 2 {
				t.Errorf("after the load %d messages are left to be sent", left-2)
			}
			t.Logf("%d messages refused", n-2)
		})
	}
}

// TestKernelForeignWriter: a change by somebody else between reading and writing makes the kernel
// refuse the batch, and Load start over. What the other has written elsewhere stays.
func TestKernelForeignWriter(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	loadIn(t, ns, manyRules(3))
	for _, write := range []string{"add table ip stranger", "insert rule ip vnetc fwo accept", "flush ruleset"} {
		b := toSend(t, ns, layOut(t, manyRules(4), backends.Chains))
		ns.Exec("nft", write)
		before := ns.Exec("nft", "-a", "list", "ruleset")
		var err error
		ns.Do(func() { err = b.Send() })
		if !errors.Is(err, unix.ERESTART) {
			t.Errorf("after %q: got %v, want ERESTART", write, err)
		}
		if diff := cmp.Diff(before, ns.Exec("nft", "-a", "list", "ruleset")); diff != "" {
			t.Errorf("after %q: the refused batch changed:\n%s", write, diff)
		}
		loadIn(t, ns, manyRules(3))
	}

	// Somebody writes again and again while rules are loaded.
	stop, done := make(chan bool), make(chan int)
	ns.Exec("nft", "add table ip stranger; add chain ip stranger c")
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
				if err := ns.Command("nft", "add rule ip stranger c counter").Run(); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for i := range 60 {
		loadIn(t, ns, manyRules(1+i%5))
	}
	close(stop)
	n := <-done
	if got := strings.Count(ns.Exec("nft", "list", "table", "ip", "stranger"), "counter"); got != n {
		t.Errorf("%d rules of the other writer are there, of %d", got, n)
	}
	t.Logf("%d writes of another beside 60 loads", n)
}

// TestExplain: what is missing is named only where something is.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err   error
		wants string // empty if nothing is to be added
	}{
		{nil, ""},
		{unix.ENOENT, ""},
		{&wire.RefusedError{Seq: 3, Errno: unix.EINVAL}, ""},
		{&wire.RefusedError{Seq: 3, Errno: unix.EOPNOTSUPP}, ""},
		{&wire.RefusedError{Seq: 1, Errno: unix.EPERM}, "CAP_NET_ADMIN"},
		{fmt.Errorf("ask nf_tables: %w", unix.EPERM), "CAP_NET_ADMIN"},
		{unix.EPROTONOSUPPORT, "CONFIG_NF_TABLES"},
		{unix.EINVAL, "CONFIG_NF_TABLES"}, // nfnetlink's answer to a subsystem that it doesn't have
	} {
		got := explain(tt.err)
		if tt.wants == "" && got != tt.err || tt.wants != "" && !strings.Contains(got.Error(), tt.wants) {
			t.Errorf("explain(%v) = %v, want %q in it", tt.err, got, tt.wants)
		}
	}
}
