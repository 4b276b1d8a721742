package nftables

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// guests returns a program in which the guests of n bridges may open connections, and all others
// may not.
func guests(n int) *ir.Program {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return guestsOf(all...)
}

// guestsOf returns a program of the networks with these numbers.
func guestsOf(numbers ...int) *ir.Program {
	p := &ir.Program{}
	for _, i := range numbers {
		in := ir.IIfName{Name: fmt.Sprintf("vbr%d", i)}
		p.Add(ir.FWO, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{in}, Verdict: ir.Accept{}},
			ir.Rule{Family: ir.IPv4, Matches: []ir.Match{in}, Verdict: ir.Reject{With: ir.PortUnreachable}})
	}
	return p
}

// TestKernelCounters gives counters figures with nft, and wants them from Counters, also after
// other elements came and went, and after the whole was taken away and restored from a dump.
func TestKernelCounters(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	counters := func(p *ir.Program) (out []string) {
		ns.Do(func() {
			all, err := Loader{}.Counters(lowered(t, p, setsOptions))
			if err != nil {
				t.Fatal(err)
			}
			for _, tally := range all {
				out = append(out, fmt.Sprintf("%s, of %d rules: %d, %d", tally.Rules[0], len(tally.Rules),
					tally.Packets, tally.Bytes))
			}
		})
		return out
	}
	accept := func(i, packets, bytes int) string {
		return fmt.Sprintf(`ip iifname "vbr%d" accept, of 1 rules: %d, %d`, i, packets, bytes)
	}
	refused := func(rules, packets, bytes int) string {
		return fmt.Sprintf(`ip iifname "vbr0" reject with port-unreachable, of %d rules: %d, %d`, rules, packets, bytes)
	}
	wants := func(what string, p *ir.Program, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, counters(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	load := func(p *ir.Program) {
		ns.Do(func() {
			if _, err := (Loader{}).Load(lowered(t, p, setsOptions)); err != nil {
				t.Fatal(err)
			}
		})
	}
	wants("nothing loaded", guests(3))
	load(guests(3))
	wants("as loaded", guests(3), accept(0, 0, 0), accept(1, 0, 0), accept(2, 0, 0), refused(3, 0, 0))

	ns.Exec("nft",
		`delete element ip vnetc fwo_accept_iif { vbr1 }; add element ip vnetc fwo_accept_iif { vbr1 counter packets 5 bytes 300 }`)
	ns.Exec("sh", "-ec",
		`nft replace rule ip vnetc fwo handle $(nft -a list chain ip vnetc fwo | sed -n 's/.*reject # handle //p') counter packets 7 bytes 420 reject`)
	counted := []string{accept(0, 0, 0), accept(1, 5, 300), accept(2, 0, 0), refused(3, 7, 420)}
	wants("counted", guests(3), counted...)
	ns.Do(func() {
		image, err := Loader{}.Dump(backends.VnetcNames)
		if err == nil {
			err = Loader{}.Unload(backends.VnetcNames)
		}
		if err == nil {
			err = Loader{}.Restore(backends.VnetcNames, image)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	wants("restored", guests(3), counted...)
	load(guests(4))
	wants("one more", guests(4), accept(0, 0, 0), accept(1, 5, 300), accept(2, 0, 0), accept(3, 0, 0),
		refused(4, 7, 420))
	load(guestsOf(0, 1, 4))
	wants("another instead of two", guestsOf(0, 1, 4), accept(0, 0, 0), accept(1, 5, 300), accept(4, 0, 0),
		refused(3, 7, 420))
	load(guests(2))
	wants("one less", guests(2), accept(0, 0, 0), accept(1, 5, 300), refused(2, 7, 420))
	ns.Exec("nft", `delete element ip vnetc fwo_accept_iif { vbr1 }`)
	wants("an element lost", guests(2), accept(0, 0, 0), refused(2, 7, 420))
	ns.Exec("nft", `flush chain ip vnetc fwo`)
	wants("rules lost", guests(2))
}
