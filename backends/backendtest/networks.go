package backendtest

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Network is what decides a network's rules, as libvirt makes them.
type Network struct {
	Name    string
	Bridge  string
	Mode    ir.Mode        // none, nat or route
	Dev     string         // the only way out; "" for any
	Subnets []netip.Prefix // in the order of the document
	SNAT    ir.AddrRange   // of nat, for IPv4; zero for masquerade
	Ports   ir.PortRange   // of nat; zero for 1024-65535
	NAT6    bool           // NAT6 is true if IPv6 subnets are translated too.
	IPv6    bool           // IPv6 is true if guests may talk IPv6 though the bridge has no such address.
	DHCP    bool
	TFTP    bool
}

// Networks returns the program of networks started in this order; a later one's rules stand on top.
// Each rule has an origin of its own.
func Networks(list ...Network) *ir.Program {
	p := &ir.Program{}
	for _, g := range ir.Groups {
		if !g.Optional() {
			p.Add(g)
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		n := &network{Network: list[i], program: p}
		n.services()
		n.forwarding()
		for j := len(n.Subnets) - 1; j >= 0; j-- {
			n.translation(n.Subnets[j].Masked())
		}
		if n.DHCP {
			n.add(ir.PRT, ir.IPv4, ir.ChecksumFill{}, ir.OIfName{Name: n.Bridge}, ir.L4Proto{Proto: ir.UDP},
				ir.DPort{From: 68, To: 68})
		}
	}
	return numbered(p)
}

type network struct {
	Network
	program *ir.Program
}

func (n *network) add(g ir.Group, f ir.Family, v ir.Verdict, matches ...ir.Match) {
	n.program.Add(g, ir.Rule{Family: f, Matches: matches, Verdict: v})
}

// has6 is true if the network has an IPv6 subnet.
func (n *network) has6() bool {
	for _, s := range n.Subnets {
		if s.Addr().Is6() {
			return true
		}
	}
	return false
}

// services adds INP and OUT.
func (n *network) services() {
	open := func(f ir.Family, proto uint8, in, out uint16) {
		n.add(ir.INP, f, ir.Accept{}, ir.IIfName{Name: n.Bridge}, ir.L4Proto{Proto: proto}, ir.DPort{From: in, To: in})
		n.add(ir.OUT, f, ir.Accept{}, ir.OIfName{Name: n.Bridge}, ir.L4Proto{Proto: proto},
			ir.DPort{From: out, To: out})
	}
	if n.TFTP {
		open(ir.IPv4, ir.UDP, 69, 69)
	}
	for _, port := range [][2]uint16{{53, 53}, {67, 68}} {
		open(ir.IPv4, ir.UDP, port[0], port[1])
		open(ir.IPv4, ir.TCP, port[0], port[1])
	}
	if n.has6() {
		open(ir.IPv6, ir.UDP, 547, 546)
		open(ir.IPv6, ir.UDP, 53, 53)
		open(ir.IPv6, ir.TCP, 53, 53)
	}
}

// forwarding adds FWX, FWI and FWO.
func (n *network) forwarding() {
	in, out := ir.IIfName{Name: n.Bridge}, ir.OIfName{Name: n.Bridge}
	families := ir.IPv4
	if n.IPv6 || n.has6() {
		families = ir.Both
	}
	n.add(ir.FWX, families, ir.Accept{}, in, out)
	for i := len(n.Subnets) - 1; i >= 0 && n.Mode != ir.ModeNone; i-- {
		subnet := n.Subnets[i].Masked()
		f := familyOf(subnet.Addr())
		into, outOf := []ir.Match{ir.DAddr{Prefix: subnet}, out}, []ir.Match{ir.SAddr{Prefix: subnet}, in}
		if n.Dev != "" {
			into, outOf = append(into, ir.IIfName{Name: n.Dev}), append(outOf, ir.OIfName{Name: n.Dev})
		}
		if n.translates(f) {
			into = append(into, ir.CTState{States: ir.StateEstablished | ir.StateRelated})
		}
		n.add(ir.FWI, f, ir.Accept{}, into...)
		n.add(ir.FWO, f, ir.Accept{}, outOf...)
	}
	n.add(ir.FWI, families, ir.Reject{With: ir.PortUnreachable}, out)
	n.add(ir.FWO, families, ir.Reject{With: ir.PortUnreachable}, in)
}

// translates is true if subnets of family f are behind NAT.
func (n *network) translates(f ir.Family) bool {
	return n.Mode == ir.ModeNAT && (f == ir.IPv4 || n.NAT6)
}

// translation adds PRT for one subnet.
func (n *network) translation(subnet netip.Prefix) {
	f := familyOf(subnet.Addr())
	if !n.translates(f) {
		return
	}
	add := func(v ir.Verdict, matches ...ir.Match) {
		matches = append([]ir.Match{ir.SAddr{Prefix: subnet}}, matches...)
		if n.Dev != "" {
			matches = append(matches, ir.OIfName{Name: n.Dev})
		}
		n.add(ir.PRT, f, v, matches...)
	}
	ports := n.Ports
	if ports.IsZero() {
		ports = ir.PortRange{From: 1024, To: 65535}
	}
	to := func(ports ir.PortRange) ir.Verdict {
		if f == ir.IPv4 && !n.SNAT.IsZero() {
			return ir.SNAT{Addrs: n.SNAT, Ports: ports}
		}
		return ir.Masquerade{Ports: ports}
	}
	if f == ir.IPv4 {
		add(ir.Return{}, ir.DAddr{Prefix: netip.MustParsePrefix("224.0.0.0/24")})
		add(ir.Return{}, ir.DAddr{Prefix: netip.MustParsePrefix("255.255.255.255/32")})
	} else {
		add(ir.Return{}, ir.DAddr{Prefix: netip.MustParsePrefix("ff02::/16")})
	}
	away := ir.DAddr{Prefix: subnet, Not: true}
	add(to(ports), away, ir.L4Proto{Proto: ir.TCP})
	add(to(ports), away, ir.L4Proto{Proto: ir.UDP})
	add(to(ir.PortRange{}), away)
}

// NetworkSamples returns programs of networks: each mode, each thing that changes rules, and
// several networks together.
func NetworkSamples() []Sample {
	subnets := func(list ...string) []netip.Prefix {
		var all []netip.Prefix
		for _, s := range list {
			all = append(all, netip.MustParsePrefix(s))
		}
		return all
	}
	outside := ir.AddrRange{From: netip.MustParseAddr("203.0.113.4"), To: netip.MustParseAddr("203.0.113.10")}
	networks := []Network{
		{Name: "nat", Bridge: "virbr0", Mode: ir.ModeNAT, Subnets: subnets("192.168.122.0/24"), DHCP: true},
		{Name: "nat out of one device, with TFTP", Bridge: "virbr1", Mode: ir.ModeNAT, Dev: "enp0s7",
			Subnets: subnets("192.168.123.0/24"), DHCP: true, TFTP: true},
		{Name: "isolated", Bridge: "virbr2", Mode: ir.ModeNone, Subnets: subnets("192.168.152.0/24"), DHCP: true},
		{Name: "routed", Bridge: "virbr3", Mode: ir.ModeRoute, Dev: "eth1", Subnets: subnets("192.168.124.0/24")},
		{Name: "nat with routed IPv6", Bridge: "virbr4", Mode: ir.ModeNAT,
			Subnets: subnets("192.168.125.0/24", "2001:db8:ca2:2::/64"), DHCP: true},
		{Name: "nat with NAT66 and ranges", Bridge: "virbr5", Mode: ir.ModeNAT, Dev: "enp0s7", NAT6: true,
			SNAT: outside, Ports: ir.PortRange{From: 500, To: 1000},
			Subnets: subnets("192.168.126.0/24", "fd00:1:2:3::/64"), DHCP: true},
		{Name: "nat, two subnets", Bridge: "virbr6", Mode: ir.ModeNAT,
			Subnets: subnets("192.168.127.0/24", "192.168.128.64/26"), DHCP: true},
		{Name: "isolated, IPv6 without address", Bridge: "virbr7", Mode: ir.ModeNone, IPv6: true},
		{Name: "routed over any device", Bridge: "virbr8", Mode: ir.ModeRoute,
			Subnets: subnets("10.20.0.0/16", "2001:db8:8::/56"), DHCP: true},
	}
	samples := []Sample{{"no network", &ir.Program{}}, {"empty groups", Networks()}}
	for _, n := range networks {
		samples = append(samples, Sample{n.Name, Networks(n)})
	}
	samples = append(samples, Sample{"all networks", Networks(networks...)})
	samples = append(samples, Sample{"nat and routed", Networks(networks[0], networks[8])},
		Sample{"routed and nat", Networks(networks[8], networks[0])})
	samples = append(samples, Sample{"two on one bridge", Networks(networks[0],
		Network{Name: "guest", Bridge: "virbr0", Mode: ir.ModeRoute, Subnets: subnets("192.168.122.0/25")})})
	return samples
}

// Many returns n networks of mixed modes that have rules, for benchmarks: some 25 rules each.
func Many(n int) []Network {
	list := make([]Network, n)
	for i := range list {
		v4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		v6 := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0, 0, 1, 0, 0, byte(i >> 8), byte(i)}), 64)
		list[i] = Network{
			Name: fmt.Sprintf("net%d", i), Bridge: fmt.Sprintf("virbr%d", i), Subnets: []netip.Prefix{v4, v6},
			DHCP: true,
			Mode: []ir.Mode{ir.ModeNAT, ir.ModeNAT, ir.ModeRoute, ir.ModeNone}[i%4],
		}
	}
	return list
}
