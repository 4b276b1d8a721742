package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// networks compiles networks of these modes: n0 on virbr0 with 10.0.0.0/24 and fd00:1::/64, n1 on
// virbr1 with 10.0.1.0/24, and so on; those with a number that divides by two have IPv6.
func networks(t *testing.T, strict bool, modes ...string) *ir.Program {
	t.Helper()
	var src diag.Sources
	for i, mode := range modes {
		forward := fmt.Sprintf("<forward mode='%s'/>", mode)
		if mode == "none" {
			forward = ""
		}
		six := ""
		if i%2 == 0 {
			six = fmt.Sprintf("<ip family='ipv6' address='fd00:%d::1' prefix='64'>"+
				"<dhcp><range start='fd00:%[1]d::9' end='fd00:%[1]d::99'/></dhcp></ip>", i+1)
		}
		src.Add(fmt.Sprintf("n%d.xml", i), fmt.Appendf(nil, `<network><name>n%d</name>%s<bridge name='virbr%[1]d'/>
<ip address='10.0.%[1]d.1' netmask='255.255.255.0'><tftp root='/srv'/><dhcp><range start='10.0.%[1]d.9' end='10.0.%[1]d.99'/></dhcp></ip>%[3]s</network>`, i, forward, six))
	}
	nets, found := netxml.Parse(&src, netxml.Options{StrictIsolation: strict})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return netxml.Lower(nets)
}

// referee says what statements make of a packet: the first that matches decides, and where none
// does the networks without policies.
type referee struct {
	links []*ir.Link
	bare  *ir.Program
}

func (r referee) end(device string) policy.End {
	if device == "" {
		return policy.End{Kind: policy.Host}
	}
	for _, l := range r.links {
		if l.Bridge.Name == device {
			return policy.End{Kind: policy.Network, Name: l.Name}
		}
	}
	return policy.End{Kind: policy.Outside, By: device}
}

func (r referee) own(name string, a netip.Addr) bool {
	return slices.ContainsFunc(r.links, func(l *ir.Link) bool {
		has := func(x ir.Address) bool { return x.Prefix.Contains(a) }
		return l.Name == name && slices.ContainsFunc(l.Addresses, has)
	})
}

func fits(want, at policy.End, a netip.Addr) bool {
	return (want.Kind == policy.Anywhere || want.Kind == at.Kind && want.Name == at.Name) &&
		(want.By == "" || want.By == at.By) &&
		(want.Addrs == nil || slices.ContainsFunc(want.Addrs, func(p netip.Prefix) bool { return p.Contains(a) }))
}

func (r referee) matches(s policy.Statement, p ir.Packet) bool {
	from, to := r.end(p.In), r.end(p.Out)
	if s.Family&p.Family == 0 || s.Proto != 0 && s.Proto != p.Proto || !fits(s.From, from, p.Src) ||
		!fits(s.To, to, p.Dst) {
		return false
	}
	if s.Ports != nil && !(ir.HasPorts(p.Proto) &&
		slices.ContainsFunc(s.Ports, func(x ir.PortRange) bool { return x.From <= p.DPort && p.DPort <= x.To })) {
		return false
	}
	if s.ICMP != nil && !slices.ContainsFunc(s.ICMP, func(x ir.ICMPType) bool { return x.Type == p.ICMPType }) {
		return false
	}
	return s.Kind == policy.Deny || from.Kind != policy.Network || s.From.Addrs != nil || r.own(from.Name, p.Src)
}

// spared is true for what a deny to or from the host leaves alone. All networks here offer DHCP,
// DNS and TFTP.
func spared(p ir.Packet) bool {
	in := func(list ...uint8) bool { return slices.Contains(list, p.ICMPType) }
	switch {
	case p.In != "" && p.Out == "" && p.Family == ir.IPv4:
		return p.Proto == 2 || p.Proto == ir.ICMP && in(8) || p.Proto == ir.UDP && (p.DPort == 67 || p.DPort == 69) ||
			(p.Proto == ir.UDP || p.Proto == ir.TCP) && p.DPort == 53
	case p.In != "" && p.Out == "":
		return p.Proto == ir.ICMPv6 && in(128, 133, 135, 136, 131, 132, 143) || p.Proto == ir.UDP && p.DPort == 547 ||
			(p.Proto == ir.UDP || p.Proto == ir.TCP) && p.DPort == 53
	case p.In == "" && p.Family == ir.IPv4:
		return p.Proto == 2 || p.Proto == ir.UDP && p.DPort == 68
	case p.In == "":
		return p.Proto == ir.ICMPv6 && in(134, 135, 136, 130, 131, 132, 143) || p.Proto == ir.UDP && p.DPort == 546
	}
	return false
}

// decide returns the outcome that the packet must have; sure is false where a packet that goes on
// with a connection is judged by rules of pairs, see TestReplies.
func (r referee) decide(t *testing.T, list []policy.Statement, p ir.Packet) (o ir.Outcome, sure bool) {
	goesOn := p.State == ir.StateEstablished || p.State == ir.StateRelated
	from, to := r.end(p.In), r.end(p.Out)
	ours := from.Kind == policy.Network || to.Kind == policy.Network
	for _, s := range list {
		if !ours || !r.matches(s, p) {
			continue
		}
		switch {
		case s.Kind == policy.Deny && !goesOn && !spared(p):
			if from.Kind == policy.Network && !r.own(from.Name, p.Src) {
				return ir.Dropped, true
			}
			return ir.Rejected, true
		case s.Kind == policy.Allow && p.State == ir.StateNew:
			return ir.Accepted, true
		}
	}
	fate, err := ir.Eval(r.bare, p)
	if err != nil {
		t.Fatal(err)
	}
	return fate.Outcome, !goesOn
}

// draw is random statements and packets about networks.
type draw struct {
	*rand.Rand
	nets int
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (d draw) addr(family ir.Family) netip.Addr {
	if family == ir.IPv4 {
		return netip.MustParseAddr(pick(d.Rand, "10.0.0.10", "10.0.0.200", "10.0.1.10", "10.0.2.77", "198.51.100.7",
			"203.0.113.9", "0.0.0.0"))
	}
	return netip.MustParseAddr(pick(d.Rand, "fd00:1::10", "fd00:3::10", "2001:db8::7", "fe80::5"))
}

func (d draw) statementEnd(family ir.Family) (e policy.End) {
	switch d.IntN(6) {
	case 0:
		return policy.End{Kind: policy.Host}
	case 1, 2:
		e = policy.End{Kind: policy.Outside, By: pick(d.Rand, "", "", "eth0")}
	case 3:
		return policy.End{}
	default:
		e = policy.End{Kind: policy.Network, Name: fmt.Sprintf("n%d", d.IntN(d.nets))}
	}
	if d.IntN(3) == 0 {
		bits := map[ir.Family][]int{ir.IPv4: {32, 25, 16}, ir.IPv6: {128, 64}}[family]
		p, _ := d.addr(family).Prefix(pick(d.Rand, bits...))
		e.Addrs = []netip.Prefix{p}
	}
	return e
}

func (d draw) statement() policy.Statement {
	family := pick(d.Rand, ir.IPv4, ir.IPv6)
	s := policy.Statement{Kind: pick(d.Rand, policy.Allow, policy.Deny), Family: ir.Both}
	for {
		s.From, s.To = d.statementEnd(family), d.statementEnd(family)
		if s.From.Kind == policy.Network || s.To.Kind == policy.Network || s.From.Kind == policy.Anywhere ||
			s.To.Kind == policy.Anywhere {
			break
		}
	}
	if s.From.Addrs != nil || s.To.Addrs != nil || d.IntN(4) == 0 {
		s.Family = family
	}
	switch d.IntN(4) {
	case 0:
		s.Proto = pick[uint8](d.Rand, ir.TCP, ir.UDP)
	case 1:
		s.Proto = pick[uint8](d.Rand, ir.TCP, ir.UDP, 0)
		s.Ports = pick(d.Rand, []ir.PortRange{{From: 53, To: 53}},
			[]ir.PortRange{{From: 22, To: 22}, {From: 8000, To: 8010}}, []ir.PortRange{{From: 1, To: 100}})
	case 2:
		if family == ir.IPv4 {
			s.Proto, s.ICMP, s.Family = ir.ICMP, []ir.ICMPType{{Type: 8}}, ir.IPv4
		} else {
			s.Proto, s.Family = ir.ICMPv6, ir.IPv6
		}
	}
	return s
}

func (d draw) packet() ir.Packet {
	p := ir.Packet{Family: pick(d.Rand, ir.IPv4, ir.IPv6), State: pick(d.Rand, ir.StateNew, ir.StateNew,
		ir.StateEstablished, ir.StateRelated, ir.StateInvalid, ir.StateUntracked)}
	devices := []string{"", "eth0", "eth1"}
	for i := range d.nets {
		if p.Family == ir.IPv4 || i%2 == 0 {
			devices = append(devices, fmt.Sprintf("virbr%d", i), fmt.Sprintf("virbr%d", i))
		}
	}
	for p.In == "" && p.Out == "" {
		p.In, p.Out = pick(d.Rand, devices...), pick(d.Rand, devices...)
	}
	p.Src, p.Dst = d.addr(p.Family), d.addr(p.Family)
	icmp := map[ir.Family]uint8{ir.IPv4: ir.ICMP, ir.IPv6: ir.ICMPv6}[p.Family]
	p.Proto = pick(d.Rand, ir.TCP, ir.UDP, 47, 2, icmp)
	switch {
	case ir.HasPorts(p.Proto):
		p.SPort, p.DPort = 40000, pick[uint16](d.Rand, 22, 53, 67, 68, 69, 80, 547, 546, 8005, 9000)
	case p.Proto == ir.ICMP:
		p.ICMPType = pick[uint8](d.Rand, 0, 3, 8)
	case p.Proto == ir.ICMPv6:
		p.ICMPType = pick[uint8](d.Rand, 1, 128, 129, 130, 131, 132, 133, 134, 135, 136, 143)
	}
	return p
}

// TestPoliciesMean: random policies over random networks do to every packet what the statements
// say one after the other, in the program and in what each back end makes of it.
func TestPoliciesMean(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := draw{Rand: rand.New(rand.NewPCG(seed, 15))}
			var modes []string
			for range 1 + d.IntN(3) {
				modes = append(modes, pick(d.Rand, "nat", "route", "none", "open"))
			}
			d.nets = len(modes)
			strict := d.IntN(3) == 0
			judge := referee{bare: networks(t, strict, modes...)}
			judge.links = judge.bare.Links
			var list []policy.Statement
			var texts []string
			for range 1 + d.IntN(5) {
				s := d.statement()
				list, texts = append(list, s), append(texts, s.String())
			}
			p := networks(t, strict, modes...)
			policy.Lower(p, list)
			if found := ir.Verify(p); found.HasErrors() {
				t.Fatal(found)
			}
			for range 2000 {
				packet := d.packet()
				want, sure := judge.decide(t, list, packet)
				fate, err := ir.Eval(p, packet)
				if err != nil {
					t.Fatal(err)
				}
				if sure && fate.Outcome != want {
					t.Fatalf("networks %v strict %t, %s:\n%s\n is %s and must be %s\n%s", modes, strict,
						strings.Join(texts, "\n"), packet, fate.Outcome, want, programText(p))
				}
			}
			if seed >= 40 && testing.Short() {
				return
			}
			for _, b := range []backends.Backend{nftables.Backend{}, iptables.Backend{}} {
				for _, layout := range b.Layouts() {
					rules, found := b.Lower(p, backends.Options{Families: ir.Both, Layout: layout})
					if found.HasErrors() {
						t.Fatalf("%s: %v", b.Name(), found)
					}
					if back, err := b.Read(rules.Images()); err != nil {
						t.Errorf("%s: %v", b.Name(), err)
					} else if r := prove.Equal(p, back, ir.Both); r.Answer != prove.Proved {
						t.Errorf("%s %s: %v\n%s", b.Name(), layout, r, rules.Emit()[0].Text)
					}
				}
			}
		})
	}
}

func programText(p *ir.Program) string {
	var text strings.Builder
	for _, c := range p.Chains {
		fmt.Fprintln(&text, c.Label())
		for i := range c.Rules {
			fmt.Fprintln(&text, "  ", c.Rules[i].String())
		}
	}
	return text.String()
}
