package backendtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
)

// Random returns n random programs, the same for the same seed: half of them of groups, half of
// base chains with chains that they jump to. Values are few, so that rules meet the same packets.
func Random(n int, seed uint64) []Sample {
	g := &generator{rand.New(rand.NewPCG(seed, 0))}
	var samples []Sample
	for i := range n {
		p := g.groups()
		if i%2 == 1 {
			p = g.bases()
		}
		samples = append(samples, Sample{fmt.Sprintf("random %d, seed %d", i, seed), numbered(p)})
	}
	return samples
}

type generator struct{ *rand.Rand }

// groups returns a program of groups.
func (g *generator) groups() *ir.Program {
	p := &ir.Program{}
	for _, group := range ir.Groups {
		rows := group.Rows()
		for range g.IntN(8) {
			r := g.rule(ir.Both)
			switch last := rows[len(rows)-1]; {
			case last.Type != ir.NATType:
				r.Verdict = g.filterVerdict(&r)
			case len(rows) > 1 && g.IntN(4) == 0:
				r.Verdict = ir.ChecksumFill{}
			default:
				r.Verdict = g.natVerdict(&r, last.Hook)
			}
			p.Add(group, r)
		}
	}
	return p
}

// bases returns a program of base chains at several hooks, each in a table of its own with two
// chains to jump to.
func (g *generator) bases() *ir.Program {
	p := &ir.Program{}
	for i, base := range bases() {
		if g.IntN(2) == 0 {
			continue
		}
		base.Drop = base.Type == ir.FilterType && g.IntN(4) == 0
		f := pick(g.Rand, []ir.Family{ir.IPv4, ir.IPv6, ir.Both})
		table := fmt.Sprintf("t%d", i)
		first, second := fmt.Sprintf("first%d", i), fmt.Sprintf("second%d", i)
		rules := func(leads ...string) []ir.Rule {
			var all []ir.Rule
			for range 2 + g.IntN(5) {
				r := g.rule(f)
				switch {
				case len(leads) > 0 && g.IntN(3) == 0:
					r.Verdict = pick(g.Rand, []ir.Verdict{ir.Jump{Chain: pick(g.Rand, leads)},
						ir.Goto{Chain: pick(g.Rand, leads)}})
				case base.Type == ir.NATType:
					r.Verdict = g.natVerdict(&r, base.Hook)
				default:
					r.Verdict = g.filterVerdict(&r)
				}
				g.actions(&r, base)
				all = append(all, r)
			}
			return all
		}
		p.Chains = append(p.Chains,
			&ir.Chain{Family: f, Table: table, Name: "base", Base: &base, Rules: rules(first, second)},
			&ir.Chain{Family: f, Table: table, Name: first, Rules: rules(second)},
			&ir.Chain{Family: f, Table: table, Name: second, Rules: rules()})
	}
	return p
}

// actions gives some rules actions that can be in a base chain.
func (g *generator) actions(r *ir.Rule, base ir.Base) {
	if g.IntN(8) > 0 {
		return
	}
	mask := pick(g.Rand, []uint32{0xffffffff, 0xf, 0xf0})
	r.Actions = []ir.Action{ir.SetMark{Value: uint32(g.IntN(256)) & mask, Mask: mask}}
	if g.IntN(3) == 0 {
		r.Actions = append(r.Actions, ir.Log{Prefix: pick(g.Rand, []string{"", "seen: "})})
	}
	switch g.IntN(6) {
	case 0:
		r.Verdict, r.Actions = ir.Counter{}, []ir.Action{ir.CopyMark{Clear: 0xffffffff, Take: mask, Save: g.not()}}
		return
	case 1:
		mark := ir.SetMark{Value: uint32(g.IntN(256)) & mask, Mask: mask, CT: true}
		r.Verdict, r.Actions = ir.Counter{}, []ir.Action{mark}
		return
	case 2:
		if has(r, ir.TCP) {
			r.Verdict, r.Actions = ir.Counter{}, []ir.Action{ir.ClampMSS{Size: 1400}}
			return
		}
	}
	if base.Hook == ir.Prerouting && base.Priority < ir.PriorityConntrack {
		r.Actions = append(r.Actions, ir.NoTrack{})
	}
	if g.IntN(2) == 0 {
		r.Verdict, r.Actions = ir.Counter{}, r.Actions[len(r.Actions)-1:] // as iptables can say it
	}
}

// rule returns matches for packets of within, or of one of its families.
func (g *generator) rule(within ir.Family) ir.Rule {
	r := ir.Rule{Family: within}
	if f := ir.Family(1 + g.IntN(2)); within == ir.Both && g.IntN(2) == 0 {
		r.Family = f
	}
	add := func(odds int, m func() ir.Match) {
		if g.IntN(odds) == 0 {
			r.Matches = append(r.Matches, m())
		}
	}
	add(2, func() ir.Match { return ir.IIfName{Name: g.name(), Wildcard: g.IntN(4) == 0, Not: g.not()} })
	add(2, func() ir.Match { return ir.OIfName{Name: g.name(), Wildcard: g.IntN(4) == 0, Not: g.not()} })
	if r.Family != ir.Both {
		add(2, func() ir.Match { return ir.SAddr{Prefix: g.prefix(r.Family), Not: g.not()} })
		add(2, func() ir.Match { return ir.DAddr{Prefix: g.prefix(r.Family), Not: g.not()} })
		add(6, func() ir.Match {
			from, to := g.addrs(r.Family)
			return ir.SAddrRange{From: from, To: to,
				Not: g.not()}
		})
		add(6, func() ir.Match {
			from, to := g.addrs(r.Family)
			return ir.DAddrRange{From: from, To: to,
				Not: g.not()}
		})
	}
	add(6, func() ir.Match { return g.field(r.Family) })
	add(3, func() ir.Match { return ir.CTState{States: ir.State(1 + g.IntN(31)), Not: g.not()} })
	add(5, func() ir.Match { return ir.CTStatus{Status: ir.Status(1 + g.IntN(3)), Not: g.not()} })
	add(6, func() ir.Match {
		mask := pick(g.Rand, []uint32{0xffffffff, 0xf, 0xf0})
		return ir.Mark{Value: uint32(g.IntN(256)) & mask, Mask: mask, Not: g.not()}
	})
	g.protocol(&r)
	g.Shuffle(len(r.Matches), func(i, j int) { r.Matches[i], r.Matches[j] = r.Matches[j], r.Matches[i] })
	return r
}

// field returns a match on a key, of a value or of some, that nftables can have in a table of both
// families.
func (g *generator) field(family ir.Family) ir.Field {
	keys := []ir.Key{ir.KeyCTMark, ir.KeyDirection, ir.KeyLength, ir.KeyPktType, ir.KeyUID, ir.KeyGID}
	switch family {
	case ir.IPv4:
		keys = append(keys, ir.KeyTTL, ir.KeyTOS, ir.KeyFragment)
	case ir.IPv6:
		keys = append(keys, ir.KeyTTL, ir.KeyTOS)
	default:
		keys = append(keys, ir.KeyMAC)
	}
	f := ir.Field{Key: pick(g.Rand, keys), Not: g.not()}
	f.Mask = f.Key.All()
	switch f.Key {
	case ir.KeyCTMark:
		f.Mask = pick(g.Rand, []uint64{0xffffffff, 0xf, 0xf0})
		f.From = uint64(g.IntN(256)) & f.Mask
	case ir.KeyTOS:
		f.Mask = 0xfc
		f.From = uint64(g.IntN(64)) << 2
	case ir.KeyFragment:
		f.Mask = 0x4000
		f.From = 0x4000
	case ir.KeyDirection, ir.KeyPktType:
		f.From = uint64(g.IntN(2))
	case ir.KeyMAC:
		f.From = 0x525400000000 + uint64(g.IntN(3))
	default:
		f.From = uint64(g.IntN(100))
		f.To = f.From + uint64(g.IntN(2)*g.IntN(100))
		return f
	}
	f.To = f.From
	return f
}

// protocol adds matches on protocol, ports and ICMP types.
func (g *generator) protocol(r *ir.Rule) {
	proto := pick(g.Rand, []uint8{0, 0, ir.TCP, ir.UDP, ir.SCTP, ir.ICMP, ir.ICMPv6, 47})
	if proto == 0 || proto == ir.ICMP && r.Family != ir.IPv4 || proto == ir.ICMPv6 && r.Family != ir.IPv6 {
		return
	}
	not := g.IntN(6) == 0
	r.Matches = append(r.Matches, ir.L4Proto{Proto: proto, Not: not})
	switch {
	case not:
	case ir.HasPorts(proto):
		if from, to := g.ports(); g.IntN(3) == 0 {
			r.Matches = append(r.Matches, ir.SPort{From: from, To: to, Not: g.not()})
		}
		if from, to := g.ports(); g.IntN(2) == 0 {
			r.Matches = append(r.Matches, ir.DPort{From: from, To: to, Not: g.not()})
		}
		if proto == ir.TCP && g.IntN(3) == 0 {
			mask := ir.Flags(1 + g.IntN(63)) // iptables knows six
			r.Matches = append(r.Matches, ir.TCPFlags{Mask: mask, Flags: ir.Flags(g.IntN(64)) & mask, Not: g.not()})
		}
	case proto == ir.ICMP || proto == ir.ICMPv6:
		r.Matches = append(r.Matches, ir.ICMPType{Type: uint8(g.IntN(16)), Code: uint8(g.IntN(3)),
			HasCode: g.IntN(2) == 0, Not: g.not()})
	}
	for i, m := range r.Matches {
		if t, ok := m.(ir.ICMPType); ok && !t.HasCode {
			t.Code = 0
			r.Matches[i] = t
		}
	}
}

func (g *generator) not() bool { return g.IntN(4) == 0 }

func (g *generator) name() string { return pick(g.Rand, []string{"virbr0", "virbr1", "virbr", "eth0"}) }

func (g *generator) prefix(f ir.Family) netip.Prefix {
	if f == ir.IPv4 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(g.IntN(4)), byte(g.IntN(256))})
		return netip.PrefixFrom(a, pick(g.Rand, []int{8, 16, 22, 23, 24, 25, 28, 31, 32})).Masked()
	}
	a := netip.AddrFrom16([16]byte{0xfd, 15: byte(g.IntN(256)), 7: byte(g.IntN(4))})
	return netip.PrefixFrom(a, pick(g.Rand, []int{8, 16, 61, 63, 64, 96, 121, 127, 128})).Masked()
}

func (g *generator) addrs(f ir.Family) (from, to netip.Addr) {
	from, to = last(g.prefix(f)), last(g.prefix(f))
	if to.Less(from) {
		return to, from
	}
	return from, to
}

func (g *generator) ports() (from, to uint16) {
	from = pick(g.Rand, []uint16{1, 22, 53, 1024, 40000})
	return from, from + pick(g.Rand, []uint16{0, 0, 1, 1000})
}

// filterVerdict returns what a filter chain can do to the packets of r.
func (g *generator) filterVerdict(r *ir.Rule) ir.Verdict {
	switch g.IntN(6) {
	case 0, 1:
		return ir.Accept{}
	case 2:
		return ir.Drop{}
	case 3:
		return ir.Return{}
	case 4:
		return ir.Counter{}
	}
	codes := []ir.RejectCode{}
	for _, code := range ir.RejectCodes {
		if r.Family&^code.Families() == 0 && (code != ir.TCPReset || has(r, ir.TCP)) {
			codes = append(codes, code)
		}
	}
	return ir.Reject{With: pick(g.Rand, codes)}
}

// has is true if r matches this protocol.
func has(r *ir.Rule, protos ...uint8) bool {
	for _, m := range r.Matches {
		for _, proto := range protos {
			if m == (ir.L4Proto{Proto: proto}) {
				return true
			}
		}
	}
	return false
}

// natVerdict returns what a nat chain at hook can do to the packets of r.
func (g *generator) natVerdict(r *ir.Rule, hook ir.Hook) ir.Verdict {
	var ports ir.PortRange
	if has(r, ir.TCP, ir.UDP) && g.IntN(2) == 0 {
		ports.From, ports.To = g.ports()
	}
	var addrs ir.AddrRange
	if r.Family != ir.Both {
		addrs.From, addrs.To = g.addrs(r.Family)
	}
	source := hook == ir.Postrouting || hook == ir.Input
	switch choice := g.IntN(5); {
	case choice == 0:
		return ir.Accept{}
	case choice == 1:
		return ir.Return{}
	case choice == 2 && source || addrs.IsZero() && source:
		return ir.Masquerade{Ports: ports}
	case choice == 2 || addrs.IsZero():
		return ir.Redirect{Ports: ports}
	case source:
		return ir.SNAT{Addrs: addrs, Ports: ports}
	}
	return ir.DNAT{Addrs: addrs, Ports: ports}
}
