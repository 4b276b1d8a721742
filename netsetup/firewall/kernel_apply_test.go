package firewall

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// broken is a loader that loads something else than it is told.
type broken struct {
	backends.Loader
	instead *ir.Program
	options backends.Options
}

func (b broken) Load(backends.Ruleset) (backends.Report, error) {
	rules, found := b.Lower(b.instead, b.options)
	if found.HasErrors() {
		return backends.Report{}, found
	}
	return b.Loader.Load(rules)
}

// filters returns a program of n networks that let their guests out and nobody in.
func filters(n int) *ir.Program {
	p := &ir.Program{}
	rule := func(v ir.Verdict, m ...ir.Match) ir.Rule {
		return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v, Origin: ir.Origin{Network: "lab"}}
	}
	for i := range n {
		in, out := ir.IIfName{Name: fmt.Sprintf("vbr%d", i)}, ir.OIfName{Name: fmt.Sprintf("vbr%d", i)}
		net := ir.SAddr{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24)}
		p.Add(ir.FWX, rule(ir.Accept{}, in, out))
		p.Add(ir.FWI, rule(ir.Reject{With: ir.PortUnreachable}, out))
		p.Add(ir.FWO, rule(ir.Accept{}, net, in), rule(ir.Reject{With: ir.PortUnreachable}, in))
		p.Add(ir.PRT, rule(ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 65535}}, ir.L4Proto{Proto: ir.UDP}, net))
	}
	return p
}

// eachTarget calls f for each back end and layout, in a namespace of its own.
func eachTarget(t *testing.T, f func(t *testing.T, ns *netnstest.NS, target Target)) {
	for name, target := range targets() {
		t.Run(name, func(t *testing.T) {
			netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
			f(t, netnstest.New(t), target)
		})
	}
}

// apply calls Apply in the namespace.
func apply(ns *netnstest.NS, p *ir.Program, target Target, others ...Target) (result Result, err error) {
	ns.Do(func() {
		var found []string
		r, list, e := Apply(p, target, others)
		for _, d := range list {
			found = append(found, d.String())
		}
		if result, err = r, e; err == nil && list.HasErrors() {
			err = fmt.Errorf("%s", strings.Join(found, "\n"))
		}
	})
	return result, err
}

func compare(t *testing.T, ns *netnstest.NS, p *ir.Program, target Target) (a Audit) {
	t.Helper()
	ns.Do(func() {
		var err error
		if a, _, err = Compare(p, target); err != nil {
			t.Fatal(err)
		}
	})
	return a
}

// everything is all rules of the namespace, in both worlds, without the comments, which tell the
// time.
func everything(ns *netnstest.NS) string {
	var rules strings.Builder
	all := ns.Exec("nft", "-s", "list", "ruleset") + ns.Exec("iptables-legacy-save", "-t", "filter") +
		ns.Exec("iptables-legacy-save", "-t", "nat")
	for line := range strings.Lines(all) {
		if !strings.HasPrefix(line, "#") {
			rules.WriteString(line)
		}
	}
	return rules.String()
}

func TestApplyTwiceIsOnce(t *testing.T) {
	eachTarget(t, func(t *testing.T, ns *netnstest.NS, target Target) {
		p := filters(5)
		if a := compare(t, ns, p, target); a.InStep() {
			t.Error("nothing is loaded, and the audit finds nothing missing")
		}
		if r, err := apply(ns, p, target); err != nil || r.Changed == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if a := compare(t, ns, p, target); !a.InStep() {
			t.Errorf("after apply the audit says\n%s", told(a))
		}
		if r, err := apply(ns, p, target); err != nil || r.Changed != 0 {
			t.Errorf("the second time: %+v, %v; want nothing changed", r, err)
		}
		if r, err := apply(ns, filters(6), target); err != nil || r.Changed == 0 || r.Kept == 0 {
			t.Errorf("one network more: %+v, %v; want some rules kept", r, err)
		}
	})
}

// TestUnprovenIsUndone: what is loaded and is not what was meant is noticed, shown by a packet, and
// undone.
func TestUnprovenIsUndone(t *testing.T) {
	eachTarget(t, func(t *testing.T, ns *netnstest.NS, target Target) {
		p := filters(3)
		if _, err := apply(ns, p, target); err != nil {
			t.Fatal(err)
		}
		before := everything(ns)
		bad := target
		bad.Loader = broken{target.Loader, filters(2), target.Options}
		_, err := apply(ns, filters(4), bad)
		if err == nil || !strings.Contains(err.Error(), "the old rules are restored") ||
			!strings.Contains(err.Error(), "vbr") {
			t.Errorf("got %v, want a packet and the undoing", err)
		}
		if diff := cmp.Diff(before, everything(ns)); diff != "" {
			t.Errorf("the old rules are not back:\n%s", diff)
		}
	})
}

// TestSwitch goes round all targets: after each step the rules stand in the one and in no other.
func TestSwitch(t *testing.T) {
	netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
	ns := netnstest.New(t)
	p := filters(3)
	all := targets()
	order := []string{"nftables", "iptables-legacy", "iptables-nft", "nftables", "iptables-nft", "iptables-legacy",
		"nftables"}
	for i, name := range order {
		var others []Target
		for other, target := range all {
			if other != name && !(strings.HasPrefix(other, "nftables") && strings.HasPrefix(name, "nftables")) {
				others = append(others, target)
			}
		}
		r, err := apply(ns, p, all[name], others...)
		if err != nil {
			t.Fatalf("step %d to %s: %v", i, name, err)
		}
		if i > 0 && len(r.Removed) != 1 {
			t.Errorf("step %d to %s: removed %v, want one", i, name, r.Removed)
		}
		for other, target := range all {
			a := compare(t, ns, p, target)
			if a.InStep() != (other == name || strings.HasPrefix(other, "nftables") && other == name) {
				t.Errorf("step %d: after the switch to %s, %s in step: %v", i, name, other, a.InStep())
			}
		}
	}
	ns.Do(func() {
		if _, err := Remove(all["nftables"]); err != nil {
			t.Fatal(err)
		}
	})
	if left := everything(ns); strings.Contains(strings.ToLower(left), "vnetc") {
		t.Errorf("after the removal:\n%s", left)
	}
}
