package iptables

import (
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelTables: what the tool made is seen in its world and family, and nowhere else; and no
// foreign chain.
func TestKernelTables(t *testing.T) {
	netnstest.Require(t, "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", "nft")
	legacy := func(f ir.Family, _ string) (bool, error) { return hasLegacy(f) }
	for _, tool := range []string{"iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", ""} {
		t.Run(tool, func(t *testing.T) {
			ns := netnstest.New(t)
			for _, table := range []string{"inet filter", "ip others", "bridge nat"} {
				ns.Exec("nft", "add table "+table+"; add chain "+table+" VNETC_PRT")
			}
			ns.Exec("nft", "add table ip filter; add chain ip filter LIBVIRT_FWX; add chain ip filter NOT_VNETC_FWX")
			if tool != "" {
				ns.Exec(tool, "-t", "nat", "-N", "VNETC_PRT")
			}
			for _, w := range []struct {
				tool   string
				has    func(ir.Family, string) (bool, error)
				family ir.Family
			}{
				{"iptables-nft", hasNFTables, ir.IPv4},
				{"ip6tables-nft", hasNFTables, ir.IPv6},
				{"iptables-legacy", legacy, ir.IPv4},
				{"ip6tables-legacy", legacy, ir.IPv6},
			} {
				var got bool
				var err error
				ns.Do(func() { got, err = w.has(w.family, "VNETC_") })
				if want := w.tool == tool; err != nil || got != want {
					t.Errorf("%s has something: %t, %v; want %t", w.tool, got, err, want)
				}
			}
		})
	}
}
