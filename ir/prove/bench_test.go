package prove

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// networks returns the rules of n NAT networks: a subnet, an accept and a reject in each direction,
// masquerading.
func networks(n int) *ir.Program {
	p := &ir.Program{}
	rule := func(v ir.Verdict, m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v} }
	for i := range n {
		b := fmt.Sprintf("vbr%d", i)
		net := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i), 0}), 24)
		in, out := ir.IIfName{Name: b}, ir.OIfName{Name: b}
		p.Add(ir.FWX, rule(ir.Accept{}, in, out))
		p.Add(ir.FWI, rule(ir.Accept{}, ir.DAddr{Prefix: net}, out,
			ir.CTState{States: ir.StateEstablished | ir.StateRelated}),
			rule(ir.Reject{With: ir.PortUnreachable}, out))
		p.Add(ir.FWO, rule(ir.Accept{}, ir.SAddr{Prefix: net}, in), rule(ir.Reject{With: ir.PortUnreachable}, in))
		for _, proto := range []uint8{ir.TCP, ir.UDP} {
			p.Add(ir.PRT, rule(ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 65535}}, ir.L4Proto{Proto: proto},
				ir.SAddr{Prefix: net}, ir.DAddr{Prefix: net, Not: true}))
		}
		p.Add(ir.PRT, rule(ir.Masquerade{}, ir.SAddr{Prefix: net}, ir.DAddr{Prefix: net, Not: true}))
	}
	return p
}

func BenchmarkEqual(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 2000, 4000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			x, y := networks(n), networks(n)
			b.ReportAllocs()
			for b.Loop() {
				if r := Equal(x, y, ir.IPv4); r.Answer != Proved {
					b.Fatal(r)
				}
			}
		})
	}
}

// BenchmarkCounterexample finds the one rule that is missing among many.
func BenchmarkCounterexample(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			x, y := networks(n), networks(n)
			fwi := y.Group(ir.FWI)
			fwi.Rules = append(fwi.Rules[:n:n], fwi.Rules[n+1:]...)
			b.ReportAllocs()
			for b.Loop() {
				if r := Equal(x, y, ir.IPv4); r.Answer != Refuted {
					b.Fatal(r)
				}
			}
		})
	}
}

// BenchmarkDead looks for rules that do nothing, and finds none.
func BenchmarkDead(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			p := networks(n)
			b.ReportAllocs()
			for b.Loop() {
				if dead := Dead(p); len(dead) > 0 {
					b.Fatal(dead[0].Step.Rule)
				}
			}
		})
	}
}

// BenchmarkMatrix computes who reaches whom among all networks.
func BenchmarkMatrix(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			p := linked(networks(n), n)
			b.ReportAllocs()
			for b.Loop() {
				if cells := NewReacher(p).Matrix(); len(cells) != 2*(n+2)*(n+2) {
					b.Fatal(len(cells))
				}
			}
		})
	}
}
