package iptables

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Pruner = Loader{}

// Prune implements [backends.Pruner] by one document a family, in which rules are deleted by what
// they say and not by their number: others may write meanwhile. If a table is refused, those before
// it are put back. Nothing is taken where iptables-nft lists a rule of the chains in part, which
// somebody made with nft.
func (l Loader) Prune(names backends.Names, dry bool, choose backends.Choose) (backends.Pruned, error) {
	tools, err := l.tools(ir.Both, 0)
	if err != nil {
		return backends.Pruned{}, err
	}
	if l.Variant != "" {
		tools = holding(tools, l.Variant, prefixOf(names))
	}
	if len(tools) > 0 && l.variant(tools[0]) == NFTables {
		for _, t := range tools {
			if err := listedWhole(t.family, prefixOf(names)); err != nil {
				return backends.Pruned{}, err
			}
		}
	}
	for try := 1; ; try++ {
		done, moved, err := pruneOnce(tools, names, dry, choose)
		if err == nil || !moved || try == tries {
			return done, err
		}
	}
}

// pruneOnce is one try. It returns whether others changed rules while it went on, if it failed.
func pruneOnce(tools []tool, names backends.Names, dry bool, choose backends.Choose) (done backends.Pruned, moved bool,
	err error) {
	before, err := read(tools, prefixOf(names))
	if err != nil {
		return done, false, err
	}
	p, err := newPruning(names, before)
	if err != nil {
		return done, false, err
	}
	rules, frame := choose(p.program)
	done.Gone = true
	scripts := make([]*script, len(before))
	for i, s := range before {
		kept := 0
		if scripts[i], kept, err = p.cut(s, rules, frame); err != nil {
			return backends.Pruned{}, false, err
		}
		done.Changed += scripts[i].changed
		done.Gone = done.Gone && kept == 0
	}
	if dry {
		return done, false, nil
	}
	for i := 0; err == nil && i < len(scripts); i++ {
		err = tools[i].run(scripts[i])
	}
	if err != nil {
		moved, undone := putBack(tools, before, prefixOf(names))
		return backends.Pruned{}, moved && undone == nil, errors.Join(err, undone)
	}
	return done, false, nil
}

// putBack puts in again what is missing of before, and returns whether others have written since.
func putBack(tools []tool, before []*state, prefix string) (moved bool, err error) {
	now, err := read(tools, prefix)
	if err != nil {
		return false, fmt.Errorf("the rules from before could not be put back: %w", err)
	}
	for i, t := range tools {
		whole := before[i].restored(now[i])
		moved = moved || !sameStrangers(before[i], now[i]) || !before[i].sameOwn(whole)
		if err := t.run(edit(now[i], whole)); err != nil {
			return moved, fmt.Errorf("the rules from before could not be put back: %w", err)
		}
	}
	return moved, nil
}

// sameOwn is true if our part of both is the same.
func (s *state) sameOwn(o *state) bool {
	for _, name := range tableNames {
		var a, b bytes.Buffer
		s.table(name).write(&a, s.prefix, false)
		o.table(name).write(&b, o.prefix, false)
		if a.String() != b.String() {
			return false
		}
	}
	return true
}

// restored returns what now becomes when it has the chains, rules and jumps of s again, each rule
// at its place. If others have written since, that stays too: a libvirt daemon writes into the same
// chains.
func (s *state) restored(now *state) *state {
	out := &state{family: now.family, prefix: now.prefix}
	for _, name := range tableNames {
		t := &tableState{name: name}
		for _, c := range now.table(name).chains {
			t.chains = append(t.chains, &chainState{name: c.name, own: c.own, rules: slices.Clone(c.rules)})
		}
		for _, c := range s.table(name).chains {
			if t.chain(c.name) == nil {
				t.chains = append(t.chains, &chainState{name: c.name, own: c.own})
			}
			t.chain(c.name).complete(c)
		}
		out.tables = append(out.tables, t)
	}
	return out
}

// complete adds the rules of then that c has not, behind as many as they stood behind; in a
// built-in chain, our jumps.
func (c *chainState) complete(then *chainState) {
	have := make(map[string]int)
	for _, r := range c.rules {
		have[r.text]++
	}
	for i, r := range then.rules {
		if have[r.text]--; have[r.text] < 0 && (c.own || r.jump != "") {
			c.rules = slices.Insert(c.rules, min(i, len(c.rules)), r)
		}
	}
}

// pruning is one try of a Prune.
type pruning struct {
	program *ir.Program // what the states hold
	frame   *Ruleset    // what stands when no network is in force
}

func newPruning(names backends.Names, states []*state) (*pruning, error) {
	none, found := Backend{}.Lower(&ir.Program{}, backends.Options{Families: ir.Both, Names: names,
		Layout: backends.Chains})
	if found.HasErrors() {
		panic(found.Error()) // of a program without rules
	}
	var docs []backends.Document
	for _, s := range states {
		if !s.empty() {
			docs = append(docs, s.document(false))
		}
	}
	program, err := Backend{}.Read(docs)
	if err != nil {
		return nil, err
	}
	frame, err := backends.Of[*Ruleset](none)
	return &pruning{program, frame}, err
}

// cut returns the script that takes the rules away from s, and with frame the chains in which
// nothing is left; and how many of our chains stay.
func (p *pruning) cut(s *state, rules []*ir.Rule, frame bool) (*script, int, error) {
	goes := make(map[*ir.Rule]bool, len(rules))
	for _, r := range rules {
		goes[r] = true
	}
	out, kept := &script{}, 0
	for _, t := range s.tables {
		size, lines := out.text.Len(), len(out.at)
		out.line(t.name, nil, "*"+t.name)
		head := len(out.at)
		var bare []string
		for _, c := range t.chains {
			if !c.own {
				continue
			}
			left, err := p.delete(out, s.family, t, c, goes)
			if err != nil {
				return nil, 0, err
			}
			if frame && left == 0 && p.made(s.family, t, c.name) {
				bare = append(bare, c.name)
			} else {
				kept++
			}
		}
		out.unhook(t, bare)
		if len(out.at) == head {
			out.text.Truncate(size)
			out.at = out.at[:lines]
			continue
		}
		out.line(t.name, nil, "COMMIT")
	}
	return out, kept, nil
}

// delete appends what takes rules of one chain away, and returns how many stay.
func (p *pruning) delete(out *script, f ir.Family, t *tableState, c *chainState, goes map[*ir.Rule]bool) (left int,
	err error) {
	i := slices.IndexFunc(p.program.Chains, func(o *ir.Chain) bool {
		return o.Family == f && o.Table == t.name && o.Name == c.name
	})
	if i < 0 || len(p.program.Chains[i].Rules) != len(c.rules) {
		return 0, fmt.Errorf("not all rules of chain %s in %s table %s were read", c.name, wordsOf(f).family, t.name)
	}
	for j, r := range c.rules {
		if !goes[&p.program.Chains[i].Rules[j]] {
			left++
			continue
		}
		out.line(t.name, nil, "-D "+strings.TrimPrefix(r.text, "-A "))
		out.changed++
	}
	return left, nil
}

// made is true if name is a chain of the frame, and nothing leads to it but the frame's jump.
func (p *pruning) made(f ir.Family, t *tableState, name string) bool {
	if slices.ContainsFunc(t.foreign, func(r reference) bool { return r.chain == name }) {
		return false
	}
	for _, c := range t.chains {
		if c.own && slices.ContainsFunc(c.rules, func(r rule) bool { return r.leadsTo(name) }) {
			return false
		}
	}
	for _, family := range p.frame.families {
		for _, table := range family.tables {
			for _, c := range table.chains {
				if family.family == f && table.name == t.name && c.name == name {
					return true
				}
			}
		}
	}
	return false
}

// unhook appends what takes empty chains away, and first the jumps to them.
func (s *script) unhook(t *tableState, bare []string) {
	for _, c := range t.chains {
		for _, r := range c.rules {
			if !c.own && r.jump != "" && slices.Contains(bare, r.jump) {
				s.line(t.name, nil, "-D "+c.name+" -j "+r.jump)
				s.changed++
			}
		}
	}
	for _, name := range bare {
		s.line(t.name, nil, "-X "+name)
		s.changed++
	}
}
