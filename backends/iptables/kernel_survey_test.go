package iptables

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelSurvey reads each world of iptables by itself, as text that tells its matches, and
// makes no table by looking.
func TestKernelSurvey(t *testing.T) {
	netnstest.Require(t, "nft", "iptables-nft", "ip6tables-nft", "iptables-legacy")
	ns := netnstest.New(t)
	survey := func(v Variant) (s backends.Survey, rules string) {
		ns.Do(func() {
			var err error
			if s, err = (Loader{Variant: v}).Survey(); err != nil {
				t.Fatal(err)
			}
		})
		for _, c := range s.Program.Chains {
			for i := range c.Rules {
				rules += c.Label() + ": " + c.Rules[i].String() + "\n"
			}
		}
		return s, rules
	}
	for _, v := range []Variant{NFTables, Legacy} {
		if s, _ := survey(v); len(s.Program.Chains)+len(s.Unread) > 0 {
			t.Errorf("%s: found %v and did not read %v on an empty host", v, s.Program.Chains, s.Unread)
		}
	}
	if out := ns.Exec("nft", "list", "tables"); out != "" {
		t.Errorf("looking made tables: %s", out)
	}
	if out := ns.Exec("cat", "/proc/thread-self/net/ip_tables_names"); out != "" {
		t.Errorf("looking made tables of iptables-legacy: %s", out)
	}
	ns.Exec("iptables-nft", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "REJECT")
	ns.Exec("ip6tables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "DROP")
	ns.Exec("iptables-legacy", "-P", "FORWARD", "DROP")
	s, rules := survey(NFTables)
	want := "ip filter FORWARD: ip ct state established reject with port-unreachable\nip6 filter INPUT: ip6 l4proto tcp dport 25 drop\n"
	if rules != want || s.World != backends.NFTables || len(s.Unread) > 0 {
		t.Errorf("iptables-nft (%s): got\n%swant\n%snot read: %v", s.World, rules, want, s.Unread)
	}
	s, _ = survey(Legacy)
	drops := false
	for _, c := range s.Program.Chains {
		drops = drops || c.Family == ir.IPv4 && c.Name == "FORWARD" && c.Base.Drop
	}
	if !drops || s.World != backends.LegacyIPTables {
		t.Errorf("iptables-legacy (%s): no policy drop in %v", s.World, s.Program.Chains)
	}
	// A table with rules of nft's that the tool can't list is named, and the rest is read.
	ns.Exec("nft", "add rule ip filter FORWARD tcp dport { 80, 443 } accept; add table ip nat; add chain ip nat PREROUTING { type nat hook prerouting priority -90; }; add rule ip nat PREROUTING meta mark set 1")
	s, rules = survey(NFTables)
	if !strings.Contains(rules, "ip6 filter INPUT") || len(s.Unread) != 1 || !s.Unread[0].Worse {
		t.Errorf("after a change of nft's: %s, not read: %v; want IPv4 to be read in part", rules, s.Unread)
	}
}
