package decode

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// A map has an element for each value of a packet's fields, and what the rule goes on with. So the
// rule stands for one rule for each element: a packet meets one of them at most, as keys exclude
// each other. The machine is copied for each.

// maxForks is how many rules one may stand for.
const maxForks = 1 << 13

// fork is what a machine has in common with its copies.
type fork struct {
	rules []ir.Rule // that are whole
	count int       // of copies
}

// alternative is one way in which a rule goes on.
type alternative struct {
	run  machine
	data []byte // what the map has for it; nil for a set
	end  *verdictData
}

// verdictData is a verdict in a map.
type verdictData struct {
	code  int32
	chain string
}

// branch goes on with rest for each alternative. It returns false if the rule can't be parted: then
// nothing is done.
func (m *machine) branch(e *wire.Expression, all []alternative, rest []wire.Expression) bool {
	if m.shared.count+len(all) > maxForks || len(all) > 1 && slices.ContainsFunc(m.out.Matches, independent) ||
		!m.canFlush() {
		return false
	}
	m.shared.count += len(all)
	m.flush()
	if len(all) == 0 { // the rule holds for no packet
		none := &ir.Set{Family: m.table, Table: m.chain.table, Name: "no keys"}
		m.out.Matches = append(m.out.Matches, ir.Lookup{Set: m.reader.emptySet(none)})
		m.out.Verdict = ir.Counter{}
		m.shared.rules = append(m.shared.rules, m.out)
	}
	for i := range all {
		run := &all[i].run
		run.parted = m.parted || len(all) > 1
		switch v := all[i].end; {
		case v != nil:
			run.verdict(v.code, v.chain, e)
		case all[i].data != nil:
			run.spread(e.Number(unix.NFTA_LOOKUP_DREG), all[i].data)
		}
		run.goOn(rest)
	}
	m.forked = true
	return true
}

// independent is true of a match that is asked anew in each rule.
func independent(m ir.Match) bool {
	switch m := m.(type) {
	case ir.Limit:
		return true
	case ir.Unknown:
		_, each := m.Sort.Asks()
		return each
	}
	return false
}

// copied returns m to go on with, on its own.
func (m *machine) copied() machine {
	c := *m
	c.out.Matches = slices.Clip(m.out.Matches)
	c.done = nil
	return c
}

// spread stores the data of a map, which may be several values, each from a word of its own on.
func (m *machine) spread(n uint32, data []byte) {
	if w, ok := word(n); !ok || w+(len(data)+3)/4 > len(m.regs) || !m.set(n, &value{data: data, size: len(data)}) {
		return
	}
	w, _ := word(n)
	for i := 4; i < len(data); i += 4 {
		m.regs[w+i/4] = &value{data: data[i:], size: len(data) - i}
	}
}

// canFlush is true if what the rule has done so far can be a rule of its own, before one that asks
// the same matches again.
func (m *machine) canFlush() bool {
	if len(m.done) == 0 {
		return true
	}
	var asked, touched ir.Fields
	for _, match := range m.out.Matches {
		asked |= ir.FieldsOf(match)
		if u, is := match.(ir.Unknown); is {
			fields, _ := u.Sort.Asks()
			asked |= fields
		}
	}
	for _, d := range m.done {
		touched |= ir.Touches(d.action)
		if d.family != m.out.Family || d.matches != len(m.out.Matches) {
			return false
		}
	}
	return asked&touched == 0 && !slices.ContainsFunc(m.out.Matches, independent) &&
		!slices.ContainsFunc(m.out.Matches, func(match ir.Match) bool { _, is := match.(ir.Opaque); return is })
}

// flush makes a rule of what was done so far.
func (m *machine) flush() {
	if len(m.done) == 0 {
		return
	}
	r := m.out
	r.Matches = slices.Clip(m.out.Matches)
	for _, d := range m.done {
		r.Actions = append(r.Actions, d.action)
	}
	r.Verdict = ir.Counter{}
	m.shared.rules = append(m.shared.rules, r)
	m.done = nil
}

// mapped runs a look-up in a map.
func (m *machine) mapped(e *wire.Expression, values []*value, steps []*wire.Expression, rest []wire.Expression) {
	verdicts := e.Number(unix.NFTA_LOOKUP_DREG) == unix.NFT_REG_VERDICT
	all, ok := m.alternatives(e, values, true)
	if ok && m.branch(e, all, rest) {
		return
	}
	if verdicts {
		m.end(ir.Opaque{Text: m.words(steps...)})
		return
	}
	m.opaque(steps...)
	m.regs = [16]*value{}
}

// alternatives returns how a rule goes on for each element of a set or map that it looks values up
// in; ok is false if that is not known.
func (m *machine) alternatives(e *wire.Expression, values []*value, mapped bool) (all []alternative, ok bool) {
	s := m.setOf(e)
	if s == nil || !s.listed || len(values) == 0 || slices.Contains(values, nil) {
		return nil, false
	}
	length := 0
	for _, v := range values {
		length += (v.size + 3) &^ 3
	}
	if length != (s.length+3)&^3 {
		return nil, false
	}
	ranges := s.ranges()
	if len(ranges) > maxForks {
		return nil, false
	}
	for _, x := range ranges {
		run := m.copied()
		at := 0
		for _, v := range values {
			if len(x.from) < at+v.size || !run.equalsPart(v, x, at) {
				return nil, false
			}
			at += (v.size + 3) &^ 3
		}
		if run.out.Family == 0 {
			continue
		}
		all = append(all, alternative{run: run, data: x.data, end: x.end2})
	}
	if s.catchall == nil {
		return all, true
	}
	others, ok := m.elementsOf(s, values)
	if !ok || !mapped {
		return nil, false
	}
	run := m.copied()
	run.out.Matches = append(run.out.Matches, ir.Lookup{Set: m.reader.keysOf(m, s, others), Not: true})
	return append(all, alternative{run: run, data: s.catchall.data, end: s.catchall.end2}), true
}

// emptySet returns the set of a table that has no elements.
func (r *reader) emptySet(none *ir.Set) *ir.Set {
	for _, s := range r.used {
		if s.Name == none.Name && s.Table == none.Table && s.Family == none.Family {
			return s
		}
	}
	r.used = append(r.used, none)
	return none
}

// keysOf returns the set of the keys of a map.
func (r *reader) keysOf(m *machine, s *readSet, elements [][]ir.Match) *ir.Set {
	what := fmt.Sprintf("keys %s %d", m.out.Family, m.proto)
	if s.meanings[what] == nil {
		s.meanings[what] = &ir.Set{Family: m.table, Table: s.key.table, Name: wire.OneLine([]byte(s.key.name)),
			Elements: elements}
		r.used = append(r.used, s.meanings[what])
	}
	return s.meanings[what]
}

// manyFields is true if the elements of a set are better rules of their own: their fields are none
// that a set can have, or those that follow in the rule belong to one of the protocols in it.
func (m *machine) manyFields(values []*value, rest []wire.Expression) bool {
	for _, v := range values {
		if v == nil || v.load == nil {
			return false
		}
		if _, is := m.keyOf(v); is {
			return true
		}
		meta := v.load.Name == "meta"
		switch key := v.load.Number(unix.NFTA_META_KEY); {
		case meta && (key == unix.NFT_META_NFPROTO || key == unix.NFT_META_PROTOCOL):
			return true
		case meta && key == unix.NFT_META_L4PROTO && m.proto == 0, m.isNextHeader(v.load) && m.proto == 0:
			if slices.ContainsFunc(rest, func(e wire.Expression) bool {
				return e.Name == "payload" && e.Number(unix.NFTA_PAYLOAD_BASE) == unix.NFT_PAYLOAD_TRANSPORT_HEADER ||
					e.Name == "nat" || e.Name == "redir" || e.Name == "masq" || e.Name == "reject"
			}) && len(values) == 1 {
				return true
			}
		}
	}
	return false
}

// isNextHeader is true if e loads the protocol from the header of IP.
func (m *machine) isNextHeader(e *wire.Expression) bool {
	if e.Name != "payload" || e.Number(unix.NFTA_PAYLOAD_BASE) != unix.NFT_PAYLOAD_NETWORK_HEADER ||
		e.Number(unix.NFTA_PAYLOAD_LEN) != 1 {
		return false
	}
	at := e.Number(unix.NFTA_PAYLOAD_OFFSET)
	return m.out.Family == ir.IPv4 && at == 9 || m.out.Family == ir.IPv6 && at == 6
}

// sameBytes is true if a range has one value in one of its parts.
func (e readElement) sameBytes(at, size int) bool {
	return e.to == nil || bytes.Equal(e.from[at:at+size], e.to[at:at+size])
}

// settleJumps checks the rules that one with a map became: if a chain that one of them jumps to
// alters what the next of them look at, it is not known which of them a packet meets.
func (r *reader) settleJumps() {
	for _, c := range r.list {
		for i := range c.Rules {
			rule := &c.Rules[i]
			jump, is := rule.Verdict.(ir.Jump)
			if !is || rule.Origin.Element == "" {
				continue
			}
			var asked ir.Fields
			for _, m := range rule.Matches {
				asked |= ir.FieldsOf(m)
			}
			if r.alters(r.keys[c], jump.Chain, make(map[string]bool))&asked != 0 {
				rule.Verdict = ir.Opaque{Text: ir.VerdictText(jump) + " from a map of what is altered there"}
			}
		}
	}
}

// alters returns what rules of the chain of this name, and those that it leads to, touch.
func (r *reader) alters(of chainKey, name string, seen map[string]bool) (f ir.Fields) {
	c := r.chains[chainKey{of.family, of.table, name}]
	if c == nil || seen[name] {
		return 0
	}
	seen[name] = true
	for i := range c.Rules {
		for _, a := range c.Rules[i].Actions {
			f |= ir.Touches(a)
		}
		switch v := c.Rules[i].Verdict.(type) {
		case ir.Jump:
			f |= r.alters(of, v.Chain, seen)
		case ir.Goto:
			f |= r.alters(of, v.Chain, seen)
		}
	}
	return f
}
