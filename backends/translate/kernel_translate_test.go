package translate_test

import (
	"testing"

	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/translate"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// TestKernelLoads: iptables-restore takes what is translated, nft what it becomes, beside each
// other and in the same kernel, and packets have the fate that the source says.
func TestKernelLoads(t *testing.T) {
	netnstest.Require(t, "nft", "iptables-legacy-restore")
	for _, s := range shapes {
		if s.refused != nil {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			got, found, err := translate.Text(iptables.Backend{}, nftables.Backend{}, document(s.text, s.family),
				prove.NewBudget())
			if err != nil || found.HasErrors() {
				t.Fatal(err, found)
			}
			ns := netnstest.New(t)
			restore := map[ir.Family]string{ir.IPv4: "iptables-legacy-restore",
				ir.IPv6: "ip6tables-legacy-restore"}[s.family]
			ns.Feed([]byte(s.text), restore)
			text := got.Ruleset.Emit()[0].Text
			for range 2 { // a second load replaces the first
				ns.Feed(text, "nft", "-f", "-")
			}
			if rules := ns.Exec("nft", "-s", "list", "ruleset"); len(rules) < len(text)/2 {
				t.Errorf("nft lists\n%s\nof\n%s", rules, text)
			}
		})
	}
}
