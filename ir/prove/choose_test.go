package prove

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestChoose: whatever the sets of the values ask, and in whichever way they are joined, it is the
// packets that have a value and are in its set.
func TestChoose(t *testing.T) {
	s := newSpace(ir.IPv4, &ir.Program{})
	dest := func(i int) node {
		return s.prefix(s.daddr, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i)}), 24))
	}
	tests := []struct {
		name string
		set  func(i int) node
	}{
		{"all", func(int) node { return always }},
		{"variables behind the field", func(i int) node { return s.Not(dest(i)) }},
		{"two protocols before it", func(i int) node { return s.And(s.value(s.proto, uint64(6+i%2)), dest(i)) }},
		{"protocols and states", func(i int) node {
			return s.And(s.Not(s.value(s.proto, uint64(i%3))),
				s.inStates(ir.StateNew))
		}},
		{"a protocol for each", func(i int) node { return s.And(s.value(s.proto, uint64(i)), dest(i)) }},
		{"interfaces before it", func(i int) node { return s.And(s.value(s.iif, uint64(i%2)), dest(i)) }},
		{"the field itself", func(i int) node {
			return s.addrs(s.saddr, netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.9.0"))
		}},
		{"none", func(int) node { return never }},
	}
	for _, tt := range tests {
		for _, n := range []int{0, 1, 5, 100} {
			t.Run(fmt.Sprint(tt.name, n), func(t *testing.T) {
				var of []choice
				want := never
				for i := range n {
					value := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i)}), 24)
					c := choice{set: tt.set(i)}
					copy(c.value[:], value.Addr().AsSlice())
					of = append(of, c)
					want = s.Or(want, s.And(s.prefix(s.saddr, value), c.set))
				}
				if got := s.choose(field{s.saddr.first, 24}, of); got != want {
					t.Errorf("got function %d, want %d", got, want)
				}
			})
		}
	}
}
