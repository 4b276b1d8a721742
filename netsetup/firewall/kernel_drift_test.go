package firewall

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// tampering is something that somebody does to our rules, as a shell script. In it handle CHAIN N
// is the handle of the n-th rule of a chain in table ip vnetc, and iptables and ip6tables are those
// of the target.
type tampering struct{ name, script string }

// tamperings are those of each target, for the rules of filters(3).
func tamperings() map[string][]tampering {
	return map[string][]tampering{
		"nftables":        append(nftTamperings(), setTamperings()...),
		"nftables-chains": append(nftTamperings(), chainTamperings()...),
		"iptables-nft": append(iptablesTamperings(), tampering{"ruleset flushed", "nft flush ruleset"},
			tampering{"table nat deleted", "nft delete table ip nat"}),
		"iptables-legacy": iptablesTamperings(),
	}
}

func nftTamperings() []tampering {
	return []tampering{
		{"rule deleted", "nft delete rule ip vnetc fwi handle $(handle fwi 1)"},
		{"rule inserted", "nft insert rule ip vnetc fwi accept"},
		{"rule added", "nft add rule ip vnetc fwo tcp dport 22 counter drop"},
		{"rule inserted for IPv6", "nft insert rule ip6 vnetc fwi accept"},
		{"rule the kernel alone understands", "nft insert rule ip vnetc fwx limit rate 1/second accept"},
		{"reject code changed",
			"nft replace rule ip vnetc fwo handle $(handle fwo 2) counter reject with icmp type admin-prohibited"},
		{"reject turned into drop", "nft replace rule ip vnetc fwo handle $(handle fwo 2) counter drop"},
		{"comment added", `nft replace rule ip vnetc fwo handle $(handle fwo 2) counter reject comment '"mine"'`},
		{"NAT ports lost",
			"nft replace rule ip vnetc prt handle $(handle prt 1) ip saddr 10.0.0.0/24 meta l4proto udp counter masquerade"},
		{"NAT to an address",
			"nft replace rule ip vnetc prt handle $(handle prt 1) ip saddr 10.0.0.0/24 meta l4proto udp counter snat to 192.0.2.1"},
		{"chain flushed", "nft flush chain ip vnetc fwo"},
		{"base chain flushed", "nft flush chain ip vnetc forward"},
		{"chain deleted",
			"nft flush chain ip vnetc forward; nft flush chain ip vnetc fwi; nft delete chain ip vnetc fwi"},
		{"empty chain deleted", "nft flush chain ip6 vnetc forward; nft delete chain ip6 vnetc fwi"},
		{"chain renamed", "nft rename chain ip vnetc fwi closed"},
		{"jump deleted", "nft delete rule ip vnetc forward handle $(handle forward 2)"},
		{"jump doubled", "nft add rule ip vnetc forward counter jump fwx"},
		{"jump moved",
			"nft delete rule ip vnetc forward handle $(handle forward 1); nft add rule ip vnetc forward counter jump fwx"},
		{"jump turned into goto", "nft replace rule ip vnetc forward handle $(handle forward 2) counter goto fwi"},
		{"policy changed", "nft add chain ip vnetc forward '{ policy drop; }'"},
		{"hook changed",
			"nft flush chain ip vnetc forward; nft delete chain ip vnetc forward; nft add chain ip vnetc forward '{ type filter hook input priority 0; }'; " + jumps},
		{"priority changed",
			"nft flush chain ip vnetc forward; nft delete chain ip vnetc forward; nft add chain ip vnetc forward '{ type filter hook forward priority 10; }'; " + jumps},
		{"chain unhooked",
			"nft flush chain ip vnetc forward; nft delete chain ip vnetc forward; nft add chain ip vnetc forward; " +
				jumps},
		{"chain added", "nft add chain ip vnetc mine; nft add rule ip vnetc mine accept"},
		{"empty chain added", "nft add chain ip vnetc mine"},
		{"base chain without rules added",
			"nft add chain ip vnetc mine '{ type filter hook forward priority -10; policy drop; }'"},
		{"set added", "nft add set ip vnetc mine '{ type ipv4_addr; }'; nft add element ip vnetc mine '{ 192.0.2.1 }'"},
		{"counter added", "nft add counter ip vnetc mine"},
		{"table dormant", "nft add table ip vnetc '{ flags dormant; }'"},
		{"table flushed", "nft flush table ip vnetc"},
		{"table deleted", "nft delete table ip vnetc"},
		{"empty table deleted", "nft delete table ip6 vnetc"},
		{"both tables deleted", "nft delete table ip vnetc; nft delete table ip6 vnetc"},
		{"ruleset flushed", "nft flush ruleset"},
	}
}

// jumps puts back the jumps of a chain that was recreated, those of the layout with sets as well.
const jumps = "for c in fwx fwi fwo; do nft add rule ip vnetc forward counter jump $c; done"

func chainTamperings() []tampering {
	return []tampering{
		{"rule doubled", `nft add rule ip vnetc fwx iifname vbr0 oifname vbr0 counter accept`},
		{"rule moved",
			"nft delete rule ip vnetc fwo handle $(handle fwo 1); nft add rule ip vnetc fwo ip saddr 10.0.0.0/24 iifname vbr0 counter accept"},
		{"match changed", "nft replace rule ip vnetc fwi handle $(handle fwi 1) oifname vbr9 counter reject"},
		{"match lost", "nft replace rule ip vnetc fwo handle $(handle fwo 1) ip saddr 10.0.0.0/24 counter accept"},
		{"subnet widened",
			"nft replace rule ip vnetc fwo handle $(handle fwo 1) ip saddr 10.0.0.0/8 iifname vbr0 counter accept"},
	}
}

func setTamperings() []tampering {
	return []tampering{
		{"element added", "nft add element ip vnetc interfaces '{ eth0 }'"},
		{"element removed", "nft delete element ip vnetc subnets24 '{ 10.1.0.0 }'"},
		{"pair of elements replaced",
			"nft delete element ip vnetc fwx_accept_iif_oif '{ vbr0 . vbr0 }'; nft add element ip vnetc fwx_accept_iif_oif '{ vbr0 . vbr1 }'"},
		{"set flushed", "nft flush set ip vnetc interfaces"},
		{"set unused and flushed", "nft flush chain ip vnetc prt; nft flush set ip vnetc subnets24"},
		{"counters lost",
			`set=$(nft -s list set ip vnetc fwx_accept_iif_oif | sed '/\tcounter$/d; s/ counter//'); nft flush chain ip vnetc fwx
nft delete set ip vnetc fwx_accept_iif_oif; echo "$set" | nft -f -; nft add rule ip vnetc fwx iifname . oifname @fwx_accept_iif_oif counter accept`},
		{"set deleted", "nft flush chain ip vnetc prt; nft delete set ip vnetc subnets24"},
		{"another set asked",
			"nft replace rule ip vnetc fwo handle $(handle fwo 1) iifname @interfaces counter accept"},
	}
}

func iptablesTamperings() []tampering {
	return []tampering{
		{"rule deleted", "iptables -D VNETC_FWI 1"},
		{"rule inserted", "iptables -I VNETC_FWI -j ACCEPT"},
		{"rule added", "iptables -A VNETC_FWO -p tcp --dport 22 -j DROP"},
		{"rule inserted for IPv6", "ip6tables -I VNETC_FWI -j ACCEPT"},
		{"rule iptables alone understands", "iptables -I VNETC_FWX -m limit --limit 1/sec -j ACCEPT"},
		{"rule doubled", "iptables -A VNETC_FWX -i vbr0 -o vbr0 -j ACCEPT"},
		{"rule moved", "iptables -D VNETC_FWO 1; iptables -A VNETC_FWO -s 10.0.0.0/24 -i vbr0 -j ACCEPT"},
		{"match changed", "iptables -R VNETC_FWI 1 -o vbr9 -j REJECT"},
		{"match lost", "iptables -R VNETC_FWO 1 -s 10.0.0.0/24 -j ACCEPT"},
		{"subnet widened", "iptables -R VNETC_FWO 1 -s 10.0.0.0/8 -i vbr0 -j ACCEPT"},
		{"reject code changed", "iptables -R VNETC_FWI 1 -o vbr0 -j REJECT --reject-with icmp-admin-prohibited"},
		{"reject turned into drop", "iptables -R VNETC_FWI 1 -o vbr0 -j DROP"},
		{"comment added", "iptables -R VNETC_FWI 1 -o vbr0 -m comment --comment mine -j REJECT"},
		{"NAT ports lost", "iptables -t nat -R VNETC_PRT 1 -s 10.0.0.0/24 -p udp -j MASQUERADE"},
		{"NAT to an address", "iptables -t nat -R VNETC_PRT 1 -s 10.0.0.0/24 -p udp -j SNAT --to-source 192.0.2.1"},
		{"chain flushed", "iptables -F VNETC_FWO"},
		{"chain deleted", "iptables -D FORWARD -j VNETC_FWI; iptables -F VNETC_FWI; iptables -X VNETC_FWI"},
		{"empty chain deleted", "ip6tables -D FORWARD -j VNETC_FWI; ip6tables -X VNETC_FWI"},
		{"chain renamed", "iptables -E VNETC_FWI MINE"},
		{"chain added", "iptables -N VNETC_MINE; iptables -A VNETC_MINE -j ACCEPT"},
		{"empty chain added", "iptables -N VNETC_MINE"},
		{"jump deleted", "iptables -D FORWARD -j VNETC_FWI"},
		{"all jumps deleted", "for g in FWX FWI FWO; do iptables -D FORWARD -j VNETC_$g; done"},
		{"NAT's jump deleted", "iptables -t nat -D POSTROUTING -j VNETC_PRT"},
		{"jump doubled", "iptables -A FORWARD -j VNETC_FWX"},
		{"jump doubled at the head", "iptables -I FORWARD -j VNETC_FWO"},
		{"jump moved", "iptables -D FORWARD -j VNETC_FWI; iptables -I FORWARD -j VNETC_FWI"},
		{"jump moved behind others' rules", "iptables -D FORWARD -j VNETC_FWX; iptables -A FORWARD -j VNETC_FWX"},
		{"forward jumps reversed",
			"for g in FWX FWI FWO; do iptables -D FORWARD -j VNETC_$g; iptables -I FORWARD -j VNETC_$g; done"},
		{"filter flushed", "iptables -F"},
		{"filter flushed and emptied", "iptables -F; iptables -X"},
		{"filter of IPv6 flushed", "ip6tables -F"},
		{"nat flushed", "iptables -t nat -F"},
		{"built-in chain flushed", "iptables -F FORWARD"},
		{"everything flushed",
			"for t in filter nat mangle; do iptables -t $t -F; iptables -t $t -X; ip6tables -t $t -F; ip6tables -t $t -X; done"},
	}
}

// strangers gives the namespace foreign rules, in both worlds, before ours or our chains exist.
func strangers(ns *netnstest.NS) {
	ns.Feed([]byte(`table inet admin {
		set bad { type ipv4_addr; elements = { 192.0.2.66 } }
		chain forward { type filter hook forward priority -5; policy accept; ip saddr @bad counter drop; }
	}`), "nft", "-f", "-")
	for _, variant := range []string{"nft", "legacy"} {
		for _, stem := range []string{"iptables-", "ip6tables-"} {
			ns.Feed([]byte("*filter\n:ADMIN -\n-A FORWARD -i eth7 -j ADMIN\n-A ADMIN -p tcp --dport 25 -j DROP\n-A FORWARD -o eth8 -j DROP\nCOMMIT\n"+
				"*nat\n-A POSTROUTING -o eth9 -j MASQUERADE\nCOMMIT\n"), stem+variant+"-restore", "--noflush")
		}
	}
}

// sides lists what is not ours, with policies, and what is, in the world of the target.
func sides(ns *netnstest.NS, variant string) (others, ours string) {
	list := `nft list table inet admin; nft list table ip filter; nft list table ip nat; echo ---; nft -s list table ip vnetc; nft -s list table ip6 vnetc; true`
	if variant != "" {
		list = `nft list table inet admin; echo ---
			for s in iptables-` + variant + ` ip6tables-` + variant + `; do
				for t in mangle nat filter; do echo "# $s $t"; $s-save -t $t | grep '^[:-]'; done
			done; true`
	}
	others, list, _ = strings.Cut(ns.Exec("sh", "-c", list), "---\n")
	if variant == "" {
		return others, netnstest.InOrder(list)
	}
	for line := range strings.Lines(list) {
		switch {
		case line[0] == '#':
			others += line
			ours += line
		case strings.Contains(line, "VNETC_"):
			ours += line
		case line[0] == '-' || !strings.Contains(line, " ACCEPT "):
			others += line
		}
	}
	return others, ours
}

// TestDrift: whatever is done to our rules is found by Compare and fixed by Apply, which leaves
// others' rules as it finds them.
func TestDrift(t *testing.T) {
	eachTarget(t, func(t *testing.T, ns *netnstest.NS, target Target) {
		t.Parallel()
		name := t.Name()[strings.IndexByte(t.Name(), '/')+1:]
		strangers(ns)
		p := filters(3)
		if _, err := apply(ns, p, target); err != nil {
			t.Fatal(err)
		}
		_, variant, _ := strings.Cut(name, "iptables-")
		_, want := sides(ns, variant)
		for _, test := range tamperings()[name] {
			t.Run(test.name, func(t *testing.T) { tamper(t, ns, target, variant, test, want) })
		}
	})
}

// tamper does one tampering to the rules of filters(3), which are in force and look like want, and
// fixes it.
func tamper(t *testing.T, ns *netnstest.NS, target Target, variant string, test tampering, want string) {
	p := filters(3)
	ns.Exec("sh", "-ec", `
		handle() { nft -a list chain ip vnetc $1 | grep -E 'accept|reject|jump|masquerade' | grep -v policy | sed -n "$2s/.*handle //p"; }
		iptables() { iptables-`+variant+` "$@"; }
		ip6tables() { ip6tables-`+variant+` "$@"; }
		`+test.script)
	before, tampered := sides(ns, variant)
	if a := compare(t, ns, p, target); a.InStep() {
		t.Errorf("the audit finds nothing:\n%s", cmp.Diff(want, tampered))
	}
	if _, err := apply(ns, p, target); err != nil {
		t.Fatal(err)
	}
	after, mended := sides(ns, variant)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("apply changed foreign rules (-want +got):\n%s", diff)
	}
	if a := compare(t, ns, p, target); !a.InStep() {
		t.Errorf("after apply there is still drift:\n%s", told(a))
	}
	if diff := cmp.Diff(want, mended); diff != "" {
		t.Errorf("apply did not mend it (-want +got):\n%s", diff)
	}
	if r, err := apply(ns, p, target); err != nil || r.Changed != 0 {
		t.Errorf("apply once more: %+v, %v; want nothing changed", r, err)
	}
}

// TestAhead: a foreign rule before one of our jumps gets, and stays where it is.
func TestAhead(t *testing.T) {
	for name, target := range targets() {
		if !strings.HasPrefix(name, "iptables") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
			ns := netnstest.New(t)
			strangers(ns)
			if _, err := apply(ns, filters(3), target); err != nil {
				t.Fatal(err)
			}
			ns.Exec("sh", "-ec", "iptables() { "+name+` "$@"; }
				iptables -I FORWARD -i eth5 -j ACCEPT
				iptables -D FORWARD -j VNETC_FWO; iptables -A FORWARD -j VNETC_FWO
				iptables -t nat -D POSTROUTING -j VNETC_PRT; iptables -t nat -A POSTROUTING -j VNETC_PRT`)
			ahead := func(table, chain, words string) backends.Drift {
				return backends.Drift{
					Kind: backends.Ahead, Part: backends.DriftObject, Words: words,
					Chain:    &ir.Chain{Family: ir.IPv4, Table: table, Name: chain},
					Harmless: words != "-i eth5 -j ACCEPT",
				}
			}
			want := []backends.Drift{
				ahead("nat", "POSTROUTING", "-o eth9 -j MASQUERADE"),
				ahead("filter", "FORWARD", "-i eth5 -j ACCEPT"),
				ahead("filter", "FORWARD", "-i eth7 -j ADMIN"),
				ahead("filter", "FORWARD", "-o eth8 -j DROP"),
			}
			before := ns.Exec("sh", "-c", name+"-save | grep ^-")
			for range 2 {
				a := compare(t, ns, filters(3), target)
				byChain := func(a, b backends.Drift) bool { return a.Chain.Label() > b.Chain.Label() }
				if diff := cmp.Diff(want, a.Drifts, cmpopts.SortSlices(byChain),
					cmpopts.IgnoreFields(backends.Drift{}, "Lets", "Networks")); diff != "" || !a.InStep() {
					t.Errorf("in step: %v; drifts (-want +got):\n%s", a.InStep(), diff)
				}
				if r, err := apply(ns, filters(3), target); err != nil || r.Changed != 0 {
					t.Errorf("apply: %+v, %v; want nothing changed", r, err)
				}
			}
			if diff := cmp.Diff(before, ns.Exec("sh", "-c", name+"-save | grep ^-")); diff != "" {
				t.Errorf("apply changed the rules (-want +got):\n%s", diff)
			}
		})
	}
}
