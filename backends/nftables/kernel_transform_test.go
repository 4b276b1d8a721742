package nftables

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// someRules returns a program of some rules of three kinds of networks and of ones that drop.
func someRules(r *rand.Rand) *ir.Program {
	drops := &ir.Program{}
	for i := range 6 {
		drops.Add(ir.FWX, ir.Rule{Family: ir.IPv4, Verdict: ir.Drop{},
			Matches: []ir.Match{ir.IIfName{Name: fmt.Sprintf("vbr%d", i)},
				ir.OIfName{Name: fmt.Sprintf("virbr%d", i)}}})
	}
	p := &ir.Program{}
	share := r.Float64()
	for _, from := range []*ir.Program{drops, networks(6), routedNetworks(6, 2), guests(6)} {
		for _, c := range from.Chains {
			for _, rule := range c.Rules {
				if r.Float64() < share {
					p.Add(c.Group, rule)
				}
			}
		}
	}
	return p
}

// listed returns what nft lists, in order.
func listed(ns *netnstest.NS) string {
	return netnstest.InOrder(ns.Exec("nft", "-s", "list", "ruleset"))
}

// TestKernelTransform goes from one random program and layout to another: the kernel then lists the
// same as where the latter was loaded alone, and no chain at a hook that both have was recreated,
// as a packet could come between.
func TestKernelTransform(t *testing.T) {
	netnstest.Require(t, "nft")
	r := rand.New(rand.NewPCG(3, 4))
	ns, alone := netnstest.New(t), netnstest.New(t)
	hooked := regexp.MustCompile(`chain (\S+) \{ # (handle \d+)\n\s+(type .*)\n`)
	hooks := func() map[string]string {
		found := make(map[string]string)
		for i, text := range []string{ns.Exec("sh", "-c", "nft -a -t list table ip vnetc || true"),
			ns.Exec("sh", "-c", "nft -a -t list table ip6 vnetc || true")} {
			for _, m := range hooked.FindAllStringSubmatch(text, -1) {
				found[fmt.Sprint(i, m[1], m[3])] = m[2]
			}
		}
		return found
	}
	compared := 0
	var before map[string]string
	for round := range 60 {
		rules := layOut(t, someRules(r), []backends.Layout{backends.Sets, backends.Sets, backends.Chains}[r.IntN(3)])
		for _, at := range []*netnstest.NS{ns, alone} {
			at.Do(func() {
				if _, err := (Loader{}).Load(rules); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			})
		}
		if diff := cmp.Diff(listed(alone), listed(ns)); diff != "" {
			t.Fatalf("round %d (-alone +after another):\n%s", round, diff)
		}
		alone.Exec("nft", "flush", "ruleset")
		after := hooks()
		for name, handle := range before {
			if now, both := after[name]; both {
				compared++
				if now != handle {
					t.Errorf("round %d: chain %s was %s and is %s", round, name, handle, now)
				}
			}
		}
		before = after
	}
	if compared < 100 {
		t.Errorf("only %d chains at hooks compared", compared)
	}
}

// TestKernelTransformTampered fixes tables in which chains, sets and objects are other ones than
// meant.
func TestKernelTransformTampered(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	rules := layOut(t, routedNetworks(6, 2), backends.Sets)
	load := func() (report backends.Report) {
		ns.Do(func() {
			var err error
			if report, err = (Loader{}).Load(rules); err != nil {
				t.Error(err)
			}
		})
		return report
	}
	load()
	want := listed(ns)
	if !strings.Contains(want, "set interfaces") {
		t.Fatalf("no set interfaces to tamper with in\n%s", want)
	}
	for _, tamper := range []string{
		"add counter ip vnetc c; add quota ip vnetc q { over 5 mbytes }; insert rule ip vnetc fwo counter name c",
		"add map ip vnetc m { type ipv4_addr : verdict; elements = { 10.0.0.1 : jump fwo } }; insert rule ip vnetc fwx ip saddr vmap @m",
		"add map ip vnetc m { type ipv4_addr : counter; }; add counter ip vnetc c; add element ip vnetc m { 10.0.0.1 : c }; insert rule ip vnetc fwx counter name ip saddr map @m",
		"insert rule ip vnetc fwx ip saddr { 10.0.0.1, 10.0.0.2 } drop",
		"insert rule ip vnetc fwx ip saddr vmap { 10.0.0.1 : drop, 10.0.0.2 : goto fwi }",
		"add chain ip vnetc own; add rule ip vnetc own drop; insert rule ip vnetc fwi jump own",
		"add chain ip vnetc own { type filter hook output priority 5; policy drop; }",
		"flush chain ip vnetc forward; delete set ip vnetc interfaces; add set ip vnetc interfaces { type ipv4_addr; }",
		"flush chain ip vnetc forward; delete set ip vnetc interfaces; add set ip vnetc interfaces { type ifname; size 2; }; add element ip vnetc interfaces { vbr0 }; add rule ip vnetc forward iifname @interfaces jump fwo",
		"flush chain ip vnetc forward; delete chain ip vnetc forward; add chain ip vnetc forward { type filter hook forward priority 9; }; add rule ip vnetc forward jump fwi",
		"flush chain ip vnetc forward; flush chain ip vnetc fwx; delete chain ip vnetc fwx; add chain ip vnetc fwx { type filter hook input priority 0; }",
		"flush set ip vnetc interfaces; add element ip vnetc interfaces { other0, other1 }",
		"add table ip vnetc { flags dormant; }",
		"delete chain ip vnetc prt",
		"flush chain ip vnetc fwx; delete set ip vnetc fwx_accept_iif_oif; add set ip vnetc fwx_accept_iif_oif { type ifname . ifname; flags timeout; counter; }; add element ip vnetc fwx_accept_iif_oif { vbr0 . vbr0 timeout 1h }",
		"flush chain ip vnetc fwx; delete set ip vnetc fwx_accept_iif_oif; add set ip vnetc fwx_accept_iif_oif { type ifname . ifname; limit rate 5/second; }; add element ip vnetc fwx_accept_iif_oif { vbr0 . vbr0 }",
	} {
		before := listed(ns)
		ns.Feed([]byte(strings.ReplaceAll(tamper, "; ", "\n")), "nft", "-f", "-")
		if listed(ns) == before {
			t.Errorf("%s: changes nothing", tamper)
		}
		if report := load(); report.Changed == 0 {
			t.Errorf("%s: nothing was mended", tamper)
		}
		if diff := cmp.Diff(want, listed(ns)); diff != "" {
			t.Errorf("%s (-meant +mended):\n%s", tamper, diff)
			ns.Exec("nft", "flush", "ruleset")
			load()
		}
		if report := load(); report.Changed != 0 {
			t.Errorf("%s: mended, and still %d to change", tamper, report.Changed)
		}
	}
}

// TestKernelTransformGrows: more networks than a set has room for.
func TestKernelTransformGrows(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	for _, n := range []int{10, 64, 65, 300, 10, 1000} {
		rules := layOut(t, routedNetworks(n, 1), backends.Sets)
		ns.Do(func() {
			if _, err := (Loader{}).Load(rules); err != nil {
				t.Fatalf("%d networks: %v", n, err)
			}
		})
		if got, want := counted(t, ns), meant(rules); got != want {
			t.Errorf("%d networks: nft counts %d elements, want %d", n, got, want)
		}
	}
}
