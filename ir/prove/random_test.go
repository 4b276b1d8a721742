package prove

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// Small worlds: every field has a handful of values, so that random rules often meet each other and
// all packets can be tried.
var (
	names   = []string{"b1", "b2", "e0"}
	addrs4  = parseAddrs("10.0.0.1", "10.0.0.130", "10.0.1.1", "192.0.2.9", "203.0.113.4")
	addrs6  = parseAddrs("fd00::1", "fd00::8000:0:0:1", "fd00:1::1", "2001:db8::9", "2001:db8:1::4")
	nets4   = parseNets("10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16", "192.0.2.9/32", "0.0.0.0/0")
	nets6   = parseNets("fd00::/64", "fd00::8000:0:0:0/65", "fd00::/16", "2001:db8::9/128", "::/0")
	ports   = []uint16{53, 500, 2000}
	protos  = []uint8{ir.TCP, ir.UDP, ir.ICMP, 47}
	allStat = []ir.State{ir.StateNew, ir.StateEstablished, ir.StateRelated, ir.StateInvalid, ir.StateUntracked}
)

func parseAddrs(texts ...string) (out []netip.Addr) {
	for _, t := range texts {
		out = append(out, netip.MustParseAddr(t))
	}
	return out
}

func parseNets(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

func oneOf[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func randomMatch(r *rand.Rand, f ir.Family) []ir.Match {
	nets, addrs := nets4, addrs4
	if f == ir.IPv6 {
		nets, addrs = nets6, addrs6
	}
	not := r.IntN(3) == 0
	from, to := oneOf(r, addrs), oneOf(r, addrs)
	if to.Less(from) {
		from, to = to, from
	}
	low, high := oneOf(r, ports), oneOf(r, ports)
	low, high = min(low, high), max(low, high)
	proto := ir.L4Proto{Proto: oneOf(r, protos[:2])}
	switch r.IntN(19) {
	case 15:
		return []ir.Match{randomField(r, not)}
	case 16:
		types := []ir.AddrTypes{ir.TypeLocal, ir.TypeMulticast, ir.TypeBroadcast | ir.TypeMulticast}
		return []ir.Match{ir.AddrType{Source: r.IntN(2) == 0, Types: oneOf(r, types), Not: not}}
	case 17, 18:
		if r.IntN(4) > 0 {
			return []ir.Match{randomField(r, not)}
		}
		return []ir.Match{ir.Unknown{Sort: oneOf(r, []ir.Sort{ir.SortRate, ir.SortMembers, ir.SortOwner}),
			Text: oneOf(r, []string{"a", "b"}), Not: not}}
	case 13, 14:
		set := &ir.Set{Family: ir.Both, Name: fmt.Sprint("s", r.Uint64())}
		for range r.IntN(4) {
			set.Elements = append(set.Elements, slices.Concat(plainMatch(r, f), plainMatch(r, f)))
		}
		return []ir.Match{proto, ir.Lookup{Set: set, Not: not}}
	case 0:
		return []ir.Match{ir.IIfName{Name: oneOf(r, names), Not: not}}
	case 1:
		return []ir.Match{ir.OIfName{Name: oneOf(r, names), Not: not}}
	case 2:
		return []ir.Match{ir.IIfName{Name: "b", Wildcard: true, Not: not}}
	case 3:
		return []ir.Match{ir.SAddr{Prefix: oneOf(r, nets), Not: not}}
	case 4:
		return []ir.Match{ir.DAddr{Prefix: oneOf(r, nets), Not: not}}
	case 5:
		return []ir.Match{ir.SAddrRange{From: from, To: to, Not: not}}
	case 6:
		return []ir.Match{ir.DAddrRange{From: from, To: to, Not: not}}
	case 7:
		return []ir.Match{ir.L4Proto{Proto: oneOf(r, protos), Not: not}}
	case 8:
		return []ir.Match{proto, ir.DPort{From: low, To: high, Not: not}}
	case 9:
		return []ir.Match{proto, ir.SPort{From: low, To: high, Not: not}}
	case 10:
		return []ir.Match{ir.CTState{States: ir.State(1 + r.IntN(31)), Not: not}}
	case 11:
		return []ir.Match{ir.CTStatus{Status: ir.Status(1 + r.IntN(3)), Not: not}}
	}
	return []ir.Match{ir.Mark{Value: uint32(r.IntN(2)), Mask: 1, Not: not}}
}

// randomField returns a match on a key of which packets have few values.
func randomField(r *rand.Rand, not bool) ir.Match {
	f := ir.FieldIs(oneOf(r, []ir.Key{ir.KeyCTMark, ir.KeyCTMark, ir.KeyDirection, ir.KeyTTL, ir.KeyUID, ir.KeyMAC,
		ir.KeyFragment}), uint64(r.IntN(2)))
	switch f.Key {
	case ir.KeyCTMark:
		f.Mask = 1
	case ir.KeyTTL:
		f.To++
	case ir.KeyFragment:
		f.Mask = 0x1fff
	}
	f.Not = not
	return f
}

// plainMatch returns a random match that an element of a set can have.
func plainMatch(r *rand.Rand, f ir.Family) []ir.Match {
	for {
		matches := randomMatch(r, f)
		if !slices.ContainsFunc(matches, func(m ir.Match) bool { return !ir.Plain(m) }) {
			return matches
		}
	}
}

func randomRule(r *rand.Rand, f ir.Family, verdict ir.Verdict) ir.Rule {
	rule := ir.Rule{Family: f, Verdict: verdict}
	for range r.IntN(4) {
		rule.Matches = append(rule.Matches, randomMatch(r, f)...)
	}
	if r.IntN(6) == 0 {
		rule.Actions = randomActions(r)
	}
	return rule
}

// randomActions returns some actions that a rule can have anywhere.
func randomActions(r *rand.Rand) []ir.Action {
	some := []ir.Action{
		ir.Log{}, ir.SetMark{Value: 1, Mask: 1}, ir.SetMark{Mask: 1}, ir.SetMark{Value: 1, Mask: ^uint32(0)},
		ir.SetMark{Value: 2, Mask: 3}, ir.SetMark{Value: 1}, ir.SetMark{Value: 1, Mask: 1, CT: true},
		ir.CopyMark{Clear: ^uint32(0), Take: ^uint32(0)}, ir.CopyMark{Clear: 1, Take: 3, Save: true},
		ir.Effect{Text: "header", Touches: ir.FieldHeader}, ir.Effect{Text: "ctmark", Touches: ir.FieldCTMark},
		ir.OpaqueAction{Text: "nothing"}, ir.OpaqueAction{Text: "ip daddr set", Touches: ir.FieldDAddr},
		ir.OpaqueAction{Text: "mark", Touches: ir.FieldMark}, ir.OpaqueAction{Text: "zone",
			Touches: ir.FieldState | ir.FieldSPort},
	}
	actions := []ir.Action{oneOf(r, some)}
	if r.IntN(3) == 0 {
		actions = append(actions, oneOf(r, some))
	}
	return actions
}

func filterVerdict(r *rand.Rand, chains ...string) ir.Verdict {
	all := []ir.Verdict{
		ir.Accept{}, ir.Accept{}, ir.Drop{}, ir.Reject{With: ir.PortUnreachable}, ir.Reject{With: ir.AdminProhibited},
		ir.Return{}, ir.Counter{},
	}
	for _, c := range chains {
		all = append(all, ir.Jump{Chain: c}, ir.Goto{Chain: c})
	}
	return oneOf(r, all)
}

func natVerdict(r *rand.Rand, f ir.Family, source bool) ir.Verdict {
	a := oneOf(r, addrs4)
	if f == ir.IPv6 {
		a = oneOf(r, addrs6)
	}
	to := ir.AddrRange{From: a, To: a}
	window := oneOf(r, []ir.PortRange{{}, {From: 1024, To: 65535}, {From: 53, To: 53}})
	if source {
		return oneOf(r, []ir.Verdict{ir.Return{}, ir.Accept{}, ir.Masquerade{Ports: window},
			ir.SNAT{Addrs: to, Ports: window}})
	}
	return oneOf(r, []ir.Verdict{ir.Return{}, ir.DNAT{Addrs: to, Ports: window}, ir.Redirect{Ports: window}})
}

// randomProgram returns a program with groups and, beside them, base chains at every hook with
// chains behind jumps.
func randomProgram(r *rand.Rand, f ir.Family) *ir.Program {
	p := &ir.Program{}
	for _, g := range []ir.Group{ir.INP, ir.OUT, ir.FWX, ir.FWI, ir.FWO} {
		for range r.IntN(4) {
			p.Add(g, randomRule(r, f, filterVerdict(r)))
		}
	}
	for range r.IntN(4) {
		p.Add(ir.PRT, randomRule(r, f, natVerdict(r, f, true)))
	}
	base := func(name string, b ir.Base, verdict func() ir.Verdict) {
		if r.IntN(2) == 0 {
			return
		}
		c := &ir.Chain{Family: f, Table: "t", Name: name, Base: &b}
		for range 1 + r.IntN(4) {
			c.Rules = append(c.Rules, randomRule(r, f, verdict()))
		}
		p.Chains = append(p.Chains, c)
	}
	for i, h := range []ir.Hook{ir.Prerouting, ir.Input, ir.Forward, ir.Output, ir.Postrouting} {
		base(fmt.Sprintf("filter%d", i), ir.Base{Hook: h, Type: ir.FilterType, Priority: r.IntN(3) - 1,
			Drop: r.IntN(4) == 0},
			func() ir.Verdict { return filterVerdict(r, "one", "two") })
	}
	base("raw", ir.Base{Hook: ir.Prerouting, Type: ir.FilterType, Priority: ir.PriorityRaw},
		func() ir.Verdict { return filterVerdict(r) })
	if c := p.Chains[len(p.Chains)-1]; c.Name == "raw" {
		c.Rules[0].Actions = append(c.Rules[0].Actions, ir.NoTrack{})
	}
	base("dnat", ir.Base{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		func() ir.Verdict { return natVerdict(r, f, false) })
	base("dnat-out", ir.Base{Hook: ir.Output, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		func() ir.Verdict { return natVerdict(r, f, false) })
	base("snat", ir.Base{Hook: ir.Postrouting, Type: ir.NATType, Priority: ir.PrioritySrcNAT + 1},
		func() ir.Verdict { return natVerdict(r, f, true) })
	for _, chain := range []struct {
		name string
		next []string
	}{{"one", []string{"two"}}, {"two", nil}} {
		c := &ir.Chain{Family: f, Table: "t", Name: chain.name}
		for range 1 + r.IntN(3) {
			c.Rules = append(c.Rules, randomRule(r, f, filterVerdict(r, chain.next...)))
		}
		p.Chains = append(p.Chains, c)
	}
	p.AddSets()
	return p
}

// randomPackets returns n packets of the small world.
func randomPackets(r *rand.Rand, f ir.Family, n int) []ir.Packet {
	addrs := addrs4
	if f == ir.IPv6 {
		addrs = addrs6
	}
	someName := append([]string{"", "x9", "b0"}, names...)
	var out []ir.Packet
	for len(out) < n {
		p := ir.Packet{
			Family: f, In: oneOf(r, someName), Out: oneOf(r, someName), Src: oneOf(r, addrs), Dst: oneOf(r, addrs),
			Proto: oneOf(r, protos), State: oneOf(r, allStat), Mark: uint32(r.IntN(2)),
		}
		if p.In == "" && p.Out == "" {
			continue
		}
		if p.State&ir.Tracked != 0 {
			p.Status = ir.Status(r.IntN(4))
		}
		if ir.HasPorts(p.Proto) {
			p.SPort, p.DPort = oneOf(r, ports), oneOf(r, ports)
		}
		for _, k := range []ir.Key{ir.KeyCTMark, ir.KeyDirection, ir.KeyTTL, ir.KeyUID, ir.KeyMAC} {
			if r.IntN(4) > 0 && (p.State != ir.StateNew || k > ir.KeyDirection) {
				p = p.With(k, uint64(r.IntN(2)))
			}
		}
		out = append(out, p)
	}
	return out
}

// contains is true if set has the packet.
func (s *space) contains(set node, p ir.Packet) bool {
	state := 0
	for i, st := range states {
		if st == p.State {
			state = i
		}
	}
	one := always
	fix := func(f field, v uint64) { one = s.And(one, s.value(f, v)) }
	fix(s.iif, uint64(s.atomOf(p.In)))
	fix(s.oif, uint64(s.atomOf(p.Out)))
	fix(s.state, uint64(state))
	fix(s.proto, uint64(p.Proto))
	fix(s.sport, uint64(p.SPort))
	fix(s.dport, uint64(p.DPort))
	fix(s.icmpType, uint64(p.ICMPType))
	fix(s.icmpCode, uint64(p.ICMPCode))
	fix(field{s.status.first, 1}, uint64(p.Status&ir.StatusSNAT))
	fix(field{s.status.first + 1, 1}, uint64(p.Status&ir.StatusDNAT)>>1)
	fix(s.mark, uint64(p.Mark))
	if p.Proto == ir.TCP {
		fix(s.flags, uint64(p.TCPFlags()))
	}
	for k := range ir.Keys {
		if value, known := p.Value(k); known {
			fix(s.keys[k], value)
		}
	}
	one = s.And(s.And(one, s.usual), s.And(s.addrs(s.saddr, p.Src, p.Src), s.addrs(s.daddr, p.Dst, p.Dst)))
	return s.And(one, set) != never
}

// atomOf returns the atom of a name that may not occur in any rule.
func (s *space) atomOf(name string) int {
	if atom, ok := s.atoms[name]; ok {
		return atom
	}
	best := len(s.names) - 1
	for atom := s.exact + 1; atom < len(s.names)-1; atom++ {
		prefix := s.names[atom][:len(s.names[atom])-1]
		if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
			best = atom
		}
	}
	return best
}

func text(t *testing.T, p *ir.Program) string {
	t.Helper()
	var b strings.Builder
	if err := ir.Print(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func wayOf(p ir.Packet) way {
	for _, w := range ways {
		if w.in == (p.In != "") && w.out == (p.Out != "") {
			return w
		}
	}
	panic("a packet without an interface")
}

// TestFatesAgreeWithEval compares the prover with the referee: for random programs and packets, the
// packet is in the set of the fate that Eval gives it, and in no other.
func TestFatesAgreeWithEval(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	known, unknowns, altered, vague := 0, 0, 0, 0
	for round := range 400 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		p := randomProgram(r, f)
		s := newOrderedSpace(round%4 < 2, f, p)
		m := newModel(s, p)
		all := make(map[string]fates)
		for _, w := range ways {
			all[w.name] = m.fates(w, always)
		}
		for _, pkt := range randomPackets(r, f, 200) {
			got, err := ir.Eval(p, pkt)
			var unknown *ir.UnknownError
			if errors.As(err, &unknown) {
				unknowns++ // the prover may know more: that both ways come to the same
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			known++
			if got.Altered != (ir.Alteration{}) {
				altered++
			}
			want := fate{outcome: got.Outcome, reject: got.Reject, altered: got.Altered}
			if got.SNAT != nil {
				want.snat = *got.SNAT
			}
			if got.DNAT != nil {
				want.dnat = *got.DNAT
			}
			if slices.ContainsFunc(slices.Collect(maps.Keys(all[wayOf(pkt).name])), func(f fate) bool {
				return f.unknown != nil && s.contains(all[wayOf(pkt).name][f], pkt)
			}) {
				vague++ // behind an action of unknown effect the prover may know less: both marks at once
				continue
			}
			for f, set := range all[wayOf(pkt).name] {
				if s.contains(set, pkt) != (f == want) {
					t.Fatalf("round %d: %s: Eval says %+v; its being in the set of %+v is %v\n%s", round, pkt, want, f,
						f != want, text(t, p))
				}
			}
		}
	}
	if vague > known/100 {
		t.Errorf("of %d packets with a fate the prover does not know that of %d", known, vague)
	}
	if known < 20*unknowns/10 || unknowns < 1000 || altered < 1000 {
		t.Errorf("the test is one-sided: %d packets with a fate, %d of them altered, %d without", known, altered,
			unknowns)
	}
}

// TestEqualAgreesWithEval compares programs with a copy in which one rule differs: programs proved
// equal have no packet with different fates, and where there is one it is always found.
func TestEqualAgreesWithEval(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	answers := make(map[Answer]int)
	for round := range 400 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		seed := r.Uint64()
		a := randomProgram(rand.New(rand.NewPCG(seed, 0)), f)
		b := randomProgram(rand.New(rand.NewPCG(seed, 0)), f)
		c := oneOf(r, b.Chains)
		i := r.IntN(len(c.Rules))
		if round%3 == 0 {
			c.Rules[i].Actions = randomActions(r)
		} else {
			c.Rules[i] = ir.Rule{Family: f, Matches: randomMatch(r, f), Actions: c.Rules[i].Actions,
				Verdict: c.Rules[i].Verdict}
		}
		b.AddSets()
		result := Equal(a, b, ir.Both)
		answers[result.Answer]++
		for _, pkt := range randomPackets(r, f, 300) {
			fa, errA := ir.Eval(a, pkt)
			fb, errB := ir.Eval(b, pkt)
			var unknown *ir.UnknownError
			if errors.As(errA, &unknown) || errors.As(errB, &unknown) {
				continue
			}
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			fa.Checksum, fb.Checksum = false, false
			if !fa.Equal(fb) && result.Answer == Proved {
				t.Fatalf("round %d: proved equal, but %s is %s or %s", round, pkt, fa, fb)
			}
		}
		if result.Answer == Refuted && result.A.Outcome != 0 && result.A.Equal(result.B) {
			t.Fatalf("round %d: refuted by %s, which is %s in both", round, result.Packet, result.A)
		}
	}
	if answers[Proved] < 20 || answers[Refuted] < 20 {
		t.Errorf("the test is one-sided: %v", answers)
	}
}
