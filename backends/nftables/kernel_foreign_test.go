package nftables

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelOrderPackets: of two chains of one hook and priority the kernel meets the one made last
// first, in one table as in two; Eval says the same of what is read back.
func TestKernelOrderPackets(t *testing.T) {
	netnstest.Require(t, "nft")
	const base = "{ type filter hook forward priority 0; "
	for name, text := range map[string]string{
		"two tables": "table ip alpha { chain f " + base + "reject; }; }\ntable ip omega { chain f " + base +
			"drop; }; }\n",
		"one table": "table ip alpha { chain z " + base + "reject; }; chain a " + base + "drop; }; }\n",
		"two families": "table ip alpha { chain f " + base + "reject; }; }\ntable inet omega { chain f " + base +
			"drop; }; }\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := netnstest.NewHost(t)
			h.Bridge("vba", netip.MustParsePrefix("192.168.10.1/24"))
			guest := h.Guest("a1", "vba", netip.MustParsePrefix("192.168.10.11/24"))
			h.Uplink("eth0", netip.MustParsePrefix("198.51.100.254/24"))
			h.Feed([]byte(text), "nft", "-f", "-")
			src, dst := netip.MustParseAddrPort("192.168.10.11:1000"), netip.MustParseAddrPort("198.51.100.1:4000")
			r := h.Send(guest, netnstest.Packet{Kind: netnstest.UDP, Src: src, Dst: dst})
			if r.At != nil || r.Refused {
				t.Fatalf("the kernel: %s", r)
			}
			f, err := ir.Eval(read(t, dumpAll(t, h.NS)), ir.Packet{
				Family: ir.IPv4, In: "vba", Out: "eth0", Src: src.Addr(), Dst: dst.Addr(), Proto: ir.UDP,
				SPort: src.Port(), DPort: dst.Port(), State: ir.StateNew,
			})
			if err != nil || f.Outcome != ir.Dropped {
				t.Errorf("Eval says %s, %v", f, err)
			}
		})
	}
}

// TestKernelUnseen: what packets pass that a program has no place for is named, a dormant table is
// not.
func TestKernelUnseen(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	ns.Exec("ip", "link", "add", "vbu", "type", "bridge")
	tables := map[string]string{
		`chain gate of table bridge corp, at hook forward`:               "table bridge corp { chain gate { type filter hook forward priority 0; }; chain plain { drop; }; }",
		`chain gate of table arp corp, at hook input`:                    "table arp corp { chain gate { type filter hook input priority 0; }; }",
		`chain gate of table netdev corp, at hook ingress of device vbu`: "table netdev corp { chain gate { type filter hook ingress device vbu priority 0; }; }",
		`chain gate of table inet corp, at hook ingress of device vbu`:   "table inet corp { chain gate { type filter hook ingress device vbu priority 0; }; }",
		``: "table bridge quiet { flags dormant; chain gate { type filter hook forward priority 0; }; }",
	}
	for want, text := range tables {
		t.Run(want, func(t *testing.T) {
			ns.Feed([]byte("flush ruleset\n"+text+"\n"), "nft", "-f", "-")
			p := read(t, dumpAll(t, ns))
			var all []string
			if want != "" {
				all = []string{want}
			}
			if diff := cmp.Diff(all, p.Unseen); diff != "" || len(p.Chains) > 0 {
				t.Errorf("unseen (-want +got):\n%s, read:\n%s", diff, p)
			}
		})
	}
}

// TestKernelReadLinks: a rule that asks for an interface by its index is read by its name, alone
// and in a set; one of which no interface has the index is not modelled. A back end without a
// kernel models neither.
func TestKernelReadLinks(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	ns.Exec("ip", "link", "add", "vbl", "type", "bridge")
	ns.Feed([]byte(`table ip t { chain c { type filter hook forward priority 0
		iif vbl accept
		oif != vbl drop
		iif { lo, vbl } drop
		iif 4711 accept
	}
	}`), "nft", "-f", "-")
	want := []string{
		`ip iifname "vbl" accept`, `ip oifname != "vbl" drop`, `ip lookup __set0 drop`,
		`ip unknown port "iif 4711" accept`,
	}
	stream := dumpAll(t, ns)
	ns.Do(func() {
		p, err := Loader{}.Read([]backends.Document{{File: "rules.netlink", Text: stream}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range p.Chains[0].Rules {
			got = append(got, p.Chains[0].Rules[i].String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
		elements := map[string]bool{}
		for _, e := range p.Sets[0].Elements {
			elements[ir.MatchText(e[0])] = true
		}
		if len(elements) != 2 || !elements[`iifname "lo"`] || !elements[`iifname "vbl"`] {
			t.Errorf("elements %v", elements)
		}
	})
	for i, r := range read(t, stream).Chains[0].Rules {
		if _, is := r.Matches[0].(ir.Unknown); !is {
			t.Errorf("rule %d is modelled without a kernel: %s", i+1, &r)
		}
	}
}

// TestKernelWords: a statement that isn't modelled is shown as nft(8) lists it, less the burst that
// a limit has by default: nft lists that since 1.1.
func TestKernelWords(t *testing.T) {
	netnstest.Require(t, "nft")
	statements := []string{
		"iif 4711", "oif != 4711",
		"limit rate over 1000 bytes/second", "meta cpu 1", "ip id 7", "th dport 53", "th sport != 53", "ip daddr set 198.51.100.9",
		"ip saddr set 198.51.100.9",
		"ip saddr @banned", "ip saddr != @banned",
	}
	for _, s := range statements {
		t.Run(s, func(t *testing.T) {
			ns := netnstest.New(t)
			ns.Feed([]byte("table ip t { set banned { type ipv4_addr; flags dynamic,timeout; }; chain c { type filter hook prerouting priority 0; "+s+"; }; }\n"), "nft", "-f", "-")
			listed := strings.ReplaceAll(ns.Exec("nft", "-s", "-n", "list", "chain", "ip", "t", "c"),
				" burst 5 packets\n", "\n")
			if !strings.Contains(listed, "\t\t"+s+"\n") {
				t.Fatalf("nft lists it otherwise:\n%s", listed)
			}
			r := &read(t, dumpAll(t, ns)).Chains[0].Rules[0]
			var got []string
			for _, m := range r.Matches {
				switch o := m.(type) {
				case ir.Opaque:
					got = append(got, o.Text)
				case ir.Unknown:
					got = append(got, o.Text)
				}
			}
			for _, a := range r.Actions {
				if o, is := a.(ir.Effect); is {
					got = append(got, o.Text)
				}
			}
			if o, is := r.Verdict.(ir.Opaque); is {
				got = append(got, o.Text)
			}
			if diff := cmp.Diff([]string{s}, got); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}
