package nftables

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// routedNetworks returns a program of n networks with a bridge, subnets IPv4 subnets behind NAT and
// one of IPv6 each.
func routedNetworks(n, subnets int) *ir.Program {
	p := &ir.Program{}
	rule := func(f ir.Family, v ir.Verdict, m ...ir.Match) ir.Rule {
		return ir.Rule{Family: f, Matches: m, Verdict: v, Origin: ir.Origin{Network: "lab"}}
	}
	for i := range n {
		in, out := ir.IIfName{Name: fmt.Sprintf("vbr%d", i)}, ir.OIfName{Name: fmt.Sprintf("vbr%d", i)}
		p.Add(ir.FWX, rule(ir.Both, ir.Accept{}, in, out))
		four := func(k int) netip.Prefix {
			at := i*subnets + k
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(at >> 8), byte(at), 0}), 24)
		}
		six := netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 4: byte(i >> 8), 5: byte(i)}), 64)
		for k := range subnets {
			p.Add(ir.FWI, rule(ir.IPv4, ir.Accept{}, out, ir.DAddr{Prefix: four(k)},
				ir.CTState{States: ir.StateEstablished | ir.StateRelated}))
			p.Add(ir.FWO, rule(ir.IPv4, ir.Accept{}, ir.SAddr{Prefix: four(k)}, in))
			p.Add(ir.PRT, rule(ir.IPv4, ir.Masquerade{}, ir.SAddr{Prefix: four(k)},
				ir.DAddr{Prefix: four(k), Not: true}))
		}
		p.Add(ir.FWI, rule(ir.IPv6, ir.Accept{}, out, ir.DAddr{Prefix: six}),
			rule(ir.Both, ir.Reject{With: ir.PortUnreachable}, out))
		p.Add(ir.FWO, rule(ir.IPv6, ir.Accept{}, ir.SAddr{Prefix: six}, in),
			rule(ir.Both, ir.Reject{With: ir.PortUnreachable}, in))
	}
	return p
}

// counted returns how many elements the sets of the namespace have, as nft tells.
func counted(t *testing.T, ns *netnstest.NS) (n int) {
	t.Helper()
	var doc struct {
		Nftables []struct {
			Set struct{ Elem []any }
		}
	}
	if err := json.Unmarshal([]byte(ns.Exec("nft", "-j", "list", "sets")), &doc); err != nil {
		t.Fatal(err)
	}
	for _, o := range doc.Nftables {
		n += len(o.Set.Elem)
	}
	return n
}

// meant returns how many elements the sets of rules have.
func meant(rules *Ruleset) (n int) {
	for _, t := range rules.tables {
		for _, s := range t.sets {
			n += s.len()
		}
	}
	return n
}

// TestKernelScale loads 4000 networks, and has nft count the elements of their sets, more than
// 50,000; then one network more, and one less: each time as many as there should be, no rule
// recreated, and nothing else sent than what differs.
func TestKernelScale(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	handles := ""
	for _, n := range []int{4000, 4001, 3999} {
		rules := layOut(t, routedNetworks(n, 2), backends.Sets)
		var report backends.Report
		ns.Do(func() {
			var err error
			if report, err = (Loader{}).Load(rules); err != nil {
				t.Fatal(err)
			}
		})
		want := meant(rules)
		if got := counted(t, ns); got != want || want < 50_000 {
			t.Errorf("%d networks: nft counts %d elements, want %d, and 50000 at least", n, got, want)
		}
		now := ns.Exec("sh", "-c", "nft -a -t list ruleset") // terse: without elements
		if handles != "" && (now != handles || report.Rebuilt || report.Changed > 40) {
			t.Errorf("%d networks: %+v, and the rules went from\n%s\nto\n%s", n, report, handles, now)
		}
		handles = now
		t.Logf("%d networks: %d elements; %d changed, %d left alone", n, want, report.Changed, report.Kept)
	}
}

// TestKernelHandles adds a network to a thousand whose rules are a line each: every rule of theirs
// keeps its handle.
func TestKernelHandles(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	rule := regexp.MustCompile(`(?m)^.*vbr.* # handle \d+$`)
	list := func(n int) []string {
		loadIn(t, ns, routedNetworks(n, 1))
		return rule.FindAllString(ns.Exec("nft", "-a", "list", "ruleset"), -1)
	}
	before := list(1000)
	after := list(1001)
	if len(before) < 10*1000 || len(after) <= len(before) {
		t.Fatalf("%d rules with a bridge, then %d", len(before), len(after))
	}
	slices.Sort(after)
	for _, line := range before {
		if _, found := slices.BinarySearch(after, line); !found {
			t.Fatalf("not as it was: %s", line)
		}
	}
}
