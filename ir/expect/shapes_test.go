package expect

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Hosts of a size that real ones have, each with one NAT network web behind vbr0: what an
// examination of them may cost is fixed in cost_test.go and measured in bench_test.go.

func prefix(format string, args ...any) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf(format, args...))
}

func rule(v ir.Verdict, m ...ir.Match) ir.Rule {
	return ir.Rule{Family: ir.IPv4, Matches: m, Verdict: v}
}

// networks returns n NAT networks, with the rules and links of each, and a host that they are on.
func networks(n int) (*ir.Program, *ir.Host) {
	p := &ir.Program{}
	h := &ir.Host{Routes: []ir.HostRoute{{Dest: netip.MustParsePrefix("0.0.0.0/0"), Device: "eth0"}},
		Devices: []ir.HostDevice{{Name: "eth0", Up: true, MTU: 1500, Forwards: ir.Both,
			Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")}}}}
	for i := range n {
		bridge := fmt.Sprintf("vbr%d", i)
		name := fmt.Sprintf("web%d", i)
		own := prefix("10.%d.%d.1/24", 200+i/256, i%256)
		net := own.Masked()
		h.Devices = append(h.Devices, ir.HostDevice{Name: bridge, Up: true, MTU: 1500, Forwards: ir.Both,
			Addresses: []netip.Prefix{own}})
		in, out := ir.IIfName{Name: bridge}, ir.OIfName{Name: bridge}
		add := func(g ir.Group, rules ...ir.Rule) {
			for _, r := range rules {
				r.Origin.Network = name
				p.Add(g, r)
			}
		}
		add(ir.FWX, rule(ir.Accept{}, in, out))
		add(ir.FWI, rule(ir.Accept{}, ir.DAddr{Prefix: net}, out,
			ir.CTState{States: ir.StateEstablished | ir.StateRelated}),
			rule(ir.Reject{With: ir.PortUnreachable}, out))
		add(ir.FWO, rule(ir.Accept{}, ir.SAddr{Prefix: net}, in), rule(ir.Reject{With: ir.PortUnreachable}, in))
		add(ir.PRT, rule(ir.Masquerade{}, ir.SAddr{Prefix: net}, ir.DAddr{Prefix: net, Not: true}))
		p.Links = append(p.Links, &ir.Link{Name: name, Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: bridge},
			Addresses: []ir.Address{{Prefix: own}}})
	}
	return p, h
}

// beside returns a question about the networks of meant on a host that has the chains, too.
func beside(meant *ir.Program, h *ir.Host, chains ...*ir.Chain) Question {
	whole := &ir.Program{Chains: append(append([]*ir.Chain{}, meant.Chains...), chains...)}
	whole.AddSets()
	return Question{Meant: meant, Whole: whole, Host: h}
}

// base returns a base chain of table filter.
func base(hook ir.Hook, drop bool, rules ...ir.Rule) *ir.Chain {
	return &ir.Chain{Family: ir.IPv4, Table: "filter", Name: hook.String(), Rules: rules,
		Base: &ir.Base{Hook: hook, Type: ir.FilterType, Drop: drop}}
}

// published returns the rules of Docker for n published ports: DNAT, accept, masquerading.
func published(n int) []*ir.Chain {
	dnat := &ir.Chain{Family: ir.IPv4, Table: "nat", Name: "DOCKER"}
	open := &ir.Chain{Family: ir.IPv4, Table: "filter", Name: "DOCKER"}
	post := &ir.Chain{Family: ir.IPv4, Table: "nat", Name: "POSTROUTING",
		Base: &ir.Base{Hook: ir.Postrouting, Type: ir.NATType, Priority: ir.PrioritySrcNAT}}
	own := prefix("172.17.0.0/16")
	post.Rules = append(post.Rules, rule(ir.Masquerade{}, ir.SAddr{Prefix: own}, ir.OIfName{Name: "docker0", Not: true}))
	container, onto := ir.OIfName{Name: "docker0"}, ir.IIfName{Name: "docker0", Not: true}
	for i := range n {
		to, port := prefix("172.17.%d.%d/32", i/250, 2+i%250), uint16(8000+i)
		dnat.Rules = append(dnat.Rules, rule(ir.DNAT{Addrs: ir.AddrRange{From: to.Addr(), To: to.Addr()},
			Ports: ir.PortRange{From: 80, To: 80}}, onto, ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: port, To: port}))
		open.Rules = append(open.Rules, rule(ir.Accept{}, ir.DAddr{Prefix: to}, onto, container,
			ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 80, To: 80}))
		post.Rules = append(post.Rules, rule(ir.Masquerade{}, ir.SAddr{Prefix: to}, ir.DAddr{Prefix: to},
			ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 80, To: 80}))
	}
	open.Rules = append(open.Rules, rule(ir.Drop{}, onto, container))
	local := &ir.Set{Family: ir.IPv4, Name: "local", Elements: [][]ir.Match{{ir.DAddr{Prefix: prefix("198.51.100.1/32")}},
		{ir.DAddr{Prefix: prefix("10.200.0.1/32")}}, {ir.DAddr{Prefix: prefix("127.0.0.0/8")}}}}
	pre := &ir.Chain{Family: ir.IPv4, Table: "nat", Name: "PREROUTING",
		Base:  &ir.Base{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		Rules: []ir.Rule{rule(ir.Jump{Chain: "DOCKER"}, ir.Lookup{Set: local})}}
	return []*ir.Chain{dnat, pre, post, open, base(ir.Forward, true,
		rule(ir.Accept{}, container, ir.CTState{States: ir.StateEstablished | ir.StateRelated}),
		rule(ir.Jump{Chain: "DOCKER"}, container),
		rule(ir.Accept{}, ir.IIfName{Name: "docker0"}))}
}

// services returns rules of kube-proxy's shape for n services: an address with three ends, which
// are chosen by chance.
func services(n int) []*ir.Chain {
	all := &ir.Chain{Family: ir.IPv4, Table: "nat", Name: "KUBE-SERVICES"}
	chains := []*ir.Chain{all}
	for i := range n {
		name := fmt.Sprintf("KUBE-SVC-%d", i)
		all.Rules = append(all.Rules, rule(ir.Jump{Chain: name}, ir.DAddr{Prefix: prefix("10.96.%d.%d/32", i/250, 1+i%250)},
			ir.L4Proto{Proto: ir.TCP}, ir.DPort{From: 80, To: 80}))
		service := &ir.Chain{Family: ir.IPv4, Table: "nat", Name: name}
		chains = append(chains, service)
		for end := range 3 {
			to, sep := prefix("10.244.%d.%d/32", (3*i+end)/250, 1+(3*i+end)%250), fmt.Sprintf("KUBE-SEP-%d-%d", i, end)
			jump := rule(ir.Jump{Chain: sep})
			if end < 2 {
				jump.Matches = []ir.Match{ir.Opaque{Text: fmt.Sprintf("-m statistic --mode random --probability %d", end)}}
			}
			service.Rules = append(service.Rules, jump)
			mark := rule(ir.Counter{}, ir.SAddr{Prefix: to})
			mark.Actions = []ir.Action{ir.SetMark{Value: 0x4000, Mask: 0x4000}}
			chains = append(chains, &ir.Chain{Family: ir.IPv4, Table: "nat", Name: sep, Rules: []ir.Rule{mark,
				rule(ir.DNAT{Addrs: ir.AddrRange{From: to.Addr(), To: to.Addr()},
					Ports: ir.PortRange{From: 8080, To: 8080}},
					ir.L4Proto{Proto: ir.TCP})}})
		}
	}
	return append(chains, &ir.Chain{Family: ir.IPv4, Table: "nat", Name: "PREROUTING",
		Base:  &ir.Base{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		Rules: []ir.Rule{rule(ir.Jump{Chain: "KUBE-SERVICES"})}})
}

// unknowns returns n rules that each have a match that is not modelled, in chains of fifty.
func unknowns(n int) []*ir.Chain {
	forward := base(ir.Forward, false)
	chains := []*ir.Chain{forward}
	for i := range n {
		if i%50 == 0 {
			chains = append(chains, &ir.Chain{Family: ir.IPv4, Table: "filter", Name: fmt.Sprintf("tenant%d", i/50)})
			jump := rule(ir.Jump{Chain: chains[len(chains)-1].Name})
			if i%100 == 0 { // every other one is met by all
				jump.Matches = []ir.Match{ir.SAddr{Prefix: prefix("10.%d.0.0/16", 150+i/50%100)}}
			}
			forward.Rules = append(forward.Rules, jump)
		}
		var v ir.Verdict = ir.Drop{}
		if i%3 == 0 {
			v = ir.Return{}
		}
		c := chains[len(chains)-1]
		c.Rules = append(c.Rules, rule(v, ir.L4Proto{Proto: []uint8{ir.TCP, ir.UDP}[i%2]},
			ir.DAddr{Prefix: prefix("203.%d.%d.0/24", i%7, i*37%256)}, ir.DPort{From: uint16(i), To: uint16(2*i + 10)},
			ir.Opaque{Text: fmt.Sprintf("-m recent --name r%d --rcheck", i)}))
	}
	return chains
}

// bans returns n rules of fail2ban's shape.
func bans(n int) []*ir.Chain {
	banned := &ir.Chain{Family: ir.IPv4, Table: "filter", Name: "f2b-all"}
	for i := range n {
		banned.Rules = append(banned.Rules, rule(ir.Reject{With: ir.PortUnreachable},
			ir.SAddr{Prefix: prefix("%d.%d.%d.%d/32", 20+i*7%160, i*31%256, i/256%256, i*13%256)}))
	}
	banned.Rules = append(banned.Rules, rule(ir.Return{}))
	return []*ir.Chain{banned, base(ir.Input, false, rule(ir.Jump{Chain: banned.Name})),
		base(ir.Forward, false, rule(ir.Jump{Chain: banned.Name}))}
}

// banSet is bans in a set, as nft has it.
func banSet(n int) []*ir.Chain {
	set := &ir.Set{Family: ir.IPv4, Name: "banned"}
	for _, r := range bans(n)[0].Rules[:n] {
		set.Elements = append(set.Elements, r.Matches)
	}
	return []*ir.Chain{base(ir.Input, false, rule(ir.Drop{}, ir.Lookup{Set: set})),
		base(ir.Forward, false, rule(ir.Drop{}, ir.Lookup{Set: set}))}
}

// strangers returns n rules about other addresses than the networks', one after the other, that
// have hardly anything in common.
func strangers(n int) []*ir.Chain {
	forward := base(ir.Forward, false)
	for i := range n {
		var v ir.Verdict = ir.Accept{}
		if i%2 == 0 {
			v = ir.Drop{}
		}
		forward.Rules = append(forward.Rules, rule(v,
			ir.SAddr{Prefix: prefix("172.%d.%d.%d/32", 16+i%16, i*31%256, i*7%256)},
			ir.DAddr{Prefix: prefix("172.%d.%d.0/24", 16+i*5%16, i*17%256)}, ir.L4Proto{Proto: ir.TCP},
			ir.DPort{From: uint16(i*13 + 1), To: uint16(i*13 + 1)}))
	}
	return []*ir.Chain{forward}
}
