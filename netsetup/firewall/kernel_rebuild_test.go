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

var rebuilds = flag.Int("rebuilds", 50, "loads in TestFloodRebuild, most of which make the tables anew")

// TestFloodRebuild makes tables anew, and changes elements in between, while packets that must not pass are sent as fast as
// one processor can and some that must pass beside them: none gets in, none is lost, none leaves without NAT. Rules of
// others that stand between the old chains and the new ones, and take long, make it likely that the change falls between.
// For the long run: go test ./netsetup/firewall -run FloodRebuild -v -rebuilds 3000
func TestFloodRebuild(t *testing.T) {
	netnstest.Require(t, "nft")
	h := netnstest.NewHost(t)
	all := targets()
	more := filters(4)
	more.Add(ir.FWO, ir.Rule{Family: ir.IPv4, Verdict: ir.Drop{}, Matches: []ir.Match{ir.IIfName{Name: "vbr0"}, ir.L4Proto{Proto: ir.TCP}}})
	var rules []backends.Ruleset
	for _, step := range []struct {
		layout string
		p      *ir.Program
	}{{"nftables", filters(3)}, {"nftables-chains", filters(3)}, {"nftables", filters(2)}, {"nftables", filters(4)}, {"nftables-chains", more}} {
		r, found := all[step.layout].Loader.Lower(step.p, all[step.layout].Options)
		if found.HasErrors() {
			t.Fatal(found)
		}
		rules = append(rules, r)
	}
	rebuilt := 0
	load := func(i int) {
		h.Do(func() {
			report, err := all["nftables"].Loader.Load(rules[i%len(rules)])
			if err != nil {
				t.Errorf("round %d: %v", i, err)
			}
			if report.Rebuilt {
				rebuilt++
			}
		})
	}
	others := []byte("table inet other\ndelete table inet other\ntable inet other { chain forward { type filter hook forward priority 0; " +
		strings.Repeat("ip saddr 10.9.0.1 counter drop; ", 100) + "}; }\n")
	load(0)
	stop := make(chan bool)
	done := newFlood(t, h, stop, true)
	for i := 1; i < *rebuilds && !t.Failed(); i++ {
		if i%10 == 1 {
			h.Feed(others, "nft", "-f", "-")
		}
		load(i)
		runtime.Gosched()
	}
	close(stop)
	f := <-done
	if f.lost+f.bare+f.leaked > 0 || f.passed == 0 || rebuilt < *rebuilds/2 {
		t.Errorf("%d lost, %d leaked, %d left without NAT, %d rebuilt", f.lost, f.leaked, f.bare, rebuilt)
	}
	t.Logf("%d packets passed and %d refused during %d loads, %d of them rebuilding", f.passed, f.refused, *rebuilds, rebuilt)
}
