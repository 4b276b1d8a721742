package firewall

import (
	"flag"
	"runtime"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

var rebuilds = flag.Int("rebuilds", 50, "loads in TestFloodRebuild and TestFloodElements")

// TestFloodRebuild makes other chains and sets of the tables, and changes elements in between,
// while packets that must not pass are sent as fast as one processor can and some that must pass
// beside them: none gets in, none is lost, none leaves without NAT. A slow foreign chain comes
// before ours time and again: if ours were deleted and recreated, it would stand between the two,
// and packets that are in it at that instant would meet neither. For the long run: go test
// ./netsetup/firewall -run FloodRebuild -v -rebuilds 3000
func TestFloodRebuild(t *testing.T) {
	netnstest.Require(t, "nft")
	h := netnstest.NewHost(t)
	all := targets()
	more := filters(4)
	more.Add(ir.FWO, ir.Rule{Family: ir.IPv4, Verdict: ir.Drop{},
		Matches: []ir.Match{ir.IIfName{Name: "vbr0"}, ir.L4Proto{Proto: ir.TCP}}})
	var rules []backends.Ruleset
	for _, step := range []struct {
		layout string
		p      *ir.Program
	}{{"nftables", filters(3)}, {"nftables-chains", filters(3)}, {"nftables", filters(2)}, {"nftables", filters(4)},
		{"nftables-chains", more}} {
		r, found := all[step.layout].Loader.Lower(step.p, all[step.layout].Options)
		if found.HasErrors() {
			t.Fatal(found)
		}
		rules = append(rules, r)
	}
	load := func(i int) {
		h.Do(func() {
			if _, err := all["nftables"].Loader.Load(rules[i%len(rules)]); err != nil {
				t.Errorf("round %d: %v", i, err)
			}
		})
	}
	h.Feed([]byte("table inet other { chain slow { "+strings.Repeat("ip saddr 10.9.0.1 counter drop; ", 1500)+"}; }\n"),
		"nft", "-f", "-")
	ahead := []byte("table inet other { chain forward { }; }\ndelete chain inet other forward\n" +
		"table inet other { chain forward { type filter hook forward priority 0; jump slow; }; }\n")
	flooded(t, h, func(i int) {
		h.Feed(ahead, "nft", "-f", "-")
		load(i)
	})
}

// flooded calls load as often as is asked for while packets are sent.
func flooded(t *testing.T, h *netnstest.Host, load func(i int)) {
	t.Helper()
	load(0)
	stop := make(chan bool)
	done := newFlood(t, h, stop, true)
	for i := 1; i < *rebuilds && !t.Failed(); i++ {
		load(i)
		runtime.Gosched()
	}
	close(stop)
	f := <-done
	if f.lost+f.bare+f.leaked > 0 || f.passed == 0 || f.refused == 0 {
		t.Errorf("%d lost, %d leaked, %d left without NAT", f.lost, f.leaked, f.bare)
	}
	t.Logf("%d packets passed and %d refused during %d loads", f.passed, f.refused, *rebuilds)
}

// slowed returns n networks, whose packets take long from the rule that leads into FWI and FWO to
// those that decide; with apart, rules of the first network are not those of the others any more.
func slowed(n int, apart bool) *ir.Program {
	p := &ir.Program{}
	for _, g := range []ir.Group{ir.FWI, ir.FWO} {
		for i := range 500 {
			p.Add(g, ir.Rule{Family: ir.IPv4, Verdict: ir.Counter{},
				Matches: []ir.Match{ir.Mark{Value: uint32(i + 1), Mask: 0xffffffff}}})
		}
	}
	for _, c := range filters(n).Chains {
		p.Add(c.Group, c.Rules...)
	}
	if apart {
		tcp := ir.L4Proto{Proto: ir.TCP}
		p.Add(ir.FWI, ir.Rule{Family: ir.IPv4, Verdict: ir.Drop{}, Matches: []ir.Match{ir.OIfName{Name: "vbr0"}, tcp}})
		p.Add(ir.FWO, ir.Rule{Family: ir.IPv4, Verdict: ir.Drop{}, Matches: []ir.Match{ir.IIfName{Name: "vbr0"}, tcp}})
	}
	return p
}

// TestFloodElements moves networks between sets and rules of their own while packets are among the
// rules: elements that a rule looks up when the change comes are those that it was made for. So a
// packet meets the old state or the new one. For the long run: go test ./netsetup/firewall -run
// FloodElements -v -rebuilds 3000
func TestFloodElements(t *testing.T) {
	netnstest.Require(t, "nft")
	h := netnstest.NewHost(t)
	target := targets()["nftables"]
	var rules []backends.Ruleset
	for _, p := range []*ir.Program{slowed(3, false), slowed(4, true), slowed(3, false), slowed(3, true),
		slowed(2, false), slowed(1, false)} {
		r, found := target.Loader.Lower(p, target.Options)
		if found.HasErrors() {
			t.Fatal(found)
		}
		rules = append(rules, r)
	}
	flooded(t, h, func(i int) {
		h.Do(func() {
			if _, err := target.Loader.Load(rules[i%len(rules)]); err != nil {
				t.Errorf("round %d: %v", i, err)
			}
		})
	})
}
