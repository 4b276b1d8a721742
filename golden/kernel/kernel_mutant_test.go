package kernel

import (
	"net/netip"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestMutants shows that the comparisons of this package can fail: a program with one thing wrong
// in it is loaded, and the packet that shows it contradicts the right program, and not the wrong
// one.
func TestMutants(t *testing.T) {
	t.Parallel()
	nets := networks()
	whole := compile(t, nets...)
	mutants := []struct {
		name   string
		mutate func(*ir.Rule)
		from   string // a network, or "far"
		to     string
		port   uint16
	}{
		{"masquerade without ports", func(r *ir.Rule) {
			if _, ok := r.Verdict.(ir.Masquerade); ok {
				r.Verdict = ir.Masquerade{}
			}
		}, "nat", "far", 500},
		{"snat without ports", func(r *ir.Rule) {
			if v, ok := r.Verdict.(ir.SNAT); ok {
				r.Verdict = ir.SNAT{Addrs: v.Addrs}
			}
		}, "nat-address", "far", 501},
		{"snat to the next addresses", func(r *ir.Rule) {
			if v, ok := r.Verdict.(ir.SNAT); ok {
				r.Verdict = ir.SNAT{Ports: v.Ports, Addrs: ir.AddrRange{From: v.Addrs.To.Next(), To: v.Addrs.To.Next()}}
			}
		}, "nat-all", "far", 1},
		{"another code", func(r *ir.Rule) {
			if _, ok := r.Verdict.(ir.Reject); ok {
				r.Verdict = ir.Reject{With: ir.AdminProhibited}
			}
		}, "far", "isolated", 2},
		{"drop", func(r *ir.Rule) {
			if _, ok := r.Verdict.(ir.Reject); ok {
				r.Verdict = ir.Drop{}
			}
		}, "far", "nat", 3},
		{"any state", func(r *ir.Rule) {
			for i, m := range r.Matches {
				if v, ok := m.(ir.CTState); ok {
					v.States |= ir.StateNew
					r.Matches[i] = v
				}
			}
		}, "far", "nat-ports", 4},
		{"half of the subnet", func(r *ir.Rule) {
			for i, m := range r.Matches {
				if v, ok := m.(ir.DAddr); ok && v.Prefix.Bits() == 24 {
					v.Prefix = netip.PrefixFrom(v.Prefix.Addr(), 29) // without .11
					r.Matches[i] = v
				}
			}
		}, "far", "route", 5},
	}
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, l.tools...)
			s := newSite(t, false, nets...)
			for _, m := range mutants {
				wrong := mutate(whole, m.mutate)
				l.install(t, s.Host, wrong)
				from, to := s.peer(m.from), s.peer(m.to)
				packet := netnstest.Packet{
					Kind: netnstest.UDP, Src: netip.AddrPortFrom(from.Addrs[0].Addr(), m.port),
					Dst: netip.AddrPortFrom(to.Addrs[0].Addr(), netnstest.Open),
				}
				sent := s.model(packet, ir.StateNew)
				sent.In, sent.Out = from.Gateway, to.Gateway
				got := s.Send(from, packet)
				s.compare(wrong, sent, got)
				right, err := ir.Eval(whole, sent)
				if err != nil {
					t.Fatal(err)
				}
				if differs(right, sent, got) == "" {
					t.Errorf("%s: not found: %s", m.name, got)
				}
			}
		})
	}
}

// peer returns the first guest of a network, or the far side of the first uplink.
func (s *site) peer(name string) *netnstest.Peer {
	if name == "far" {
		return s.far[0]
	}
	return s.guests[name][0]
}

// mutate returns p with each rule as change leaves it.
func mutate(p *ir.Program, change func(*ir.Rule)) *ir.Program {
	q := &ir.Program{Links: p.Links}
	for _, c := range p.Chains {
		d := *c
		d.Rules = nil
		for _, r := range c.Rules {
			r.Matches = append([]ir.Match(nil), r.Matches...)
			change(&r)
			d.Rules = append(d.Rules, r)
		}
		q.Chains = append(q.Chains, &d)
	}
	return q
}
