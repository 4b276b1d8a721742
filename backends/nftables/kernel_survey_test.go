package nftables

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelSurvey reads tables of all families: those of IP with their rules in the order in which
// they were made, others by name unless they do nothing; and by Hooks base chains alone, without
// our own.
func TestKernelSurvey(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	ns.Feed([]byte(`
table ip zeta { set s { type ipv4_addr; elements = { 192.0.2.1 }; }; chain f { type filter hook forward priority 0; policy drop; ip saddr @s jump more; }; chain more { accept; }; }
table inet alpha { chain f { type filter hook forward priority 0; tcp dport 25 drop; }; }
table ip vnetc { chain forward { type filter hook forward priority 0; accept; }; }
table bridge gate { chain f { type filter hook forward priority 0; policy drop; }; }
table bridge idle { chain f { type filter hook forward priority 0; policy accept; }; }
table arp gate { chain in { type filter hook input priority 0; drop; }; }
table netdev gate { chain in { type filter hook ingress device "lo" priority 0; drop; }; }
table ip6 resting { flags dormant; chain f { type filter hook forward priority 0; policy drop; }; }
`), "nft", "-f", "-")
	listed := func(survey func() (backends.Survey, error)) (chains, hidden []string) {
		ns.Do(func() {
			s, err := survey()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range s.Program.Chains {
				words := c.Label()
				for i := range c.Rules {
					words += "; " + c.Rules[i].String()
				}
				if c.Base != nil && c.Base.Drop {
					words += "; policy drop"
				}
				chains = append(chains, words)
			}
			for _, h := range s.Hidden {
				hidden = append(hidden, h.Text)
			}
		})
		return chains, hidden
	}
	hiddenWant := []string{
		"chain f of table bridge gate, at hook forward", "chain in of table arp gate, at hook input",
		"chain in of table netdev gate, at hook ingress of device lo",
	}
	chains, hidden := listed(Loader{}.Survey)
	want := []string{
		"ip zeta f; ip lookup s jump more; policy drop", "ip zeta more; ip accept", "inet alpha f; inet l4proto tcp dport 25 drop",
		"ip vnetc forward; ip accept", "ip6 resting f",
	}
	if diff := cmp.Diff(want, chains); diff != "" {
		t.Errorf("chains (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(hiddenWant, hidden); diff != "" {
		t.Errorf("hidden (-want +got):\n%s", diff)
	}
	chains, hidden = listed(Loader{}.Hooks)
	if len(chains) != 3 || chains[1] != "inet alpha f; inet l4proto tcp dport 25 drop" {
		t.Errorf("base chains: %q, want those of zeta, alpha and resting", chains)
	}
	if diff := cmp.Diff(hiddenWant, hidden); diff != "" {
		t.Errorf("hidden from base chains (-want +got):\n%s", diff)
	}
}
