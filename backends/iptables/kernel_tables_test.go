package iptables

import (
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelTables: a table is seen in the world and family in which the tool made it, and nowhere else.
func TestKernelTables(t *testing.T) {
	netnstest.Require(t, "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", "nft")
	for _, tool := range []string{"iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", ""} {
		t.Run(tool, func(t *testing.T) {
			ns := netnstest.New(t)
			ns.Exec("nft", "add table inet filter; add table ip others; add table bridge nat")
			if tool != "" {
				ns.Exec(tool, "-t", "nat", "-N", "VNETC_PRT")
			}
			for _, w := range []struct {
				tool   string
				has    func(ir.Family) (bool, error)
				family ir.Family
			}{
				{"iptables-nft", hasNFTables, ir.IPv4},
				{"ip6tables-nft", hasNFTables, ir.IPv6},
				{"iptables-legacy", hasLegacy, ir.IPv4},
				{"ip6tables-legacy", hasLegacy, ir.IPv6},
			} {
				var got bool
				var err error
				ns.Do(func() { got, err = w.has(w.family) })
				if want := w.tool == tool; err != nil || got != want {
					t.Errorf("%s has a table: %t, %v; want %t", w.tool, got, err, want)
				}
			}
		})
	}
}
