package iptables_test

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
)

func ExampleBackend_Lower() {
	p := &ir.Program{}
	p.Add(ir.FWI,
		ir.Rule{Family: ir.Both, Verdict: ir.Accept{}, Matches: []ir.Match{
			ir.DAddr{Prefix: netip.MustParsePrefix("192.168.122.0/24")},
			ir.OIfName{Name: "virbr0"},
			ir.CTState{States: ir.StateEstablished | ir.StateRelated},
		}},
		ir.Rule{Family: ir.IPv4, Verdict: ir.Reject{With: ir.PortUnreachable},
			Matches: []ir.Match{ir.OIfName{Name: "virbr0"}}})
	set, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
		Layout: backends.Chains})
	if err := found.Err(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", set.Emit()[0].Text)
	// Output:
	// # vnetc: IPv4 rules
	// # load:       iptables-restore --noflush --wait < rules.v4
	// # load again: grep -v '^-[IN] ' rules.v4 | iptables-restore --noflush --wait
	// *filter
	// :VNETC_INP - [0:0]
	// :VNETC_OUT - [0:0]
	// :VNETC_FWX - [0:0]
	// :VNETC_FWI - [0:0]
	// :VNETC_FWO - [0:0]
	// -N VNETC_ADMIN_INPUT
	// -N VNETC_ADMIN_FORWARD
	// -I FORWARD -j VNETC_FWO
	// -I FORWARD -j VNETC_FWI
	// -I FORWARD -j VNETC_FWX
	// -I OUTPUT -j VNETC_OUT
	// -I INPUT -j VNETC_INP
	// -I INPUT -j VNETC_ADMIN_INPUT
	// -I FORWARD -j VNETC_ADMIN_FORWARD
	// -A VNETC_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	// -A VNETC_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable
	// COMMIT
	// *nat
	// :VNETC_PRT - [0:0]
	// -N VNETC_ADMIN_PREROUTING
	// -N VNETC_ADMIN_POSTROUTING
	// -I POSTROUTING -j VNETC_PRT
	// -I PREROUTING -j VNETC_ADMIN_PREROUTING
	// -I POSTROUTING -j VNETC_ADMIN_POSTROUTING
	// COMMIT
	// *mangle
	// :VNETC_PRT - [0:0]
	// -I POSTROUTING -j VNETC_PRT
	// COMMIT
}
