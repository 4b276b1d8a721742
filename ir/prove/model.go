package prove

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// model is a program in a space.
type model struct {
	*space
	program *ir.Program
	may     bool            // see newMayModel
	scope   node            // the packets that are looked at; parts say nothing of others
	extents map[node]extent // by scope
	opaque  map[opaqueAt]node
	causes  map[ir.Alteration]*ir.Rule // the first rule behind each
	pieces  map[chainAt][]part
	chains  map[chainAt]part // the pieces as one
}

type opaqueAt struct {
	rule  *ir.Rule
	match int
}

type chainAt struct {
	chain    *ir.Chain
	hook     ir.Hook
	priority int // distinguishes the halves of a group
	scope    node
}

// newModel numbers the opaque matches of p.
func newModel(s *space, p *ir.Program) *model {
	m := bareModel(s, p)
	seen := make(map[string]int)
	together := newAgreement(p)
	for _, c := range p.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			for j, match := range r.Matches {
				if ir.Undecided(match) {
					m.opaque[opaqueAt{r, j}] = m.undecided(match, ir.Step{Chain: c, Index: i, Rule: r}, together, seen)
				}
			}
		}
	}
	return m
}

func bareModel(s *space, p *ir.Program) *model {
	return &model{space: s, program: p, scope: always, opaque: make(map[opaqueAt]node),
		extents: make(map[node]extent), causes: make(map[ir.Alteration]*ir.Rule),
		pieces: make(map[chainAt][]part), chains: make(map[chainAt]part)}
}

// undecided returns the packets for which a match of step's rule holds that is undecided: those of
// which it is known, and others if a variable of its own says so.
func (m *model) undecided(match ir.Match, step ir.Step, together *agreement, seen map[string]int) node {
	not := false
	asked := match
	switch x := match.(type) {
	case ir.Field:
		for i := range m.keys[x.Key].bits {
			if v := m.keys[x.Key].first + i; m.unknown[v].Rule == nil {
				m.unknown[v] = step
			}
		}
		return m.match(ir.Forward, x)
	case ir.Limit:
		asked = x.Normal()
	case ir.Unknown:
		not, x.Not = x.Not, false
		asked = x
	case ir.AddrType:
		not, x.Not = x.Not, false
		asked = x
	}
	text := ir.MatchText(asked)
	name := ""
	if at, ok := together.at(step.Chain, asked); ok { // in every program
		name = fmt.Sprintf("%s %s %d %s", at.hook, at.typ, at.priority, text)
	} else {
		name = fmt.Sprintf("%d %s", seen[text], text)
		seen[text]++
	}
	must, may := m.bounds(asked)
	return m.turned(always, m.Or(must, m.And(may, m.freely(name, step))), not)
}

// end is a way in which a packet's walk through a base chain ends.
type end struct {
	kind   endKind
	reject ir.RejectCode
	nat    ir.NAT
	change ir.Alteration // what was done to the packet before, if it goes on from here
	rule   *ir.Rule      // for endUnknown
}

type endKind uint8

const (
	endAccept endKind = iota + 1
	endDrop
	endReject
	endNAT
	endUnknown // a verdict that is not modelled, or a match on what an action has made unknown
)

// endNumber is an end in a space.
type endNumber int

// number returns the number of an end.
func (s *space) number(e end) endNumber {
	n, ok := s.numbers[e]
	if !ok {
		n = endNumber(len(s.ends))
		s.numbers[e], s.ends = n, append(s.ends, e)
	}
	return n
}

// part is what a run of rules does with the packets that enter it: a partition of all packets. In a
// model of what may happen a packet is in each set that it may come to, and in one at least.
type part struct {
	ends    []ending // in the order of their numbers
	back    node     // these return
	on      node     // these go on behind the run
	altered []flow   // these return or go on, too, but not as they came
}

// ending is the packets that come to an end. There are some.
type ending struct {
	end endNumber
	set node
}

// of returns the packets of p that come to an end.
func (p part) of(e endNumber) node {
	for _, x := range p.ends {
		if x.end == e {
			return x.set
		}
	}
	return never
}

// then returns what a does, followed by b.
func (m *model) then(a, b part) part {
	if a.on == always && len(a.ends) == 0 && a.back == never && len(a.altered) == 0 {
		return b
	}
	out := part{ends: m.merge(a.ends, m.within(a.on, b.ends)), back: m.Or(a.back, m.And(a.on, b.back)),
		on: m.And(a.on, b.on)}
	if len(a.altered)+len(b.altered) > 0 {
		m.alter(&out, a, b)
	}
	return out
}

// within returns those of the packets that are in set.
func (s *space) within(set node, ends []ending) []ending {
	var out []ending
	for _, e := range ends {
		if in := s.And(set, e.set); in != never {
			out = append(out, ending{e.end, in})
		}
	}
	return out
}

// merge returns the packets of both.
func (s *space) merge(a, b []ending) []ending {
	out := make([]ending, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0].end, b[0].end); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, ending{a[0].end, s.Or(a[0].set, b[0].set)})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// fold joins parts two and two: no operand grows before it must, which makes thousands of rules
// take a second instead of a minute.
func (m *model) fold(parts []part) part {
	switch len(parts) {
	case 0:
		return part{on: always}
	case 1:
		return parts[0]
	}
	half := len(parts) / 2
	return m.then(m.fold(parts[:half]), m.fold(parts[half:]))
}

// chain returns what the rules of c do at hook. The packets that return have gone on.
func (m *model) chain(c *ir.Chain, hook ir.Hook) part {
	return m.selected(c, hook, ir.BaseView{})
}

// selected evaluates the rules of c selected by b.Of, or all of them if Of is nil.
func (m *model) selected(c *ir.Chain, hook ir.Hook, b ir.BaseView) part {
	at := chainAt{c, hook, b.Priority, m.scope}
	p, ok := m.chains[at]
	if !ok {
		p = m.fold(m.piecesOf(c, hook, b))
		p.on, p.back = m.Or(p.on, p.back), never
		p.altered = m.returned(p.altered)
		m.chains[at] = p
	}
	return p
}

// piecesOf returns the pieces that selected joins: a part for each run of rules.
func (m *model) piecesOf(c *ir.Chain, hook ir.Hook, b ir.BaseView) []part {
	at := chainAt{c, hook, b.Priority, m.scope}
	if p, ok := m.pieces[at]; ok {
		return p
	}
	var steps []ir.Step
	seen := m.extent()
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Family&c.Family&m.family != 0 && (b.Of == nil || b.Of(r)) && (r.Alters() || !passes(r.Verdict)) &&
			seen.meets(r.Matches, hook) {
			steps = append(steps, ir.Step{Chain: c, Index: i, Rule: r})
		}
	}
	var parts []part
	for _, s := range runs(steps) {
		parts = append(parts, m.run(s, hook))
	}
	m.pieces[at] = parts
	return parts
}

// passes is true for a verdict that changes no packet's fate.
func passes(v ir.Verdict) bool {
	switch v.(type) {
	case ir.Counter, ir.ChecksumFill:
		return true
	}
	return false
}

// meets returns the packets that have the verdict of step's rule.
func (m *model) meets(step ir.Step, hook ir.Hook) node {
	return m.meetsBut(step, hook, -1)
}

// meetsBut is meets without the match that has number but.
func (m *model) meetsBut(step ir.Step, hook ir.Hook, but int) node {
	if step.Rule.Family&step.Chain.Family&m.family == 0 {
		return never
	}
	set := always
	for i, match := range step.Rule.Matches {
		if i == but {
			continue
		}
		switch {
		case !ir.Undecided(match):
			set = m.And(set, m.match(hook, match))
		case !m.may:
			set = m.And(set, m.opaque[opaqueAt{step.Rule, i}])
		default:
			_, may := m.bounds(match)
			set = m.And(set, may)
		}
	}
	return set
}

// does returns what a rule does if the packets in set meet it.
func (m *model) does(step ir.Step, hook ir.Hook, set node) part {
	if set == never {
		return part{on: always}
	}
	var p part
	if step.Rule.Alters() {
		p = m.altering(step, hook, set)
	} else {
		p = m.decides(step, hook, set)
	}
	if m.may && slices.ContainsFunc(step.Rule.Matches, ir.Undecided) {
		p.on = always
	}
	return p
}

// decides returns what a rule's verdict does if the packets in set meet it.
func (m *model) decides(step ir.Step, hook ir.Hook, set node) part {
	ends := func(e end) part { return part{ends: []ending{{m.number(e), set}}, on: m.Not(set)} }
	nat := func(n ir.NAT) part { return ends(end{kind: endNAT, nat: n}) }
	switch v := step.Rule.Verdict.(type) {
	case ir.Accept:
		return ends(end{kind: endAccept})
	case ir.Drop:
		return ends(end{kind: endDrop})
	case ir.Reject:
		return ends(end{kind: endReject, reject: v.With})
	case ir.Masquerade:
		return nat(ir.NAT{Kind: ir.KindMasquerade, Ports: v.Ports, Flags: v.Flags})
	case ir.SNAT:
		return nat(ir.NAT{Kind: ir.KindSNAT, Addrs: v.Addrs, Ports: v.Ports, Flags: v.Flags})
	case ir.DNAT:
		return nat(ir.NAT{Kind: ir.KindDNAT, Addrs: v.Addrs, Ports: v.Ports, Flags: v.Flags})
	case ir.Redirect:
		return nat(ir.NAT{Kind: ir.KindRedirect, Ports: v.Ports, Flags: v.Flags})
	case ir.Return:
		return part{back: set, on: m.Not(set)}
	case ir.Jump:
		return m.call(step, v.Chain, hook, set, false)
	case ir.Goto:
		return m.call(step, v.Chain, hook, set, true)
	case ir.Counter, ir.ChecksumFill:
		return part{on: always}
	case ir.Handed, ir.Opaque:
		return ends(end{kind: endUnknown, rule: step.Rule})
	}
	panic(fmt.Sprintf("prove: unknown verdict %T", step.Rule.Verdict))
}

// call returns what the packets in set meet in the chain called name; those that come out of it go
// on, or return if they went there for good.
func (m *model) call(step ir.Step, name string, hook ir.Hook, set node, forGood bool) part {
	target := m.program.Target(step.Chain, name)
	if target == nil {
		panic(fmt.Sprintf("prove: jump to %q, which is no chain; ir.Verify finds that", name))
	}
	inner := m.chain(target, hook)
	out := part{ends: m.within(set, inner.ends), on: m.Not(set)}
	if left := m.And(set, inner.on); forGood {
		out.back = left
	} else {
		out.on = m.Or(out.on, left)
	}
	for _, f := range inner.altered {
		if f = (flow{f.change, never, m.And(set, f.on)}); forGood {
			f.back, f.on = f.on, never
		}
		out.addFlow(m.space, f)
	}
	return out
}
