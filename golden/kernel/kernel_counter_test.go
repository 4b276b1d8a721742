package kernel

import (
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// campaign is a host's networks and the groups of rules in which mutants are made.
type campaign struct {
	name   string
	nets   string
	groups string
	drops  bool     // drops is true if the host's own policy is to drop what is for it and what it sends
	least  int      // mutants that must be shown
	kinds  []string // some that must be among them
}

// campaigns has two: rules that open something make no difference on a host where everything is
// open.
func campaigns() []campaign {
	return []campaign{
		{"forward and NAT", "nat nat-dev nat-ports nat-address nat-ipv6 route route-dev isolated", "FWX FWI FWO PRT",
			false, 300, []string{
				"removed", "first", "last", "in group FWX", "saddr widened", "daddr widened", "ct state dropped",
				"iifname dropped", "another code",
				"return for accept", "port range lost", "another port range", "another address range", "return for NAT",
			}},
		{"services", "nat-two nat-ipv6 isolated", "INP OUT", true, 50,
			[]string{"removed", "dport widened", "iifname dropped", "return for accept"}},
	}
}

func (c campaign) networks() []network {
	var nets []network
	for _, name := range strings.Fields(c.nets) {
		nets = append(nets, named(name))
	}
	return nets
}

// TestCounterexamples shows that what the prover finds is real. Each mutant of a program is proved
// equal to it, or refuted with a packet. That packet is sent under both, and the kernel does to it
// what the prover says becomes of it in each, which is never the same. Each mutant is loaded as
// iptables' rules and as nftables' in both layouts, in one of the two ways there are for each.
func TestCounterexamples(t *testing.T) {
	t.Parallel()
	for _, c := range campaigns() {
		nets := c.networks()
		p := without(compile(t, nets...), func(r ir.Rule) bool {
			return r.Mangles()
		}) // no part in the fate of a packet
		var j *judged
		for i, l := range loaders() {
			if c.drops && l.backend != (iptables.Backend{}) {
				continue // leaves INP and OUT out, and says so
			}
			t.Run(c.name+"/"+l.name, func(t *testing.T) {
				netnstest.Require(t, l.tools...)
				tr := &trial{site: newSite(t, false, nets...), campaign: c, loader: l, empty: tracker()}
				shots := tr.shots(p, nets)
				if j == nil {
					j = c.judge(t, p, shots)
				}
				tr.replay(p, shots, j.every(2, i%2))
			})
		}
		if j != nil {
			j.report(t, c)
		}
	}
}

// judged is the mutants of a campaign by what the prover says: refuted by a packet that can be
// sent, one mutant of each class; refuted, but by other packets only; equal.
type judged struct {
	shown         []counterexample
	hidden, equal []mutant
}

// counterexample is a mutant with the packet that distinguishes it from the program, and its fate
// in both.
type counterexample struct {
	mutant
	found prove.Result
}

// judge has the prover judge the mutants of p. If the prover calls a mutant equal, the referee
// checks that, for everything that can be sent.
func (c campaign) judge(t *testing.T, p *ir.Program, shots []shot) *judged {
	t.Helper()
	j, done := &judged{}, make(map[string]bool)
	right := c.onHost(p)
	for _, m := range mutants(p) {
		if done[m.class()] || !strings.Contains(c.groups, m.group.String()) {
			continue
		}
		wrong := c.onHost(m.program)
		if prove.Equal(right, wrong, ir.Both).Answer == prove.Proved {
			j.equal = append(j.equal, m)
			for _, one := range shots {
				if a, b := eval(t, right, one.packet), eval(t, wrong, one.packet); !a.Equal(b) {
					t.Errorf("%s: proved equal, but %s is %s or %s", m, one.packet, a, b)
				}
			}
			continue
		}
		var among []prove.Region
		for _, one := range shots {
			if one.packet.Family&m.rule.Family != 0 {
				among = append(among, prove.Only(one.packet))
			}
		}
		if found := prove.EqualAmong(right, wrong, m.rule.Family, among); found.Answer == prove.Refuted {
			j.shown = append(j.shown, counterexample{m, found})
			done[m.class()] = true
		} else {
			j.hidden = append(j.hidden, m)
		}
	}
	return j
}

func eval(t *testing.T, p *ir.Program, packet ir.Packet) ir.Fate {
	t.Helper()
	fate, err := ir.Eval(p, packet)
	if err != nil {
		t.Fatal(err)
	}
	return fate
}

// onHost returns p as the host has it: with its policy, beside which echo requests are let in and
// replies out, since the tests need them.
func (c campaign) onHost(p *ir.Program) *ir.Program {
	if !c.drops {
		return p
	}
	q := &ir.Program{Links: p.Links}
	for _, chain := range p.Chains {
		name, ok := map[ir.Group]string{ir.INP: "INPUT", ir.OUT: "OUTPUT"}[chain.Group]
		if ok {
			base := &ir.Base{Hook: chain.Group.Hook(), Type: ir.FilterType, Priority: ir.PriorityFilter, Drop: true}
			rules := append(slices.Clone(chain.Rules),
				ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.L4Proto{Proto: ir.ICMP}}, Verdict: ir.Accept{}},
				ir.Rule{Family: ir.IPv6, Matches: []ir.Match{ir.L4Proto{Proto: ir.ICMPv6}}, Verdict: ir.Accept{}})
			chain = &ir.Chain{Family: ir.Both, Table: "filter", Name: name, Base: base, Rules: rules}
		}
		q.Chains = append(q.Chains, chain)
	}
	return q
}

// every returns the judged whose shown ones are each n-th, from the first'th on.
func (j *judged) every(n, first int) []counterexample {
	var some []counterexample
	for i := first; i < len(j.shown); i += n {
		some = append(some, j.shown[i])
	}
	return some
}

// report logs how many mutants there were and what could not be shown, and fails if there were not
// enough of each sort.
func (j *judged) report(t *testing.T, c campaign) {
	t.Helper()
	groups, kinds := make(map[string]int), make(map[string]int)
	for _, m := range j.shown {
		groups[m.group.String()]++
		kinds[m.kind]++
	}
	t.Logf("%s: %d mutants shown, %v, %v", c.name, len(j.shown), groups, kinds)
	for kind, list := range map[string][]mutant{"proved equal": j.equal, "refuted by what can't be sent": j.hidden} {
		count := make(map[string]int)
		for _, m := range list {
			count[m.group.String()+" "+m.kind]++
		}
		t.Logf("%s: %d mutants %s: %v", c.name, len(list), kind, count)
	}
	if len(j.shown) < c.least {
		t.Errorf("%s: %d mutants shown, want at least %d", c.name, len(j.shown), c.least)
	}
	for _, kind := range c.kinds {
		if kinds[kind] == 0 {
			t.Errorf("%s: no mutant of kind %q shown", c.name, kind)
		}
	}
	for _, g := range strings.Fields(c.groups) {
		if groups[g] < 10 {
			t.Errorf("%s: %d mutants of group %s shown, want at least 10", c.name, groups[g], g)
		}
	}
}

// trial is a campaign on one site by one loader.
type trial struct {
	*site
	campaign
	loader
	empty  *ir.Program // does nothing but have the kernel track connections
	loaded *ir.Program
}

// replay sends the packet of each counterexample under p and under the mutant.
func (tr *trial) replay(p *ir.Program, shots []shot, found []counterexample) {
	tr.t.Helper()
	for _, port := range services {
		tr.Serve(port)
	}
	by := make(map[ir.Packet]shot)
	for _, one := range shots {
		by[one.packet] = one
	}
	right := make(map[ir.Packet]netnstest.Result)
	for _, m := range found {
		if _, ok := right[m.found.Packet]; !ok {
			right[m.found.Packet] = tr.fire(p, by[m.found.Packet])
		}
	}
	for _, m := range found {
		one, was := by[m.found.Packet], right[m.found.Packet]
		now := tr.fire(m.program, one)
		tr.check(m, "right", one, m.found.A, was)
		tr.check(m, "wrong", one, m.found.B, now)
		if contradicts(m.found.B, one, was) == "" || contradicts(m.found.A, one, now) == "" {
			tr.t.Errorf("%s\n\t%s\n\tthe kernel shows no difference: %s, %s", m, one.packet, was, now)
		}
	}
}

func (tr *trial) check(m counterexample, which string, one shot, fate ir.Fate, got netnstest.Result) {
	tr.t.Helper()
	if why := contradicts(fate, one, got); why != "" {
		tr.t.Errorf("%s\n\t%s under the %s program\n\tthe prover says: %s\n\tthe kernel does: %s\n\t%s", m, one.packet,
			which, fate, got, why)
	}
}

// install loads p, if it is not what is loaded, with the host's policy.
func (tr *trial) install(p *ir.Program) {
	tr.t.Helper()
	if tr.loaded == p {
		return
	}
	tr.loader.install(tr.t, tr.Host, p)
	tr.loaded = p
	if tr.drops {
		closeHost(tr.Host, tr.loader.name)
	}
}
