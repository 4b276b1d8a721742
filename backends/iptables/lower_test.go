package iptables

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var libvirtOptions = backends.Options{Families: ir.Both, Names: backends.LibvirtNames, Layout: backends.Chains}

// natNetwork adds the rules of a network in libvirt's order: a NAT network without DHCP.
func natNetwork(p *ir.Program, bridge, subnet string, nat ir.Verdict, natPorts ir.Verdict) {
	in, out := ir.IIfName{Name: bridge}, ir.OIfName{Name: bridge}
	src := ir.SAddr{Prefix: netip.MustParsePrefix(subnet)}
	dst := ir.DAddr{Prefix: src.Prefix}
	away := ir.DAddr{Prefix: src.Prefix, Not: true}
	rule := func(v ir.Verdict, m ...ir.Match) ir.Rule { return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v} }
	service := func(g ir.Group, m ir.Match, proto uint8, port uint16) {
		p.Add(g, rule(ir.Accept{}, m, ir.L4Proto{Proto: proto}, ir.DPort{From: port, To: port}))
	}
	for _, port := range []uint16{53, 67} {
		service(ir.INP, in, ir.UDP, port)
		service(ir.INP, in, ir.TCP, port)
	}
	for _, port := range []uint16{53, 68} {
		service(ir.OUT, out, ir.UDP, port)
		service(ir.OUT, out, ir.TCP, port)
	}
	p.Add(ir.FWX, rule(ir.Accept{}, in, out))
	p.Add(ir.FWI,
		rule(ir.Accept{}, out, dst, ir.CTState{States: ir.StateEstablished | ir.StateRelated}),
		rule(ir.Reject{With: ir.PortUnreachable}, out))
	p.Add(ir.FWO,
		rule(ir.Accept{}, src, in),
		rule(ir.Reject{With: ir.PortUnreachable}, in))
	p.Add(ir.PRT,
		rule(ir.Return{}, src, ir.DAddr{Prefix: netip.MustParsePrefix("224.0.0.0/24")}),
		rule(ir.Return{}, src, ir.DAddr{Prefix: netip.MustParsePrefix("255.255.255.255/32")}),
		rule(natPorts, ir.L4Proto{Proto: ir.TCP}, src, away),
		rule(natPorts, ir.L4Proto{Proto: ir.UDP}, src, away),
		rule(nat, src, away),
		rule(ir.ChecksumFill{}, out, ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 68, To: 68}))
}

// TestLibvirtRules compares with what libvirt 11.3 leaves in the tables for its default network, as
// iptables-save prints it.
func TestLibvirtRules(t *testing.T) {
	const want = `*filter
:LIBVIRT_INP - [0:0]
:LIBVIRT_OUT - [0:0]
:LIBVIRT_FWX - [0:0]
:LIBVIRT_FWI - [0:0]
:LIBVIRT_FWO - [0:0]
-I FORWARD -j LIBVIRT_FWO
-I FORWARD -j LIBVIRT_FWI
-I FORWARD -j LIBVIRT_FWX
-I OUTPUT -j LIBVIRT_OUT
-I INPUT -j LIBVIRT_INP
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p tcp -m tcp --dport 53 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 67 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p tcp -m tcp --dport 67 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p tcp -m tcp --dport 53 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p udp -m udp --dport 68 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p tcp -m tcp --dport 68 -j ACCEPT
-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT
-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWO -s 192.168.122.0/24 -i virbr0 -j ACCEPT
-A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
:LIBVIRT_PRT - [0:0]
-I POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 255.255.255.255/32 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p udp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE
COMMIT
*mangle
:LIBVIRT_PRT - [0:0]
-I POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -o virbr0 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill
COMMIT
`
	p := &ir.Program{}
	natNetwork(p, "virbr0", "192.168.122.0/24", ir.Masquerade{},
		ir.Masquerade{Ports: ir.PortRange{From: 1024, To: 65535}})
	set, found := Backend{}.Lower(p, libvirtOptions)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, withoutComments(set.Emit()[0].Text)); diff != "" {
		t.Errorf("rules.v4 (-want +got):\n%s", diff)
	}
}

func withoutComments(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestGroupTables: each group is in a table that is written.
func TestGroupTables(t *testing.T) {
	for _, row := range ir.GroupTable {
		if table := tableOf(&row.Base); !slices.Contains(groupTables[:], table) {
			t.Errorf("place.go: groupTables has no table for group %s, which is of type %s at %s priority %d", row.Name,
				row.Type, row.Hook, row.Priority)
		}
	}
}
